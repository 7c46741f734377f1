//! A playbook: YAML with positions in, a checked [`Playbook`] out.

mod admission;
mod bundle;
mod check;
pub mod cron;
mod diff;
mod graph;
mod lint;
mod load;
mod model;
mod outline;
mod read;
pub mod recurrence;
mod rule;
mod schema;
mod status;
pub mod templates;
mod timetable;
mod vocabulary;
mod wall_clock;

pub use admission::{Admission, Concurrency, Condition, Overflow};
pub use bundle::Bundle;
pub use diff::{Change, changes};
pub use graph::{mermaid, svg};
pub use lint::lint;
pub use load::{Loaded, Loader, Loading, files, load, load_files, load_folder, test_files};
pub use model::{
    Action, ActionKind, Admits, After, AlertTrigger, Field, FieldType, Filter, FormTrigger, IncidentTrigger,
    MailboxTrigger, Method, Missed, Parameter, ParameterType, Playbook, Retry, RunAfter, ScheduleTrigger, Segment,
    Terminate, TerminateStatus, Trigger, UntilLimit, Variable, VariableType, WebhookTrigger,
};
pub use outline::Outline;
pub use rule::FileRule;
pub use schema::{define, inputs, schema};
pub use status::ActionStatus;
pub use timetable::{Timetable, Timing};
pub use vocabulary::{ActionSpec, GivenBy, Vocabulary};
