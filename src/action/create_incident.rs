//! `create_incident`: an incident in the built-in workspace.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use super::{
    ActionType, Call, Effect, EffectKind, ErrorInfo, LazyValue, LocalChange, Nature, Outcome, Performed, Returns,
    RunInfo,
};
use crate::{
    incident::{Classification, ClassificationReason, Draft, Owner, Refusal, Severity, Status, Workspace},
    playbook::{ActionSpec, ActionStatus},
};

/// Opens an incident. Returns the incident; `actions.ID.properties.incidentNumber` is its number.
///
/// Text that is empty counts as not given. What breaks a rule is refused with status 400 and the action fails; length
/// never refuses: a longer description is cut with a mark.
///
/// A report whose Message-ID came before with other content gets the tag `larum-same-message-id`; what the mail reader
/// noticed about a mail (two From lines, a broken encoding) stands in front of the description.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The title. White space around it is dropped; it must not be empty.
    title: Text,
    /// What happened. Over 5,000 characters it is cut; the full report stays attached.
    #[serde(default)]
    description: Text,
    /// `High`, `Medium`, `Low` or `Informational`, in any letter case. Default `Medium`.
    #[serde(default)]
    #[schemars(extend("enum" = ["High", "Medium", "Low", "Informational"]))]
    severity: Text,
    /// `New`, `Active` or `Closed`, in any letter case. Default `New`. `Closed` needs a classification.
    #[serde(default)]
    #[schemars(extend("enum" = ["New", "Active", "Closed"]))]
    status: Text,
    /// Who it is assigned to: an object id, a user principal name or a mail address.
    #[serde(default)]
    owner: Text,
    /// Labels. Empty and repeated ones are dropped.
    #[serde(default)]
    tags: Vec<Text>,
    /// `Undetermined`, `TruePositive`, `BenignPositive` or `FalsePositive`; or with its reason, as Logic Apps' connector
    /// writes it: `TruePositive - SuspiciousActivity`.
    #[serde(default)]
    classification: Text,
    /// `SuspiciousActivity`, `SuspiciousButExpected`, `IncorrectAlertLogic` or `InaccurateData`.
    #[serde(default)]
    #[schemars(extend("enum" = ["SuspiciousActivity", "SuspiciousButExpected", "IncorrectAlertLogic", "InaccurateData"]))]
    classification_reason: Text,
    /// Why it was classified so, in words.
    #[serde(default)]
    classification_comment: Text,
    /// When it began, ISO 8601; without an offset it is UTC.
    #[serde(default)]
    first_activity: Text,
    /// When it was last seen, ISO 8601; without an offset it is UTC.
    #[serde(default)]
    last_activity: Text,
    /// The workspace's name. Default: the built-in one, the only one there is yet.
    #[serde(default)]
    workspace: Text,
}

/// Text, or a number or truth value written as text: what an expression that keeps its type may give.
#[derive(Debug, Default, schemars::JsonSchema)]
#[schemars(transparent)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Bool(true) => Ok(Self("True".to_owned())),
            Value::Bool(false) => Ok(Self("False".to_owned())),
            Value::Number(number) => Ok(Self(number.to_string())),
            Value::Null => Ok(Self::default()),
            Value::Array(_) => Err(serde::de::Error::custom("expected text, found a list")),
            Value::Object(_) => Err(serde::de::Error::custom("expected text, found an object")),
        }
    }
}

impl Text {
    /// The trimmed text, unless it is empty.
    fn given(&self) -> Option<&str> {
        Some(self.0.trim()).filter(|text| !text.is_empty())
    }
}

pub(super) const ACTION: ActionType = ActionType {
    spec: ActionSpec::new("create_incident", || schemars::schema_for!(Input)),
    nature: Nature::Effect(&CreateIncident),
    returns: Returns::Body,
};

/// The effect.
struct CreateIncident;

#[async_trait::async_trait]
impl Effect for CreateIncident {
    fn kind(&self, _input: &Value) -> EffectKind {
        EffectKind::Local
    }

    async fn perform(&self, call: Call<'_>) -> Performed {
        let workspace = &call.services.config.workspace;
        match draft(call.input, call.run, &workspace.name) {
            Ok(draft) => {
                let config = call.services.config.clone();
                Performed::Local(LocalChange::CreateIncident {
                    draft: Box::new(draft),
                    id: call.identity.uuid("incident"),
                    outputs: Box::new(move |incident| {
                        let answer = Answer::new(200, incident.resource(&Workspace::of(&config)));
                        // Writing plain fields as JSON does not fail.
                        serde_json::value::to_raw_value(&answer).unwrap_or_else(|_| RawValue::NULL.to_owned())
                    }),
                })
            }
            Err((code, message)) => Performed::Outcome(refused(&code, &message)),
        }
    }
}

/// The connector's answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<B> {
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
    fn new(status_code: u16, body: B) -> Self {
        Self { status_code, headers: Headers { content_type: "application/json; charset=utf-8" }, body }
    }
}

/// What Sentinel's rules refuse is an answer like any other: status 400 with the reason in its body.
fn refused(code: &str, message: &str) -> Outcome {
    Outcome {
        status: ActionStatus::Failed,
        code: "BadRequest".to_owned(),
        outputs: serde_json::to_value(Answer::new(400, json!({"error": {"code": code, "message": message}})))
            .ok()
            .map(LazyValue::from),
        error: Some(ErrorInfo { code: code.to_owned(), message: message.to_owned() }),
        retryable: false,
        retry_after: None,
        poll: None,
    }
}

/// The incident that the input asks for.
fn draft(input: &Value, run: &RunInfo, workspace: &str) -> Result<Draft, (String, String)> {
    let bad = |message: String| ("BadRequest".to_owned(), message);
    let input = Input::deserialize(input).map_err(|error| bad(error.to_string()))?;
    if let Some(other) = input.workspace.given()
        && !other.eq_ignore_ascii_case(workspace)
    {
        return Err(bad(format!("there is no workspace '{other}'; the built-in one is '{workspace}'")));
    }
    let refuse = |refusal: Refusal| (refusal.code().to_owned(), refusal.to_string());
    let (classification, reason) = classification(&input).map_err(refuse)?;
    let mut draft = Draft {
        title: input.title.0.clone(),
        description: input.description.0.clone(),
        severity: one_of("severity", &input.severity, Severity::ALL, Severity::parse)
            .map_err(refuse)?
            .unwrap_or(Severity::Medium),
        status: one_of("status", &input.status, Status::ALL, Status::parse).map_err(refuse)?.unwrap_or(Status::New),
        classification,
        classification_reason: reason,
        classification_comment: input.classification_comment.given().map(str::to_owned),
        owner: Owner::parse(&input.owner.0),
        tags: input.tags.into_iter().map(|tag| tag.0).collect(),
        first_activity: instant("first_activity", &input.first_activity).map_err(bad)?,
        last_activity: instant("last_activity", &input.last_activity).map_err(bad)?,
    };
    mark(&mut draft, run);
    draft.check().map_err(refuse)
}

/// What the reader of the report noticed goes with the incident.
fn mark(draft: &mut Draft, run: &RunInfo) {
    if run.resembles.is_some() {
        draft.tags.push("larum-same-message-id".to_owned());
    }
    let remarks = run.outputs.get("remarks").and_then(Value::as_array);
    let remarks: Vec<String> =
        remarks.into_iter().flatten().filter_map(Value::as_str).map(|remark| format!("[Larum: {remark}]\n")).collect();
    // In front, where a long description's cut does not take them away: two From lines are something to know at once.
    draft.description.insert_str(0, &remarks.concat());
}

/// Classification and reason, from two inputs or from the connector's combined one.
fn classification(input: &Input) -> Result<(Option<Classification>, Option<ClassificationReason>), Refusal> {
    let Some(text) = input.classification.given() else { return Ok((None, None)) };
    let (name, inner) = text.split_once('-').map_or((text, None), |(name, reason)| (name, Some(reason)));
    let classification = one_of("classification", &Text(name.to_owned()), Classification::ALL, Classification::parse)?;
    let reason = inner.map_or_else(|| Text(input.classification_reason.0.clone()), |inner| Text(inner.to_owned()));
    let reason = one_of("classification_reason", &reason, ClassificationReason::ALL, ClassificationReason::parse)?;
    Ok((classification, reason))
}

/// A value of a closed set by its name; nothing given is no value.
fn one_of<T: Copy + std::fmt::Display>(
    field: &'static str,
    text: &Text,
    all: &[T],
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    let Some(name) = text.given() else { return Ok(None) };
    parse(name).map(Some).ok_or_else(|| Refusal::NotOneOf {
        field,
        // A whole mail can stand where a severity should; the start of it is enough to see that.
        value: name.chars().take(100).collect(),
        allowed: all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    })
}

/// An instant in ISO 8601.
fn instant(field: &str, text: &Text) -> Result<Option<DateTime<Utc>>, String> {
    let Some(text) = text.given() else { return Ok(None) };
    let with_offset = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    let in_utc = || text.parse::<NaiveDateTime>().map(|at| at.and_utc());
    let at_midnight = || text.parse::<NaiveDate>().map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc());
    with_offset.or_else(|_| in_utc()).or_else(|_| at_midnight()).map(Some).map_err(|_| {
        let start: String = text.chars().take(100).collect();
        format!("'{start}' is not a {field}; write it like 2026-11-24T09:05:00Z")
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;

    fn run(outputs: Value, resembles: Option<Uuid>) -> RunInfo {
        RunInfo {
            run: Uuid::from_u128(1),
            playbook: "report".into(),
            version: "version".into(),
            event: Uuid::from_u128(2),
            kind: "mailbox".into(),
            summary: "a report".into(),
            resembles,
            outputs: Arc::new(outputs),
        }
    }

    fn made(input: &Value) -> Result<Draft, String> {
        draft(input, &run(json!({}), None), "default").map_err(|(code, message)| format!("{code}: {message}"))
    }

    /// The input with a title, as the machine hands it over.
    fn with(mut input: Value) -> Value {
        input["title"] = json!("x");
        input
    }

    #[test]
    fn every_input_reaches_the_incident() {
        let input = json!({
            "title": "  stranger ",
            "description": 42,
            "severity": "hIGH",
            "status": "closed",
            "owner": " alice@contoso.com\n",
            "tags": ["email", "", "email", 7],
            "classification": "TruePositive - SuspiciousActivity",
            "classification_comment": "seen on camera",
            "first_activity": "2026-11-24T09:05:00.1234567Z",
            "last_activity": "2026-11-24",
            "workspace": "DEFAULT",
        });
        let expected = Draft {
            description: "42".into(),
            severity: Severity::High,
            status: Status::Closed,
            owner: Owner::parse("alice@contoso.com"),
            tags: vec!["email".into(), "7".into()],
            classification: Some(Classification::TruePositive),
            classification_reason: Some(ClassificationReason::SuspiciousActivity),
            classification_comment: Some("seen on camera".into()),
            first_activity: DateTime::from_timestamp(1_795_511_100, 123_456_700),
            last_activity: DateTime::from_timestamp(1_795_478_400, 0),
            ..Draft::new("stranger")
        };
        assert_eq!(made(&input), Ok(expected));
    }

    #[test]
    fn what_is_empty_counts_as_not_given() {
        let input = json!({
            "description": "", "severity": " ", "status": "", "owner": "", "tags": [], "classification": "",
            "classification_reason": "", "classification_comment": " ", "first_activity": "", "last_activity": "",
            "workspace": "",
        });
        assert_eq!(made(&with(input)), Ok(Draft::new("x")));
    }

    #[test]
    fn what_breaks_a_rule_is_refused_with_its_reason() {
        let rows = [
            (json!({"title": " "}), "BadRequest: the title is required and must not be empty"),
            (
                with(json!({"severity": "Urgent"})),
                "BadRequest: 'Urgent' is not a severity; it must be one of High, Medium, Low, Informational",
            ),
            (
                with(json!({"status": "Done"})),
                "BadRequest: 'Done' is not a status; it must be one of New, Active, Closed",
            ),
            (with(json!({"status": "Closed"})), "BadRequest: status 'Closed' needs a classification"),
            (
                with(json!({"status": "Closed", "classification": "FalsePositive"})),
                "BadRequest: classification 'FalsePositive' must have classificationReason.",
            ),
            (
                with(json!({"classification": "TruePositive - Because"})),
                "BadRequest: 'Because' is not a classification_reason; it must be one of SuspiciousActivity, SuspiciousButExpected, IncorrectAlertLogic, InaccurateData",
            ),
            (
                with(json!({"first_activity": "yesterday"})),
                "BadRequest: 'yesterday' is not a first_activity; write it like 2026-11-24T09:05:00Z",
            ),
            (
                with(json!({"workspace": "other"})),
                "BadRequest: there is no workspace 'other'; the built-in one is 'default'",
            ),
            (with(json!({"owner": ["a"]})), "BadRequest: expected text, found a list"),
        ];
        for (input, expected) in rows {
            assert_eq!(made(&input), Err(expected.to_owned()), "{input}");
        }
    }

    #[test]
    fn a_whole_mail_where_a_severity_should_be_is_shown_shortened() {
        let refused = made(&with(json!({"severity": "word ".repeat(1_000)}))).unwrap_err();
        assert!(refused.len() < 250, "{refused}");
    }

    #[test]
    fn what_was_noticed_about_the_report_goes_with_the_incident() {
        let outputs = json!({"body": {}, "remarks": ["2 Subject headers; the first is taken"]});
        let info = run(outputs, Some(Uuid::from_u128(9)));
        let draft =
            draft(&json!({"title": "x", "description": "as it says", "tags": ["email"]}), &info, "default").unwrap();
        assert_eq!(draft.tags, ["email", "larum-same-message-id"]);
        assert_eq!(draft.description, "[Larum: 2 Subject headers; the first is taken]\nas it says");
    }

    #[test]
    fn a_refusal_looks_like_the_connectors() {
        let outcome = refused("BadRequest", "status 'Closed' needs a classification");
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
    }
}
