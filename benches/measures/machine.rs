//! Pure steps of the machine a second, as `benches/machine.rs` counts them on one core.

use std::process::Command;

use crate::{Promise, Row};

pub fn rows() -> Vec<Row> {
    let run = Command::new(env!("CARGO")).args(["bench", "--locked", "--quiet", "--bench", "machine"]).output();
    let said = run.map(|run| String::from_utf8_lossy(&run.stdout).into_owned()).unwrap_or_default();
    let rate = said.lines().find_map(|line| line.strip_suffix(" steps/s")?.rsplit(' ').next()?.parse::<f64>().ok());
    let rate = rate.unwrap_or_else(|| panic!("the machine benchmark prints steps/s, not:\n{said}"));
    vec![Row {
        name: "machine: pure steps, million/s a core".into(),
        figure: format!("{rate:.0} steps/s"),
        value: rate / 1e6,
        promise: Promise::AtLeast(1.0),
    }]
}
