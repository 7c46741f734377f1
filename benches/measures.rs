//! `make bench`: every measure of the design that exists so far, beside its floor, measured in the same run.
//!
//! Prints one row per measure with the absolute figure and the ratio, and exits 1 when a row is below what is promised.
//! `cargo bench --bench measures -- web` runs only the rows whose name contains `web`.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

#[path = "measures/incidents.rs"]
mod incidents;
#[path = "measures/language.rs"]
mod language;
#[path = "measures/loops.rs"]
mod loops;
#[path = "measures/machine.rs"]
mod machine;
#[path = "measures/mail.rs"]
mod mail;
#[path = "measures/process.rs"]
mod process;
#[path = "measures/runs.rs"]
mod runs;
#[path = "measures/start.rs"]
mod start;
#[path = "measures/tests.rs"]
mod tests;
#[path = "measures/web.rs"]
mod web;

#[path = "../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

/// A measured figure held against what is promised.
pub struct Row {
    pub name: String,
    /// The figure with its unit, and the floor's.
    pub figure: String,
    /// The figure as the promise counts it: a ratio to the floor, or the figure itself.
    pub value: f64,
    pub promise: Promise,
}

/// What a figure must be.
pub enum Promise {
    AtLeast(f64),
    AtMost(f64),
}

/// Measures and gives its rows.
type Section = fn() -> Vec<Row>;

impl Row {
    fn holds(&self) -> bool {
        match self.promise {
            Promise::AtLeast(least) => self.value >= least,
            Promise::AtMost(most) => self.value <= most,
        }
    }

    fn print(&self) {
        let promise = match self.promise {
            Promise::AtLeast(least) => format!("at least {least}"),
            Promise::AtMost(most) => format!("at most {most}"),
        };
        let verdict = if self.holds() { "holds" } else { "BELOW" };
        println!("{:<44} {:>8.2}  {promise:<14} {verdict}  {}", self.name, self.value, self.figure);
    }
}

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|want| name.contains(want.as_str()));
    println!("{:<44} {:>8}  {:<14} {:<5}  figures", "measure", "value", "promise", "");
    let sections: [(&str, Section); 9] = [
        ("start", start::rows),
        ("tests", tests::rows),
        ("machine", machine::rows),
        ("loops", loops::rows),
        ("language", language::rows),
        ("web", web::rows),
        ("runs", runs::rows),
        ("mail", mail::rows),
        ("api", incidents::rows),
    ];
    let mut held = true;
    for (name, rows) in sections {
        if chosen(name) {
            for row in rows() {
                row.print();
                held &= row.holds();
            }
        }
    }
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
