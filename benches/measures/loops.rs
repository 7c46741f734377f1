//! What a `for_each` costs per item, as `benches/loops.rs` measures it.

use std::process::Command;

use crate::{Promise, Row};

/// How much dearer an item of the longest loop may be than one of the shortest: it has to come from farther memory, but no
/// step looks at those before it.
const DEARER: f64 = 3.0;

pub fn rows() -> Vec<Row> {
    let run = Command::new(env!("CARGO")).args(["bench", "--locked", "--quiet", "--bench", "loops"]).output();
    let said = run.map(|run| String::from_utf8_lossy(&run.stdout).into_owned()).unwrap_or_default();
    let rows: Vec<Row> = said.lines().filter_map(row).collect();
    assert_eq!(rows.len(), 3, "the loop benchmark prints three lines, not:\n{said}");
    rows
}

/// `100000 items: 3.21 us an item, 1.17 of the cost at 1000, 1.1 million steps/s`
fn row(line: &str) -> Option<Row> {
    let (items, figure) = line.split_once(" items: ")?;
    let ratio = figure.split(", ").nth(1)?.split(' ').next()?.parse().ok()?;
    Some(Row {
        name: format!("for_each over {items} items, of the cost at 1,000"),
        figure: figure.to_owned(),
        value: ratio,
        promise: Promise::AtMost(DEARER),
    })
}
