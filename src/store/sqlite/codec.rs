//! How values rest in columns: instants as microseconds, ids as 16 bytes, names as text.

use chrono::{DateTime, SubsecRound, Utc};
use rusqlite::{
    Row,
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Type, ValueRef},
};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::error;
use crate::{
    access::Role,
    incident::{
        Classification, ClassificationReason, DocumentKind, EntityKind, RelatedKind, ResourceName, Severity, Status,
        TaskStatus,
    },
    store::{StoreError, resubmission::Beginning, run::RunStatus},
};

/// An instant as it is kept, cut to microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At(pub DateTime<Utc>);

impl At {
    /// The first whole microsecond that is not before `at`: a timer must never be due early.
    pub(super) fn not_before(at: DateTime<Utc>) -> Self {
        let cut = at.trunc_subsecs(6);
        Self(if cut < at { cut + chrono::Duration::microseconds(1) } else { cut })
    }
}

impl ToSql for At {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.timestamp_micros().into())
    }
}

impl FromSql for At {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let micros = value.as_i64()?;
        DateTime::from_timestamp_micros(micros).map(Self).ok_or(FromSqlError::OutOfRange(micros))
    }
}

/// A UUID as 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(pub Uuid);

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(|bytes| Self(Uuid::from_bytes(bytes)))
    }
}

/// A value of a closed list, kept by its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<T>(pub T);

macro_rules! named {
    ($($type:ty),+) => {$(
        impl ToSql for Name<$type> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0.as_str().as_bytes())))
            }
        }
        impl FromSql for Name<$type> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <$type>::parse(value.as_str()?).map(Self).ok_or(FromSqlError::InvalidType)
            }
        }
    )+};
}
named!(
    Severity,
    Status,
    Classification,
    ClassificationReason,
    RunStatus,
    TaskStatus,
    RelatedKind,
    EntityKind,
    DocumentKind,
    Role,
    Beginning
);

/// A resource's name: a GUID as 16 bytes, any other as text. Columns that hold one compare text ignoring case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named(pub ResourceName);

impl ToSql for Named {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match &self.0 {
            ResourceName::Guid(guid) => ValueRef::Blob(guid.as_bytes()),
            ResourceName::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl FromSql for Named {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = match value {
            ValueRef::Text(_) => ResourceName::Text(value.as_str()?.into()),
            _ => Id::column_result(value)?.0.into(),
        };
        Ok(Self(name))
    }
}

/// Shorter values are not worth the compressing.
const DENSE_FROM_BYTES: usize = 128;

/// What the JSON of runs says again and again; LZ4 refers to it as if it stood before every value. Rows can only be read
/// with the dictionary they were written with, so it never changes: a better one is a second one, with its own first byte.
const DICTIONARY: &[u8] = include_bytes!("dictionary.json");

/// JSON on its way into a column, compressed when that pays: a first byte of 1, then the length and an LZ4 block that was
/// written with the [`DICTIONARY`]; a first byte of 0, then the JSON as it is. A run says the same text several times
/// (report, input, incident, records), and what is not written need not be synced.
#[derive(Debug)]
pub(super) struct Dense(Vec<u8>);

impl Dense {
    pub(super) fn of(json: &[u8]) -> Self {
        if json.len() < DENSE_FROM_BYTES {
            return Self([&[0], json].concat());
        }
        let mut dense = vec![0; 5 + lz4_flex::block::get_maximum_output_size(json.len())];
        dense[0] = 1;
        let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
        dense[1..5].copy_from_slice(&length.to_le_bytes());
        match lz4_flex::block::compress_into_with_dict(json, &mut dense[5..], DICTIONARY) {
            Ok(length) if 5 + length <= json.len() => {
                dense.truncate(5 + length);
                Self(dense)
            }
            _ => Self([&[0], json].concat()),
        }
    }
}

impl ToSql for Dense {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}

/// What a [`Dense`] held.
#[derive(Debug)]
pub(super) struct Opened(pub Vec<u8>);

impl FromSql for Opened {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_blob()?.split_first() {
            Some((0, json)) => Ok(Self(json.to_vec())),
            Some((1, block)) => lz4_flex::block::decompress_size_prepended_with_dict(block, DICTIONARY)
                .map(Self)
                .map_err(|error| FromSqlError::Other(Box::new(error))),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// Several texts as one: each with its length before it.
pub(super) fn bundle<T: AsRef<[u8]>>(texts: &[T]) -> Vec<u8> {
    let length = texts.iter().map(|text| 4 + text.as_ref().len()).sum();
    let mut bundle = Vec::with_capacity(length);
    for text in texts {
        let text = text.as_ref();
        bundle.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        bundle.extend_from_slice(text);
    }
    bundle
}

/// The texts of a [`bundle`], added to `texts`; `None` when it is damaged.
pub(super) fn unbundle(mut bundle: &[u8], texts: &mut Vec<Vec<u8>>) -> Option<()> {
    while !bundle.is_empty() {
        let (length, rest) = bundle.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        texts.push(text.to_vec());
        bundle = rest;
    }
    Some(())
}

/// A SHA-256.
pub(super) type Digest = [u8; 32];

/// The SHA-256 of a body.
pub(super) fn digest(content: &[u8]) -> Digest {
    Sha256::digest(content).into()
}

/// Half a SHA-256 over `parts`, each with its length before it, so that no two lists of parts run together. 128 bits
/// keep anybody from finding a report that is taken for somebody else's.
pub(super) fn key(parts: &[&str]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let whole: Digest = hash.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

/// JSON text for a column.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(error::damaged)
}

/// JSON for a [`Dense`] column.
pub(super) fn to_dense<T: serde::Serialize>(value: &T) -> Result<Dense, StoreError> {
    Ok(Dense::of(&serde_json::to_vec(value).map_err(error::damaged)?))
}

/// JSON text of a column that always has some.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    json(row, column)?.ok_or_else(|| rusqlite::Error::InvalidColumnType(column, "JSON".into(), Type::Null))
}

/// JSON text of a column as a value.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// JSON of a [`Dense`] column as a value.
pub(super) fn dense_json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let json: Option<Opened> = row.get(column)?;
    json.map(|Opened(json)| serde_json::from_slice(&json))
        .transpose()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error)))
}

/// A count as SQLite knows it; every count here is far below 2^63.
pub(super) fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count read back.
pub(super) fn count(int: i64) -> u64 {
    u64::try_from(int).unwrap_or_default()
}

/// A page size as SQLite knows it.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_comes_back_as_it_was_however_long() {
        let report = r#"{"method":"POST","queries":{},"body":{"what":"é"}}"#;
        for times in [0, 1, 2, 3, 10, 1_000, 10_000] {
            let json = report.repeat(times);
            let Dense(bytes) = Dense::of(json.as_bytes());
            let Opened(opened) = Opened::column_result(ValueRef::Blob(&bytes)).unwrap();
            assert_eq!(opened, json.as_bytes());
        }
    }

    /// Rows that exist can only be read with this very text.
    #[test]
    fn the_dictionary_stays_as_it_is() {
        assert_eq!(hex::encode(digest(DICTIONARY)), "70bd3d5a8dbb2a8c791072a75c4842e98b515925300090589f1c532dc2da3ffe");
    }

    #[test]
    fn a_bundle_gives_its_texts_back_and_says_when_it_is_damaged() {
        let texts = [b"one".to_vec(), vec![], b"three".to_vec()];
        let whole = bundle(&texts);
        let mut read = Vec::new();
        assert_eq!(unbundle(&whole, &mut read), Some(()));
        assert_eq!(read, texts);
        assert_eq!(unbundle(&whole[..whole.len() - 1], &mut Vec::new()), None);
    }
}
