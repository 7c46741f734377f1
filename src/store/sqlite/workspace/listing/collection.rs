//! How the properties of each collection are kept: a table, its key, and a property's column.

use crate::{
    incident::PROVIDER,
    limits,
    odata::{Kind, Property},
};

/// A table that is listed.
pub(super) struct Collection {
    pub table: &'static str,
    /// Its integer key; it grows with age.
    pub key: &'static str,
    /// The column of a property, qualified, because conditions on lists bring columns of their own.
    pub column: fn(&Property) -> String,
}

pub(super) static INCIDENTS: Collection =
    Collection { table: "incident", key: "incident.number", column: incident_column };
pub(super) static COMMENTS: Collection = Collection { table: "comment", key: "comment.id", column: comment_column };
pub(super) static RELATIONS: Collection = Collection { table: "relation", key: "relation.id", column: relation_column };
pub(super) static ALERTS: Collection = Collection { table: "alert", key: "alert.id", column: alert_column };

fn incident_column(property: &Property) -> String {
    let column = match property.path {
        "name" => "shown_name(incident.id)",
        "properties/title" => "incident.title",
        "properties/description" => "incident.description",
        "properties/severity" => "incident.severity",
        "properties/status" => "incident.status",
        "properties/classification" => "incident.classification",
        "properties/classificationReason" => "incident.classification_reason",
        "properties/classificationComment" => "incident.classification_comment",
        "properties/owner/objectId" => "incident.owner_object_id",
        "properties/owner/email" => "incident.owner_email",
        "properties/owner/assignedTo" => "incident.owner_assigned_to",
        "properties/owner/userPrincipalName" => "incident.owner_user_principal_name",
        "properties/owner/ownerType" => "incident.owner_type",
        "properties/labels" => "incident.tags",
        "properties/firstActivityTimeUtc" => "incident.first_activity",
        "properties/lastActivityTimeUtc" => "incident.last_activity",
        "properties/createdTimeUtc" => "incident.created",
        "properties/lastModifiedTimeUtc" => "incident.modified",
        "properties/incidentNumber" => "incident.number",
        "properties/providerName" => return format!("'{PROVIDER}'"),
        "properties/providerIncidentId" => "CAST(incident.number AS TEXT)",
        "properties/relatedAnalyticRuleIds" => "incident.analytic_rules",
        "properties/additionalData/alertsCount" => "incident.alerts",
        "properties/additionalData/bookmarksCount" => "incident.bookmarks",
        "properties/additionalData/commentsCount" => "incident.comments",
        "properties/additionalData/alertProductNames" => "incident.alert_products",
        "properties/additionalData/tactics" => "incident.tactics",
        "properties/additionalData/techniques" => "incident.techniques",
        _ => "NULL",
    };
    column.to_owned()
}

fn comment_column(property: &Property) -> String {
    let column = match property.path {
        "name" => "shown_name(comment.name)",
        "properties/message" => "comment.message",
        "properties/createdTimeUtc" => "comment.created",
        "properties/lastModifiedTimeUtc" => "comment.modified",
        "properties/author/objectId" => "json_extract(comment.author, '$.id')",
        "properties/author/name" => {
            "coalesce(json_extract(comment.author, '$.name'), json_extract(comment.author, '$.playbook'), 'Larum')"
        }
        _ => "NULL",
    };
    column.to_owned()
}

fn relation_column(property: &Property) -> String {
    let column = match property.path {
        "name" => "shown_name(relation.name)",
        "properties/relatedResourceName" => "shown_name(relation.related)",
        "properties/relatedResourceType" => {
            "iif(relation.kind = 'Alert', 'Microsoft.SecurityInsights/Entities', 'Microsoft.SecurityInsights/Bookmarks')"
        }
        "properties/relatedResourceKind" => "iif(relation.kind = 'Alert', 'SecurityAlert', NULL)",
        _ => "NULL",
    };
    column.to_owned()
}

fn alert_column(property: &Property) -> String {
    let column = match property.path {
        "name" | "properties/systemAlertId" => "shown_name(alert.name)",
        "properties/alertDisplayName" => "alert.title",
        "properties/severity" => "alert.severity",
        "properties/timeGenerated" => "alert.received",
        // The others are members of its JSON under the same names.
        path => {
            let member = path.strip_prefix("properties/").unwrap_or(path);
            return format!("json_extract(alert.properties, '$.{member}')");
        }
    };
    column.to_owned()
}

/// The column of an element that the `any` with this alias looks at.
pub(super) fn element_column(alias: &str, property: Option<&Property>) -> String {
    match property.map(|property| property.path) {
        None | Some("labelName") => format!("{alias}.value"),
        // Labels are made by people and playbooks, all of the one type.
        Some("labelType") => "'User'".to_owned(),
        Some(_) => "NULL".to_owned(),
    }
}

/// A column as it is sorted by: values of a closed list by their place in it.
pub(super) fn sorted(column: &str, kind: Kind) -> String {
    match kind {
        Kind::Choice(values) => {
            let places = values.iter().enumerate().map(|(place, value)| format!(" WHEN '{value}' THEN {place}"));
            format!("CASE {column}{} END", places.collect::<String>())
        }
        Kind::Name => format!("{column} COLLATE NOCASE"),
        // A page ends with the keys of its last row, and they go to the client and come back in an address.
        Kind::Text => format!("substr({column}, 1, {})", limits::ORDER_CHARS),
        Kind::Integer | Kind::Instant | Kind::Texts | Kind::Objects(_) => column.to_owned(),
    }
}
