//! A playbook: YAML with positions in, a checked [`Playbook`] out.

mod bundle;
pub mod cron;
mod model;
mod status;
mod vocabulary;

pub use bundle::Bundle;
pub use model::{
    Action, ActionKind, After, Field, FieldType, Filter, FormTrigger, MailboxTrigger, Missed, Parameter, ParameterType,
    Playbook, Retry, RunAfter, ScheduleTrigger, Trigger, Variable, VariableType,
};
pub use status::ActionStatus;
pub use vocabulary::{ActionSpec, Vocabulary};
