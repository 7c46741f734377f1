//! `update_incident`: changes what is given of an incident.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Connection, Operation,
    answer::{bad, rejected},
    named::Given,
    patch_built_in, patch_remote,
    sentinel::Client,
    values::{self, Text, instant, one_of},
};
use crate::{
    action::{ActionType, Call, Outcome, Performed, Rehearsal},
    incident::{Owner, Patch, Refusal, Severity, Status},
};

/// Changes what is given of an incident and leaves the rest as it is. Returns the incident as it then is. Text that is
/// empty counts as not given, so nothing is emptied by accident.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    #[serde(default)]
    incident: Option<Given>,
    /// The new title.
    #[serde(default)]
    title: Text,
    /// The new description. Over 5,000 characters it is cut.
    #[serde(default)]
    description: Text,
    /// `High`, `Medium`, `Low` or `Informational`, in any letter case.
    #[serde(default)]
    #[schemars(extend("enum" = ["High", "Medium", "Low", "Informational"]))]
    severity: Text,
    /// `New`, `Active` or `Closed`, in any letter case. `Closed` needs a classification, unless there is one already.
    #[serde(default)]
    #[schemars(extend("enum" = ["New", "Active", "Closed"]))]
    status: Text,
    /// Who it is to be assigned to: an object id, a user principal name or a mail address. Empty leaves the owner as it
    /// is; see `owner_action`.
    #[serde(default)]
    owner: Text,
    /// `Unassign` takes the owner away, and then `owner` must not be given. Default `Assign`.
    #[serde(default)]
    #[schemars(extend("enum" = ["Assign", "Unassign"]))]
    owner_action: Text,
    /// Labels to add. Those there are stay.
    #[serde(default)]
    tags_to_add: Vec<Text>,
    /// Labels to take away, ignoring case.
    #[serde(default)]
    tags_to_remove: Vec<Text>,
    /// `Undetermined`, `TruePositive`, `BenignPositive` or `FalsePositive`; or with its reason:
    /// `TruePositive - SuspiciousActivity`.
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
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    connection: Option<Connection>,
}

pub(in crate::action) const ACTION: ActionType = super::on_incident(
    &UpdateIncident,
    &[
        "changeincidentdescription",
        "changeincidentseverity",
        "changeincidentstatus",
        "changeincidenttitle",
        "assignincident",
    ],
);

struct UpdateIncident;

#[async_trait::async_trait]
impl Operation for UpdateIncident {
    type Input = Input;

    const NAME: &'static str = "update_incident";
    const WRITES: bool = true;

    async fn built_in(&self, call: &Call<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        patch_built_in(call, input.incident.as_ref(), patch(&input)?)
    }

    fn rehearsed(&self, call: &Rehearsal<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        super::patch_rehearsed(call, input.incident.as_ref(), &patch(&input)?)
    }

    async fn remote(&self, client: &Client<'_>, input: Input) -> Result<Outcome, Box<Outcome>> {
        patch_remote(client, input.incident.as_ref(), patch(&input)?).await
    }
}

fn patch(input: &Input) -> Result<Patch, Box<Outcome>> {
    let refuse = |refusal: Refusal| rejected(&refusal.into());
    let (classification, classification_reason) =
        values::classification(&input.classification, &input.classification_reason).map_err(refuse)?;
    Ok(Patch {
        title: input.title.to_given(),
        description: input.description.given().map(|_| input.description.0.clone()),
        severity: one_of("severity", input.severity.given(), Severity::ALL, Severity::parse).map_err(refuse)?,
        status: one_of("status", input.status.given(), Status::ALL, Status::parse).map_err(refuse)?,
        classification,
        classification_reason,
        classification_comment: input.classification_comment.to_given(),
        owner: owner(&input.owner, &input.owner_action)?,
        add_tags: values::tags(&input.tags_to_add),
        remove_tags: values::tags(&input.tags_to_remove),
        first_activity: instant("first_activity", &input.first_activity).map_err(bad)?,
        last_activity: instant("last_activity", &input.last_activity).map_err(bad)?,
    })
}

fn owner(owner: &Text, action: &Text) -> Result<Option<Owner>, Box<Outcome>> {
    let unassigns = match action.given() {
        None => false,
        Some(name) if name.eq_ignore_ascii_case("Assign") => false,
        Some(name) if name.eq_ignore_ascii_case("Unassign") => true,
        Some(name) => {
            let start = values::shortened(name);
            return Err(bad(format!("'{start}' is not an owner_action; it must be one of Assign, Unassign")));
        }
    };
    match (owner.given(), unassigns) {
        (Some(_), true) => Err(bad("`owner_action` is Unassign, and `owner` says whom to assign")),
        (None, true) => Ok(Some(Owner::default())),
        (text, false) => Ok(text.map(Owner::parse)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::incident::{Classification, ClassificationReason};

    fn patched(input: &Value) -> Result<Patch, String> {
        let read = crate::action::input::read(UpdateIncident::NAME, input);
        read.and_then(|input| patch(&input)).map_err(|outcome| outcome.error.unwrap().message)
    }

    #[test]
    fn what_is_given_is_changed_and_what_is_empty_is_not() {
        assert_eq!(patched(&json!({"title": " ", "owner": "", "tags_to_add": [null, ""]})), Ok(Patch::default()));
        let input = json!({
            "title": " Door ", "severity": "high", "status": "closed", "owner": "alice@contoso.com",
            "tags_to_add": ["a", 7], "tags_to_remove": ["b"], "classification": "FalsePositive - InaccurateData",
        });
        let expected = Patch {
            title: Some("Door".into()),
            severity: Some(Severity::High),
            status: Some(Status::Closed),
            owner: Some(Owner::parse("alice@contoso.com")),
            add_tags: vec!["a".into(), "7".into()],
            remove_tags: vec!["b".into()],
            classification: Some(Classification::FalsePositive),
            classification_reason: Some(ClassificationReason::InaccurateData),
            ..Patch::default()
        };
        assert_eq!(patched(&input), Ok(expected));
    }

    #[test]
    fn an_owner_is_taken_away_by_saying_so() {
        let unassigned = Patch { owner: Some(Owner::default()), ..Patch::default() };
        assert_eq!(patched(&json!({"owner_action": "unassign"})), Ok(unassigned));
        assert_eq!(
            patched(&json!({"owner_action": "Unassign", "owner": "bob@contoso.com"})),
            Err("`owner_action` is Unassign, and `owner` says whom to assign".into())
        );
        assert_eq!(
            patched(&json!({"owner_action": "Remove"})),
            Err("'Remove' is not an owner_action; it must be one of Assign, Unassign".into())
        );
    }
}
