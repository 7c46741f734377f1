//! The team of an incident: what Larum keeps of one, since there is no Microsoft Teams to make it in.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A team that works on an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    pub id: Uuid,
    pub name: String,
    pub description: Option<String>,
    pub created: DateTime<Utc>,
}

/// Who is meant to be in a team, by the object ids of a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TeamMembers {
    #[schemars(with = "Vec<String>")]
    pub members: Vec<Uuid>,
    /// Groups whose members are meant.
    #[schemars(with = "Vec<String>")]
    pub groups: Vec<Uuid>,
}
