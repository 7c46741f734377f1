//! What clients send. Members that are not known, and those that only the service sets, are read over; a member of the
//! wrong type is a fault with its place.

use chrono::{DateTime, Datelike, NaiveDateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};
use uuid::Uuid;

use crate::incident::{Classification, ClassificationReason, Draft, Owner, Severity, Status, TaskStatus};

/// What every PUT sends.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "an object")]
#[schemars(rename = "{P}Body")]
pub struct Envelope<P> {
    /// The etag that was seen last; when it is another one by now, nothing is changed.
    #[serde(default)]
    pub etag: Option<String>,
    pub properties: P,
}

/// What a client may write of an incident. All of it is replaced.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct IncidentWrite {
    title: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(deserialize_with = "word")]
    severity: Severity,
    #[serde(deserialize_with = "word")]
    status: Status,
    #[serde(default, deserialize_with = "optional_word")]
    classification: Option<Classification>,
    #[serde(default, deserialize_with = "optional_word")]
    classification_reason: Option<ClassificationReason>,
    #[serde(default)]
    classification_comment: Option<String>,
    /// By object id, user principal name or mail address; the rest is filled in as far as it can be.
    #[serde(default)]
    owner: Option<OwnerWrite>,
    #[serde(default)]
    labels: Option<Vec<LabelWrite>>,
    #[serde(default, deserialize_with = "optional_instant")]
    #[schemars(with = "Option<String>")]
    first_activity_time_utc: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "optional_instant")]
    #[schemars(with = "Option<String>")]
    last_activity_time_utc: Option<DateTime<Utc>>,
}

impl From<IncidentWrite> for Draft {
    fn from(given: IncidentWrite) -> Self {
        Self {
            title: given.title,
            description: given.description.unwrap_or_default(),
            severity: given.severity,
            status: given.status,
            classification: given.classification,
            classification_reason: given.classification_reason,
            classification_comment: given.classification_comment,
            owner: given.owner.map(Owner::from).unwrap_or_default(),
            tags: given.labels.unwrap_or_default().into_iter().map(|label| label.label_name).collect(),
            first_activity: given.first_activity_time_utc,
            last_activity: given.last_activity_time_utc,
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct LabelWrite {
    label_name: String,
}

/// Who an incident is assigned to; all null or absent: nobody.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct OwnerWrite {
    #[serde(default)]
    object_id: Option<String>,
    #[serde(default)]
    email: Option<String>,
    /// The name shown.
    #[serde(default)]
    assigned_to: Option<String>,
    #[serde(default)]
    user_principal_name: Option<String>,
    /// `Unknown`, `User` or `Group`.
    #[serde(default)]
    owner_type: Option<String>,
}

impl From<OwnerWrite> for Owner {
    fn from(given: OwnerWrite) -> Self {
        let text = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let (object_id, email) = (text(given.object_id), text(given.email));
        let (assigned_to, name) = (text(given.assigned_to), text(given.user_principal_name));
        // There is no directory to look anybody up in, but most principal names are mail addresses and the other way round.
        let address = name.clone().filter(|name| name.contains('@'));
        Self {
            email: email.clone().or(address),
            assigned_to: assigned_to.or_else(|| name.clone()).or_else(|| email.clone()),
            user_principal_name: name.or(email),
            owner_type: text(given.owner_type).filter(|_| object_id.is_some()),
            object_id,
        }
    }
}

/// What a client may write of a comment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "an object")]
pub struct CommentWrite {
    /// HTML or Markdown, at most 30,000 characters.
    pub message: String,
}

/// What a client may write of a task.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "an object")]
pub struct TaskWrite {
    pub title: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(deserialize_with = "word")]
    pub status: TaskStatus,
}

/// What a client may write of a relation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct RelationWrite {
    /// The resource id of an alert (`…/entities/{systemAlertId}`) or of a bookmark (`…/bookmarks/{id}`); of a bookmark's
    /// relation, that of an incident (`…/incidents/{id}`).
    pub related_resource_id: String,
}

/// A team to work on an incident.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct TeamWrite {
    pub team_name: String,
    #[serde(default)]
    pub team_description: Option<String>,
    /// Who is meant to be in it, by object id.
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub member_ids: Option<Vec<Uuid>>,
    /// Groups whose members are meant, by object id.
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub group_ids: Option<Vec<Uuid>>,
}

/// How far the entities around a bookmark are looked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct ExpansionWrite {
    /// Which expansion is wanted; there is one, whichever is named.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    #[allow(dead_code, reason = "read to check the body, and the source of its schema")]
    expansion_id: Option<Uuid>,
    /// Alerts that came in before it do not count.
    #[serde(default, deserialize_with = "optional_instant")]
    #[schemars(with = "Option<String>")]
    pub start_time: Option<DateTime<Utc>>,
    /// Alerts that came in after it do not count.
    #[serde(default, deserialize_with = "optional_instant")]
    #[schemars(with = "Option<String>")]
    pub end_time: Option<DateTime<Utc>>,
}

/// Which playbook to run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct RunPlaybook {
    /// A resource id whose last part is the playbook's name.
    pub logic_apps_resource_id: String,
    /// For an entity: the incident it is looked at in.
    #[serde(default)]
    pub incident_arm_id: Option<String>,
}

/// What a client must write of a bookmark; what else Sentinel's schema has is kept as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[allow(dead_code, reason = "read to check the body, and the source of its schema")]
pub struct BookmarkWrite {
    pub display_name: String,
    pub query: String,
    #[serde(default)]
    query_result: Option<String>,
    #[serde(default)]
    notes: Option<String>,
    #[serde(default)]
    labels: Option<Vec<String>>,
    #[serde(default, deserialize_with = "optional_instant")]
    #[schemars(with = "Option<String>")]
    event_time: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "optional_instant")]
    #[schemars(with = "Option<String>")]
    query_start_time: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "optional_instant")]
    #[schemars(with = "Option<String>")]
    query_end_time: Option<DateTime<Utc>>,
    #[serde(default)]
    tactics: Option<Vec<String>>,
    #[serde(default)]
    techniques: Option<Vec<String>>,
    #[serde(default)]
    entity_mappings: Option<Vec<EntityMapping>>,
    #[serde(default)]
    incident_info: Option<IncidentInfo>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[allow(dead_code, reason = "read to check the body, and the source of its schema")]
struct EntityMapping {
    #[serde(default)]
    entity_type: Option<String>,
    #[serde(default)]
    field_mappings: Option<Vec<FieldMapping>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "an object")]
#[allow(dead_code, reason = "read to check the body, and the source of its schema")]
struct FieldMapping {
    #[serde(default)]
    identifier: Option<String>,
    #[serde(default)]
    value: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[allow(dead_code, reason = "read to check the body, and the source of its schema")]
struct IncidentInfo {
    #[serde(default)]
    incident_id: Option<String>,
    #[serde(default, deserialize_with = "optional_word")]
    severity: Option<Severity>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    relation_name: Option<String>,
}

/// What a client must write of an alert rule's action.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[allow(dead_code, reason = "read to check the body, and the source of its schema")]
pub struct ActionWrite {
    /// The address that starts the playbook. It admits whoever has it, so it is never shown again.
    pub trigger_uri: String,
    pub logic_app_resource_id: String,
}

/// What a client may write of the onboarding state.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[allow(dead_code, reason = "read to check the body, and the source of its schema")]
pub struct OnboardingWrite {
    #[serde(default)]
    pub customer_managed_key: Option<bool>,
}

/// One of a list of words; their case does not count.
pub trait Word: Copy + 'static {
    /// What it says.
    const WHAT: &'static str;
    const ALL: &'static [Self];
    fn as_str(self) -> &'static str;
}

macro_rules! words {
    ($($type:ident $what:literal),+) => {
        $(impl Word for $type {
            const WHAT: &'static str = $what;
            const ALL: &'static [Self] = $type::ALL;
            fn as_str(self) -> &'static str {
                $type::as_str(self)
            }
        })+
    };
}

words!(
    Severity "severity",
    Status "status",
    Classification "classification",
    ClassificationReason "classificationReason",
    TaskStatus "status"
);

fn parsed<T: Word, E: Error>(text: &str) -> Result<T, E> {
    T::ALL.iter().copied().find(|word| word.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
        let allowed: Vec<&str> = T::ALL.iter().map(|word| word.as_str()).collect();
        E::custom(format_args!("'{text}' is not a {}; it must be one of {}", T::WHAT, allowed.join(", ")))
    })
}

/// Such a word.
///
/// # Errors
/// When it is another, with those that it may be.
pub fn word<'de, T: Word, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    parsed(&String::deserialize(deserializer)?)
}

/// Such a word, or nothing.
///
/// # Errors
/// As [`word`]'s.
pub fn optional_word<'de, T: Word, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::<String>::deserialize(deserializer)?.map(|text| parsed(&text)).transpose()
}

/// An instant in ISO 8601; one without a zone is in UTC, as Python's SDKs mean it.
///
/// # Errors
/// When it is no instant.
pub fn optional_instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let with_zone = DateTime::parse_from_rfc3339(&text).map(|at| at.to_utc());
    let read =
        with_zone.or_else(|_| NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").map(|at| at.and_utc()));
    // Four digits are all that ISO 8601 has for a year; with more, no client could read it back.
    let known = read.ok().filter(|at| (1..=9999).contains(&at.year()));
    known
        .map(Some)
        .ok_or_else(|| D::Error::custom(format_args!("'{text}' is not a time in ISO 8601, of a year from 1 to 9999")))
}
