//! `add_task` and `complete_task`: what is to be done about an incident.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{
    CONNECTION, Connection, Operation,
    answer::{bad, write},
    named::{self, Given, Named},
    sentinel::Client,
    values::Text,
};
use crate::{
    action::{ActionType, Call, Outcome, Performed, Rehearsal},
    config::Workspace,
    incident::{Change, IncidentRef, Precondition, ResourceName, TaskStatus},
};

/// Adds a task to an incident. Returns the task; `complete_task` takes it as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Added {
    #[serde(default)]
    incident: Option<Given>,
    /// What is to be done, in a few words.
    title: Text,
    /// How, in HTML or Markdown.
    #[serde(default)]
    description: Text,
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    connection: Option<Connection>,
}

/// Marks a task as completed. Returns the task.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Completed {
    /// The task: the whole of it (as `@actions.ID` of an `add_task`), its resource id or its name.
    #[schemars(schema_with = "task_schema")]
    task: Value,
    /// The task's incident: its number, name or resource id, or the whole incident. Only needed with a `connection` when
    /// `task` is a name.
    #[serde(default)]
    #[schemars(schema_with = "incident_schema")]
    incident: Option<Given>,
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    connection: Option<Connection>,
}

fn task_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": ["string", "object"]})
}

fn incident_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": ["integer", "string", "object"]})
}

pub(in crate::action) const ADD: ActionType =
    super::on_incident(&AddTask, &["addtasktoincident", "addincidenttask", "createtask"]);
pub(in crate::action) const COMPLETE: ActionType =
    super::action(&CompleteTask, &["markataskascompleted", "marktaskascompleted", "completeincidenttask"]);

struct AddTask;

/// What the task's name is made for.
const NAMED_FOR: &str = "task";

#[async_trait::async_trait]
impl Operation for AddTask {
    type Input = Added;

    const NAME: &'static str = "add_task";
    const WRITES: bool = true;

    async fn built_in(&self, call: &Call<'_>, input: Added) -> Result<Performed, Box<Outcome>> {
        let incident = named::incident(input.incident.as_ref(), call.run, &call.services.config.workspace)?;
        Ok(write(
            call,
            Change::PutTask {
                incident,
                name: call.identity.uuid(NAMED_FOR).into(),
                title: title(&input.title)?,
                description: input.description.to_given(),
                status: TaskStatus::New,
                precondition: Precondition::default(),
            },
        ))
    }

    fn rehearsed(&self, call: &Rehearsal<'_>, input: Added) -> Result<Performed, Box<Outcome>> {
        named::rehearsed(call, input.incident.as_ref())?;
        title(&input.title)?;
        Ok(Performed::Outcome(call.well()))
    }

    async fn remote(&self, client: &Client<'_>, input: Added) -> Result<Outcome, Box<Outcome>> {
        let incident = named::elsewhere(input.incident.as_ref(), client.workspace())?;
        let (title, description) = (title(&input.title)?, input.description.to_given());
        client.add_task(&incident, client.uuid(NAMED_FOR), &title, description.as_deref()).await
    }
}

struct CompleteTask;

#[async_trait::async_trait]
impl Operation for CompleteTask {
    type Input = Completed;

    const NAME: &'static str = "complete_task";
    const WRITES: bool = true;

    async fn built_in(&self, call: &Call<'_>, input: Completed) -> Result<Performed, Box<Outcome>> {
        let (incident, name) = task(&input, &call.services.config.workspace)?;
        Ok(write(call, Change::SetTaskStatus { incident, name, status: TaskStatus::Completed }))
    }

    fn rehearsed(&self, call: &Rehearsal<'_>, input: Completed) -> Result<Performed, Box<Outcome>> {
        if !named::is_unknown(&input.task) {
            let found = named::wherever(task(&input, &call.config.workspace))?;
            if call.input.get(CONNECTION).is_some() && found.is_some_and(|(incident, _)| incident.is_none()) {
                return Err(no_task_incident());
            }
        }
        Ok(Performed::Outcome(call.well()))
    }

    async fn remote(&self, client: &Client<'_>, input: Completed) -> Result<Outcome, Box<Outcome>> {
        let (incident, name) = task(&input, client.workspace())?;
        let Some(incident) = incident else {
            return Err(no_task_incident());
        };
        client.complete_task(&incident, &name).await
    }
}

fn no_task_incident() -> Box<Outcome> {
    bad("with a `connection`, `complete_task` needs the task's resource id, or `incident` as well")
}

fn title(title: &Text) -> Result<String, Box<Outcome>> {
    title.to_given().ok_or_else(|| bad("the input `title` of `add_task` is empty"))
}

/// The task, and its incident as far as that is known.
fn task(input: &Completed, workspace: &Workspace) -> Result<(Option<IncidentRef>, ResourceName), Box<Outcome>> {
    let given = input.incident.as_ref().map(|given| named::elsewhere(Some(given), workspace)).transpose()?;
    match Named::read("task", &input.task, workspace)? {
        Named::Number(number) => Ok((given, named::name("task", &number.to_string())?)),
        Named::Name(text) => Ok((given, named::name("task", text)?)),
        Named::Id(id) => {
            let (Some(incident), Some(task)) = (id.name_of("Incidents"), id.name_of("Tasks")) else {
                return Err(bad("the input `task` is the id of something else than a task"));
            };
            let own = IncidentRef::Name(named::name("task", incident)?);
            Ok((Some(own), named::name("task", task)?))
        }
    }
}
