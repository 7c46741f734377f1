//! What names an entity: the identifying properties of each kind, so that the same thing has the same name wherever it is
//! seen, and the one it is shown by.

use serde_json::{Map, Value, json};
use uuid::{Uuid, uuid};

use super::{Entity, EntityKind, EntityKind as Kind};

/// The namespace of entities' names (RFC 9562 §5.5).
const NAMESPACE: Uuid = uuid!("6a2a7d4e-0c39-5b53-9f5e-7d0f6b1f4c11");

/// Sets of properties that identify an entity of this kind, the surest first. The first property of a set must be there
/// for the set to count.
fn identifiers(kind: EntityKind) -> &'static [&'static [&'static str]] {
    match kind {
        Kind::Account => &[
            &["aadUserId"],
            &["objectGuid"],
            &["sid"],
            &["puid"],
            &["accountName", "upnSuffix", "ntDomain", "dnsDomain"],
            &["displayName"],
        ],
        Kind::Host => &[&["azureID"], &["omsAgentID"], &["hostName", "dnsDomain", "ntDomain"], &["netBiosName"]],
        Kind::File => &[&["fileName", "directory", "hostEntityId"]],
        Kind::AzureResource => &[&["resourceId"]],
        Kind::CloudApplication => &[&["appId", "instanceName"], &["appName", "instanceName"]],
        Kind::DnsResolution => &[&["domainName", "dnsServerIpEntityId", "hostIpAddressEntityId"]],
        Kind::FileHash => &[&["hashValue", "algorithm"]],
        Kind::Ip => &[&["address"]],
        Kind::Malware => &[&["malwareName", "category"]],
        Kind::Process => &[
            &["processId", "creationTimeUtc", "hostEntityId", "imageFileEntityId", "commandLine"],
            &["commandLine", "hostEntityId", "imageFileEntityId"],
        ],
        Kind::RegistryKey => &[&["key", "hive"]],
        Kind::RegistryValue => &[&["valueName", "keyEntityId"]],
        Kind::SecurityGroup => &[&["objectGuid"], &["sid"], &["distinguishedName"]],
        Kind::Url => &[&["url"]],
        Kind::IoTDevice => &[&["deviceId", "iotHubEntityId"], &["iotSecurityAgentId"], &["deviceName"]],
        Kind::SecurityAlert => &[&["systemAlertId"]],
        Kind::Bookmark => &[&["displayName", "query"]],
        Kind::Mailbox => &[&["mailboxPrimaryAddress"], &["externalDirectoryObjectId"], &["upn"]],
        Kind::MailCluster => &[&["query", "source"], &["networkMessageIds"]],
        Kind::MailMessage => &[&["networkMessageId", "recipient"], &["internetMessageId", "recipient"]],
        Kind::SubmissionMail => &[&["submissionId"], &["networkMessageId", "recipient", "submitter"]],
        Kind::Nic => &[&["macAddress", "ipAddressEntityId"]],
    }
}

/// The properties that an entity of this kind can be shown by, the best first.
fn shown_by(kind: EntityKind) -> &'static [&'static str] {
    match kind {
        Kind::Account => &["accountName", "displayName", "aadUserId", "sid"],
        Kind::Host => &["hostName", "netBiosName", "azureID", "omsAgentID"],
        Kind::File => &["fileName"],
        Kind::AzureResource => &["resourceId"],
        Kind::CloudApplication => &["appName", "appId"],
        Kind::DnsResolution => &["domainName"],
        Kind::FileHash => &["hashValue"],
        Kind::Ip => &["address"],
        Kind::Malware => &["malwareName"],
        Kind::Process => &["commandLine", "processId"],
        Kind::RegistryKey => &["key"],
        Kind::RegistryValue => &["valueName"],
        Kind::SecurityGroup => &["distinguishedName", "sid", "objectGuid"],
        Kind::Url => &["url"],
        Kind::IoTDevice => &["deviceName", "deviceId"],
        Kind::SecurityAlert => &["alertDisplayName", "systemAlertId"],
        Kind::Bookmark => &["displayName"],
        Kind::Mailbox => &["mailboxPrimaryAddress", "displayName", "upn"],
        Kind::MailCluster => &["source", "query"],
        Kind::MailMessage => &["subject", "internetMessageId", "networkMessageId"],
        Kind::SubmissionMail => &["subject", "recipient", "submissionId"],
        Kind::Nic => &["macAddress"],
    }
}

impl EntityKind {
    /// The property that identifies or shows an entity of this kind and has this name but for its case.
    pub(super) fn property(self, name: &str) -> Option<&'static str> {
        let mut known = identifiers(self).iter().copied().flatten().chain(shown_by(self));
        known.find(|property| property.eq_ignore_ascii_case(name)).copied()
    }
}

impl Entity {
    /// The entity of this kind with these properties. Its name comes from what identifies it, its `friendlyName` (unless
    /// it has one) from what it is shown by.
    #[must_use]
    pub fn of(kind: EntityKind, mut properties: Map<String, Value>) -> Self {
        properties.retain(|_, value| !value.is_null());
        let text = |name: &str| properties.get(name).map(text).filter(|text| !text.is_empty());
        let set = identifiers(kind).iter().find(|set| set.first().is_some_and(|first| text(first).is_some()));
        let identity = match set {
            Some(set) => {
                let values = set.iter().map(|name| text(name).unwrap_or_default().trim().to_lowercase());
                json!([kind.as_str(), values.collect::<Vec<_>>()])
            }
            None => {
                let mut members: Vec<_> = properties.iter().filter(|(name, _)| *name != "friendlyName").collect();
                members.sort_by_key(|(name, _)| *name);
                json!([kind.as_str(), members])
            }
        };
        let shown = shown_by(kind).iter().find_map(|name| text(name)).map(|shown| match kind {
            Kind::AzureResource => shown.rsplit('/').next().unwrap_or_default().to_owned(),
            Kind::FileHash => match text("algorithm") {
                Some(algorithm) => format!("{shown}({algorithm})"),
                None => shown,
            },
            _ => shown,
        });
        if text("friendlyName").is_none() {
            properties.insert("friendlyName".into(), shown.unwrap_or_else(|| kind.as_str().to_owned()).into());
        }
        Self { name: Uuid::new_v5(&NAMESPACE, identity.to_string().as_bytes()), kind, properties }
    }
}

/// A value as the text it is compared and shown by.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(kind: EntityKind, properties: &Value) -> Entity {
        Entity::of(kind, properties.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn the_same_thing_has_the_same_name_however_it_is_told() {
        let same = [
            (
                Kind::Ip,
                json!({"address": "10.3.2.8"}),
                json!({"address": " 10.3.2.8", "location": {"countryCode": "DE"}}),
            ),
            (
                Kind::Host,
                json!({"hostName": "VM1", "dnsDomain": "contoso"}),
                json!({"dnsDomain": "Contoso", "hostName": "vm1"}),
            ),
            (Kind::Account, json!({"sid": "S-1-5-18"}), json!({"sid": "s-1-5-18", "accountName": "administrator"})),
            (Kind::Url, json!({"url": "https://bing.com"}), json!({"url": "https://bing.com", "friendlyName": "Bing"})),
            (Kind::Nic, json!({"x": 1, "y": 2}), json!({"y": 2, "x": 1, "z": null})),
        ];
        for (kind, one, other) in same {
            assert_eq!(entity(kind, &one).name, entity(kind, &other).name, "{one} {other}");
        }
    }

    #[test]
    fn other_things_have_other_names() {
        let names = [
            entity(Kind::Ip, &json!({"address": "10.3.2.8"})).name,
            entity(Kind::Url, &json!({"url": "10.3.2.8"})).name,
            entity(Kind::Account, &json!({"accountName": "a", "upnSuffix": "b"})).name,
            entity(Kind::Account, &json!({"accountName": "a", "ntDomain": "b"})).name,
            entity(Kind::Account, &json!({"accountName": "a"})).name,
            entity(Kind::Process, &json!({"processId": "1", "hostEntityId": "x"})).name,
            entity(Kind::Process, &json!({"processId": "1", "hostEntityId": "y"})).name,
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
    }

    #[test]
    fn a_friendly_name_is_what_people_call_it() {
        let table = [
            (Kind::Account, json!({"accountName": "administrator", "sid": "S-1-5-18"}), "administrator"),
            (Kind::AzureResource, json!({"resourceId": "/subscriptions/x/virtualMachines/vm1"}), "vm1"),
            (Kind::FileHash, json!({"hashValue": "E923", "algorithm": "SHA256"}), "E923(SHA256)"),
            (Kind::CloudApplication, json!({"appId": 1}), "1"),
            (Kind::Url, json!({"url": "https://bing.com", "friendlyName": "Bing"}), "Bing"),
            (Kind::Nic, json!({}), "Nic"),
        ];
        for (kind, properties, name) in table {
            assert_eq!(entity(kind, &properties).properties["friendlyName"], name, "{properties}");
        }
    }
}
