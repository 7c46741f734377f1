//! The indexes that follow what is written: the words of incidents for the search, and exact values for lists and for what
//! incidents have in common. A reader gathers a portion, the writer only puts it in.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Deserialize;

use super::{
    super::{
        blobs::{self, Blobs},
        codec::{self, Id, Opened},
        incidents,
        writer::Writing,
    },
    alerts, comments, listing,
};
use crate::{
    incident::{Entity, Incident},
    limits,
    store::{EventId, StoreError},
};

/// Incidents that are to be indexed, as they stood.
pub(super) struct Portion {
    entries: Vec<Entry>,
    /// Up to which incident everything is in the indexes afterwards, save what is stale.
    indexed: i64,
    /// An entity that learned something.
    entity: Option<Learned>,
}

impl Portion {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.entity.is_none()
    }
}

struct Entry {
    incident: i64,
    /// Whether the indexes have it, as it was before.
    known: bool,
    /// Of a change since it was indexed. When another change has come by the time the entry is put in, the incident stays
    /// stale and waits for another turn.
    change: Option<Change>,
    /// `None` when the incident is gone.
    words: Option<Words>,
}

struct Change {
    turn: i64,
    mark: i64,
}

/// An entity whose incidents are to be marked, as far as this portion goes.
struct Learned {
    entity: i64,
    after: i64,
    alerts: Vec<i64>,
}

/// What is known of an incident by its words.
pub(super) struct Words {
    /// In the order of [`FIELDS`].
    pub fields: [String; FIELDS.len()],
    keys: String,
}

/// The columns of the full text.
pub(super) const FIELDS: [&str; 5] = ["title", "description", "comments", "entities", "owner"];
/// Bytes of text that an incident counts for at least: its keys, and what its row costs.
const LEAST: usize = 512;

/// Gathers a portion: half of its text from incidents that changed, in the order in which they did, and half from new ones.
/// Where one has less, the other has the more.
pub(super) fn read(connection: &Connection, blobs: &Blobs) -> Result<Portion, StoreError> {
    let mut indexed: i64 = connection
        .prepare_cached("SELECT value FROM counter WHERE name = 'incidents indexed'")?
        .query_row([], |row| row.get(0))?;
    let most = codec::limit(limits::INDEX_PORTION);
    // A new incident that has changed already is indexed in its turn: there is one way to each.
    let mut stale = connection.prepare_cached(
        "SELECT incident, turn, mark FROM incident_stale WHERE incident <= ?1 ORDER BY turn LIMIT ?2",
    )?;
    let as_change = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, Change { turn: row.get(1)?, mark: row.get(2)? }));
    let stale = stale.query_map([indexed, most], as_change)?.collect::<Result<Vec<_>, _>>()?;
    let mut new =
        connection.prepare_cached("SELECT number FROM incident WHERE number > ?1 ORDER BY number LIMIT ?2")?;
    let new = new.query_map([indexed, most], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
    let (mut stale, mut new) = (stale.into_iter().peekable(), new.into_iter().peekable());
    let (mut stale_bytes, mut new_bytes) = (0, 0);
    let mut entries = Vec::new();
    while entries.len() < limits::INDEX_PORTION && stale_bytes + new_bytes < limits::INDEX_PORTION_BYTES {
        let changed = stale.peek().is_some() && (new.peek().is_none() || stale_bytes <= new_bytes);
        let due = if changed {
            stale.next().map(|(incident, change)| (incident, Some(change)))
        } else {
            new.next().map(|incident| Ok::<_, StoreError>((incident, change_of(connection, incident)?))).transpose()?
        };
        let Some((incident, change)) = due else { break };
        let found = incidents::get(connection, codec::count(incident))?;
        let words = found.map(|incident| words(connection, blobs, &incident)).transpose()?;
        let bytes = LEAST + words.as_ref().map_or(0, |words| words.fields.iter().map(String::len).sum());
        if changed {
            stale_bytes += bytes;
        } else {
            new_bytes += bytes;
            indexed = incident;
        }
        entries.push(Entry { incident, known: changed, change, words });
    }
    Ok(Portion { entries, indexed, entity: learned(connection)? })
}

/// A change of a new incident.
fn change_of(connection: &Connection, incident: i64) -> Result<Option<Change>, StoreError> {
    let mut rows = connection.prepare_cached("SELECT turn, mark FROM incident_stale WHERE incident = ?1")?;
    let change = rows.query_row([incident], |row| Ok(Change { turn: row.get(0)?, mark: row.get(1)? })).optional()?;
    Ok(change)
}

/// An entity that learned something, and the next alerts that concern it.
fn learned(connection: &Connection) -> Result<Option<Learned>, StoreError> {
    let mut rows = connection.prepare_cached("SELECT entity, after FROM entity_stale LIMIT 1")?;
    let found = rows.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((entity, after)) = found else { return Ok(None) };
    let mut rows = connection.prepare_cached(
        "SELECT DISTINCT alert FROM alert_entity WHERE entity = ?1 AND alert > ?2 ORDER BY alert LIMIT ?3",
    )?;
    let alerts = rows.query_map([entity, after, codec::limit(limits::INDEX_PORTION)], |row| row.get(0))?;
    Ok(Some(Learned { entity, after, alerts: alerts.collect::<Result<_, _>>()? }))
}

/// Puts a portion in.
pub(super) fn put(writing: &Writing<'_>, portion: &Portion) -> Result<(), StoreError> {
    let connection = writing.connection;
    for Entry { incident, known, change, words } in &portion.entries {
        if *known {
            for table in ["incident_text", "incident_key"] {
                connection.prepare_cached(&format!("DELETE FROM {table} WHERE rowid = ?1"))?.execute([incident])?;
            }
        }
        if let Some(Change { turn, mark }) = change {
            let settled = connection
                .prepare_cached("DELETE FROM incident_stale WHERE turn = ?1 AND mark = ?2")?
                .execute([turn, mark])?;
            if settled == 0 {
                // Behind all others: one that changes all the time must not be the only one that is indexed.
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO incident_stale (incident) \
                         SELECT incident FROM incident_stale WHERE turn = ?1",
                    )?
                    .execute([turn])?;
            }
        }
        let Some(Words { fields: [title, description, comments, entities, owner], keys }) = words else { continue };
        connection
            .prepare_cached(
                "INSERT INTO incident_text (rowid, title, description, comments, entities, owner) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![incident, title, description, comments, entities, owner])?;
        connection
            .prepare_cached("INSERT INTO incident_key (rowid, keys) VALUES (?1, ?2)")?
            .execute(params![incident, keys])?;
    }
    let sql = "UPDATE counter SET value = ?1 WHERE name = 'incidents indexed' AND value < ?1";
    connection.prepare_cached(sql)?.execute([portion.indexed])?;
    portion.entity.iter().try_for_each(|learned| mark(connection, learned))
}

/// Marks incidents of an entity that learned something.
fn mark(connection: &Connection, learned: &Learned) -> Result<(), StoreError> {
    let Learned { entity, after, alerts } = learned;
    for alert in alerts {
        connection
            .prepare_cached(
                "INSERT INTO incident_stale (incident) SELECT r.incident FROM alert a \
                 JOIN relation r ON r.related = a.name AND r.kind = 'Alert' WHERE a.id = ?1 \
                 ON CONFLICT (incident) DO UPDATE SET mark = mark + 1",
            )?
            .execute([alert])?;
    }
    // When it has learned something more meanwhile, all begins anew.
    match alerts.last() {
        Some(last) => connection
            .prepare_cached("UPDATE entity_stale SET after = ?3 WHERE entity = ?1 AND after = ?2")?
            .execute([entity, after, last])?,
        None => connection
            .prepare_cached("DELETE FROM entity_stale WHERE entity = ?1 AND after = ?2")?
            .execute([entity, after])?,
    };
    Ok(())
}

/// What an incident is found by.
pub(super) fn words(connection: &Connection, blobs: &Blobs, incident: &Incident) -> Result<Words, StoreError> {
    let fields = fields(connection, incident)?;
    let owner = &incident.owner;
    let mut keys = vec![listing::token("properties/title", &incident.title)];
    for (property, value) in [
        ("properties/owner/objectId", &owner.object_id),
        ("properties/owner/email", &owner.email),
        ("properties/owner/assignedTo", &owner.assigned_to),
        ("properties/owner/userPrincipalName", &owner.user_principal_name),
    ] {
        keys.extend(value.as_ref().map(|value| listing::token(property, value)));
    }
    let products = incident.summary.alert_products.iter();
    keys.extend(products.map(|product| listing::token("properties/additionalData/alertProductNames", product)));
    // A report that cannot be read any more must not keep all other incidents out of the index.
    let sender = sender(connection, blobs, incident.provenance.event).unwrap_or_default();
    keys.extend(sender.map(|sender| sender_key(&sender)));
    Ok(Words { fields, keys: keys.join(" ") })
}

/// The texts that are searched, in the order of [`FIELDS`]: of comments the newest and of entities the oldest, as far as
/// [`limits::INDEXED_BYTES`] go.
pub(super) fn fields(connection: &Connection, incident: &Incident) -> Result<[String; FIELDS.len()], StoreError> {
    let owner = &incident.owner;
    let owner = [&owner.assigned_to, &owner.email, &owner.user_principal_name, &owner.object_id];
    let owner = owner.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n");
    let room = limits::INDEXED_BYTES.saturating_sub(incident.title.len() + incident.description.len() + owner.len());
    let mut entities = String::new();
    if incident.summary.alerts > 0 {
        alerts::each_entity(connection, incident.number, |entity| add(&mut entities, &shown(&entity), room / 2))?;
    }
    let (mut messages, room) = (String::new(), room.saturating_sub(entities.len()));
    if incident.summary.comments > 0 {
        comments::each_message(connection, incident.number, |message| add(&mut messages, message, room))?;
    }
    Ok([incident.title.clone(), incident.description.clone(), messages, entities, owner])
}

/// Adds a text, or what there is room for; `false` when there is none for more.
fn add(texts: &mut String, text: &str, room: usize) -> bool {
    let left = room.saturating_sub(texts.len() + 1);
    texts.push_str(&text[..text.floor_char_boundary(left)]);
    texts.push('\n');
    text.len() < left
}

/// The texts of an entity's members.
fn shown(entity: &Entity) -> String {
    let texts = entity.properties.values().filter_map(serde_json::Value::as_str);
    texts.collect::<Vec<_>>().join(" ")
}

/// The word in the index for incidents of this sender.
pub(super) fn sender_key(sender: &str) -> String {
    listing::token("sender", sender)
}

/// The address of whoever sent the mail that an incident was made of, in lower case.
pub(super) fn sender(
    connection: &Connection,
    blobs: &Blobs,
    event: Option<EventId>,
) -> Result<Option<String>, StoreError> {
    #[derive(Deserialize)]
    struct Outputs {
        body: Mail,
    }
    #[derive(Deserialize)]
    struct Mail {
        sender: Sender,
    }
    #[derive(Deserialize)]
    struct Sender {
        address: String,
    }
    let Some(event) = event else { return Ok(None) };
    let mut rows = connection.prepare_cached("SELECT outputs, body FROM event WHERE id = ?1 AND kind = 'mailbox'")?;
    let outputs = rows.query_row([Id(event)], |row| {
        Ok((row.get::<_, Option<Opened>>(0)?.map(|Opened(outputs)| outputs), row.get::<_, Option<i64>>(1)?))
    });
    let outputs = match outputs.optional()? {
        Some((_, Some(body))) => blobs::load(connection, blobs, body)?.1,
        Some((Some(outputs), None)) => outputs,
        _ => return Ok(None),
    };
    // A mail without a sender has none in common with another.
    let read = serde_json::from_slice::<Outputs>(&outputs).map(|outputs| outputs.body.sender.address.to_lowercase());
    Ok(read.ok().filter(|address| !address.is_empty()))
}
