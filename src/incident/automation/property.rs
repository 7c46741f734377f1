//! The properties a condition can look at.

use super::condition::{Item, Scene};
use crate::incident::{Actor, Alert, EntityKind};

/// A property of an incident, of its alerts or of the entities they name.
#[derive(Debug)]
pub struct Property {
    /// Sentinel's name.
    pub name: &'static str,
    /// The name in a rule file.
    pub key: &'static str,
    pub(super) source: Source,
}

impl PartialEq for Property {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Where a property's values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Title,
    Description,
    Severity,
    Status,
    AnalyticRules,
    Tactics,
    Labels,
    Provider,
    UpdatedBy,
    DetailKeys,
    DetailValues,
    AlertTitles,
    AlertProducts,
    /// A member of every entity of this kind.
    Entity(EntityKind, &'static str),
}

macro_rules! properties {
    ($($name:literal $key:literal $source:expr;)+) => {
        /// Every property, in Sentinel's order.
        pub const PROPERTIES: &[Property] = &[$(Property { name: $name, key: $key, source: $source }),+];
    };
}

use EntityKind::{
    Account, AzureResource, CloudApplication, DnsResolution, File, FileHash, Host, IoTDevice, Ip, MailMessage, Mailbox,
    Malware, Process, RegistryKey, RegistryValue, Url,
};
use Source::Entity;

properties! {
    "IncidentTitle" "incident_title" Source::Title;
    "IncidentDescription" "incident_description" Source::Description;
    "IncidentSeverity" "incident_severity" Source::Severity;
    "IncidentStatus" "incident_status" Source::Status;
    "IncidentRelatedAnalyticRuleIds" "incident_related_analytic_rule_ids" Source::AnalyticRules;
    "IncidentTactics" "incident_tactics" Source::Tactics;
    "IncidentLabel" "incident_label" Source::Labels;
    "IncidentProviderName" "incident_provider_name" Source::Provider;
    "IncidentUpdatedBySource" "incident_updated_by_source" Source::UpdatedBy;
    "IncidentCustomDetailsKey" "incident_custom_details_key" Source::DetailKeys;
    "IncidentCustomDetailsValue" "incident_custom_details_value" Source::DetailValues;
    "IncidentAlertTitle" "incident_alert_title" Source::AlertTitles;
    "AccountAadTenantId" "account_aad_tenant_id" Entity(Account, "aadTenantId");
    "AccountAadUserId" "account_aad_user_id" Entity(Account, "aadUserId");
    "AccountName" "account_name" Entity(Account, "accountName");
    "AccountNTDomain" "account_nt_domain" Entity(Account, "ntDomain");
    "AccountPUID" "account_puid" Entity(Account, "puid");
    "AccountSid" "account_sid" Entity(Account, "sid");
    "AccountObjectGuid" "account_object_guid" Entity(Account, "objectGuid");
    "AccountUPNSuffix" "account_upn_suffix" Entity(Account, "upnSuffix");
    "AlertProductNames" "alert_product_names" Source::AlertProducts;
    "AlertAnalyticRuleIds" "alert_analytic_rule_ids" Source::AnalyticRules;
    "AzureResourceResourceId" "azure_resource_resource_id" Entity(AzureResource, "resourceId");
    "AzureResourceSubscriptionId" "azure_resource_subscription_id" Entity(AzureResource, "subscriptionId");
    "CloudApplicationAppId" "cloud_application_app_id" Entity(CloudApplication, "appId");
    "CloudApplicationAppName" "cloud_application_app_name" Entity(CloudApplication, "appName");
    "DNSDomainName" "dns_domain_name" Entity(DnsResolution, "domainName");
    "FileDirectory" "file_directory" Entity(File, "directory");
    "FileName" "file_name" Entity(File, "fileName");
    "FileHashValue" "file_hash_value" Entity(FileHash, "hashValue");
    "HostAzureID" "host_azure_id" Entity(Host, "azureID");
    "HostName" "host_name" Entity(Host, "hostName");
    "HostNetBiosName" "host_net_bios_name" Entity(Host, "netBiosName");
    "HostNTDomain" "host_nt_domain" Entity(Host, "ntDomain");
    "HostOSVersion" "host_os_version" Entity(Host, "osVersion");
    "IoTDeviceId" "iot_device_id" Entity(IoTDevice, "deviceId");
    "IoTDeviceName" "iot_device_name" Entity(IoTDevice, "deviceName");
    "IoTDeviceType" "iot_device_type" Entity(IoTDevice, "deviceType");
    "IoTDeviceVendor" "iot_device_vendor" Entity(IoTDevice, "vendor");
    "IoTDeviceModel" "iot_device_model" Entity(IoTDevice, "model");
    "IoTDeviceOperatingSystem" "iot_device_operating_system" Entity(IoTDevice, "operatingSystem");
    "IPAddress" "ip_address" Entity(Ip, "address");
    "MailboxDisplayName" "mailbox_display_name" Entity(Mailbox, "displayName");
    "MailboxPrimaryAddress" "mailbox_primary_address" Entity(Mailbox, "mailboxPrimaryAddress");
    "MailboxUPN" "mailbox_upn" Entity(Mailbox, "upn");
    "MailMessageDeliveryAction" "mail_message_delivery_action" Entity(MailMessage, "deliveryAction");
    "MailMessageDeliveryLocation" "mail_message_delivery_location" Entity(MailMessage, "deliveryLocation");
    "MailMessageRecipient" "mail_message_recipient" Entity(MailMessage, "recipient");
    "MailMessageSenderIP" "mail_message_sender_ip" Entity(MailMessage, "senderIP");
    "MailMessageSubject" "mail_message_subject" Entity(MailMessage, "subject");
    "MailMessageP1Sender" "mail_message_p1_sender" Entity(MailMessage, "p1Sender");
    "MailMessageP2Sender" "mail_message_p2_sender" Entity(MailMessage, "p2Sender");
    "MalwareCategory" "malware_category" Entity(Malware, "category");
    "MalwareName" "malware_name" Entity(Malware, "malwareName");
    "ProcessCommandLine" "process_command_line" Entity(Process, "commandLine");
    "ProcessId" "process_id" Entity(Process, "processId");
    "RegistryKey" "registry_key" Entity(RegistryKey, "key");
    "RegistryValueData" "registry_value_data" Entity(RegistryValue, "valueData");
    "Url" "url" Entity(Url, "url");
}

pub(super) const SEVERITIES: &[&str] = &["High", "Medium", "Low", "Informational"];
pub(super) const STATUSES: &[&str] = &["New", "Active", "Closed"];

impl Property {
    /// The property of this Sentinel name, ignoring case.
    #[must_use]
    pub fn parse(name: &str) -> Option<&'static Self> {
        PROPERTIES.iter().find(|property| property.name.eq_ignore_ascii_case(name))
    }

    /// All values it can have, where these are few.
    pub(super) fn choices(&self) -> Option<&'static [&'static str]> {
        match self.source {
            Source::Severity => Some(SEVERITIES),
            Source::Status => Some(STATUSES),
            _ => None,
        }
    }

    /// Whether only an incident has it.
    pub(super) fn is_of_incidents(&self) -> bool {
        matches!(self.source, Source::Status | Source::Labels | Source::Provider | Source::UpdatedBy)
    }

    /// Whether only an update has it.
    pub(super) fn is_of_updates(&self) -> bool {
        self.source == Source::UpdatedBy
    }

    /// Its values; inside an array condition those of the `item` that is looked at.
    pub(super) fn values(&self, scene: &Scene<'_>, item: Option<&Item>) -> Vec<String> {
        let incident = scene.incident;
        let of_alerts = |value: fn(&Alert) -> Option<String>| scene.alerts.iter().filter_map(value).collect();
        match (self.source, item) {
            (Source::Labels, Some(Item::Label(label))) => vec![label.clone()],
            (Source::DetailKeys, Some(Item::Detail { key, .. })) => vec![key.clone()],
            (Source::DetailValues, Some(Item::Detail { values, .. })) => values.clone(),
            (Source::DetailValues, Some(Item::DetailValue(value))) => vec![value.clone()],
            (Source::Title, _) => match incident {
                Some(incident) => vec![incident.title.clone()],
                None => of_alerts(|alert| Some(alert.title.clone())),
            },
            (Source::Description, _) => match incident {
                Some(incident) => vec![incident.description.clone()],
                None => of_alerts(|alert| alert.text("description")),
            },
            (Source::Severity, _) => match incident {
                Some(incident) => vec![incident.severity.to_string()],
                None => of_alerts(|alert| Some(alert.severity.to_string())),
            },
            (Source::Status, _) => incident.map(|incident| incident.status.to_string()).into_iter().collect(),
            (Source::AnalyticRules, _) => match incident {
                Some(incident) => incident.summary.analytic_rules.clone(),
                None => scene.alerts.iter().flat_map(Alert::analytic_rules).collect(),
            },
            (Source::Tactics, _) => match incident {
                Some(incident) => incident.summary.tactics.clone(),
                None => scene.alerts.iter().flat_map(Alert::tactics).collect(),
            },
            (Source::Labels, _) => incident.map(|incident| incident.tags.clone()).unwrap_or_default(),
            (Source::Provider, _) => incident.map(|_| crate::incident::PROVIDER.to_owned()).into_iter().collect(),
            (Source::UpdatedBy, _) => source_names(scene.by),
            (Source::DetailKeys, _) => scene.details().into_iter().map(|(key, _)| key).collect(),
            (Source::DetailValues, _) => scene.details().into_iter().flat_map(|(_, values)| values).collect(),
            (Source::AlertTitles, _) => of_alerts(|alert| Some(alert.title.clone())),
            (Source::AlertProducts, _) => of_alerts(|alert| alert.text("productName")),
            (Source::Entity(kind, member), _) => {
                let entities = scene.entities.iter().filter(|entity| entity.kind == kind);
                entities.filter_map(|entity| entity.text(member)).collect()
            }
        }
    }
}

/// Who made the update, as the API and as the portal write it.
fn source_names(by: &Actor) -> Vec<String> {
    let portal = matches!(by, Actor::Rule { .. }).then_some("Automation rule");
    portal.into_iter().chain([by.source()]).map(str::to_owned).collect()
}
