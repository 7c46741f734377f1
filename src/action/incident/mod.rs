//! What playbooks do with incidents: open them, read them, work on them. Each action acts on the built-in workspace, or
//! through a `sentinel` connection on another.

mod answer;
mod close;
mod comment;
mod create;
mod entities;
mod get;
mod list;
mod named;
mod relate;
mod sentinel;
mod tags;
mod task;
mod update;
mod values;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::{answer::write, named::Given, sentinel::Client};
use super::{ActionType, Call, Effect, EffectKind, Nature, Outcome, Performed, Rehearsal, Returns, input};
use crate::{
    incident::{Change, Classification, ClassificationReason, Draft, Patch, Precondition, Status},
    playbook::{ActionSpec, GivenBy},
};

pub(super) use sentinel::address;
pub(super) use {
    close::ACTION as CLOSE,
    comment::ACTION as ADD_COMMENT,
    create::ACTION as CREATE,
    entities::ACTION as GET_ENTITIES,
    get::ACTION as GET,
    list::ACTION as LIST,
    relate::ACTION as RELATE_ALERT,
    tags::{ADD as ADD_TAGS, REMOVE as REMOVE_TAGS},
    task::{ADD as ADD_TASK, COMPLETE as COMPLETE_TASK},
    update::ACTION as UPDATE,
};

/// An action on a workspace. What cannot be done is an outcome like any other.
#[async_trait::async_trait]
trait Operation: Send + Sync {
    type Input: DeserializeOwned + JsonSchema + Send;

    const NAME: &'static str;
    /// Whether it changes the built-in workspace, and so commits with the journal.
    const WRITES: bool;

    /// In the built-in workspace.
    async fn built_in(&self, call: &Call<'_>, input: Self::Input) -> Result<Performed, Box<Outcome>>;

    /// As it would come to in a world where everything goes well, with nothing performed. What the inputs alone decide is
    /// refused as in earnest.
    fn rehearsed(&self, call: &Rehearsal<'_>, input: Self::Input) -> Result<Performed, Box<Outcome>>;

    /// In the workspace that a connection leads to.
    async fn remote(&self, client: &Client<'_>, input: Self::Input) -> Result<Outcome, Box<Outcome>>;
}

/// The input that says through which connection to act.
const CONNECTION: &str = "connection";

/// A `sentinel` connection of `larum.yaml`: the action then acts on the workspace it leads to. Default: the built-in
/// workspace.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(inline)]
struct Connection(#[expect(dead_code, reason = "read before the rest, see Effect::perform")] String);

#[async_trait::async_trait]
impl<T: Operation> Effect for T {
    fn kind(&self, input: &Value) -> EffectKind {
        // Names of what is made elsewhere derive from run and step, and reads change nothing.
        if T::WRITES && input.get(CONNECTION).is_none() { EffectKind::Local } else { EffectKind::Identified }
    }

    async fn perform(&self, call: Call<'_>) -> Performed {
        let performed = async {
            let input = input::read(T::NAME, call.input)?;
            match call.input.get(CONNECTION).and_then(Value::as_str) {
                None => self.built_in(&call, input).await,
                Some(name) => self.remote(&Client::new(&call, T::NAME, name)?, input).await.map(Performed::Outcome),
            }
        };
        performed.await.unwrap_or_else(|outcome| Performed::Outcome(*outcome))
    }

    fn rehearse(&self, call: Rehearsal<'_>) -> Performed {
        let rehearsed = input::read(T::NAME, call.input).and_then(|input| self.rehearsed(&call, input));
        rehearsed.unwrap_or_else(|outcome| Performed::Outcome(*outcome))
    }
}

/// Changes fields of an incident in the built-in workspace.
fn patch_built_in(call: &Call<'_>, given: Option<&Given>, patch: Patch) -> Result<Performed, Box<Outcome>> {
    let incident = named::incident(given, call.run, &call.services.config.workspace)?;
    Ok(write(call, Change::PatchIncident { incident, patch: Box::new(patch), precondition: Precondition::default() }))
}

/// A change of fields as far as its inputs go: which incident, and the rules of closing.
fn patch_rehearsed(call: &Rehearsal<'_>, given: Option<&Given>, patch: &Patch) -> Result<Performed, Box<Outcome>> {
    named::rehearsed(call, given)?;
    // Of another incident than the one that started the run it is not known what it is classified as.
    let before = given.is_none().then(|| call.run.trigger_body().pointer("/object/properties")).flatten();
    let had = |name: &str| before.and_then(|before| before.get(name)?.as_str());
    let had_classification = had("classification").and_then(Classification::parse);
    let classification = patch.classification.or(had_classification);
    let stays = patch.classification.is_none() || patch.classification == had_classification;
    let reason = had("classificationReason").and_then(ClassificationReason::parse).filter(|_| stays);
    let is_closed = patch.status == Some(Status::Closed);
    if is_closed && (classification.is_some() || before.is_some()) {
        let closing = Draft {
            status: Status::Closed,
            classification,
            classification_reason: patch.classification_reason.or(reason),
            ..Draft::new("closing")
        };
        closing.check().map_err(|refusal| answer::rejected(&refusal.into()))?;
    }
    Ok(Performed::Outcome(call.well()))
}

/// Changes fields of an incident in the workspace that a connection leads to.
async fn patch_remote(client: &Client<'_>, given: Option<&Given>, patch: Patch) -> Result<Outcome, Box<Outcome>> {
    let incident = named::elsewhere(given, client.workspace())?;
    // The built-in workspace cuts what it is given; another may refuse it.
    client.patch_incident(&incident, &patch.cut()).await
}

/// The action of an operation that acts on one incident, by default the one that started the run.
const fn on_incident<T: Operation>(operation: &'static T, sought_as: &'static [&'static str]) -> ActionType {
    let action = action(operation, sought_as);
    let given_by = Some(GivenBy { input: named::INCIDENT, trigger: "incident", instead: &[] });
    ActionType { spec: ActionSpec { given_by, ..action.spec }, ..action }
}

/// The action of any other operation.
const fn action<T: Operation>(operation: &'static T, sought_as: &'static [&'static str]) -> ActionType {
    let spec = ActionSpec {
        sought_as,
        connections: &["sentinel"],
        retries: true,
        ..ActionSpec::new(T::NAME, || schemars::schema_for!(T::Input))
    };
    ActionType { spec, nature: Nature::Effect(operation), returns: Returns::Body }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::{
        action::{self, Identity, RunInfo},
        config::Config,
        secret::Vault,
    };

    fn rehearsed(action: &str, input: &Value) -> Result<(), String> {
        let body = json!({"object": {"name": "73e01a99-5cd7-4139-a149-9f2736ff2ab5", "properties": {"status": "New"}}});
        let run = RunInfo {
            run: Uuid::from_u128(1),
            effects: Uuid::from_u128(1),
            playbook: "report".into(),
            version: "version".into(),
            event: Uuid::from_u128(2),
            kind: "incident".into(),
            summary: "a report".into(),
            resembles: None,
            outputs: Arc::new(json!({"body": body})),
        };
        let (config, vault) = (Arc::new(Config::default()), Vault::ephemeral("key"));
        let call = Rehearsal {
            run: &run,
            identity: Identity::of(run.run, "step"),
            input,
            config: &config,
            vault: &vault,
            at: "2026-11-24T09:00:00Z".parse().unwrap(),
        };
        let Nature::Effect(effect) = action::find(action).unwrap().nature else { panic!("{action} is an effect") };
        match effect.rehearse(call) {
            Performed::Outcome(outcome) => outcome.error.map_or(Ok(()), |error| Err(error.message)),
            Performed::Local(_) => Ok(()),
        }
    }

    #[test]
    fn a_rehearsed_action_refuses_what_its_inputs_make_wrong() {
        let long = "x".repeat(30_001);
        let table = [
            ("get_incident", json!({"incident": "/incidents/7"})),
            ("get_incident", json!({"connection": "azure"})),
            ("update_incident", json!({"severity": "Urgent"})),
            ("update_incident", json!({"status": "Closed"})),
            ("update_incident", json!({"status": "Closed", "classification": "TruePositive"})),
            ("update_incident", json!({"incident": 7, "status": "Closed", "classification": "TruePositive"})),
            ("update_incident", json!({"owner": "a@example.com", "owner_action": "Unassign"})),
            ("close_incident", json!({"classification": "FalsePositive"})),
            ("close_incident", json!({"classification": "Perhaps"})),
            ("add_tags", json!({"incident": [1], "tags": ["a"]})),
            ("remove_tags", json!({"incident": true, "tags": ["a"]})),
            ("add_comment", json!({"message": " "})),
            ("add_comment", json!({"message": long})),
            ("add_task", json!({"title": ""})),
            ("complete_task", json!({"task": "a/b"})),
            ("complete_task", json!({"task": "a", "connection": "azure"})),
            ("relate_alert", json!({"alert": "a/b"})),
            ("get_entities", json!({"kind": "Ghost"})),
            ("get_entities", json!({"entities": "none"})),
            ("list_incidents", json!({"filter": "status is new"})),
            ("list_incidents", json!({"order_by": "age"})),
            ("list_incidents", json!({"top": 0})),
        ];
        let told: String = table
            .iter()
            .map(|(action, input)| {
                let refused = rehearsed(action, input).expect_err(&format!(
                    "{action} {}",
                    input.to_string().get(..60.min(input.to_string().len())).unwrap_or_default()
                ));
                format!("{action}: {refused}\n")
            })
            .collect();
        insta::assert_snapshot!(told);
    }

    #[test]
    fn a_rehearsed_action_takes_what_may_be_right() {
        let elsewhere = "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w/providers\
                         /Microsoft.SecurityInsights/Incidents/1";
        let table = [
            ("get_incident", json!({})),
            ("get_incident", json!({"incident": elsewhere})),
            ("get_incident", json!({"incident": {}})),
            ("update_incident", json!({"incident": 7, "status": "Closed"})),
            ("update_incident", json!({"status": "Closed", "classification": "Undetermined"})),
            ("close_incident", json!({"classification": "TruePositive - SuspiciousActivity"})),
            ("complete_task", json!({"task": {}})),
            ("relate_alert", json!({"alert": {}})),
            ("list_incidents", json!({"connection": "azure", "filter": "what that service takes"})),
        ];
        for (action, input) in table {
            assert_eq!(rehearsed(action, &input), Ok(()), "{action} {input}");
        }
    }
}
