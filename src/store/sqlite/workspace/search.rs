//! Full-text search. What is asked is never read as FTS5's own language: it is words, phrases in double quotes, and
//! `beginnings*`, and all of them must occur.

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    super::{codec, incidents},
    index,
};
use crate::{
    limits,
    store::{StoreError, incidents::SearchHit},
};

/// Where as many incidents or more are found, the newest come first: to weigh them all would take longer the more there are.
const WEIGHED: i64 = 2_000;
/// How much an occurrence counts in each of the [fields](index::FIELDS).
const WEIGHTS: &str = "10.0, 3.0, 2.0, 5.0, 5.0";
/// Words of an excerpt.
const EXCERPT: u32 = 16;
/// Bytes of each field that an excerpt is looked for in; behind it the beginning of the incident does.
const EXCERPT_BYTES: usize = 128 * 1024;

pub(super) fn search(connection: &Connection, query: &str, limit: usize) -> Result<Vec<SearchHit>, StoreError> {
    let Some(query) = expression(query)? else { return Ok(Vec::new()) };
    let sql = "SELECT count(*) FROM (SELECT 1 FROM incident_text WHERE incident_text MATCH ?1 LIMIT ?2)";
    let found: i64 = connection.prepare_cached(sql)?.query_row(params![query, WEIGHED], |row| row.get(0))?;
    let order = if found < WEIGHED { format!("bm25(incident_text, {WEIGHTS}), ") } else { String::new() };
    let sql =
        format!("SELECT rowid FROM incident_text WHERE incident_text MATCH ?1 ORDER BY {order}rowid DESC LIMIT ?2");
    let mut rows = connection.prepare_cached(&sql)?;
    let numbers = rows.query_map(params![query, codec::limit(limit)], |row| row.get(0))?;
    let excerpts = Excerpts::new()?;
    let mut hits = Vec::new();
    for number in numbers {
        // One that was deleted in the last moments is still in the index.
        let Some(incident) = incidents::get(connection, codec::count(number?))? else { continue };
        let excerpt = excerpts.of(&query, &index::fields(connection, &incident)?)?;
        hits.push(SearchHit { incident, excerpt });
    }
    Ok(hits)
}

/// What is asked, in FTS5's language; `None` when there is no word in it.
fn expression(query: &str) -> Result<Option<String>, StoreError> {
    let query: String = query.chars().take(limits::SEARCH_CHARS).collect();
    let mut expression = Vec::new();
    let mut rest = query.as_str();
    while expression.len() < limits::SEARCH_TERMS {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { break };
        let (term, behind) = match rest.strip_prefix('"') {
            Some(phrase) => phrase.split_once('"').unwrap_or((phrase, "")),
            None => rest.split_at(rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len())),
        };
        let (term, beginning, behind) = match (term.strip_suffix('*'), behind.strip_prefix('*')) {
            (Some(term), _) if first != '"' => (term, true, behind),
            (_, Some(behind)) if first == '"' => (term, true, behind),
            _ => (term, false, behind),
        };
        rest = behind;
        if term.contains(char::is_alphanumeric) {
            // No character means anything between double quotes; a NUL would end the text.
            let term = term.replace(['\0', '"'], " ");
            let last = term.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            if beginning && last.chars().count() < limits::SEARCH_BEGINNING_CHARS {
                return Err(StoreError::ShortBeginning { written: format!("{last}*") });
            }
            expression.push(format!("\"{term}\"{}", if beginning { "*" } else { "" }));
        }
    }
    Ok((!expression.is_empty()).then(|| expression.join(" ")))
}

/// Where a few words around the first place found come from. The index itself holds no text, so that the few incidents that
/// are shown are searched once more, in memory, one at a time.
struct Excerpts(Connection);

impl Excerpts {
    fn new() -> Result<Self, StoreError> {
        let connection = Connection::open_in_memory()?;
        let columns = index::FIELDS.join(", ");
        connection.execute_batch(&format!(
            "CREATE VIRTUAL TABLE hit USING fts5({columns}, tokenize = 'unicode61 remove_diacritics 2')"
        ))?;
        Ok(Self(connection))
    }

    /// The excerpt of an incident of these texts.
    fn of(&self, query: &str, texts: &[String; index::FIELDS.len()]) -> Result<String, StoreError> {
        let [title, description, comments, entities, owner] = texts;
        let [shown, comments, entities] = [description, comments, entities].map(|text| beginning(text));
        // Rolled back, so that the next incident finds the table empty.
        let transaction = self.0.unchecked_transaction()?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO hit (title, description, comments, entities, owner) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        insert.execute(params![title, shown, comments, entities, owner])?;
        let sql = format!("SELECT snippet(hit, -1, '', '', '…', {EXCERPT}) FROM hit WHERE hit MATCH ?1");
        let found = transaction.prepare_cached(&sql)?.query_row([query], |row| row.get::<_, String>(0)).optional()?;
        drop(insert);
        transaction.rollback()?;
        if let Some(found) = found {
            return Ok(found.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        let text = if description.trim().is_empty() { title } else { description };
        let mut words = text.split_whitespace();
        let first = words.by_ref().take(EXCERPT as usize).collect::<Vec<_>>().join(" ");
        Ok(if words.next().is_some() { first + "…" } else { first })
    }
}

fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(EXCERPT_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_phrases_and_beginnings_are_told_apart_and_nothing_else_means_anything() {
        for (query, expected) in [
            ("door", r#""door""#),
            ("  north   door ", r#""north" "door""#),
            (r#""north door" strang*"#, r#""north door" "strang"*"#),
            (r#""north doo"*"#, r#""north doo"*"#),
            (r#"a"b c"d"#, r#""a" "b c" "d""#),
            (r#""north door"#, r#""north door""#),
            ("title: NEAR(a b) OR -c ^d", r#""title:" "NEAR(a" "b)" "OR" "-c" "^d""#),
            ("x\0y", "\"x y\""),
        ] {
            assert_eq!(expression(query).unwrap().as_deref(), Some(expected), "{query}");
        }
        for query in ["", "  ", "*", "\"", "\"\"", "--- ***", "\0"] {
            assert_eq!(expression(query).unwrap(), None, "{query}");
        }
        for query in ["ab*", "é*", "north a.b*", r#""north do"*"#] {
            assert!(matches!(expression(query), Err(StoreError::ShortBeginning { .. })), "{query}");
        }
    }
}
