//! Comments.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    super::codec::{self, At, Id, Named},
    plan::{self, Plan, Stop, invalid},
};
use crate::{
    incident::{ActivityKind, Comment, IncidentRef, Precondition, Rejected, ResourceName, Written},
    limits,
    store::StoreError,
};

/// What [`comment`] reads.
pub(super) const COLUMNS: &str = "incident, name, etag, created, modified, author, message";

/// A comment of [these columns](COLUMNS).
pub(super) fn comment(row: &Row<'_>) -> rusqlite::Result<Comment> {
    Ok(Comment {
        incident: codec::count(row.get(0)?),
        name: row.get::<_, Named>(1)?.0,
        etag: row.get::<_, Id>(2)?.0,
        created: row.get::<_, At>(3)?.0,
        modified: row.get::<_, At>(4)?.0,
        author: codec::from_json(row, 5)?,
        message: row.get(6)?,
    })
}

pub(super) fn get(connection: &Connection, incident: u64, name: &ResourceName) -> Result<Option<Comment>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM comment WHERE incident = ?1 AND name = ?2");
    let mut rows = connection.prepare_cached(&sql)?;
    Ok(rows.query_row(params![codec::int(incident), Named(name.clone())], comment).optional()?)
}

/// All of an incident, oldest first.
pub(super) fn all(connection: &Connection, incident: u64) -> Result<Vec<Comment>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM comment WHERE incident = ?1 ORDER BY id");
    Ok(connection.prepare_cached(&sql)?.query_map([codec::int(incident)], comment)?.collect::<Result<_, _>>()?)
}

/// Shows the messages of an incident to `show`, newest first, until that is `false`.
pub(super) fn each_message(
    connection: &Connection,
    incident: u64,
    mut show: impl FnMut(&str) -> bool,
) -> Result<(), StoreError> {
    let mut rows = connection.prepare_cached("SELECT message FROM comment WHERE incident = ?1 ORDER BY id DESC")?;
    let mut rows = rows.query([codec::int(incident)])?;
    while let Some(row) = rows.next()? {
        if !show(row.get_ref(0)?.as_str().map_err(super::super::error::damaged)?) {
            break;
        }
    }
    Ok(())
}

pub(super) fn put<'w>(
    connection: &Connection,
    plan: &mut Plan<'w>,
    incident: &IncidentRef,
    name: &'w ResourceName,
    message: &'w str,
    precondition: &Precondition,
    any_author: bool,
) -> Result<Written, Stop> {
    let before = plan::incident(connection, incident)?;
    let present = get(connection, before.number, name)?;
    plan::check(precondition, present.as_ref().map(|present| present.etag), name)?;
    if present.as_ref().is_some_and(|present| !any_author && !present.author.is_same(&plan.write.by)) {
        return Err(Rejected::Forbidden("Only its author may edit a comment.".into()).into());
    }
    if message.trim().is_empty() {
        return Err(invalid("A comment needs a message."));
    }
    if message.len() > limits::COMMENT_CHARS && message.chars().count() > limits::COMMENT_CHARS {
        return Err(invalid(format!("Comment length should not exceed {} characters", limits::COMMENT_CHARS)));
    }
    let mut after = plan.touched(&before);
    let (etag, at) = (plan.write.etag, plan.at);
    let (comment, edited) = match present {
        Some(present) => {
            let comment = Comment { message: message.to_owned(), etag, modified: at, ..present.clone() };
            (comment, Some(present.message))
        }
        None if before.summary.comments >= limits::COMMENTS => {
            let most = limits::COMMENTS;
            return Err(invalid(format!("Incident {} has {most} comments already; it can have no more.", before.name)));
        }
        None => {
            after.summary.comments += 1;
            let author = plan.write.by.clone();
            let (name, message) = (name.clone(), message.to_owned());
            (Comment { incident: before.number, name, etag, message, author, created: at, modified: at }, None)
        }
    };
    plan.update(before, &after);
    let (row, created) = (comment.clone(), edited.is_none());
    plan.then(move |writing| store(writing.connection, &row, created));
    match edited {
        None => plan.tell(&after, ActivityKind::CommentAdded { comment: comment.name.clone() }),
        Some(from) if from != comment.message => {
            plan.log(&after, ActivityKind::CommentEdited { comment: comment.name.clone(), from });
        }
        Some(_) => {}
    }
    Ok(Written::Comment { incident: Box::new(after), comment, created })
}

fn store(connection: &Connection, comment: &Comment, new: bool) -> Result<(), StoreError> {
    let (incident, name) = (codec::int(comment.incident), Named(comment.name.clone()));
    if new {
        connection
            .prepare_cached(
                "INSERT INTO comment (incident, name, etag, created, modified, author, message) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                incident,
                name,
                Id(comment.etag),
                At(comment.created),
                At(comment.modified),
                codec::to_json(&comment.author)?,
                comment.message,
            ])?;
    } else {
        connection
            .prepare_cached(
                "UPDATE comment SET etag = ?3, modified = ?4, message = ?5 WHERE incident = ?1 AND name = ?2",
            )?
            .execute(params![incident, name, Id(comment.etag), At(comment.modified), comment.message])?;
    }
    Ok(())
}

pub(super) fn delete(
    connection: &Connection,
    plan: &mut Plan<'_>,
    incident: &IncidentRef,
    name: &ResourceName,
    precondition: &Precondition,
) -> Result<Written, Stop> {
    let before = plan::incident(connection, incident)?;
    let present = get(connection, before.number, name)?;
    plan::check(precondition, present.as_ref().map(|present| present.etag), name)?;
    let Some(comment) = present else { return Ok(Written::Gone { existed: false }) };
    let mut after = plan.touched(&before);
    after.summary.comments = after.summary.comments.saturating_sub(1);
    plan.update(before, &after);
    let (number, gone) = (codec::int(after.number), Named(comment.name.clone()));
    plan.then(move |writing| {
        let sql = "DELETE FROM comment WHERE incident = ?1 AND name = ?2";
        writing.connection.prepare_cached(sql)?.execute(params![number, gone])?;
        Ok(())
    });
    plan.log(&after, ActivityKind::CommentDeleted { comment: comment.name, from: comment.message });
    Ok(Written::Gone { existed: true })
}
