//! `create_incident`: an incident in the built-in workspace, or in another.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    Connection, Operation,
    answer::{Answer, bad, rejected},
    sentinel::Client,
    values::{self, Text, instant, one_of},
};
use crate::{
    action::{ActionType, Call, LocalChange, Outcome, Performed, Rehearsal, RunInfo},
    incident::{Draft, Owner, Refusal, Severity, Status, Workspace},
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
pub(super) struct Input {
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
    /// The workspace's name, where a playbook wants to be sure of it: another than the one acted on is refused.
    #[serde(default)]
    workspace: Text,
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    connection: Option<Connection>,
}

pub(in crate::action) const ACTION: ActionType = super::action(&CreateIncident, &[]);

/// The effect.
struct CreateIncident;

#[async_trait::async_trait]
impl Operation for CreateIncident {
    type Input = Input;

    const NAME: &'static str = "create_incident";
    const WRITES: bool = true;

    async fn built_in(&self, call: &Call<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        self.rehearsed(&call.rehearsal(), input)
    }

    /// The change is made where it is journalled, so this is all there is to do.
    fn rehearsed(&self, call: &Rehearsal<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        let config = call.config.clone();
        // What the workspace behind a connection is called is not known here.
        let elsewhere = call.input.get(super::CONNECTION).and_then(|_| input.workspace.given());
        let workspace = elsewhere.unwrap_or(&config.workspace.name).to_owned();
        let draft = draft(input, call.run, &workspace)?;
        Ok(Performed::Local(LocalChange::CreateIncident {
            draft: Box::new(draft),
            id: call.identity.uuid_by_age(call.run.effects, "incident"),
            outputs: Box::new(move |incident| {
                let answer = Answer::new(200, incident.resource(&Workspace::of(&config)));
                // Writing plain fields as JSON does not fail.
                serde_json::value::to_raw_value(&answer).unwrap_or_else(|_| RawValue::NULL.to_owned())
            }),
        }))
    }

    async fn remote(&self, client: &Client<'_>, input: Input) -> Result<Outcome, Box<Outcome>> {
        let draft = draft(input, client.run(), &client.workspace().name)?;
        client.create_incident(&draft).await
    }
}

/// The incident that the input asks for.
fn draft(input: Input, run: &RunInfo, workspace: &str) -> Result<Draft, Box<Outcome>> {
    if let Some(other) = input.workspace.given()
        && !other.eq_ignore_ascii_case(workspace)
    {
        return Err(bad(format!("there is no workspace '{other}'; this one is '{workspace}'")));
    }
    let refuse = |refusal: Refusal| rejected(&refusal.into());
    let (classification, reason) =
        values::classification(&input.classification, &input.classification_reason).map_err(refuse)?;
    let mut draft = Draft {
        severity: one_of("severity", input.severity.given(), Severity::ALL, Severity::parse)
            .map_err(refuse)?
            .unwrap_or(Severity::Medium),
        status: one_of("status", input.status.given(), Status::ALL, Status::parse)
            .map_err(refuse)?
            .unwrap_or(Status::New),
        classification,
        // Without a classification there is nothing it could be the reason of.
        classification_reason: classification.and(reason),
        classification_comment: input.classification_comment.to_given(),
        owner: Owner::parse(&input.owner.0),
        tags: values::tags(&input.tags),
        first_activity: instant("first_activity", &input.first_activity).map_err(bad)?,
        last_activity: instant("last_activity", &input.last_activity).map_err(bad)?,
        title: input.title.0,
        description: input.description.0,
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::incident::{Classification, ClassificationReason};

    fn run(outputs: Value, resembles: Option<Uuid>) -> RunInfo {
        RunInfo {
            run: Uuid::from_u128(1),
            effects: Uuid::from_u128(1),
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
        let read: Result<Input, _> = crate::action::input::read("create_incident", input);
        read.and_then(|input| draft(input, &run(json!({}), None), "default")).map_err(|outcome| {
            let error = outcome.error.unwrap();
            format!("{}: {}", error.code, error.message)
        })
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
            (with(json!({"workspace": "other"})), "BadRequest: there is no workspace 'other'; this one is 'default'"),
            (
                with(json!({"owner": ["a"]})),
                "BadRequest: the input `owner` of `create_incident` cannot be used: expected text, found a list",
            ),
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
        let input = json!({"title": "x", "description": "as it says", "tags": ["email"]});
        let input = crate::action::input::read("create_incident", &input).unwrap();
        let draft = draft(input, &info, "default").unwrap();
        assert_eq!(draft.tags, ["email", "larum-same-message-id"]);
        assert_eq!(draft.description, "[Larum: 2 Subject headers; the first is taken]\nas it says");
    }
}
