//! What the actions return: `{statusCode, headers, body}`, as Sentinel's connector does.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    action::{Call, ErrorInfo, LocalChange, Outcome, Performed, http},
    incident::{Change, IncidentRef, Rejected, Workspace, Written},
    playbook::ActionStatus,
    store::StoreError,
};

/// The connector's answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<B> {
    status_code: u16,
    headers: Headers,
    body: B,
}

#[derive(Serialize)]
struct Headers {
    #[serde(rename = "Content-Type")]
    content_type: &'static str,
}

impl<B> Answer<B> {
    pub(super) fn new(status_code: u16, body: B) -> Self {
        Self { status_code, headers: Headers { content_type: "application/json; charset=utf-8" }, body }
    }
}

/// Done, with what came of it.
pub(super) fn done(body: Value) -> Outcome {
    // Writing plain fields as JSON does not fail.
    Outcome::succeeded(serde_json::to_value(Answer::new(200, body)).unwrap_or_default())
}

/// What the workspace's rules refuse is an answer like any other.
pub(super) fn refused(status: u16, code: &str, message: &str) -> Outcome {
    let body = json!({"error": {"code": code, "message": message}});
    Outcome {
        status: ActionStatus::Failed,
        code: http::status_name(status),
        outputs: serde_json::to_value(Answer::new(status, body)).ok().map(Into::into),
        error: Some(ErrorInfo { code: code.to_owned(), message: message.to_owned() }),
        retryable: false,
        retry_after: None,
        poll: None,
    }
}

/// Inputs that cannot be used.
pub(super) fn bad(message: impl AsRef<str>) -> Box<Outcome> {
    Box::new(refused(400, "BadRequest", message.as_ref()))
}

/// What a rule of the workspace says no to.
pub(super) fn rejected(rejected: &Rejected) -> Box<Outcome> {
    Box::new(refused(rejected.status(), rejected.code(), &rejected.to_string()))
}

/// There is no such thing.
pub(super) fn not_found(name: impl Into<String>) -> Box<Outcome> {
    rejected(&Rejected::NotFound(name.into()))
}

/// There is no such incident.
pub(super) fn no_incident(incident: &IncidentRef) -> Box<Outcome> {
    not_found(match incident {
        IncidentRef::Number(number) => number.to_string(),
        IncidentRef::Name(name) => name.to_string(),
    })
}

/// The built-in workspace could not be read.
pub(super) fn store(error: &StoreError) -> Box<Outcome> {
    let outcome = |again: &str| {
        let message = format!("the built-in workspace could not be read: {error}{again}");
        Outcome::failed("ServiceUnavailable", message)
    };
    Box::new(if error.is_passing() {
        outcome("; it is asked again as `retry` says").retryable(None)
    } else {
        outcome("")
    })
}

/// A change of the built-in workspace. The action returns what was written.
pub(super) fn write(call: &Call<'_>, change: Change) -> Performed {
    let config = call.services.config.clone();
    Performed::Local(LocalChange::Write {
        change: Box::new(change),
        etag: call.identity.uuid("etag"),
        outcome: Box::new(move |written| match written {
            Ok(written) => done(resource(written, &Workspace::of(&config))),
            Err(why) => *rejected(why),
        }),
    })
}

/// What was written, as the API shows it.
fn resource(written: &Written, workspace: &Workspace) -> Value {
    match written {
        Written::Incident { incident, .. } => incident.to_resource(workspace),
        Written::Comment { incident, comment, .. } => comment.to_resource(&incident.name, workspace),
        Written::Task { incident, task, .. } => task.to_resource(&incident.name, workspace),
        Written::Relation { incident, relation, .. } => relation.to_resource(&incident.name, workspace),
        Written::Alert { alert, .. } => alert.to_resource(workspace),
        Written::Document { .. } | Written::Gone { .. } | Written::Noted => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_looks_like_the_connectors() {
        let outcome = bad("status 'Closed' needs a classification");
        insta::assert_json_snapshot!(outcome, @r#"
        {
          "status": "Failed",
          "code": "BadRequest",
          "outputs": {
            "statusCode": 400,
            "headers": {
              "Content-Type": "application/json; charset=utf-8"
            },
            "body": {
              "error": {
                "code": "BadRequest",
                "message": "status 'Closed' needs a classification"
              }
            }
          },
          "error": {
            "code": "BadRequest",
            "message": "status 'Closed' needs a classification"
          }
        }
        "#);
        let outcome = not_found("Incident 7");
        assert_eq!((outcome.code.as_str(), outcome.error.unwrap().code.as_str()), ("NotFound", "ResourceNotFound"));
    }
}
