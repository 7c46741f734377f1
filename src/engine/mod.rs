//! Runs: a run is a fold over its journal.
//!
//! [`Plan`] is a playbook laid out; [`Machine`] folds events into commands, with no I/O; the driver performs commands and
//! journals events through the store. `docs/engine.md` tells the whole.

pub mod admission;
mod children;
mod concurrency;
mod driver;
mod earlier;
mod event;
mod fallback;
mod history;
pub mod journal;
mod library;
mod machine;
mod outside;
mod past;
mod performing;
mod plan;
mod recovery;
mod resubmit;
mod retry;
mod roster;
mod run;
mod secrets;
mod step;
mod timers;
mod unfolded;
pub(crate) mod versions;
mod watch;

pub use driver::{Begin, Engine};
pub use earlier::{Earlier, Entry};
pub use event::{Command, Event, Input};
pub use history::{Moment, RunHistory};
pub use library::{Library, Live};
pub use machine::{Delivered, Evaluated, Machine};
pub use outside::Question;
pub use past::{Past, fold};
pub use plan::{Plan, UnknownAction};
pub use resubmit::{Refused, Repeated, Wish};
pub use secrets::Secrets;
pub use step::Step;
pub use watch::{News, Watch};

pub(crate) use fallback::for_run as fallback;
pub(crate) use plan::Kind;
pub(crate) use secrets::without_credentials;
