//! The entities a bookmark names: its `entityMappings`, filled from its `queryResult`.

use serde_json::{Map, Value};

use super::{Document, Entity, EntityKind, EntityKind as Kind};

/// Identifiers of the mappings that the API calls otherwise than by writing their first word small.
const RENAMED: &[(EntityKind, &str, &str)] = &[
    (Kind::Account, "Name", "accountName"),
    (Kind::File, "Name", "fileName"),
    (Kind::FileHash, "Value", "hashValue"),
    (Kind::CloudApplication, "Name", "appName"),
    (Kind::Malware, "Name", "malwareName"),
    (Kind::RegistryValue, "Name", "valueName"),
    (Kind::RegistryValue, "Value", "valueData"),
    (Kind::SecurityGroup, "Name", "distinguishedName"),
];

impl Document {
    /// The entities that a bookmark's `entityMappings` name, each once. A mapping's value is a column of the `queryResult`
    /// where that has one of this name, and gives an entity for each row; else it is the value itself. A mapping of a kind
    /// that Sentinel does not have, and one without any value, names nothing.
    #[must_use]
    pub fn mapped_entities(&self) -> Vec<Entity> {
        let result = self.properties.get("queryResult").and_then(Value::as_str);
        let rows = rows(result.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default());
        let mappings = self.properties.get("entityMappings").and_then(Value::as_array);
        let mut entities: Vec<Entity> = Vec::new();
        for mapping in mappings.into_iter().flatten() {
            let Some(kind) = mapping.get("entityType").and_then(Value::as_str).and_then(kind) else { continue };
            let fields = mapping.get("fieldMappings").and_then(Value::as_array);
            let fields: Vec<(&str, &str)> = fields.into_iter().flatten().filter_map(field).collect();
            for row in &rows {
                let properties = properties(kind, &fields, row);
                if properties.is_empty() {
                    continue;
                }
                let entity = Entity::of(kind, properties);
                if !entities.iter().any(|known| known.name == entity.name) {
                    entities.push(entity);
                }
            }
        }
        entities
    }
}

/// The rows of a query's result; one that has no column when it is no JSON of rows.
fn rows(result: Value) -> Vec<Map<String, Value>> {
    let rows: Vec<_> = match result {
        Value::Object(row) => vec![row],
        Value::Array(rows) => {
            rows.into_iter().filter_map(|row| if let Value::Object(row) = row { Some(row) } else { None }).collect()
        }
        _ => Vec::new(),
    };
    if rows.is_empty() { vec![Map::new()] } else { rows }
}

/// The kind that a mapping calls `IP`, `DNS` or `azure-resource`.
fn kind(name: &str) -> Option<EntityKind> {
    let bare: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    EntityKind::parse(if bare.eq_ignore_ascii_case("dns") { "DnsResolution" } else { &bare })
}

fn field(mapping: &Value) -> Option<(&str, &str)> {
    let text = |member: &str| mapping.get(member)?.as_str().filter(|text| !text.trim().is_empty());
    Some((text("identifier")?, text("value")?))
}

fn properties(kind: EntityKind, fields: &[(&str, &str)], row: &Map<String, Value>) -> Map<String, Value> {
    let mut properties = Map::new();
    for (identifier, value) in fields {
        let value = row.get(*value).cloned().unwrap_or_else(|| (*value).into());
        if value.is_null() || value == "" {
            continue;
        }
        match value.as_str().filter(|_| identifier.eq_ignore_ascii_case("FullName")) {
            Some(name) => properties.extend(full_name(kind, name)),
            None => {
                properties.insert(property(kind, identifier), value);
            }
        }
    }
    properties
}

/// What the API calls an identifier.
fn property(kind: EntityKind, identifier: &str) -> String {
    let renamed = RENAMED.iter().find(|(of, name, _)| *of == kind && name.eq_ignore_ascii_case(identifier));
    if let Some((_, _, property)) = renamed {
        return (*property).to_owned();
    }
    if let Some(property) = kind.property(identifier) {
        return property.to_owned();
    }
    // `OSFamily` is `osFamily`, and `SID` is `sid`: the last capital of several begins the next word.
    let capitals = identifier.chars().take_while(char::is_ascii_uppercase).count();
    let word = if capitals > 1 && capitals < identifier.len() { capitals - 1 } else { capitals };
    let (first, rest) = identifier.split_at(word);
    first.to_ascii_lowercase() + rest
}

/// A full name in its parts: `DOMAIN\name` or `name@suffix` of an account, `name.domain` of a host.
fn full_name(kind: EntityKind, name: &str) -> Vec<(String, Value)> {
    let parts = match kind {
        Kind::Account => match (name.split_once('\\'), name.rsplit_once('@')) {
            (Some((domain, name)), _) => [("ntDomain", domain), ("accountName", name)],
            (None, Some((name, suffix))) => [("accountName", name), ("upnSuffix", suffix)],
            (None, None) => [("accountName", name), ("", "")],
        },
        Kind::Host => match name.split_once('.') {
            Some((name, domain)) => [("hostName", name), ("dnsDomain", domain)],
            None => [("hostName", name), ("", "")],
        },
        _ => [("fullName", name), ("", "")],
    };
    parts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(property, value)| (property.to_owned(), value.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::incident::{Actor, DocumentKey, DocumentKind, ResourceName};

    /// Kinds and properties of the entities, without the friendly names.
    fn named(result: &Value, mappings: &Value) -> Vec<Value> {
        let text = result.as_str().map_or_else(|| result.to_string(), str::to_owned);
        let bookmark = Document {
            key: DocumentKey { kind: DocumentKind::Bookmark, parent: None, name: ResourceName::Text("b".into()) },
            etag: Uuid::nil(),
            properties: json!({"queryResult": text, "entityMappings": mappings}),
            created: DateTime::<Utc>::UNIX_EPOCH,
            created_by: Actor::Larum,
            modified: DateTime::<Utc>::UNIX_EPOCH,
            modified_by: Actor::Larum,
        };
        let shown = |mut entity: Entity| {
            entity.properties.remove("friendlyName");
            json!([entity.kind, entity.properties])
        };
        bookmark.mapped_entities().into_iter().map(shown).collect()
    }

    fn mapping(kind: &str, fields: &[(&str, &str)]) -> Value {
        let fields = fields.iter().map(|(identifier, value)| json!({"identifier": identifier, "value": value}));
        json!({"entityType": kind, "fieldMappings": fields.collect::<Vec<_>>()})
    }

    #[test]
    fn identifiers_are_called_as_the_api_calls_them() {
        let table = [
            ("Account", "Fullname", "mara@contoso.com", json!({"accountName": "mara", "upnSuffix": "contoso.com"})),
            ("Account", "FullName", "CONTOSO\\mara", json!({"ntDomain": "CONTOSO", "accountName": "mara"})),
            ("Account", "FullName", "mara", json!({"accountName": "mara"})),
            ("account", "Name", "mara", json!({"accountName": "mara"})),
            ("Account", "NTDomain", "CONTOSO", json!({"ntDomain": "CONTOSO"})),
            ("Account", "Sid", "S-1-5-18", json!({"sid": "S-1-5-18"})),
            ("Account", "PUID", "7", json!({"puid": "7"})),
            ("Account", "DisplayName", "Mara", json!({"displayName": "Mara"})),
            ("Host", "FullName", "vm1.contoso.com", json!({"hostName": "vm1", "dnsDomain": "contoso.com"})),
            ("Host", "OSFamily", "Linux", json!({"osFamily": "Linux"})),
            ("Host", "OMSAgentID", "x", json!({"omsAgentID": "x"})),
            ("Host", "AzureID", "/subscriptions/x", json!({"azureID": "/subscriptions/x"})),
            ("IP", "Address", "192.0.2.7", json!({"address": "192.0.2.7"})),
            ("URL", "Url", "https://bing.com", json!({"url": "https://bing.com"})),
            ("FileHash", "Value", "e9", json!({"hashValue": "e9"})),
            ("azure-resource", "ResourceId", "/x", json!({"resourceId": "/x"})),
            ("DNS", "DomainName", "bing.com", json!({"domainName": "bing.com"})),
            ("RegistryValue", "Value", "1", json!({"valueData": "1"})),
        ];
        for (kind, identifier, value, properties) in table {
            let found = named(&json!("no JSON"), &json!([mapping(kind, &[(identifier, value)])]));
            assert_eq!(found.len(), 1, "{kind} {identifier}");
            assert_eq!(found[0][1], properties, "{kind} {identifier}");
        }
    }

    #[test]
    fn a_value_is_a_column_of_every_row_or_stands_for_itself() {
        let rows = json!([
            {"Ip": "192.0.2.7", "Port": 22}, {"Ip": "192.0.2.8"}, {"Ip": "192.0.2.7"}, {"Ip": null}, {"Ip": ""}, 7,
        ]);
        let by_column = json!([mapping("IP", &[("Address", "Ip")])]);
        let (seven, eight) = (json!(["Ip", {"address": "192.0.2.7"}]), json!(["Ip", {"address": "192.0.2.8"}]));
        assert_eq!(named(&rows, &by_column), [seven.clone(), eight]);
        assert_eq!(named(&json!({"Ip": "192.0.2.7"}), &by_column), std::slice::from_ref(&seven));
        assert_eq!(named(&rows, &json!([mapping("IP", &[("Address", "192.0.2.7")])])), [seven]);
    }

    #[test]
    fn what_names_nothing_is_read_over() {
        let nothing = [
            json!(null),
            json!([]),
            json!([{}]),
            json!([{"entityType": "Account"}]),
            json!([mapping("Account", &[])]),
            json!([mapping("Account", &[("Name", " ")])]),
            json!([mapping("Ghost", &[("Name", "x")])]),
            json!([{"entityType": "Account", "fieldMappings": [{"identifier": "Name"}]}]),
        ];
        for mappings in nothing {
            assert_eq!(named(&json!({}), &mappings), Vec::<Value>::new(), "{mappings}");
        }
    }
}
