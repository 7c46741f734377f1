//! Lists: pages of incidents, comments, relations and alerts, filtered and sorted.

mod candidates;
mod collection;
mod condition;
mod order;
mod route;

use rusqlite::{Connection, Row, params_from_iter};

use super::{
    super::{codec, incidents},
    alerts, comments, relations,
};
use crate::{
    incident::{Alert, Comment, Incident, Relation, properties},
    limits,
    odata::{Filter, Operand, Operator, Property},
    store::{
        StoreError,
        incidents::{Listing, Page},
        query::IncidentFilter,
    },
};
use collection::Collection;
use condition::Parameters;
use order::{Place, Sort};
use route::{Reach, Route};

pub(super) use candidates::token;

/// A page of incidents, newest first by default.
pub(super) fn incidents(connection: &Connection, listing: &Listing) -> Result<Page<Incident>, StoreError> {
    let sort = Sort::new(&collection::INCIDENTS, &listing.order, &["incident.created"]);
    let after = place(&sort, listing)?;
    found(connection, listing.filter.as_ref(), &sort, after.as_ref(), top(listing))
}

/// A page of incidents by the way that is likely the shortest, and when that leads too far, by another.
fn found(
    connection: &Connection,
    filter: Option<&Filter>,
    sort: &Sort,
    after: Option<&Place>,
    top: usize,
) -> Result<Page<Incident>, StoreError> {
    let by = |reach| {
        let Route { sql, parameters, partly } = route::find(connection, filter, sort, after, top, reach)?;
        Ok::<_, StoreError>((page(connection, &sql, parameters, sort, top, incidents::incident)?, partly))
    };
    match by(Reach::Some)? {
        (found, true) if found.next.is_none() => Ok(by(Reach::All)?.0),
        (found, _) => Ok(found),
    }
}

/// The queue of `larum incidents list` and others: newest first, behind the incident with a number.
pub(in super::super) fn queue(connection: &Connection, filter: &IncidentFilter) -> Result<Vec<Incident>, StoreError> {
    let equal = |path: &str, value: &str| {
        let right = Operand::Text(value.to_owned());
        named(path).map(|property| Filter::Compare { left: Operand::Property(property), operator: Operator::Eq, right })
    };
    let conditions = [
        filter.status.and_then(|status| equal("properties/status", status.as_str())),
        filter.severity.and_then(|severity| equal("properties/severity", severity.as_str())),
    ];
    let conditions: Vec<_> = conditions.into_iter().flatten().collect();
    let condition = (!conditions.is_empty()).then_some(Filter::And(conditions));
    let sort = Sort::new(&collection::INCIDENTS, &[], &["incident.created"]);
    let after = match filter.below {
        None => None,
        // That incident may have been deleted; then its neighbour's time is as good.
        Some(below) => {
            let mut rows = connection
                .prepare_cached("SELECT created FROM incident WHERE number <= ?1 ORDER BY number DESC LIMIT 1")?;
            let mut rows = rows.query([codec::int(below)])?;
            let Some(row) = rows.next()? else { return Ok(Vec::new()) };
            Some(vec![row.get(0)?, codec::int(below).into()])
        }
    };
    Ok(found(connection, condition.as_ref(), &sort, after.as_ref(), filter.limit)?.items)
}

fn named(path: &str) -> Option<&'static Property> {
    properties::INCIDENT.iter().find(|property| property.path == path)
}

/// A page of an incident's comments, newest first by default.
pub(super) fn comments(connection: &Connection, incident: u64, listing: &Listing) -> Result<Page<Comment>, StoreError> {
    let sort = Sort::new(&collection::COMMENTS, &listing.order, &["comment.created"]);
    of_incident(connection, incident, listing, &collection::COMMENTS, &sort, comments::COLUMNS, comments::comment)
}

/// A page of an incident's relations, newest first by default.
pub(super) fn relations(
    connection: &Connection,
    incident: u64,
    listing: &Listing,
) -> Result<Page<Relation>, StoreError> {
    let sort = Sort::new(&collection::RELATIONS, &listing.order, &[]);
    of_incident(connection, incident, listing, &collection::RELATIONS, &sort, relations::COLUMNS, relations::relation)
}

/// What hangs on one incident is so little that its own index is all it needs.
fn of_incident<T>(
    connection: &Connection,
    incident: u64,
    listing: &Listing,
    collection: &Collection,
    sort: &Sort,
    columns: &str,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Page<T>, StoreError> {
    let mut parameters = Parameters::default();
    let own = format!("{}.incident = {}", collection.table, parameters.bind(codec::int(incident)));
    let wanted = wanted(collection, listing, sort, &mut parameters)?;
    let top = top(listing);
    let sql = statement(collection.table, columns, sort, &format!("{own} AND {wanted}"), top);
    page(connection, &sql, parameters, sort, top, read)
}

/// A page of alerts, newest first by default.
pub(super) fn alerts(connection: &Connection, listing: &Listing) -> Result<Page<Alert>, StoreError> {
    let sort = Sort::new(&collection::ALERTS, &listing.order, &["alert.received"]);
    let mut parameters = Parameters::default();
    let wanted = wanted(&collection::ALERTS, listing, &sort, &mut parameters)?;
    let top = top(listing);
    let sql = statement("alert", "alert.name", &sort, &wanted, top);
    let names = page(connection, &sql, parameters, &sort, top, |row| row.get::<_, codec::Named>(0))?;
    let alerts = names.items.iter().filter_map(|name| alerts::get(connection, &name.0).transpose());
    Ok(Page { items: alerts.collect::<Result<_, _>>()?, next: names.next })
}

/// What a row must fulfil to be on the page or behind it.
fn wanted(
    collection: &Collection,
    listing: &Listing,
    sort: &Sort,
    parameters: &mut Parameters,
) -> Result<String, StoreError> {
    let condition = listing.filter.as_ref().map(|filter| condition::sql(collection, filter, parameters));
    let behind = place(sort, listing)?.map(|place| sort.behind(&place, 0, parameters));
    let wanted: Vec<_> = condition.into_iter().chain(behind).collect();
    Ok(if wanted.is_empty() { String::from("1") } else { wanted.join(" AND ") })
}

fn place(sort: &Sort, listing: &Listing) -> Result<Option<Place>, StoreError> {
    let read = |after: &Vec<u8>| sort.read(after).ok_or(StoreError::BadContinuation);
    listing.after.as_ref().map(read).transpose()
}

fn top(listing: &Listing) -> usize {
    if listing.top == 0 { limits::API_PAGE } else { listing.top }
}

/// One row more than the page tells whether there is another page.
fn statement(from: &str, columns: &str, sort: &Sort, wanted: &str, top: usize) -> String {
    let (keys, order) = (sort.columns(), sort.order_by());
    format!("SELECT {columns}{keys} FROM {from} WHERE {wanted} {order} LIMIT {}", one_more(top))
}

/// As many rows as SQLite knows are as good as all.
fn one_more(top: usize) -> i64 {
    codec::limit(top).saturating_add(1)
}

fn page<T>(
    connection: &Connection,
    sql: &str,
    parameters: Parameters,
    sort: &Sort,
    top: usize,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Page<T>, StoreError> {
    // Not kept: its text is as the client's filter wants it, and others are never asked again.
    let mut statement = connection.prepare(sql)?;
    let first_key = statement.column_count() - sort.keys.len();
    let mut rows = statement.query(params_from_iter(parameters.0))?;
    let (mut items, mut last) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        if items.len() == top {
            return Ok(Page { items, next: last.map(|place| sort.continuation(place)) });
        }
        items.push(read(row)?);
        if items.len() == top {
            last = Some(sort.place(row, first_key)?);
        }
    }
    Ok(Page { items, next: None })
}

#[cfg(test)]
mod tests;
