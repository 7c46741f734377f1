//! Bookmarks, automation rules and others that are kept as they were written.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::{
    super::codec::{self, At, Id, Name, Named},
    plan::{self, Plan, Stop},
    relations,
};
use crate::{
    incident::{Document, DocumentKey, DocumentKind, Precondition, RelatedKind, ResourceName, Written},
    store::{StoreError, incidents::Page},
};

const COLUMNS: &str = "kind, parent, name, etag, created, created_by, modified, modified_by, properties";

fn document(row: &Row<'_>) -> rusqlite::Result<Document> {
    let parent = match row.get::<_, Named>(1)?.0 {
        ResourceName::Text(none) if none.is_empty() => None,
        parent => Some(parent),
    };
    Ok(Document {
        key: DocumentKey { kind: row.get::<_, Name<_>>(0)?.0, parent, name: row.get::<_, Named>(2)?.0 },
        etag: row.get::<_, Id>(3)?.0,
        created: row.get::<_, At>(4)?.0,
        created_by: codec::from_json(row, 5)?,
        modified: row.get::<_, At>(6)?.0,
        modified_by: codec::from_json(row, 7)?,
        properties: codec::from_json(row, 8)?,
    })
}

fn parent(parent: Option<&ResourceName>) -> Named {
    Named(parent.cloned().unwrap_or_else(|| ResourceName::Text("".into())))
}

pub(super) fn get(connection: &Connection, key: &DocumentKey) -> Result<Option<Document>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM document WHERE kind = ?1 AND parent = ?2 AND name = ?3");
    let key = params![Name(key.kind), parent(key.parent.as_ref()), Named(key.name.clone())];
    Ok(connection.prepare_cached(&sql)?.query_row(key, document).optional()?)
}

/// Those of a kind and parent, oldest first.
pub(super) fn list(
    connection: &Connection,
    kind: DocumentKind,
    of: Option<&ResourceName>,
) -> Result<Vec<Document>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM document WHERE kind = ?1 AND parent = ?2 ORDER BY id");
    let mut rows = connection.prepare_cached(&sql)?;
    Ok(rows.query_map(params![Name(kind), parent(of)], document)?.collect::<Result<_, _>>()?)
}

/// A page of bookmarks in the order they were made. Where it ends is the place of its last one.
pub(super) fn bookmark_page(
    connection: &Connection,
    top: usize,
    after: Option<&[u8]>,
) -> Result<Page<Document>, StoreError> {
    let after = match after {
        Some(bytes) => i64::from_be_bytes(bytes.try_into().map_err(|_| StoreError::BadContinuation)?),
        None => i64::MIN,
    };
    let sql =
        format!("SELECT {COLUMNS}, id FROM document WHERE kind = ?1 AND parent = ?2 AND id > ?3 ORDER BY id LIMIT ?4");
    // One more than wanted tells whether there is another page.
    let most = codec::limit(top).saturating_add(1);
    let mut rows = connection.prepare_cached(&sql)?;
    let rows = rows.query_map(params![Name(DocumentKind::Bookmark), parent(None), after, most], |row| {
        Ok((document(row)?, row.get::<_, i64>(9)?))
    })?;
    let mut rows: Vec<(Document, i64)> = rows.collect::<Result<_, _>>()?;
    let more = rows.len() > top;
    rows.truncate(top);
    let next = rows.last().filter(|_| more).map(|(_, id)| id.to_be_bytes().to_vec());
    Ok(Page { items: rows.into_iter().map(|(document, _)| document).collect(), next })
}

/// The bookmarks related to an incident, oldest relation first.
pub(super) fn bookmarks(connection: &Connection, incident: u64) -> Result<Vec<Document>, StoreError> {
    let bookmarks = relations::all(connection, incident)?.into_iter().filter(|one| one.kind == RelatedKind::Bookmark);
    let found = bookmarks.map(|relation| {
        get(connection, &DocumentKey { kind: DocumentKind::Bookmark, parent: None, name: relation.related })
    });
    found.filter_map(Result::transpose).collect()
}

pub(super) fn put<'w>(
    connection: &Connection,
    plan: &mut Plan<'w>,
    key: &'w DocumentKey,
    properties: &'w Value,
    precondition: &Precondition,
) -> Result<Written, Stop> {
    let present = get(connection, key)?;
    plan::check(precondition, present.as_ref().map(|present| present.etag), &key.name)?;
    let created = present.is_none();
    let (etag, at, by) = (plan.write.etag, plan.at, &plan.write.by);
    let (first, first_by) = present.map_or_else(|| (at, by.clone()), |present| (present.created, present.created_by));
    let document = Document {
        key: key.clone(),
        etag,
        properties: properties.clone(),
        created: first,
        created_by: first_by,
        modified: at,
        modified_by: by.clone(),
    };
    let row = document.clone();
    plan.then(move |writing| {
        // No write that follows the rule's goes by unheard.
        if row.key.kind == DocumentKind::AutomationRule {
            writing.bell.listen(true);
        }
        store(writing.connection, &row)
    });
    Ok(Written::Document { document: Box::new(document), created })
}

fn store(connection: &Connection, document: &Document) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO document (kind, parent, name, etag, created, created_by, modified, modified_by, properties) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (kind, parent, name) DO UPDATE SET \
             etag = excluded.etag, modified = excluded.modified, modified_by = excluded.modified_by, \
             properties = excluded.properties",
        )?
        .execute(params![
            Name(document.key.kind),
            parent(document.key.parent.as_ref()),
            Named(document.key.name.clone()),
            Id(document.etag),
            At(document.created),
            codec::to_json(&document.created_by)?,
            At(document.modified),
            codec::to_json(&document.modified_by)?,
            document.properties.to_string(),
        ])?;
    Ok(())
}

/// Deletes a document; a bookmark leaves the incidents it was related to.
pub(super) fn delete<'w>(
    connection: &Connection,
    plan: &mut Plan<'w>,
    key: &'w DocumentKey,
    precondition: &Precondition,
) -> Result<Written, Stop> {
    let present = get(connection, key)?;
    plan::check(precondition, present.as_ref().map(|present| present.etag), &key.name)?;
    if present.is_none() {
        return Ok(Written::Gone { existed: false });
    }
    if key.kind == DocumentKind::Bookmark {
        relations::part(connection, plan, &key.name)?;
    }
    plan.then(move |writing| {
        let sql = "DELETE FROM document WHERE kind = ?1 AND parent = ?2 AND name = ?3";
        writing.connection.prepare_cached(sql)?.execute(params![
            Name(key.kind),
            parent(key.parent.as_ref()),
            Named(key.name.clone())
        ])?;
        Ok(())
    });
    Ok(Written::Gone { existed: true })
}
