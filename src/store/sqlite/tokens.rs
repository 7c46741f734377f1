//! Tokens as they rest.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{
    codec::{At, Id, Name},
    writer::Writing,
};
use crate::{
    access::{StoredToken, TokenId},
    store::StoreError,
};

const COLUMNS: &str = "SELECT id, name, role, hash, created, created_by, expires, revoked FROM token";
/// A token that lets somebody in at the instant ?2.
const GOOD: &str = "revoked IS NULL AND (expires IS NULL OR expires > ?2)";

fn token(row: &Row<'_>) -> rusqlite::Result<StoredToken> {
    Ok(StoredToken {
        id: row.get::<_, Id>(0)?.0,
        name: row.get(1)?,
        role: row.get::<_, Name<_>>(2)?.0,
        hash: row.get(3)?,
        created: row.get::<_, At>(4)?.0,
        created_by: row.get(5)?,
        expires: row.get::<_, Option<At>>(6)?.map(|at| at.0),
        revoked: row.get::<_, Option<At>>(7)?.map(|at| at.0),
    })
}

pub(super) fn keep(writing: &Writing<'_>, token: &StoredToken) -> Result<bool, StoreError> {
    let connection = writing.connection;
    let taken = format!("SELECT EXISTS (SELECT 1 FROM token WHERE name = ?1 AND {GOOD})");
    if connection.query_row(&taken, params![token.name, At(token.created)], |row| row.get(0))? {
        return Ok(false);
    }
    connection.execute(
        "INSERT INTO token (id, name, role, hash, created, created_by, expires, revoked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            Id(token.id),
            token.name,
            Name(token.role),
            token.hash,
            At(token.created),
            token.created_by,
            token.expires.map(At),
            token.revoked.map(At),
        ],
    )?;
    Ok(true)
}

pub(super) fn get(connection: &Connection, id: TokenId) -> Result<Option<StoredToken>, StoreError> {
    let sql = format!("{COLUMNS} WHERE id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([Id(id)], token).optional()?)
}

pub(super) fn list(connection: &Connection) -> Result<Vec<StoredToken>, StoreError> {
    let sql = format!("{COLUMNS} ORDER BY created, id");
    Ok(connection.prepare_cached(&sql)?.query_map([], token)?.collect::<Result<_, _>>()?)
}

/// `name` may be the token's id too: no name that is given out looks like one.
pub(super) fn revoke(writing: &Writing<'_>, name: &str, at: DateTime<Utc>) -> Result<bool, StoreError> {
    const REVOKE: &str = "UPDATE token SET revoked = ?2 WHERE";
    let revoked = match Uuid::try_parse(name) {
        Ok(id) => {
            let sql = format!("{REVOKE} id = ?1 AND {GOOD}");
            writing.connection.execute(&sql, params![Id(id), At(at)])?
        }
        Err(_) => {
            let sql = format!("{REVOKE} name = ?1 AND {GOOD}");
            writing.connection.execute(&sql, params![name, At(at)])?
        }
    };
    Ok(revoked > 0)
}

#[cfg(test)]
mod tests {
    use crate::{
        access::{Lifetime, Role, StoredToken, TokenRequest},
        store::{SqliteStore, incidents::IncidentStore},
    };
    use chrono::{DateTime, Duration, Utc};

    fn at(days: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap() + Duration::days(days)
    }

    fn token(name: &str, day: i64) -> StoredToken {
        let lifetime = Lifetime::parse("10d").unwrap();
        let request = TokenRequest { name: name.into(), role: Role::Responder, lifetime, by: "a test".into() };
        request.issue(at(day)).unwrap().stored
    }

    #[tokio::test]
    async fn a_name_is_free_again_once_its_token_has_expired_or_was_revoked() {
        let data = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(data.path()).unwrap();
        let first = token("ci", 0);
        assert!(store.keep_token(first.clone()).await.unwrap());
        assert_eq!(store.token(first.id).await.unwrap().as_ref(), Some(&first));
        assert!(!store.keep_token(token("CI", 9)).await.unwrap(), "names compare ignoring case");
        assert!(store.keep_token(token("ci", 10)).await.unwrap(), "the first has expired");
        assert!(store.revoke_token("Ci", at(11)).await.unwrap());
        assert!(!store.revoke_token("ci", at(12)).await.unwrap(), "nothing is left to revoke");
        let last = token("ci", 12);
        let id = last.id.to_string();
        assert!(store.keep_token(last).await.unwrap());
        assert!(store.revoke_token(&id, at(13)).await.unwrap(), "an id will do");
        assert!(!store.revoke_token(&id, at(14)).await.unwrap());
        assert!(store.keep_token(token("ci", 14)).await.unwrap());
        let revoked: Vec<bool> = store.tokens().await.unwrap().iter().map(|token| token.revoked.is_some()).collect();
        assert_eq!(revoked, [false, true, true, false]);
    }
}
