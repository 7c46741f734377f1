//! Lists are found by index: what SQLite says it will do, over more incidents than are looked at one by one.

use std::fmt::Write as _;

use rusqlite::{Connection, params_from_iter};

use super::{super::super::connection, collection, condition::Parameters, order::Sort, route};
use crate::{
    incident::properties::INCIDENT,
    odata::{Filter, Order},
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
                SELECT n, printf('incident %d', n), x'00', n * 1000000, n * 1000000 + n % 7,
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
    let mut parameters = Parameters::default();
    let sql = route::sql(connection, filter.as_ref(), &sort, place.as_ref(), 50, &mut parameters).unwrap();
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut rows = explain.query(params_from_iter(parameters.0)).unwrap();
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
        ("name eq 'INCIDENT 7'", "", false),
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
        let scans = plan.lines().filter(|line| line.trim() == "SCAN incident");
        // The numbers are the table's own order.
        assert!(order.contains("incidentNumber") || scans.count() == 0, "{filter} [{order}]\n{plan}");
    }
    insta::assert_snapshot!("plans", plans);
}
