//! Incidents that have something in common: entities of their alerts, the sender of the mail they were made of, the title.

use std::{cmp::Reverse, collections::BTreeMap};

use rusqlite::{Connection, params};

use super::{
    super::{
        blobs::Blobs,
        codec::{self, Id},
        incidents,
    },
    alerts, index, listing,
};
use crate::{
    incident::{Entity, IncidentRef},
    store::{
        StoreError,
        incidents::{Reason, RelatedIncident},
    },
};

/// Entities of an incident that others are looked for by.
const ENTITIES: usize = 100;
/// The newest incidents that are looked at for each thing in common.
const NEWEST: i64 = 100;

/// What another incident has in common with the one asked about.
#[derive(Default)]
struct Common {
    entities: Vec<String>,
    sender: bool,
    title: bool,
}

impl Common {
    /// How much it is: a shared entity says most.
    fn weight(&self) -> usize {
        3 * self.entities.len() + 2 * usize::from(self.sender) + 2 * usize::from(self.title)
    }
}

pub(super) fn related(
    connection: &Connection,
    blobs: &Blobs,
    incident: &IncidentRef,
    limit: usize,
) -> Result<Vec<RelatedIncident>, StoreError> {
    let Some(own) = incidents::find(connection, incident)? else { return Ok(Vec::new()) };
    let number = codec::int(own.number);
    let mut others: BTreeMap<i64, Common> = BTreeMap::new();
    if own.summary.alerts > 0 {
        for entity in alerts::entities_of_incident(connection, own.number)?.iter().take(ENTITIES) {
            for other in sharing(connection, entity, number)? {
                others.entry(other).or_default().entities.push(friendly_name(entity));
            }
        }
    }
    let sender = index::sender(connection, blobs, own.provenance.event)?;
    if let Some(sender) = &sender {
        for other in keyed(connection, &index::sender_key(sender), number, None)? {
            others.entry(other).or_default().sender = true;
        }
    }
    for other in keyed(connection, &listing::token("properties/title", &own.title), number, Some(&own.title))? {
        others.entry(other).or_default().title = true;
    }
    let mut others: Vec<_> = others.into_iter().collect();
    others.sort_by_key(|(other, common)| Reverse((common.weight(), *other)));
    let mut related = Vec::new();
    for (other, common) in others {
        if related.len() == limit {
            break;
        }
        let Some(incident) = incidents::get(connection, codec::count(other))? else { continue };
        let Common { entities, sender: same_sender, title } = common;
        let entities = (!entities.is_empty()).then_some(Reason::SharedEntities { entities });
        let sender =
            sender.as_ref().filter(|_| same_sender).map(|sender| Reason::SameSender { sender: sender.clone() });
        let title = title.then_some(Reason::SameTitle);
        related.push(RelatedIncident { incident, because: entities.into_iter().chain(sender).chain(title).collect() });
    }
    Ok(related)
}

/// The newest other incidents with an alert that concerns an entity.
fn sharing(connection: &Connection, entity: &Entity, number: i64) -> Result<Vec<i64>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT DISTINCT r.incident FROM entity e CROSS JOIN alert_entity ae ON ae.entity = e.id \
         CROSS JOIN alert a ON a.id = ae.alert CROSS JOIN relation r ON r.related = a.name AND r.kind = 'Alert' \
         WHERE e.name = ?1 AND r.incident <> ?2 ORDER BY ae.alert DESC LIMIT ?3",
    )?;
    Ok(rows.query_map(params![Id(entity.name), number, NEWEST], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The newest other incidents with a word in the index of exact values, and with this title. The index may know them as they
/// were a moment ago: what is gone or has another title by now does not count.
fn keyed(connection: &Connection, key: &str, number: i64, title: Option<&str>) -> Result<Vec<i64>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT i.number FROM incident_key k CROSS JOIN incident i ON i.number = k.rowid \
         WHERE k.incident_key MATCH ?1 AND i.number <> ?2 AND (?3 IS NULL OR i.title = ?3) \
         ORDER BY k.rowid DESC LIMIT ?4",
    )?;
    let key = format!("\"{key}\"");
    Ok(rows.query_map(params![key, number, title, NEWEST], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

fn friendly_name(entity: &Entity) -> String {
    let name = entity.properties.get("friendlyName").and_then(serde_json::Value::as_str);
    name.map_or_else(|| format!("{} {}", entity.kind.as_str(), entity.name), str::to_owned)
}
