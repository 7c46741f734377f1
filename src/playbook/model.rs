//! The checked playbook. Whatever could be wrong was refused before a value of these types exists.

use std::{ops::Range, time::Duration};

use serde_json::Value;

use super::{ActionStatus, Admission, Timing};
use crate::{
    diagnostic::Source,
    expression::{Template, Tree},
    schema::Schema,
};

/// A playbook that passed every check.
#[derive(Debug)]
pub struct Playbook {
    pub name: String,
    pub description: Option<String>,
    pub source: Source,
    pub parameters: Vec<Parameter>,
    pub variables: Vec<Variable>,
    /// Whether a mailbox or form run that comes to nothing makes an incident; `fallback: none` turns it off.
    pub fallback: bool,
    pub trigger: Trigger,
    pub admission: Admission,
    pub actions: Vec<Action>,
}

/// A value that is given from outside, in `larum.yaml`.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub name: String,
    pub kind: ParameterType,
    pub default: Option<Value>,
}

/// The types of Logic Apps' parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterType {
    String,
    SecureString,
    Int,
    Float,
    Bool,
    Array,
    Object,
    SecureObject,
}

/// A variable of the run with its typed start value.
#[derive(Debug, Clone)]
pub struct Variable {
    pub name: String,
    pub kind: VariableType,
    pub default: Value,
}

/// The types of Logic Apps' variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariableType {
    Boolean,
    Integer,
    Float,
    String,
    Array,
    Object,
}

/// What starts a run.
#[derive(Debug)]
pub enum Trigger {
    Mailbox(MailboxTrigger),
    Form(FormTrigger),
    Webhook(WebhookTrigger),
    Schedule(ScheduleTrigger),
    Incident(IncidentTrigger),
    Alert(AlertTrigger),
    Manual,
}

impl Trigger {
    /// The key it is written under.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Mailbox(_) => "mailbox",
            Self::Form(_) => "form",
            Self::Webhook(_) => "webhook",
            Self::Schedule(_) => "schedule",
            Self::Incident(_) => "incident",
            Self::Alert(_) => "alert",
            Self::Manual => "manual",
        }
    }
}

/// A mail in a folder of a mailbox starts the run.
#[derive(Debug, Clone, PartialEq)]
pub struct MailboxTrigger {
    /// A maildir or imap connection of `larum.yaml`; `None` means the embedded maildir.
    pub connection: Option<String>,
    /// Default `INBOX`.
    pub folder: String,
    /// How often to look where the server offers no IDLE. Default one minute.
    pub every: Duration,
    pub filter: Filter,
    pub after: After,
}

/// Which mails count; every given condition must hold, any entry of a list will do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// A part of the subject, ignoring case.
    pub subject_contains: Option<String>,
    /// Sender addresses, ignoring case.
    pub from: Vec<String>,
    /// `low`, `normal` or `high`.
    pub importance: Option<String>,
    pub has_attachments: Option<bool>,
}

/// What is done in the mailbox once the report is committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct After {
    pub mark_seen: bool,
    pub move_to: Option<String>,
}

/// A form that Larum serves.
#[derive(Debug, Clone, PartialEq)]
pub struct FormTrigger {
    /// The address, `/forms/{path}`.
    pub path: String,
    pub title: String,
    pub fields: Vec<Field>,
}

/// One field of a form.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub id: String,
    pub label: String,
    pub kind: FieldType,
    pub required: bool,
    /// In characters.
    pub max_length: Option<usize>,
    /// Of a choice.
    pub options: Vec<String>,
    /// Of a choice: more than one answer may be given.
    pub multiple: bool,
}

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    Text,
    LongText,
    Choice,
    Email,
    Url,
    Date,
    Number,
    Checkbox,
}

/// A call of a web address starts the run.
#[derive(Debug, Clone)]
pub struct WebhookTrigger {
    /// The address, `/hooks/{path}`.
    pub path: String,
    pub admits: Admits,
    /// Which methods are taken. Default `POST` alone.
    pub methods: Vec<Method>,
    /// What the body must be.
    pub schema: Option<Schema>,
    /// What follows the path in the address, segment by segment; empty for nothing.
    pub relative_path: Vec<Segment>,
    /// Names the call, so that a repeated one starts nothing; made from `trigger` and `request`.
    pub key: Option<Template>,
}

/// Who may call a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admits {
    /// Whoever signs the body as this webhook connection of `larum.yaml` says.
    Signed { connection: String },
    /// Whoever has a signed address (`larum hooks url`).
    SignedUrl,
    /// Anybody: `connection: none`.
    Anybody,
}

/// The methods a webhook may take, as in Logic Apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub const ALL: &'static [Self] = &[Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// One segment of a relative path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// It is this text.
    Text(String),
    /// It is anything, and `request.relativePathParameters` has it under this name.
    Parameter(String),
}

/// A clock starts the run.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleTrigger {
    pub timing: Timing,
    /// Default UTC.
    pub time_zone: chrono_tz::Tz,
    pub missed: Missed,
}

/// What becomes of ticks that passed while Larum was not running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missed {
    Skip,
    #[default]
    RunOnce,
    RunAll,
}

/// A change of an incident starts the run. Automation rules and people can start it whatever it listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncidentTrigger {
    /// An incident came to be, however it was made. The default.
    pub created: bool,
    /// Something was changed in an incident or in what hangs on it.
    pub updated: bool,
}

/// An alert that comes in starts the run. Automation rules can start it whatever it listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertTrigger {
    /// An alert came in. The default.
    pub created: bool,
}

/// One step.
#[derive(Debug)]
pub struct Action {
    pub id: String,
    /// Where the id stands in the file.
    pub span: Range<usize>,
    pub run_after: RunAfter,
    /// For the whole action, retries included.
    pub timeout: Option<Duration>,
    pub retry: Retry,
    pub secure_inputs: bool,
    pub secure_outputs: bool,
    pub description: Option<String>,
    pub kind: ActionKind,
}

impl Playbook {
    /// Whether any action, however deep it stands, is `action`.
    #[must_use]
    pub fn calls(&self, action: &str) -> bool {
        self.actions.iter().any(|inner| inner.calls(action))
    }
}

impl Action {
    fn calls(&self, wanted: &str) -> bool {
        matches!(&self.kind, ActionKind::Call { action, .. } if *action == wanted)
            || self.inside().any(|inner| inner.calls(wanted))
    }

    /// The actions directly in it, in the order of the file.
    pub fn inside(&self) -> impl DoubleEndedIterator<Item = &Action> {
        let lists: Vec<&[Action]> = match &self.kind {
            ActionKind::If { then, otherwise, .. } => vec![then, otherwise],
            ActionKind::Switch { cases, default, .. } => {
                cases.iter().map(|(_, actions)| actions.as_slice()).chain([default.as_slice()]).collect()
            }
            ActionKind::ForEach { actions, .. } | ActionKind::Until { actions, .. } | ActionKind::Scope { actions } => {
                vec![actions]
            }
            ActionKind::Call { .. } | ActionKind::Terminate(_) => Vec::new(),
        };
        lists.into_iter().flatten()
    }
}

/// When an action may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunAfter {
    /// With its container: the first of a list, or `run_after: {}`.
    Start,
    /// After these siblings (by index in the same list) ended in one of these statuses.
    After(Vec<(usize, Vec<ActionStatus>)>),
}

/// What an action does.
#[derive(Debug)]
pub enum ActionKind {
    If {
        condition: Tree,
        then: Vec<Action>,
        otherwise: Vec<Action>,
    },
    Switch {
        on: Tree,
        /// Texts or whole numbers, all of one type, each once.
        cases: Vec<(Value, Vec<Action>)>,
        default: Vec<Action>,
    },
    ForEach {
        /// Gives the array.
        over: Tree,
        /// How many iterations may run at once.
        concurrency: u32,
        actions: Vec<Action>,
    },
    Until {
        /// Looked at after each iteration.
        condition: Tree,
        limit: UntilLimit,
        actions: Vec<Action>,
    },
    Scope {
        actions: Vec<Action>,
    },
    Terminate(Terminate),
    /// One of the action room's actions.
    Call {
        action: &'static str,
        /// An object; its keys are known inputs of the action.
        with: Tree,
    },
}

/// Where an `until` stops although its condition is not true.
#[derive(Debug, Clone)]
pub struct UntilLimit {
    /// Gives the most iterations there may be.
    pub count: Tree,
    /// Looked at between iterations.
    pub timeout: Duration,
    /// Whether reaching a limit makes the loop fail; as in Logic Apps it does not unless asked.
    pub fails: bool,
}

/// How a run ends before its time.
#[derive(Debug, Clone)]
pub struct Terminate {
    pub status: TerminateStatus,
    /// The run's error, when it failed.
    pub code: Option<Tree>,
    pub message: Option<Tree>,
}

/// What a terminated run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminateStatus {
    Succeeded,
    Failed,
    Cancelled,
}

/// How often and when an action is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// Logic Apps' default: exponential, four retries, 7.5 s scaled, between 5 s and 45 s.
    #[default]
    Default,
    None,
    Fixed {
        count: u32,
        interval: Duration,
    },
    Exponential {
        count: u32,
        interval: Duration,
        minimum_interval: Option<Duration>,
        maximum_interval: Option<Duration>,
    },
}
