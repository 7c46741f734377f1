//! Full-text search. What is asked is never read as FTS5's own language: it is words, phrases in double quotes, and
//! `beginnings*`, and all of them must occur.

use rusqlite::{Connection, params};

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
    let Some(query) = expression(query) else { return Ok(Vec::new()) };
    let sql = "SELECT count(*) FROM (SELECT 1 FROM incident_text WHERE incident_text MATCH ?1 LIMIT ?2)";
    let found: i64 = connection.prepare_cached(sql)?.query_row(params![query, WEIGHED], |row| row.get(0))?;
    let order = if found < WEIGHED { format!("bm25(incident_text, {WEIGHTS}), ") } else { String::new() };
    let sql =
        format!("SELECT rowid FROM incident_text WHERE incident_text MATCH ?1 ORDER BY {order}rowid DESC LIMIT ?2");
    let mut rows = connection.prepare_cached(&sql)?;
    let numbers = rows.query_map(params![query, codec::limit(limit)], |row| row.get(0))?;
    let mut hits = Vec::new();
    for number in numbers {
        // One that was deleted in the last moments is still in the index.
        let Some(incident) = incidents::get(connection, codec::count(number?))? else { continue };
        let texts = index::fields(connection, &incident)?;
        hits.push((incident, texts));
    }
    let excerpts = excerpts(&query, hits.iter().map(|(_, texts)| texts))?;
    let hits = hits.into_iter().zip(excerpts);
    Ok(hits.map(|((incident, _), excerpt)| SearchHit { incident, excerpt }).collect())
}

/// What is asked, in FTS5's language; `None` when there is no word in it.
fn expression(query: &str) -> Option<String> {
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
            expression.push(format!("\"{term}\"{}", if beginning { "*" } else { "" }));
        }
    }
    (!expression.is_empty()).then(|| expression.join(" "))
}

/// A few words around the first place found in each of `texts`. The index itself holds no text, so that the few that are
/// shown are searched once more, in memory.
fn excerpts<'t>(
    query: &str,
    texts: impl Iterator<Item = &'t [String; index::FIELDS.len()]>,
) -> Result<Vec<String>, StoreError> {
    let connection = Connection::open_in_memory()?;
    let columns = index::FIELDS.join(", ");
    connection.execute_batch(&format!(
        "CREATE VIRTUAL TABLE hit USING fts5({columns}, tokenize = 'unicode61 remove_diacritics 2')"
    ))?;
    let mut insert = connection
        .prepare("INSERT INTO hit (title, description, comments, entities, owner) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut excerpts = Vec::new();
    let transaction = connection.unchecked_transaction()?;
    for [title, description, comments, entities, owner] in texts {
        let [description, comments, entities] = [description, comments, entities].map(|text| beginning(text));
        insert.execute(params![title, description, comments, entities, owner])?;
        let text = if description.trim().is_empty() { title } else { description };
        let mut words = text.split_whitespace();
        let first = words.by_ref().take(EXCERPT as usize).collect::<Vec<_>>().join(" ");
        excerpts.push(if words.next().is_some() { first + "…" } else { first });
    }
    let sql = format!("SELECT rowid, snippet(hit, -1, '', '', '…', {EXCERPT}) FROM hit WHERE hit MATCH ?1");
    let mut rows = connection.prepare(&sql)?;
    let mut rows = rows.query([query])?;
    while let Some(row) = rows.next()? {
        let place: usize = row.get::<_, i64>(0)?.try_into().unwrap_or_default();
        if let Some(excerpt) = excerpts.get_mut(place.wrapping_sub(1)) {
            let found: String = row.get(1)?;
            *excerpt = found.split_whitespace().collect::<Vec<_>>().join(" ");
        }
    }
    transaction.finish()?;
    Ok(excerpts)
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
            (r#""north do"*"#, r#""north do"*"#),
            (r#"a"b c"d"#, r#""a" "b c" "d""#),
            (r#""north door"#, r#""north door""#),
            ("title: NEAR(a b) OR -c ^d", r#""title:" "NEAR(a" "b)" "OR" "-c" "^d""#),
            ("x\0y", "\"x y\""),
        ] {
            assert_eq!(expression(query).as_deref(), Some(expected), "{query}");
        }
        for query in ["", "  ", "*", "\"", "\"\"", "--- ***", "\0"] {
            assert_eq!(expression(query), None, "{query}");
        }
    }
}
