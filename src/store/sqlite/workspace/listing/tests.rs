//! Lists are found by index: what SQLite says it will do, over more incidents than are looked at one by one.

use std::fmt::Write as _;

use rusqlite::{Connection, StatementStatus, params_from_iter};

use super::{
    super::super::connection,
    collection,
    order::Sort,
    route::{self, Reach},
};
use crate::{
    incident::properties::INCIDENT,
    limits,
    odata::{Filter, Order},
    store::incidents::Listing,
};

/// Six thousand incidents, one in a hundred open; half of them have the label `common`, six the label `rare`.
fn filled() -> (tempfile::TempDir, Connection) {
    let data = tempfile::tempdir().unwrap();
    let path = connection::database(data.path());
    let mut writer = connection::writer(&path).unwrap();
    connection::migrate(&mut writer, &path).unwrap();
    writer
        .execute_batch(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 6000)
             INSERT INTO incident (number, id, etag, created, modified, severity, status, title, tags, description)
                SELECT n, printf('incident %d', n), zeroblob(16), n * 1000000, n * 1000000 + n % 7,
                    CASE n % 4 WHEN 0 THEN 'High' WHEN 1 THEN 'Medium' WHEN 2 THEN 'Low' ELSE 'Informational' END,
                    iif(n % 100 = 0, 'New', 'Closed'), printf('title %d', n % 1000), '[]', '' FROM n;
             INSERT INTO incident_label SELECT 'common', number FROM incident WHERE number % 2;
             INSERT INTO incident_label SELECT 'rare', number FROM incident WHERE number % 1000 = 0;
             UPDATE counter SET value = 6000 WHERE name = 'incidents indexed';",
        )
        .unwrap();
    let reader = connection::reader(&path).unwrap();
    (data, reader)
}

fn plan(connection: &Connection, filter: &str, order: &str, behind: bool) -> String {
    let filter = (!filter.is_empty()).then(|| Filter::parse(filter, INCIDENT).unwrap());
    let order = if order.is_empty() { vec![] } else { Order::parse(order, INCIDENT).unwrap() };
    let sort = Sort::new(&collection::INCIDENTS, &order, &["incident.created"]);
    let place = behind.then(|| sort.keys.iter().map(|_| 1_i64.into()).collect());
    let route = route::find(connection, filter.as_ref(), &sort, place.as_ref(), 50, Reach::Some).unwrap();
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", route.sql)).unwrap();
    let mut rows = explain.query(params_from_iter(route.parameters.0)).unwrap();
    let mut plan = String::new();
    while let Some(row) = rows.next().unwrap() {
        writeln!(plan, "  {}", row.get::<_, String>(3).unwrap()).unwrap();
    }
    plan
}

#[test]
fn lists_are_found_by_index() {
    let (_data, connection) = filled();
    let newest = "properties/createdTimeUtc desc";
    let mut plans = String::new();
    for (filter, order, behind) in [
        ("", "", false),
        ("", newest, true),
        ("", "properties/createdTimeUtc", true),
        ("", "properties/lastModifiedTimeUtc desc", true),
        ("", "properties/incidentNumber desc", true),
        ("", "properties/severity desc", true),
        ("properties/status eq 'New' and properties/severity eq 'High'", newest, true),
        ("properties/status ne 'Closed'", newest, true),
        ("properties/status ne 'Closed'", "properties/title", false),
        ("properties/createdTimeUtc ge 1970-01-01T00:30:00Z", "properties/createdTimeUtc", true),
        ("properties/createdTimeUtc ge 1970-01-01T00:30:00Z", "properties/title", false),
        ("properties/lastModifiedTimeUtc ge 1970-01-01T00:40:00Z", "", false),
        ("properties/lastModifiedTimeUtc ge 1970-01-01T00:00:01Z", "properties/lastModifiedTimeUtc desc", false),
        ("properties/incidentNumber gt 1234", "properties/incidentNumber", false),
        ("properties/incidentNumber eq 42", newest, false),
        ("(properties/incidentNumber eq 1 or properties/incidentNumber eq 2)", "", false),
        ("", "properties/severity desc, properties/createdTimeUtc", true),
        ("name eq 'INCIDENT 7'", "", false),
        ("name eq 'a/b'", "", false),
        ("properties/title eq 'title 1'", "", false),
        ("properties/owner/assignedTo eq 'a@b.c' or properties/owner/email eq 'a@b.c'", "", false),
        ("properties/labels/any(l: l/labelName eq 'rare')", "", false),
        ("properties/labels/any(l: l/labelName eq 'common')", "", false),
        ("properties/labels/any(l: l/labelName eq 'common')", "properties/lastModifiedTimeUtc", false),
        ("properties/additionalData/alertProductNames/any(p: p eq 'x')", "properties/lastModifiedTimeUtc", false),
        ("contains(properties/title, 'x')", "", true),
    ] {
        let behind_text = if behind { ", a later page" } else { "" };
        let plan = plan(&connection, filter, order, behind);
        writeln!(plans, "{filter} [{order}{behind_text}]\n{plan}").unwrap();
        let scans = plan.lines().any(|line| line.trim() == "SCAN incident");
        assert!(!scans, "{filter} [{order}]\n{plan}");
    }
    insta::assert_snapshot!("plans", plans);
    // What the assertion looks for is what SQLite says of a whole table.
    assert_eq!(
        plan(&connection, "contains(properties/title, 'x')", "properties/title", false).lines().next(),
        Some("  SCAN incident")
    );
}

#[test]
fn any_number_of_values_of_one_property_is_found_by_its_index() {
    let (_data, connection) = filled();
    for (one, index) in [
        ("properties/incidentNumber eq {}", "SEARCH incident USING INTEGER PRIMARY KEY (rowid=?)"),
        ("name eq 'incident {}'", "SEARCH incident USING COVERING INDEX incident_name (id=?)"),
        (
            "properties/createdTimeUtc eq 2024-01-01T00:00:00.{}Z",
            "SEARCH incident USING COVERING INDEX incident_created (created=?)",
        ),
        ("properties/labels/any(l: l/labelName eq 'label {}')", "SEARCH incident_label USING PRIMARY KEY (label=?)"),
        ("properties/title eq 'no title {}'", "SCAN incident_key VIRTUAL TABLE INDEX 0:M1"),
    ] {
        let filter = (100..500).map(|number| one.replace("{}", &number.to_string())).collect::<Vec<_>>().join(" or ");
        let plan = plan(&connection, &filter, "", false);
        assert!(plan.contains(index) && !plan.contains("incident_created\n"), "{one}\n{plan}");
        // Beside it the incidents themselves, by their numbers.
        assert!(plan.matches(index).count() <= 2, "it is asked once\n{plan}");
    }
}

/// Ten thousand of the oldest have a label: too many to be sorted for every page, and none is among the newest.
#[test]
fn an_order_is_not_followed_far_where_nothing_fits() {
    let (_data, connection) = filled();
    let writer = connection::writer(std::path::Path::new(connection.path().unwrap())).unwrap();
    writer
        .execute_batch(
            "WITH RECURSIVE n (n) AS (SELECT 6001 UNION ALL SELECT n + 1 FROM n WHERE n < 80000)
             INSERT INTO incident (number, id, etag, created, modified, severity, status, title, tags, description)
                SELECT n, printf('incident %d', n), zeroblob(16), n * 1000000, n * 1000000, 'High', 'New', '', '[]', '' FROM n;
             UPDATE incident SET tags = '[\"old\"]' WHERE number <= 10000;
             INSERT INTO incident_label SELECT 'old', number FROM incident WHERE number <= 10000;",
        )
        .unwrap();
    let filter = Filter::parse("properties/labels/any(l: l/labelName eq 'old')", INCIDENT).unwrap();
    for (order, first) in [("", 10_000), ("properties/incidentNumber desc", 10_000), ("properties/createdTimeUtc", 1)] {
        let order = if order.is_empty() { vec![] } else { Order::parse(order, INCIDENT).unwrap() };
        let sort = Sort::new(&collection::INCIDENTS, &order, &["incident.created"]);
        let find = |reach| route::find(&connection, Some(&filter), &sort, None, 50, reach).unwrap();
        assert!(find(Reach::Some).partly);
        assert!(find(Reach::All).sql.contains("incident_label"), "then they are sorted after all");
        let listing = Listing { filter: Some(filter.clone()), order, top: 50, after: None };
        let page = super::incidents(&connection, &listing).unwrap();
        assert_eq!((page.items.len(), page.items[0].number, page.next.is_some()), (50, first, true));
    }
}

/// Whoever sends ever new filters must not fill the memory with their programs.
#[test]
fn no_connection_keeps_the_program_of_a_filter() {
    let (_data, connection) = filled();
    let listing =
        Listing { filter: Some(Filter::parse("properties/title eq 'x'", INCIDENT).unwrap()), ..Listing::default() };
    super::incidents(&connection, &listing).unwrap();
    let sort = Sort::new(&collection::INCIDENTS, &[], &["incident.created"]);
    let route = route::find(&connection, listing.filter.as_ref(), &sort, None, limits::API_PAGE, Reach::Some).unwrap();
    let again = connection.prepare_cached(&route.sql).unwrap();
    assert_eq!(again.get_status(StatementStatus::Run), 0, "it is not the one that was asked");
}
