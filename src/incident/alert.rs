//! Alerts, and the entities they name.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{ResourceName, Severity, Summary};

/// A security alert as some product raised it.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// `systemAlertId`.
    pub name: ResourceName,
    pub etag: Uuid,
    /// `alertDisplayName`.
    pub title: String,
    pub severity: Severity,
    /// `timeGenerated`: when it came in.
    pub received: DateTime<Utc>,
    /// The other members of Sentinel's SecurityAlert properties, under the API's names (`description`, `productName`,
    /// `vendorName`, `providerAlertId`, `startTimeUtc`, `endTimeUtc`, `tactics`, `additionalData`, …).
    pub properties: Map<String, Value>,
    /// What it concerns.
    pub entities: Vec<Entity>,
}

impl Alert {
    /// A member of its properties as text.
    #[must_use]
    pub fn text(&self, member: &str) -> Option<String> {
        text_of(&self.properties, member)
    }

    /// Its tactics.
    #[must_use]
    pub fn tactics(&self) -> Vec<String> {
        self.properties.get("tactics").map(texts).unwrap_or_default()
    }

    /// Resource ids of the analytic rules that raised it: `Analytic Rule Ids` of its `additionalData`.
    #[must_use]
    pub fn analytic_rules(&self) -> Vec<String> {
        self.additional("Analytic Rule Ids").as_ref().map(texts).unwrap_or_default()
    }

    /// Custom details, each with its values: `Custom Details` of its `additionalData`.
    #[must_use]
    pub fn custom_details(&self) -> Vec<(String, Vec<String>)> {
        match self.additional("Custom Details") {
            Some(Value::Object(details)) => details.iter().map(|(key, values)| (key.clone(), texts(values))).collect(),
            _ => Vec::new(),
        }
    }

    /// A member of `additionalData`, where Sentinel keeps lists and objects as JSON text.
    fn additional(&self, member: &str) -> Option<Value> {
        let value = self.properties.get("additionalData")?.get(member)?;
        match value.as_str().map(serde_json::from_str) {
            Some(Ok(inner @ (Value::Array(_) | Value::Object(_)))) => Some(inner),
            _ => Some(value.clone()),
        }
    }
}

/// A member as text; a name is found ignoring case.
fn text_of(members: &Map<String, Value>, name: &str) -> Option<String> {
    let value = members
        .get(name)
        .or_else(|| members.iter().find(|(member, _)| member.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    texts(value?).into_iter().next()
}

/// A value as texts: a list's elements, or the value alone.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Null | Value::Object(_) => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        other => vec![other.to_string()],
    }
}

macro_rules! entity_kinds {
    ($($kind:ident),+) => {
        /// Sentinel's kinds of entities.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum EntityKind { $($kind),+ }

        impl EntityKind {
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// The name Sentinel gives it; the discriminator `kind` of an entity.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$kind => stringify!($kind)),+ }
            }

            /// The kind of this name, ignoring case.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.as_str().eq_ignore_ascii_case(name))
            }
        }
    };
}

entity_kinds!(
    Account,
    Host,
    File,
    AzureResource,
    CloudApplication,
    DnsResolution,
    FileHash,
    Ip,
    Malware,
    Process,
    RegistryKey,
    RegistryValue,
    SecurityGroup,
    Url,
    IoTDevice,
    SecurityAlert,
    Bookmark,
    Mailbox,
    MailCluster,
    MailMessage,
    SubmissionMail,
    Nic
);

/// Something an alert concerns: an account, a host, an address. The same thing has the same name wherever it is seen, so
/// that incidents which share it can be found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    pub name: Uuid,
    pub kind: EntityKind,
    /// Under the API's names, `friendlyName` among them.
    pub properties: Map<String, Value>,
}

impl Entity {
    /// A member of its properties as text.
    #[must_use]
    pub fn text(&self, member: &str) -> Option<String> {
        text_of(&self.properties, member)
    }
}

impl Summary {
    /// Adds what an alert says: who raised it, and by which tactics and rules.
    pub fn learn(&mut self, alert: &Alert) {
        add(&mut self.alert_products, alert.text("productName"));
        add(&mut self.tactics, alert.tactics());
        add(&mut self.techniques, alert.properties.get("techniques").map(texts).unwrap_or_default());
        add(&mut self.analytic_rules, alert.analytic_rules());
    }

    /// Adds what another incident's alerts say.
    pub fn join(&mut self, other: &Self) {
        add(&mut self.alert_products, other.alert_products.iter().cloned());
        add(&mut self.tactics, other.tactics.iter().cloned());
        add(&mut self.techniques, other.techniques.iter().cloned());
        add(&mut self.analytic_rules, other.analytic_rules.iter().cloned());
    }

    /// The summary of an incident that has these alerts, and for the rest stays as it was.
    #[must_use]
    pub fn of<'a>(before: &Self, alerts: impl Iterator<Item = &'a Alert>) -> Self {
        let mut summary = Self { comments: before.comments, bookmarks: before.bookmarks, ..Self::default() };
        for alert in alerts {
            summary.alerts += 1;
            summary.learn(alert);
        }
        summary
    }
}

/// Adds what is not there yet.
fn add(known: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
    for one in more {
        if !one.is_empty() && !known.contains(&one) {
            known.push(one);
        }
    }
}
