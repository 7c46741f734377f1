//! Alerts, and the entities they name.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{ResourceName, Severity};

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
