//! Sort orders, and where a page ends: the values of its last row's sort keys, which the next page begins behind.

use rusqlite::{Row, types::Value};
use serde::{Deserialize, Serialize};

use super::{
    super::super::codec,
    collection::{self, Collection},
    condition::Parameters,
};
use crate::odata::{Order, Property};

/// One thing that is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub sql: String,
    pub descending: bool,
}

/// A sort order in which no two rows are equal. Nulls are lower than everything.
#[derive(Debug)]
pub(super) struct Sort {
    pub keys: Vec<Key>,
    /// Names the order, so that a place in one is not taken for a place in another.
    name: String,
}

/// What a row is sorted by, in the order of the keys.
pub(super) type Place = Vec<Value>;

/// A value of a [`Place`] in a continuation.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Integer(i64),
    Text(String),
    Null,
}

impl Sort {
    /// The order of `keys`; rows that are equal in it go by `ties` and at last by the table's own key, all in the direction
    /// of the last of them.
    pub(super) fn new(collection: &Collection, keys: &[Order], ties: &[&'static str]) -> Self {
        let descending = keys.last().is_none_or(|key| key.descending);
        let mut sorted: Vec<Key> = Vec::with_capacity(keys.len() + ties.len() + 1);
        let given = keys.iter().map(|key| Key { sql: sql(collection, key.property), descending: key.descending });
        let ties = ties.iter().copied().chain([collection.key]);
        for key in given.chain(ties.map(|sql| Key { sql: sql.to_owned(), descending })) {
            let last = key.sql == collection.key;
            if !sorted.iter().any(|known| known.sql == key.sql) {
                sorted.push(key);
            }
            if last {
                break;
            }
        }
        let name = sorted.iter().map(|key| format!("{}{}", if key.descending { '-' } else { '+' }, key.sql));
        Self { name: format!("{} {}", collection.table, name.collect::<String>()), keys: sorted }
    }

    /// `ORDER BY`.
    pub(super) fn order_by(&self) -> String {
        let keys = self.keys.iter().map(|key| format!("{}{}", key.sql, if key.descending { " DESC" } else { "" }));
        format!("ORDER BY {}", keys.collect::<Vec<_>>().join(", "))
    }

    /// The keys as columns, so that a row tells its place.
    pub(super) fn columns(&self) -> String {
        self.keys.iter().map(|key| format!(", {}", key.sql)).collect()
    }

    /// The place of a row whose [columns](Sort::columns) begin at `first`.
    pub(super) fn place(&self, row: &Row<'_>, first: usize) -> rusqlite::Result<Place> {
        (first..first + self.keys.len()).map(|column| row.get(column)).collect()
    }

    /// The condition that a row comes behind `place`, by the keys from `from` on.
    pub(super) fn behind(&self, place: &Place, from: usize, parameters: &mut Parameters) -> String {
        let keys: Vec<_> = self.keys.iter().zip(place).skip(from).collect();
        let mut behind = String::from("0");
        // From the last key outwards: `a > 1 OR (a IS 1 AND (b > 2 OR …))`.
        for (key, value) in keys.iter().rev() {
            let (sql, value, null) = (&key.sql, parameters.bind((*value).clone()), **value == Value::Null);
            let beyond = match (key.descending, null) {
                (false, true) => format!("{sql} IS NOT NULL"),
                (false, false) => format!("{sql} > {value}"),
                (true, true) => String::from("0"),
                (true, false) => format!("({sql} < {value} OR {sql} IS NULL)"),
            };
            behind = format!("({beyond} OR ({sql} IS {value} AND {behind}))");
        }
        // Said once more in the one way that an index can follow.
        match keys.first() {
            Some((key, value)) if !key.descending && **value != Value::Null => {
                format!("({} >= {} AND {behind})", key.sql, parameters.bind((*value).clone()))
            }
            Some((key, value)) if key.descending && **value != Value::Null && is_always_there(&key.sql) => {
                format!("({} <= {} AND {behind})", key.sql, parameters.bind((*value).clone()))
            }
            _ => behind,
        }
    }

    /// Writes a place down for the one who asks for the next page.
    pub(super) fn continuation(&self, place: Place) -> Vec<u8> {
        let written = place.into_iter().map(|value| match value {
            Value::Integer(integer) => Written::Integer(integer),
            Value::Text(text) => Written::Text(text),
            Value::Null | Value::Real(_) | Value::Blob(_) => Written::Null,
        });
        let json = serde_json::to_string(&written.collect::<Vec<_>>()).unwrap_or_default();
        [&self.seal(&json)[..], json.as_bytes()].concat()
    }

    /// The place of a continuation; `None` when it was not written for this order, or is damaged.
    pub(super) fn read(&self, continuation: &[u8]) -> Option<Place> {
        let (seal, json) = continuation.split_first_chunk()?;
        let json = std::str::from_utf8(json).ok()?;
        let written: Vec<Written> = serde_json::from_str(json).ok().filter(|_| *seal == self.seal(json))?;
        let place = written.into_iter().map(|value| match value {
            Written::Integer(integer) => Value::Integer(integer),
            Written::Text(text) => Value::Text(text),
            Written::Null => Value::Null,
        });
        Some(place.collect()).filter(|place: &Place| place.len() == self.keys.len())
    }

    /// Tells a continuation that was cut or belongs to another order; it is no secret, for nothing is gained by making one.
    fn seal(&self, json: &str) -> [u8; 8] {
        let mut seal = [0; 8];
        seal.copy_from_slice(&codec::key(&[&self.name, json])[..8]);
        seal
    }
}

fn sql(collection: &Collection, property: &Property) -> String {
    collection::sorted(&(collection.column)(property), property.kind)
}

/// Columns that are never null and have an index.
fn is_always_there(sql: &str) -> bool {
    ["incident.created", "incident.modified", "incident.number", "alert.received", "alert.id"].contains(&sql)
}
