//! The form trigger: a submission becomes a report.
//!
//! How it arrives over HTTP is the server's business; here it is checked against the playbook's fields and handed to
//! the intake door.

mod answers;
mod submission;

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

pub use answers::{Answer, Answers, FieldFault, Refusal, decode_pairs, grouped};
pub use submission::{SubmissionFault, receipt, receipt_holds, submission_id, submission_key};

use super::{
    intake::{Arrival, Door},
    table::Addressed,
};
use crate::{
    engine::Live,
    playbook::{FormTrigger, Trigger},
    store::{
        EventId, StoreError,
        intake::{Intake, Report, Uniqueness},
        mailbox::FeedName,
    },
};

/// The connection all forms count as; a form's path is the folder.
const CONNECTION: &str = "form";
/// Who answered, as long as nobody signs in; Microsoft Forms' word.
const ANONYMOUS: &str = "anonymous";

/// A form in force, with the playbook it starts.
#[derive(Debug)]
pub struct Form {
    pub trigger: FormTrigger,
    pub live: Live,
}

impl Addressed for Form {
    const KIND: &'static str = "form";

    fn of(live: &Live) -> Option<Self> {
        match &live.playbook.trigger {
            Trigger::Form(trigger) => Some(Self { trigger: trigger.clone(), live: live.clone() }),
            _ => None,
        }
    }

    fn path(&self) -> &str {
        &self.trigger.path
    }

    fn live(&self) -> &Live {
        &self.live
    }
}

/// How a submission came in: what `request` shows to the playbook. Only harmless headers belong in here, since all of it
/// is kept with the run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Request {
    pub headers: Vec<(String, String)>,
    pub queries: Vec<(String, String)>,
}

/// What a form trigger delivers: the outputs that `request` and `trigger` are read from.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outputs<'a> {
    method: &'static str,
    #[serde(serialize_with = "as_map")]
    headers: &'a [(String, String)],
    #[serde(serialize_with = "as_map")]
    queries: &'a [(String, String)],
    relative_path_parameters: serde_json::Map<String, Value>,
    body: Body<'a>,
}

struct Body<'a> {
    answers: &'a Answers,
    response: EventId,
    at: DateTime<Utc>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (id, answer) in self.answers.iter() {
            map.serialize_entry(id, answer)?;
        }
        map.serialize_entry("responseId", &self.response)?;
        map.serialize_entry("submitDate", &self.at.to_rfc3339_opts(SecondsFormat::Millis, true))?;
        map.serialize_entry("responder", ANONYMOUS)?;
        map.end()
    }
}

fn as_map<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

/// The outputs of a form trigger as JSON text: `{method, headers, queries, relativePathParameters, body}`, where `body`
/// holds the answers by field id and `responseId`, `submitDate` and `responder`.
///
/// # Errors
/// Only when JSON cannot be written, which no answer causes.
pub fn outputs(
    answers: &Answers,
    request: &Request,
    response: EventId,
    at: DateTime<Utc>,
) -> serde_json::Result<String> {
    serde_json::to_string(&Outputs {
        method: "POST",
        headers: &request.headers,
        queries: &request.queries,
        relative_path_parameters: serde_json::Map::new(),
        body: Body { answers, response, at },
    })
}

impl Form {
    /// The batch of one report that a submission is, ready for [`Door::take`].
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn intake(
        &self,
        door: &Door,
        answers: &Answers,
        request: &Request,
        uniqueness: Uniqueness,
    ) -> Result<Intake, StoreError> {
        let at = door.clock.now();
        let event = EventId::now_v7();
        let outputs =
            outputs(answers, request, event, at).map_err(|error| StoreError::Failed(error.to_string().into()))?;
        let arrival = Arrival { kind: "form", event, outputs: &outputs, at };
        let playbooks = vec![door.start(&self.live, &arrival)?];
        Ok(Intake {
            feed: FeedName { connection: CONNECTION.to_owned(), folder: self.trigger.path.clone() },
            reports: vec![Report {
                event,
                kind: "form",
                uniqueness,
                summary: format!("form {}, response {event}", self.trigger.path),
                outputs: Arc::from(outputs),
                raw: None,
                playbooks,
                mail_tasks: Vec::new(),
                skipped: None,
            }],
            cursor: None,
            at,
        })
    }
}
