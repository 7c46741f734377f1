//! The indexes that follow what is written: the words of incidents for the search, and exact values for lists and for what
//! incidents have in common. A reader gathers a portion, the writer only puts it in.

use rusqlite::{Connection, OptionalExtension, params};
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
}

impl Portion {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

struct Entry {
    incident: i64,
    /// Of a change since it was indexed. When another change has come by the time the entry is put in, the incident stays
    /// stale and its turn comes again.
    mark: Option<i64>,
    /// `None` when the incident is gone.
    words: Option<Words>,
}

/// What is known of an incident by its words.
pub(super) struct Words {
    /// In the order of [`FIELDS`].
    pub fields: [String; FIELDS.len()],
    keys: String,
}

/// The columns of the full text.
pub(super) const FIELDS: [&str; 5] = ["title", "description", "comments", "entities", "owner"];

/// Gathers a portion: changed incidents first, then new ones.
pub(super) fn read(connection: &Connection, blobs: &Blobs) -> Result<Portion, StoreError> {
    let indexed: i64 = connection
        .prepare_cached("SELECT value FROM counter WHERE name = 'incidents indexed'")?
        .query_row([], |row| row.get(0))?;
    let most = codec::limit(limits::INDEX_PORTION);
    // A new incident that has changed already is indexed in its turn and then once more: there is one way to each.
    let mut stale =
        connection.prepare_cached("SELECT incident, mark FROM incident_stale WHERE incident <= ?1 LIMIT ?2")?;
    let stale = stale.query_map([indexed, most], |row| Ok((row.get(0)?, Some(row.get(1)?))))?;
    let mut due: Vec<(i64, Option<i64>)> = stale.collect::<Result<_, _>>()?;
    let mut new =
        connection.prepare_cached("SELECT number FROM incident WHERE number > ?1 ORDER BY number LIMIT ?2")?;
    let room = most - codec::limit(due.len());
    due.extend(new.query_map([indexed, room], |row| Ok((row.get(0)?, None)))?.collect::<Result<Vec<_>, _>>()?);
    let newest = due.iter().filter(|(_, mark)| mark.is_none()).map(|(incident, _)| *incident).max();
    let entry = |(incident, mark)| {
        let found = incidents::get(connection, codec::count(incident))?;
        let words = found.map(|incident| words(connection, blobs, &incident)).transpose()?;
        Ok(Entry { incident, mark, words })
    };
    let entries = due.into_iter().map(entry).collect::<Result<_, StoreError>>()?;
    Ok(Portion { entries, indexed: newest.unwrap_or(indexed) })
}

/// Puts a portion in.
pub(super) fn put(writing: &Writing<'_>, portion: &Portion) -> Result<(), StoreError> {
    let connection = writing.connection;
    for Entry { incident, mark, words } in &portion.entries {
        if let Some(mark) = mark {
            for table in ["incident_text", "incident_key"] {
                connection.prepare_cached(&format!("DELETE FROM {table} WHERE rowid = ?1"))?.execute([incident])?;
            }
            connection
                .prepare_cached("DELETE FROM incident_stale WHERE incident = ?1 AND mark = ?2")?
                .execute([incident, mark])?;
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

/// The texts that are searched, in the order of [`FIELDS`].
pub(super) fn fields(connection: &Connection, incident: &Incident) -> Result<[String; FIELDS.len()], StoreError> {
    let mut messages = String::new();
    if incident.summary.comments > 0 {
        for comment in comments::all(connection, incident.number)? {
            messages.push_str(&comment.message);
            messages.push('\n');
        }
    }
    let entities = if incident.summary.alerts > 0 {
        let entities = alerts::entities_of_incident(connection, incident.number)?;
        entities.iter().map(shown).collect::<Vec<_>>().join("\n")
    } else {
        String::new()
    };
    let owner = &incident.owner;
    let owner = [&owner.assigned_to, &owner.email, &owner.user_principal_name, &owner.object_id];
    let owner = owner.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n");
    Ok([incident.title.clone(), incident.description.clone(), messages, entities, owner])
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
