//! How a page of incidents is found: which index is followed, so that it costs the same however many there are.

use rusqlite::{Connection, OptionalExtension, params_from_iter, types::Value};

use super::{
    super::super::{codec, incidents},
    candidates::{self, Candidates, Queue, Times},
    collection::{self, INCIDENTS},
    condition::{self, Parameters},
    one_more,
    order::{Key, Place, Sort},
    statement,
};
use crate::{limits, odata::Filter, store::StoreError};

/// Candidates that are worth looking at one by one and sorting, however few incidents there are. Where there are more, an
/// index in the page's order is followed until the page is full.
const CANDIDATES: usize = 2_000;
/// The same where no index gives the order, and the whole table would be read otherwise.
const CANDIDATES_TO_SORT: usize = 50_000;
/// Sets in one statement: each has up to three `UNION ALL`s, of which SQLite takes 500. Values that one index is asked for
/// are one set.
const SETS: usize = 100;

/// How far an index is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// [`limits::WALKED`] rows, where the filter has candidates that could be sorted instead.
    Some,
    All,
}

/// A statement that reads a page, and one row more.
pub(super) struct Route {
    pub sql: String,
    pub parameters: Parameters,
    /// Not all that may fit was looked at: a page that is not full must be read by another way.
    pub partly: bool,
}

/// The way to a page.
pub(super) fn find(
    connection: &Connection,
    filter: Option<&Filter>,
    sort: &Sort,
    after: Option<&Place>,
    top: usize,
    reach: Reach,
) -> Result<Route, StoreError> {
    let sets = filter.map(|filter| candidates(filter, sort)).unwrap_or_default();
    let mut parameters = Parameters::default();
    if let Some(candidates) = fewest(connection, &sets, sort, top, reach)? {
        let among = format!("incident.number IN ({})", candidates.sql(&mut parameters));
        let wanted = wanted(filter, sort, after, &mut parameters);
        let sql = statement("incident", incidents::COLUMNS, sort, &format!("{among} AND {wanted}"), top);
        return Ok(Route { sql, parameters, partly: false });
    }
    let edge = if reach == Reach::Some && !sets.is_empty() { edge(connection, sort, after)? } else { None };
    let partly = edge.is_some();
    let edge = edge.map(|edge| edge.sql(&mut parameters));
    let queue = filter.and_then(Queue::of);
    let sql = match along_queue(sort) {
        Some(leading) if queue.is_some() || leading > 0 => {
            let condition = filter.map(|filter| condition::sql(&INCIDENTS, filter, &mut parameters));
            let condition: String = edge.into_iter().chain(condition).map(|one| format!(" AND {one}")).collect();
            let queue = queue.unwrap_or_else(Queue::whole);
            segments(&condition, &queue, leading, sort, after, top, &mut parameters)
        }
        _ => {
            let from = format!("incident {}", index(sort).unwrap_or("NOT INDEXED"));
            let wanted = edge.into_iter().chain([wanted(filter, sort, after, &mut parameters)]);
            statement(&from, incidents::COLUMNS, sort, &wanted.collect::<Vec<_>>().join(" AND "), top)
        }
    };
    Ok(Route { sql, parameters, partly })
}

/// Up to where an index is followed at first: its key in the row that is so many rows behind the page before.
struct Edge<'s> {
    key: &'s Key,
    value: i64,
}

impl Edge<'_> {
    fn sql(&self, parameters: &mut Parameters) -> String {
        let symbol = if self.key.descending { ">=" } else { "<=" };
        format!("{} {symbol} {}", self.key.sql, parameters.bind(self.value))
    }
}

/// `None` where no index gives the order, or fewer rows are left.
fn edge<'s>(connection: &Connection, sort: &'s Sort, after: Option<&Place>) -> Result<Option<Edge<'s>>, StoreError> {
    let Some((key, index)) = sort.keys.first().zip(index(sort)) else { return Ok(None) };
    let (column, walked) = (&key.sql, codec::limit(limits::WALKED));
    let mut parameters = Parameters::default();
    let begin = match after.and_then(|place| place.first()) {
        Some(after) => {
            format!("{column} {} {}", if key.descending { "<=" } else { ">=" }, parameters.bind(after.clone()))
        }
        None => String::from("1"),
    };
    let direction = if key.descending { "DESC" } else { "ASC" };
    let sql = if *column == INCIDENTS.key {
        // Without a gap the numbers tell it themselves; the rows are much longer than those of an index.
        let (end, sign) = if key.descending { ("max", '-') } else { ("min", '+') };
        format!("SELECT {end}({column}) {sign} {walked} FROM incident WHERE {begin}")
    } else {
        format!(
            "SELECT {column} FROM incident {index} WHERE {begin} ORDER BY {column} {direction} LIMIT 1 OFFSET {walked}"
        )
    };
    let mut rows = connection.prepare(&sql)?;
    let value: Option<Option<i64>> = rows.query_row(params_from_iter(parameters.0), |row| row.get(0)).optional()?;
    Ok(value.flatten().map(|value| Edge { key, value }))
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

/// The sets of candidates of a filter that are of any use for an order.
fn candidates(filter: &Filter, sort: &Sort) -> Vec<Candidates> {
    let sets = candidates::of(filter).into_iter();
    sets.filter(|set| !is_along(set, sort) && size(set) <= SETS).collect()
}

/// The smallest set of candidates, when it is small: `n` of them are as many rows as following an index reads for a page of
/// `top` rows of which one in `incidents / n` fits, so that the balance is at the root of both. Where those that fit lie
/// together at the far end of the order, that is not so: when [`Reach::Some`] did not fill the page, more are small.
fn fewest<'c>(
    connection: &Connection,
    sets: &'c [Candidates],
    sort: &Sort,
    top: usize,
    reach: Reach,
) -> Result<Option<&'c Candidates>, StoreError> {
    let ordered = index(sort).is_some() || along_queue(sort).is_some();
    let (mut fewest, mut most) = (None, CANDIDATES_TO_SORT);
    if ordered && reach == Reach::Some && !sets.is_empty() {
        let newest: Option<i64> =
            connection.prepare_cached("SELECT max(number) FROM incident")?.query_row([], |row| row.get(0))?;
        let incidents = usize::try_from(newest.unwrap_or_default()).unwrap_or_default();
        most = incidents.saturating_mul(top).isqrt().clamp(CANDIDATES, CANDIDATES_TO_SORT);
    }
    for set in sets {
        let mut parameters = Parameters::default();
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM ({}) LIMIT {most})", set.sql(&mut parameters));
        let mut counted = connection.prepare(&sql)?;
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
        Candidates::Number { .. } => first == Some(INCIDENTS.key),
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
    condition: &str,
    queue: &Queue,
    leading: usize,
    sort: &Sort,
    after: Option<&Place>,
    top: usize,
    parameters: &mut Parameters,
) -> String {
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
    let (limit, directions) = (one_more(top), sort.keys.iter().map(|key| if key.descending { " DESC" } else { "" }));
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
