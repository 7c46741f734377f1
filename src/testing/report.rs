//! What tests came to, for people and for programs.

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    case::{Case, Suite},
    compare::{Difference, differences},
    coverage::Coverage,
    driver,
};
use crate::diagnostic::{Diagnostic, Position};

/// What all tests came to.
#[derive(Debug, Default)]
pub struct Report {
    pub suites: Vec<SuiteReport>,
    /// Of test files and playbooks that cannot be used.
    pub faults: Vec<Diagnostic>,
}

/// What the cases of one file came to.
#[derive(Debug)]
pub struct SuiteReport {
    /// The test file.
    pub file: String,
    pub cases: Vec<CaseReport>,
    pub coverage: Option<Coverage>,
}

/// What one case came to.
#[derive(Debug)]
pub struct CaseReport {
    pub name: String,
    /// Where its name stands.
    pub position: Position,
    pub differences: Vec<Difference>,
    pub took: Duration,
}

impl CaseReport {
    /// Whether everything came out as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }

    /// Every difference with its place in `file`.
    pub(super) fn told(&self, file: &str) -> String {
        let mut out = String::new();
        for difference in &self.differences {
            let Position { line, column } = difference.position;
            let _ = writeln!(out, "{file}:{line}:{column}");
            for line in difference.to_string().lines() {
                let _ = writeln!(out, "  {line}");
            }
        }
        out
    }
}

impl Suite {
    /// Runs its cases, or those that `wanted` names. With `crash` the process dies after every event of every run.
    #[must_use]
    pub fn run(&self, wanted: &dyn Fn(&Case) -> bool, crash: bool) -> SuiteReport {
        let mut coverage: Option<Coverage> = None;
        let mut cases = Vec::new();
        for case in self.cases.iter().filter(|case| wanted(case)) {
            let begun = std::time::Instant::now();
            let found = driver::run(&case.play, crash);
            let differences = differences(&case.expect, &found, &case.span, &self.source);
            coverage.get_or_insert_with(|| Coverage::of(&case.play.plan.playbook)).count(&found.records);
            let position = self.source.position(case.span.start);
            cases.push(CaseReport { name: case.name.clone(), position, differences, took: begun.elapsed() });
        }
        SuiteReport { file: self.source.name.to_string(), cases, coverage }
    }
}

impl Report {
    /// Every case of every file.
    pub fn cases(&self) -> impl Iterator<Item = &CaseReport> {
        self.suites.iter().flat_map(|suite| &suite.cases)
    }

    /// How many cases failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.cases().filter(|case| !case.passed()).count()
    }

    /// Whether every case passed and every file could be read.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failed() == 0 && self.faults.is_empty()
    }

    /// What each playbook's tests reached of it, by its file.
    #[must_use]
    pub fn coverage(&self) -> Vec<Coverage> {
        let mut all: Vec<Coverage> = Vec::new();
        for coverage in self.suites.iter().filter_map(|suite| suite.coverage.as_ref()) {
            match all.iter_mut().find(|known| known.file() == coverage.file()) {
                Some(known) => known.add(coverage),
                None => all.push(coverage.clone()),
            }
        }
        all
    }

    /// For people: every file with its cases, every difference, and at the end how many passed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for fault in &self.faults {
            let _ = writeln!(out, "{fault}\n");
        }
        for suite in self.suites.iter().filter(|suite| !suite.cases.is_empty()) {
            let _ = writeln!(out, "{}", suite.file);
            for case in &suite.cases {
                let _ = writeln!(out, "  {} {}", if case.passed() { "ok  " } else { "FAIL" }, case.name);
                for line in case.told(&suite.file).lines() {
                    let _ = writeln!(out, "       {line}");
                }
            }
        }
        let (all, failed) = (self.cases().count(), self.failed());
        let _ = write!(out, "{} passed, {failed} failed", all - failed);
        match self.faults.len() {
            0 => {}
            1 => out.push_str(", 1 fault"),
            count => {
                let _ = write!(out, ", {count} faults");
            }
        }
        out.push('\n');
        out
    }

    /// What no case reached, for people.
    #[must_use]
    pub fn coverage_text(&self) -> String {
        let mut out = String::new();
        for coverage in self.coverage() {
            let (actions, branches) = (coverage.actions(), coverage.branches());
            let _ = writeln!(
                out,
                "{}: {} of {} actions, {} of {} branches",
                coverage.file(),
                actions.reached,
                actions.of,
                branches.reached,
                branches.of
            );
            for hole in coverage.holes() {
                let what = match hole.branch {
                    Some(branch) => format!("branch `{branch}` of `{}` was never taken", hole.action),
                    None => format!("action `{}` never ran", hole.action),
                };
                let _ = writeln!(out, "  {}:{}: {what}", coverage.file(), hole.line);
            }
        }
        out
    }

    /// What was reached, in LCOV's tracefile format.
    #[must_use]
    pub fn lcov(&self) -> String {
        self.coverage().iter().map(Coverage::lcov).collect()
    }

    /// For programs.
    #[must_use]
    pub fn json(&self, coverage: bool) -> Value {
        let case = |case: &CaseReport| {
            json!({
                "name": case.name,
                "line": case.position.line,
                "passed": case.passed(),
                "differences": case.differences,
            })
        };
        let suites: Vec<Value> = self
            .suites
            .iter()
            .map(|suite| json!({"file": suite.file, "cases": suite.cases.iter().map(case).collect::<Vec<_>>()}))
            .collect();
        let mut out = json!({
            "passed": self.cases().count() - self.failed(),
            "failed": self.failed(),
            "files": suites,
            "faults": self.faults,
        });
        if coverage {
            let one = |coverage: &Coverage| {
                json!({
                    "file": coverage.file(),
                    "actions": coverage.actions(),
                    "branches": coverage.branches(),
                    "holes": coverage.holes(),
                })
            };
            out["coverage"] = self.coverage().iter().map(one).collect();
        }
        out
    }
}

/// Characters of a value that are shown on one line of a difference.
const SHOWN: usize = 600;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path)?;
        if let (Some(Value::String(expected)), Some(Value::String(found))) = (&self.expected, &self.found)
            && (expected.contains('\n') || found.contains('\n'))
        {
            return lines(f, expected, found);
        }
        writeln!(f, "  expected {}", shown(self.expected.as_ref()))?;
        write!(f, "  found    {}", shown(self.found.as_ref()))
    }
}

/// Of texts with several lines, the first that differs.
fn lines(f: &mut fmt::Formatter<'_>, expected: &str, found: &str) -> fmt::Result {
    let (mut expected, mut found) = (expected.split('\n'), found.split('\n'));
    let mut number = 1;
    loop {
        match (expected.next(), found.next()) {
            (Some(a), Some(b)) if a == b => number += 1,
            (a, b) => {
                let text = |line: Option<&str>| shown(line.map(Value::from).as_ref());
                writeln!(f, "  in line {number} of the text")?;
                writeln!(f, "  expected {}", text(a))?;
                return write!(f, "  found    {}", text(b));
            }
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}
