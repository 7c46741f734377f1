//! What can be filtered and sorted by: the properties of each collection, under the API's names.

use crate::odata::{Kind, Property};

const fn property(path: &'static str, kind: Kind) -> Property {
    Property { path, kind }
}

/// The lowest first, so that `severity desc` begins with what is worst.
const SEVERITIES: &[&str] = &["Informational", "Low", "Medium", "High"];

/// Of incidents.
pub static INCIDENT: &[Property] = &[
    property("name", Kind::Name),
    property("properties/title", Kind::Text),
    property("properties/description", Kind::Text),
    property("properties/severity", Kind::Choice(SEVERITIES)),
    property("properties/status", Kind::Choice(&["New", "Active", "Closed"])),
    property(
        "properties/classification",
        Kind::Choice(&["Undetermined", "TruePositive", "BenignPositive", "FalsePositive"]),
    ),
    property(
        "properties/classificationReason",
        Kind::Choice(&["SuspiciousActivity", "SuspiciousButExpected", "IncorrectAlertLogic", "InaccurateData"]),
    ),
    property("properties/classificationComment", Kind::Text),
    property("properties/owner/objectId", Kind::Name),
    property("properties/owner/email", Kind::Text),
    property("properties/owner/assignedTo", Kind::Text),
    property("properties/owner/userPrincipalName", Kind::Text),
    property("properties/owner/ownerType", Kind::Choice(&["Unknown", "User", "Group"])),
    property("properties/labels", Kind::Objects(LABEL)),
    property("properties/firstActivityTimeUtc", Kind::Instant),
    property("properties/lastActivityTimeUtc", Kind::Instant),
    property("properties/createdTimeUtc", Kind::Instant),
    property("properties/lastModifiedTimeUtc", Kind::Instant),
    property("properties/incidentNumber", Kind::Integer),
    property("properties/providerName", Kind::Text),
    property("properties/providerIncidentId", Kind::Text),
    property("properties/relatedAnalyticRuleIds", Kind::Texts),
    property("properties/additionalData/alertsCount", Kind::Integer),
    property("properties/additionalData/bookmarksCount", Kind::Integer),
    property("properties/additionalData/commentsCount", Kind::Integer),
    property("properties/additionalData/alertProductNames", Kind::Texts),
    property("properties/additionalData/tactics", Kind::Texts),
    property("properties/additionalData/techniques", Kind::Texts),
];

/// Of an incident's label.
static LABEL: &[Property] =
    &[property("labelName", Kind::Text), property("labelType", Kind::Choice(&["User", "AutoAssigned"]))];

/// Of comments.
pub static COMMENT: &[Property] = &[
    property("name", Kind::Name),
    property("properties/message", Kind::Text),
    property("properties/createdTimeUtc", Kind::Instant),
    property("properties/lastModifiedTimeUtc", Kind::Instant),
    property("properties/author/objectId", Kind::Name),
    property("properties/author/name", Kind::Text),
];

/// Of relations.
pub static RELATION: &[Property] = &[
    property("name", Kind::Name),
    property("properties/relatedResourceName", Kind::Name),
    property("properties/relatedResourceType", Kind::Name),
    property("properties/relatedResourceKind", Kind::Name),
];

/// Of alerts.
pub static ALERT: &[Property] = &[
    property("name", Kind::Name),
    property("properties/systemAlertId", Kind::Name),
    property("properties/alertDisplayName", Kind::Text),
    property("properties/description", Kind::Text),
    property("properties/severity", Kind::Choice(SEVERITIES)),
    property("properties/status", Kind::Text),
    property("properties/timeGenerated", Kind::Instant),
    property("properties/productName", Kind::Text),
    property("properties/vendorName", Kind::Text),
    property("properties/alertType", Kind::Text),
    property("properties/providerAlertId", Kind::Text),
    property("properties/tactics", Kind::Texts),
];
