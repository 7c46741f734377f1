//! Which incident is meant.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::{
    CONNECTION,
    answer::{bad, not_found},
    values::shortened,
};
use crate::{
    action::{Outcome, Rehearsal, RunInfo, http},
    config::Workspace,
    incident::{IncidentRef, ResourceName},
};

/// The input's name.
pub(super) const INCIDENT: &str = "incident";

/// `incident:` as it was given.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Given(Value);

impl JsonSchema for Given {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Incident".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Which incident: its number (`42`), its name (a GUID), its resource id (as `{{trigger.object.id}}`), \
                or the whole incident (as `@actions.create`). Default, in a playbook with an incident trigger and without a \
                `connection`: the incident that started the run.",
            "type": ["integer", "string", "object"],
        })
    }
}

/// A resource of a workspace by its id, `/subscriptions/…/providers/Microsoft.SecurityInsights/Incidents/{name}/…`.
pub(super) struct ResourceId<'a> {
    subscription: &'a str,
    resource_group: &'a str,
    workspace: &'a str,
    /// Kinds and names below the provider: `Incidents`, its name, `Tasks`, its name.
    below: Vec<&'a str>,
}

impl<'a> ResourceId<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.trim().trim_matches('/').split('/').collect();
        let literals = [
            (0, "subscriptions"),
            (2, "resourceGroups"),
            (4, "providers"),
            (5, "Microsoft.OperationalInsights"),
            (6, "workspaces"),
            (8, "providers"),
            (9, "Microsoft.SecurityInsights"),
        ];
        let (above, below) = parts.split_at_checked(10)?;
        let fits = literals.iter().all(|(place, literal)| above[*place].eq_ignore_ascii_case(literal));
        (fits && below.len() >= 2).then(|| Self {
            subscription: above[1],
            resource_group: above[3],
            workspace: above[7],
            below: below.to_vec(),
        })
    }

    /// The name of the resource of `kind` that the id names or that it lies in.
    pub(super) fn name_of(&self, kind: &str) -> Option<&'a str> {
        self.below.chunks_exact(2).find(|pair| pair[0].eq_ignore_ascii_case(kind)).map(|pair| pair[1])
    }

    fn is_in(&self, workspace: &Workspace) -> bool {
        self.subscription.eq_ignore_ascii_case(&workspace.subscription)
            && self.resource_group.eq_ignore_ascii_case(&workspace.resource_group)
            && self.workspace.eq_ignore_ascii_case(&workspace.name)
    }
}

/// Something the input `input` gives in one of the ways resources are named, in the workspace the action acts on.
pub(super) enum Named<'a> {
    Number(u64),
    Id(ResourceId<'a>),
    Name(&'a str),
}

impl<'a> Named<'a> {
    /// # Errors
    /// When it is none of them, or of another workspace.
    pub(super) fn read(input: &str, given: &'a Value, workspace: &Workspace) -> Result<Self, Box<Outcome>> {
        match given {
            Value::Number(number) => number.as_u64().map(Self::Number).ok_or_else(|| {
                bad(format!("the input `{input}` is {number}; a number is whole and greater than zero"))
            }),
            Value::String(text) => Self::of_text(input, text, workspace),
            Value::Object(members) => {
                let member = ["id", "name"].iter().find_map(|key| members.get(*key)?.as_str());
                let Some(text) = member else {
                    return Err(bad(format!("the input `{input}` is an object without `id` and `name`")));
                };
                Self::of_text(input, text, workspace)
            }
            Value::Null | Value::Bool(_) | Value::Array(_) => {
                Err(bad(format!("the input `{input}` names nothing: it is neither text, nor a number, nor an object")))
            }
        }
    }

    fn of_text(input: &str, text: &'a str, workspace: &Workspace) -> Result<Self, Box<Outcome>> {
        let text = text.trim();
        if text.is_empty() {
            return Err(bad(format!("the input `{input}` is empty")));
        }
        if text.bytes().all(|byte| byte.is_ascii_digit())
            && let Ok(number) = text.parse()
        {
            return Ok(Self::Number(number));
        }
        if !text.contains('/') {
            return Ok(Self::Name(text));
        }
        let Some(id) = ResourceId::parse(text) else {
            let start = shortened(text);
            return Err(bad(format!(
                "the input `{input}` is '{start}', which is no resource id of Microsoft Sentinel"
            )));
        };
        if !id.is_in(workspace) {
            // As the API answers for paths of other workspaces.
            return Err(not_found(shortened(text)));
        }
        Ok(Self::Id(id))
    }
}

/// A resource name from an input.
pub(super) fn name(input: &str, text: &str) -> Result<ResourceName, Box<Outcome>> {
    ResourceName::parse(text).map_err(|why| {
        let short = shortened(&why.0);
        bad(format!("the input `{input}` cannot be used: {}", crate::incident::BadName(short)))
    })
}

/// The incident that a rehearsed action acts on, as far as its inputs say: what an unanswered action returned names none,
/// and no workspace of a resource id is known to be the wrong one.
///
/// # Errors
/// When none is given, or what is given cannot name one.
pub(super) fn rehearsed(call: &Rehearsal<'_>, given: Option<&Given>) -> Result<(), Box<Outcome>> {
    if given.is_some_and(|Given(given)| is_unknown(given)) {
        return Ok(());
    }
    let workspace = &call.config.workspace;
    let meant = match call.input.get(CONNECTION) {
        Some(_) => elsewhere(given, workspace),
        None => incident(given, call.run, workspace),
    };
    wherever(meant).map(drop)
}

/// Whether this is what an action returns in a rehearsal when nobody says what it returned.
pub(super) fn is_unknown(given: &Value) -> bool {
    given.as_object().is_some_and(serde_json::Map::is_empty)
}

/// What is named, `None` when all that is wrong with it is that it lies in another workspace.
pub(super) fn wherever<T>(meant: Result<T, Box<Outcome>>) -> Result<Option<T>, Box<Outcome>> {
    match meant {
        Ok(meant) => Ok(Some(meant)),
        Err(outcome) if outcome.code == http::status_name(404) => Ok(None),
        Err(outcome) => Err(outcome),
    }
}

/// The incident that is given, or the one that started the run.
///
/// # Errors
/// When none is given, or it names none of this workspace.
pub(super) fn incident(
    given: Option<&Given>,
    run: &RunInfo,
    workspace: &Workspace,
) -> Result<IncidentRef, Box<Outcome>> {
    match given {
        Some(Given(given)) => of_value(given, workspace),
        None => match run.trigger_body().get("object") {
            Some(object) => of_value(object, workspace),
            None => Err(bad(format!("the input `{INCIDENT}` is missing, and the trigger delivered no incident"))),
        },
    }
}

/// The incident that is given; nothing goes without saying where the trigger's incidents are not.
///
/// # Errors
/// The same.
pub(super) fn elsewhere(given: Option<&Given>, workspace: &Workspace) -> Result<IncidentRef, Box<Outcome>> {
    match given {
        Some(Given(given)) => of_value(given, workspace),
        None => Err(bad(format!("the input `{INCIDENT}` is missing: with a `connection` it must say which one"))),
    }
}

fn of_value(given: &Value, workspace: &Workspace) -> Result<IncidentRef, Box<Outcome>> {
    match Named::read(INCIDENT, given, workspace)? {
        Named::Number(number) => Ok(IncidentRef::Number(number)),
        Named::Name(text) => name(INCIDENT, text).map(IncidentRef::Name),
        Named::Id(id) => match id.name_of("Incidents") {
            Some(text) => name(INCIDENT, text).map(IncidentRef::Name),
            None => Err(bad(format!("the input `{INCIDENT}` is the id of something else than an incident"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workspace() -> Workspace {
        crate::config::Config::default().workspace
    }

    #[test]
    fn an_incident_goes_by_its_number_its_name_its_id_or_itself() {
        let guid = "73e01a99-5cd7-4139-a149-9f2736ff2ab5";
        let id = format!(
            "/subscriptions/00000000-0000-0000-0000-000000000000/RESOURCEGROUPS/larum/providers/microsoft.operationalinsights\
             /workspaces/Default/providers/Microsoft.SecurityInsights/incidents/{guid}"
        );
        let task = format!("{id}/Tasks/1");
        let named = IncidentRef::Name(ResourceName::parse(guid).unwrap());
        let rows = [
            (json!(7), IncidentRef::Number(7)),
            (json!(" 7 "), IncidentRef::Number(7)),
            (json!("case-7"), IncidentRef::Name(ResourceName::parse("case-7").unwrap())),
            (json!(guid), named.clone()),
            (json!(id), named.clone()),
            (json!(task), named.clone()),
            (json!({"id": id, "name": "other"}), named.clone()),
            (json!({"name": guid, "properties": {}}), named),
        ];
        for (given, expected) in rows {
            let found = of_value(&given, &workspace()).map_err(|outcome| outcome.error);
            assert_eq!(found, Ok(expected), "{given}");
        }
    }

    #[test]
    fn what_names_no_incident_of_this_workspace_is_refused() {
        let elsewhere = "/subscriptions/s/resourceGroups/larum/providers/Microsoft.OperationalInsights/workspaces/default\
                         /providers/Microsoft.SecurityInsights/Incidents/1";
        let alert = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/larum/providers\
                     /Microsoft.OperationalInsights/workspaces/default/providers/Microsoft.SecurityInsights/Entities/1";
        let mut table = String::new();
        for given in [
            json!(-1),
            json!(1.5),
            json!(""),
            json!("a?b"),
            json!("a/b"),
            json!(elsewhere),
            json!(alert),
            json!({"title": "x"}),
            json!([1]),
            json!(true),
        ] {
            let refused = of_value(&given, &workspace()).unwrap_err().error.unwrap();
            table += &format!("{}: {}\n", refused.code, refused.message);
        }
        insta::assert_snapshot!(table);
    }
}
