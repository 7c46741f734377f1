//! The team of an incident.

use rusqlite::Connection;
use uuid::Uuid;

use super::plan::{self, Plan, Stop, invalid};
use crate::{
    incident::{ActivityKind, IncidentRef, Rejected, Team, TeamMembers, Written},
    limits,
};

/// Gives an incident the team that it has from then on.
pub(super) fn create(
    connection: &Connection,
    plan: &mut Plan<'_>,
    incident: &IncidentRef,
    id: Uuid,
    (name, description): (&str, Option<&str>),
    who: &TeamMembers,
) -> Result<Written, Stop> {
    let before = plan::incident(connection, incident)?;
    let name = name.trim();
    for (what, text, most) in [
        ("name", name, limits::TEAM_NAME_CHARS),
        ("description", description.unwrap_or_default(), limits::TEAM_DESCRIPTION_CHARS),
    ] {
        if text.chars().count() > most {
            return Err(invalid(format!("A team's {what} can have {most} characters.")));
        }
    }
    if name.is_empty() {
        return Err(invalid("A team's name must not be empty."));
    }
    if who.members.len() + who.groups.len() > limits::TEAM_MEMBERS {
        return Err(invalid(format!("A team can be made with {} members and groups.", limits::TEAM_MEMBERS)));
    }
    if let Some(team) = &before.team {
        let message = format!("Incident {} already has a team, '{}'.", before.name, team.name);
        return Err(Rejected::Conflict(message).into());
    }
    let team = Team { id, name: name.to_owned(), description: description.map(str::to_owned), created: plan.at };
    let mut after = plan.touched(&before);
    after.team = Some(team.clone());
    plan.update(before, &after);
    plan.log(&after, ActivityKind::TeamCreated { team: id, name: team.name, who: who.clone() });
    Ok(Written::Incident { incident: Box::new(after), created: false })
}
