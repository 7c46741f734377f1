//! How a page of incidents is found: which index is followed, so that it costs the same however many there are.

use rusqlite::{Connection, params_from_iter, types::Value};

use super::{
    super::super::incidents,
    candidates::{self, Candidates, Queue, Times},
    collection::{self, INCIDENTS},
    condition::{self, Parameters},
    order::{Key, Place, Sort},
    statement,
};
use crate::{
    odata::{Filter, Operator},
    store::StoreError,
};

/// Candidates that are worth looking at one by one and sorting, however few incidents there are. Where there are more, an
/// index in the page's order is followed until the page is full.
const CANDIDATES: usize = 2_000;
/// The same where no index gives the order, and the whole table would be read otherwise.
const CANDIDATES_TO_SORT: usize = 50_000;
/// `UNION ALL`s of one statement, far below SQLite's limit of 500; each candidate set has up to three.
const SETS: usize = 100;

/// The statement that reads a page, and one row more.
pub(super) fn sql(
    connection: &Connection,
    filter: Option<&Filter>,
    sort: &Sort,
    after: Option<&Place>,
    top: usize,
    parameters: &mut Parameters,
) -> Result<String, StoreError> {
    if let Some(candidates) = filter.map(|filter| fewest(connection, filter, sort, top)).transpose()?.flatten() {
        let among = format!("incident.number IN ({})", candidates.sql(parameters));
        let wanted = wanted(filter, sort, after, parameters);
        return Ok(statement("incident", incidents::COLUMNS, sort, &format!("{among} AND {wanted}"), top));
    }
    let queue = filter.and_then(Queue::of);
    if let Some(leading) = along_queue(sort)
        && (queue.is_some() || leading > 0)
    {
        return Ok(segments(filter, &queue.unwrap_or_else(Queue::whole), leading, sort, after, top, parameters));
    }
    let from = format!("incident {}", index(sort).unwrap_or("NOT INDEXED"));
    let wanted = wanted(filter, sort, after, parameters);
    Ok(statement(&from, incidents::COLUMNS, sort, &wanted, top))
}

/// How the index is named that gives an order.
fn index(sort: &Sort) -> Option<&'static str> {
    match sort.keys.first().map(|key| key.sql.as_str()) {
        Some("incident.created") => Some("INDEXED BY incident_created"),
        Some("incident.modified") => Some("INDEXED BY incident_modified"),
        Some("incident.number") => Some("NOT INDEXED"),
        _ => None,
    }
}

fn wanted(filter: Option<&Filter>, sort: &Sort, after: Option<&Place>, parameters: &mut Parameters) -> String {
    let condition = filter.map(|filter| condition::sql(&INCIDENTS, filter, parameters));
    let behind = after.map(|place| sort.behind(place, 0, parameters));
    let wanted: Vec<_> = condition.into_iter().chain(behind).collect();
    if wanted.is_empty() { String::from("1") } else { wanted.join(" AND ") }
}

/// The smallest set of candidates, when it is small: `n` of them are as many rows as following an index reads for a page of
/// `top` rows of which one in `incidents / n` fits, so that the balance is at the root of both.
fn fewest(connection: &Connection, filter: &Filter, sort: &Sort, top: usize) -> Result<Option<Candidates>, StoreError> {
    let ordered = index(sort).is_some() || along_queue(sort).is_some();
    let (mut fewest, mut most) = (None, CANDIDATES_TO_SORT);
    if ordered {
        let newest: Option<i64> =
            connection.prepare_cached("SELECT max(number) FROM incident")?.query_row([], |row| row.get(0))?;
        let incidents = usize::try_from(newest.unwrap_or_default()).unwrap_or_default();
        most = incidents.saturating_mul(top).isqrt().clamp(CANDIDATES, CANDIDATES_TO_SORT);
    }
    for set in candidates::of(filter) {
        if is_along(&set, sort) || size(&set) > SETS {
            continue;
        }
        let mut parameters = Parameters::default();
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM ({}) LIMIT {most})", set.sql(&mut parameters));
        let mut counted = connection.prepare_cached(&sql)?;
        let count: i64 = counted.query_row(params_from_iter(parameters.0), |row| row.get(0))?;
        let count = usize::try_from(count).unwrap_or(most);
        if count < most {
            (fewest, most) = (Some(set), count.max(1));
        }
    }
    Ok(fewest)
}

/// Whether the index that gives the order begins with these candidates anyway.
fn is_along(set: &Candidates, sort: &Sort) -> bool {
    let first = sort.keys.first().map(|key| key.sql.as_str());
    match set {
        Candidates::Times { column: Times::Created, .. } => first == Some(Times::Created.column()),
        Candidates::Times { column: Times::Modified, .. } => first == Some(Times::Modified.column()),
        Candidates::Number { operator, .. } => *operator != Operator::Eq && first == Some(INCIDENTS.key),
        Candidates::Queue(_) => along_queue(sort).is_some(),
        _ => false,
    }
}

fn size(set: &Candidates) -> usize {
    match set {
        Candidates::Either(sets) => sets.iter().map(size).sum(),
        _ => 1,
    }
}

/// How many of the order's keys, its first, are status or severity, when the others are what the queue's index is sorted by.
fn along_queue(sort: &Sort) -> Option<usize> {
    let leading = sort.keys.iter().take_while(|key| leads(key).is_some()).count();
    match &sort.keys[leading..] {
        [created, number]
            if created.sql == "incident.created"
                && number.sql == INCIDENTS.key
                && created.descending == number.descending =>
        {
            Some(leading)
        }
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Leads {
    Status,
    Severity,
}

fn leads(key: &Key) -> Option<Leads> {
    let is = |path| {
        super::named(path)
            .is_some_and(|property| key.sql == collection::sorted(&(INCIDENTS.column)(property), property.kind))
    };
    if is("properties/status") { Some(Leads::Status) } else { is("properties/severity").then_some(Leads::Severity) }
}

/// Each status with each severity is a piece of the queue that is in order; the pieces are merged, and each is read only
/// as far as the page goes.
fn segments(
    filter: Option<&Filter>,
    queue: &Queue,
    leading: usize,
    sort: &Sort,
    after: Option<&Place>,
    top: usize,
    parameters: &mut Parameters,
) -> String {
    let condition = filter.map(|filter| condition::sql(&INCIDENTS, filter, parameters));
    let condition = condition.map(|condition| format!(" AND {condition}")).unwrap_or_default();
    let behind = after.map(|place| sort.behind(place, leading, parameters));
    let whole = Queue::whole();
    let place = |values: &[&str], value: &str| values.iter().position(|known| *known == value).unwrap_or_default();
    let mut pieces = Vec::new();
    for status in &queue.statuses {
        for severity in &queue.severities {
            let ranks: Vec<_> = sort.keys[..leading]
                .iter()
                .map(|key| match leads(key) {
                    Some(Leads::Status) => place(&whole.statuses, status),
                    _ => place(&whole.severities, severity),
                })
                .collect();
            let behind = match after.map(|after| compare(&sort.keys[..leading], &ranks, after)) {
                Some(std::cmp::Ordering::Less) => continue,
                Some(std::cmp::Ordering::Equal) => behind.as_ref().map(|behind| format!(" AND {behind}")),
                Some(std::cmp::Ordering::Greater) | None => None,
            };
            pieces.push(Piece { status, severity, ranks, behind: behind.unwrap_or_default() });
        }
    }
    if pieces.is_empty() {
        return statement("incident", incidents::COLUMNS, sort, "0", top);
    }
    let (limit, directions) =
        (top.saturating_add(1), sort.keys.iter().map(|key| if key.descending { " DESC" } else { "" }));
    let by = |first: usize| {
        let keys = directions.clone().skip(first).enumerate();
        keys.map(|(place, direction)| format!("{}{direction}", place + 2)).collect::<Vec<_>>().join(", ")
    };
    let pieces = pieces.iter().map(|piece| {
        let Piece { status, severity, ranks, behind } = piece;
        let rows = format!(
            "SELECT incident.number AS found, incident.created AS created, incident.number AS number \
             FROM incident INDEXED BY incident_queue \
             WHERE incident.status = '{status}' AND incident.severity = '{severity}'{condition}{behind}"
        );
        // Pieces in one order are merged as they are; those that follow one another are cut to a page each first.
        if leading == 0 {
            return rows;
        }
        let ranks: String = ranks.iter().map(|rank| format!(", {rank}")).collect();
        format!("SELECT found{ranks}, created, number FROM ({rows} ORDER BY {} LIMIT {limit})", by(leading))
    });
    let merged = pieces.collect::<Vec<_>>().join(" UNION ALL ");
    let page = format!("SELECT found FROM ({merged} ORDER BY {} LIMIT {limit})", by(0));
    statement("incident", incidents::COLUMNS, sort, &format!("incident.number IN ({page})"), top)
}

/// A status with a severity.
struct Piece {
    status: &'static str,
    severity: &'static str,
    /// The places of both among all, as far as the order begins with them.
    ranks: Vec<usize>,
    /// The condition that a row comes behind the page before.
    behind: String,
}

/// Where a piece of the queue lies, seen from a place: before it, around it or behind it.
fn compare(keys: &[Key], ranks: &[usize], after: &Place) -> std::cmp::Ordering {
    for ((key, rank), after) in keys.iter().zip(ranks).zip(after) {
        let Value::Integer(after) = after else { continue };
        let order = i64::try_from(*rank).unwrap_or_default().cmp(after);
        let order = if key.descending { order.reverse() } else { order };
        if order.is_ne() {
            return order;
        }
    }
    std::cmp::Ordering::Equal
}
