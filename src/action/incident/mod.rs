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
    incident::{Change, Patch, Precondition},
    playbook::{ActionSpec, GivenBy},
};

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

    /// As it would come to in a world where everything goes well, with nothing performed.
    fn rehearsed(&self, call: &Rehearsal<'_>, _input: Self::Input) -> Result<Performed, Box<Outcome>> {
        Ok(Performed::Outcome(call.well()))
    }

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

/// Changes fields of an incident in the workspace that a connection leads to.
async fn patch_remote(client: &Client<'_>, given: Option<&Given>, patch: &Patch) -> Result<Outcome, Box<Outcome>> {
    let incident = named::elsewhere(given, client.workspace())?;
    client.patch_incident(&incident, patch).await
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
