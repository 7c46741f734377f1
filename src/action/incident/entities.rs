//! `get_entities`: what an incident concerns, as Sentinel's connector gives it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Connection, Operation,
    answer::{self, bad, done, no_incident},
    named::{self, Given},
    sentinel::Client,
    values::{Text, shortened},
};
use crate::{
    action::{ActionType, Call, Outcome, Performed, Rehearsal},
    incident::{EntityKind, Workspace},
    playbook::{ActionSpec, GivenBy},
};

/// Reads what an incident's alerts concern. Returns `{entities, metaData, IPs, Hosts, Accounts, URLs, Filehashes,
/// Dnsresolutions}`: `@actions.ID.IPs` is a list whose members have `Address`, that of `Hosts` `HostName`, of `Accounts`
/// `Name` and `UPNSuffix`, of `URLs` `Url`, of `Filehashes` `Value` and `Algorithm`, of `Dnsresolutions` `DomainName`,
/// each beside the entity's own properties; what an entity lacks is left out. `entities` holds all of them with `kind` and
/// `properties`, `metaData` how many there are of each kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    #[serde(default)]
    incident: Option<Given>,
    /// Entities in place of an incident's: a list, or its JSON text as alert triggers deliver it (`@trigger.Entities`).
    /// Then nothing is read.
    #[serde(default)]
    #[schemars(schema_with = "entities_schema")]
    entities: Option<Value>,
    /// Only entities of this kind, in any letter case: `Ip`, `Host`, `Account`, `Url`, `FileHash`, `DnsResolution`,
    /// `File`, `Process`, `Mailbox` and so on. Default: all.
    #[serde(default)]
    kind: Text,
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    connection: Option<Connection>,
}

fn entities_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": ["array", "string"], "items": {"type": "object"}})
}

pub(in crate::action) const ACTION: ActionType = {
    let action = super::action(
        &GetEntities,
        &[
            "entitiesgetaccounts",
            "entitiesgetips",
            "getaccounts",
            "getdns",
            "getfilehashes",
            "gethosts",
            "getips",
            "geturls",
        ],
    );
    let given_by = Some(GivenBy { input: named::INCIDENT, trigger: "incident", instead: &["entities"] });
    ActionType { spec: ActionSpec { given_by, ..action.spec }, ..action }
};

struct GetEntities;

#[async_trait::async_trait]
impl Operation for GetEntities {
    type Input = Input;

    const NAME: &'static str = "get_entities";
    const WRITES: bool = false;

    async fn built_in(&self, call: &Call<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        let kind = kind(&input.kind)?;
        if let Some(given) = &input.entities {
            return Ok(Performed::Outcome(done(sorted(&given_entities(given)?, kind))));
        }
        let config = &call.services.config;
        let workspace = Workspace::of(config);
        let incident = named::incident(input.incident.as_ref(), call.run, &config.workspace)?;
        let entities = call.services.store.entities_of(&incident).await.map_err(|error| answer::store(&error))?;
        let entities = entities.ok_or_else(|| no_incident(&incident))?;
        let entities: Vec<Value> = entities.iter().map(|entity| entity.to_resource(&workspace)).collect();
        Ok(Performed::Outcome(done(sorted(&entities, kind))))
    }

    fn rehearsed(&self, call: &Rehearsal<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        let kind = kind(&input.kind)?;
        if let Some(given) = &input.entities {
            return Ok(Performed::Outcome(done(sorted(&given_entities(given)?, kind))));
        }
        named::rehearsed(call, input.incident.as_ref())?;
        Ok(Performed::Outcome(call.well()))
    }

    async fn remote(&self, client: &Client<'_>, input: Input) -> Result<Outcome, Box<Outcome>> {
        let kind = kind(&input.kind)?;
        if let Some(given) = &input.entities {
            return Ok(done(sorted(&given_entities(given)?, kind)));
        }
        let incident = named::elsewhere(input.incident.as_ref(), client.workspace())?;
        let entities = client.entities(&client.name_of(&incident).await?).await?;
        Ok(done(sorted(&entities, kind)))
    }
}

fn kind(text: &Text) -> Result<Option<EntityKind>, Box<Outcome>> {
    let Some(name) = text.given() else { return Ok(None) };
    EntityKind::parse(name).map(Some).ok_or_else(|| {
        let known: Vec<&str> = EntityKind::ALL.iter().map(|kind| kind.as_str()).collect();
        bad(format!("'{}' is not a kind of entity; it must be one of {}", shortened(name), known.join(", ")))
    })
}

/// The entities of the input `entities`, each as `{kind, properties}`.
fn given_entities(given: &Value) -> Result<Vec<Value>, Box<Outcome>> {
    let unreadable = || bad("the input `entities` of `get_entities` is neither a list of objects nor the JSON of one");
    let read;
    let list = match given {
        Value::Array(list) => list,
        // An alert without entities delivers an empty text.
        Value::String(text) if text.trim().is_empty() => return Ok(Vec::new()),
        Value::String(text) => {
            read = serde_json::from_str::<Vec<Value>>(text).map_err(|_| unreadable())?;
            &read
        }
        _ => return Err(unreadable()),
    };
    list.iter().map(|entity| entity.as_object().map(shaped).ok_or_else(unreadable)).collect()
}

/// An entity as the API has it; one of an alert trigger is flat, and has its kind as `Type`.
fn shaped(entity: &Map<String, Value>) -> Value {
    if entity.get("properties").is_some_and(Value::is_object) {
        return Value::Object(entity.clone());
    }
    let kind = ["Type", "type", "kind"].iter().find_map(|key| entity.get(*key)?.as_str()).unwrap_or_default();
    let kind = flat_kind(kind);
    let mut properties = entity.clone();
    properties.retain(|key, _| !["Type", "type", "kind"].contains(&key.as_str()));
    json!({"kind": kind, "properties": properties})
}

/// The kind of a flat entity, whose spelling is another for some.
fn flat_kind(name: &str) -> String {
    let bare: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let bare = if bare.eq_ignore_ascii_case("dns") { "DnsResolution" } else { &bare };
    EntityKind::parse(bare).map_or_else(|| name.to_owned(), |kind| kind.as_str().to_owned())
}

/// A list of the connector: its name, what goes into it, and what its members' attributes are called in the API and there.
struct List {
    name: &'static str,
    kind: EntityKind,
    attributes: &'static [(&'static str, &'static str)],
}

const LISTS: &[List] = &[
    List { name: "IPs", kind: EntityKind::Ip, attributes: &[("address", "Address")] },
    List {
        name: "Hosts",
        kind: EntityKind::Host,
        attributes: &[
            ("dnsDomain", "DnsDomain"),
            ("ntDomain", "NTDomain"),
            ("hostName", "HostName"),
            ("netBiosName", "NetBiosName"),
            ("omsAgentID", "OMSAgentID"),
            ("osFamily", "OSFamily"),
            ("osVersion", "OSVersion"),
            ("isDomainJoined", "IsDomainJoined"),
            ("azureID", "AzureID"),
        ],
    },
    List {
        name: "Accounts",
        kind: EntityKind::Account,
        attributes: &[
            ("accountName", "Name"),
            ("ntDomain", "NTDomain"),
            ("dnsDomain", "DnsDomain"),
            ("upnSuffix", "UPNSuffix"),
            ("sid", "Sid"),
            ("aadTenantId", "AadTenantId"),
            ("aadUserId", "AadUserId"),
            ("puid", "PUID"),
            ("isDomainJoined", "IsDomainJoined"),
            ("objectGuid", "ObjectGuid"),
        ],
    },
    List { name: "URLs", kind: EntityKind::Url, attributes: &[("url", "Url")] },
    List {
        name: "Filehashes",
        kind: EntityKind::FileHash,
        attributes: &[("hashValue", "Value"), ("algorithm", "Algorithm")],
    },
    List { name: "Dnsresolutions", kind: EntityKind::DnsResolution, attributes: &[("domainName", "DomainName")] },
];

/// The connector's lists, and all entities, of one kind or of every kind.
fn sorted(entities: &[Value], only: Option<EntityKind>) -> Value {
    let is = |entity: &Value, kind: EntityKind| {
        entity["kind"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(kind.as_str()))
    };
    let entities: Vec<&Value> = entities.iter().filter(|entity| only.is_none_or(|kind| is(entity, kind))).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for entity in &entities {
        *counts.entry(entity["kind"].as_str().unwrap_or_default()).or_default() += 1;
    }
    let counts: Vec<Value> =
        counts.into_iter().map(|(kind, count)| json!({"entityKind": kind, "count": count})).collect();
    let mut body = Map::new();
    body.insert("entities".into(), json!(entities));
    body.insert("metaData".into(), counts.into());
    for list in LISTS {
        let members = entities.iter().filter(|entity| is(entity, list.kind)).map(|entity| attributes(entity, list));
        body.insert(list.name.into(), members.collect());
    }
    body.into()
}

/// An entity as a member of one of the lists: its own properties, and the connector's names for them.
fn attributes(entity: &Value, list: &List) -> Value {
    let mut members = entity["properties"].as_object().cloned().unwrap_or_default();
    for (ours, theirs) in list.attributes {
        if !members.contains_key(*theirs)
            && let Some(value) = members.get(*ours).filter(|value| !value.is_null()).cloned()
        {
            members.insert((*theirs).to_owned(), value);
        }
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_come_in_the_connectors_lists_and_as_they_are() {
        let entities = [
            json!({"name": "1", "kind": "Ip", "properties": {"address": "203.0.113.7", "friendlyName": "203.0.113.7"}}),
            json!({"name": "2", "kind": "Account", "properties": {"accountName": "alice", "upnSuffix": "contoso.com"}}),
            json!({"name": "3", "kind": "FileHash", "properties": {"hashValue": "ab", "algorithm": "MD5"}}),
            json!({"name": "4", "kind": "Mailbox", "properties": {"mailboxPrimaryAddress": "bob@contoso.com"}}),
        ];
        insta::assert_json_snapshot!(sorted(&entities, None));
        let only = sorted(&entities, Some(EntityKind::Ip));
        assert_eq!((&only["entities"], &only["Accounts"]), (&json!([entities[0]]), &json!([])));
    }

    #[test]
    fn the_entities_of_an_alert_trigger_are_a_json_text() {
        let text = r#"[{"$id":"3","Address":"203.0.113.7","Type":"ip"},{"$id":"4","DomainName":"example.com","Type":"dns"},
            {"$id":"5","Algorithm":"SHA256","Value":"ab","Type":"file-hash"}]"#;
        let body = sorted(&given_entities(&json!(text)).unwrap(), None);
        assert_eq!(body["IPs"][0]["Address"], "203.0.113.7");
        assert_eq!(body["Dnsresolutions"][0]["DomainName"], "example.com");
        assert_eq!(body["Filehashes"][0]["Value"], "ab");
        assert_eq!(given_entities(&json!(" ")).unwrap(), Vec::<Value>::new());
    }

    #[test]
    fn what_is_no_entity_and_no_kind_is_refused() {
        for given in [json!("ip"), json!(["ip"]), json!({"kind": "Ip"})] {
            assert!(given_entities(&given).is_err(), "{given}");
        }
        assert!(kind(&Text("Person".into())).unwrap_err().error.unwrap().message.starts_with("'Person' is not a kind"));
    }
}
