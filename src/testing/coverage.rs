//! Which actions and branches of a playbook its tests reached.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use serde::Serialize;

use super::found::Record;
use crate::playbook::{Action, ActionKind, Playbook};

/// What all cases together reached of one playbook.
#[derive(Debug, Clone)]
pub struct Coverage {
    playbook: Arc<Playbook>,
    /// How often each action ran, by id.
    ran: BTreeMap<String, u64>,
    /// How often each branch was taken, by the action that decides and the branch's name.
    taken: BTreeMap<(String, String), u64>,
}

/// Something no case reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hole {
    /// The action.
    pub action: String,
    /// The branch of it; without one, the action itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Where the action stands.
    pub line: usize,
}

/// How much was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Reached {
    pub reached: usize,
    pub of: usize,
}

/// A branch with the actions in it.
type Branch<'p> = (String, &'p [Action]);

/// The branches of an action, in the order of the file.
fn branches(action: &Action) -> Vec<Branch<'_>> {
    match &action.kind {
        ActionKind::If { then, otherwise, .. } => {
            vec![("then".to_owned(), then), ("else".to_owned(), otherwise)]
        }
        ActionKind::Switch { cases, default, .. } => {
            let name = |case: &serde_json::Value| case.as_str().map_or_else(|| case.to_string(), str::to_owned);
            let cases = cases.iter().map(|(case, inner)| (format!("case {}", name(case)), inner.as_slice()));
            cases.chain([("default".to_owned(), default.as_slice())]).collect()
        }
        _ => Vec::new(),
    }
}

/// Every action, a container before what is in it.
fn all(playbook: &Playbook) -> Vec<&Action> {
    let mut all = Vec::new();
    let mut waiting: Vec<&Action> = playbook.actions.iter().rev().collect();
    while let Some(action) = waiting.pop() {
        waiting.extend(action.inside().rev());
        all.push(action);
    }
    all
}

impl Coverage {
    /// Nothing reached yet.
    pub(super) fn of(playbook: &Arc<Playbook>) -> Self {
        Self { playbook: playbook.clone(), ran: BTreeMap::new(), taken: BTreeMap::new() }
    }

    /// The file of the playbook.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.playbook.source.name
    }

    /// Counts what one run reached.
    pub(super) fn count(&mut self, records: &[Record]) {
        let playbook = self.playbook.clone();
        for action in all(&playbook) {
            for record in records.iter().filter(|record| record.name == action.id && ran(record)) {
                *self.ran.entry(action.id.clone()).or_default() += 1;
                if let Some(branch) = taken(action, record, records) {
                    *self.taken.entry((action.id.clone(), branch)).or_default() += 1;
                }
            }
        }
    }

    /// Adds what another reached of the same playbook.
    pub fn add(&mut self, other: &Self) {
        for (id, count) in &other.ran {
            *self.ran.entry(id.clone()).or_default() += count;
        }
        for (branch, count) in &other.taken {
            *self.taken.entry(branch.clone()).or_default() += count;
        }
    }

    fn ran(&self, action: &Action) -> u64 {
        self.ran.get(&action.id).copied().unwrap_or(0)
    }

    fn took(&self, action: &Action, branch: &str) -> u64 {
        self.taken.get(&(action.id.clone(), branch.to_owned())).copied().unwrap_or(0)
    }

    fn line(&self, action: &Action) -> usize {
        self.playbook.source.position(action.span.start).line
    }

    /// How many actions ran.
    #[must_use]
    pub fn actions(&self) -> Reached {
        let all = all(&self.playbook);
        Reached { reached: all.iter().filter(|action| self.ran(action) > 0).count(), of: all.len() }
    }

    /// How many branches were taken.
    #[must_use]
    pub fn branches(&self) -> Reached {
        let all = all(&self.playbook);
        let branches = all.iter().flat_map(|action| branches(action).into_iter().map(|(name, _)| (*action, name)));
        let taken: Vec<bool> = branches.map(|(action, name)| self.took(action, &name) > 0).collect();
        Reached { reached: taken.iter().filter(|taken| **taken).count(), of: taken.len() }
    }

    /// What no case reached, in the order of the file. What is inside of a hole is not named again.
    #[must_use]
    pub fn holes(&self) -> Vec<Hole> {
        let mut holes = Vec::new();
        let mut hidden = BTreeSet::new();
        for action in all(&self.playbook) {
            let line = self.line(action);
            if hidden.contains(&action.id) || self.ran(action) == 0 {
                if !hidden.contains(&action.id) {
                    holes.push(Hole { action: action.id.clone(), branch: None, line });
                }
                hidden.extend(action.inside().map(|inner| inner.id.clone()));
                continue;
            }
            for (branch, inner) in branches(action) {
                if self.took(action, &branch) == 0 {
                    hidden.extend(inner.iter().map(|inner| inner.id.clone()));
                    holes.push(Hole { action: action.id.clone(), branch: Some(branch), line });
                }
            }
        }
        holes
    }

    /// A record of LCOV's tracefile format: a line and how often it ran for each action, a branch record for each branch.
    #[must_use]
    pub fn lcov(&self) -> String {
        let mut out = format!("TN:\nSF:{}\n", self.file());
        let all = all(&self.playbook);
        for action in &all {
            let line = self.line(action);
            for (number, (branch, _)) in branches(action).iter().enumerate() {
                let taken = match (self.ran(action), self.took(action, branch)) {
                    (0, _) => "-".to_owned(),
                    (_, taken) => taken.to_string(),
                };
                let _ = writeln!(out, "BRDA:{line},0,{number},{taken}");
            }
        }
        let branches = self.branches();
        let _ = writeln!(out, "BRF:{}\nBRH:{}", branches.of, branches.reached);
        // Several actions may share a line.
        let mut lines: BTreeMap<usize, u64> = BTreeMap::new();
        for action in &all {
            let ran = self.ran(action);
            lines.entry(self.line(action)).and_modify(|count| *count = (*count).min(ran)).or_insert(ran);
        }
        for (line, count) in &lines {
            let _ = writeln!(out, "DA:{line},{count}");
        }
        let hit = lines.values().filter(|count| **count > 0).count();
        let _ = writeln!(out, "LF:{}\nLH:{hit}\nend_of_record", lines.len());
        out
    }
}

/// Whether an action's turn came.
fn ran(record: &Record) -> bool {
    !matches!(record.status, "skipped" | "running")
}

/// The branch that was taken: the one whose actions were not skipped because of it. Of branches without actions it is the
/// last one that is left; a condition that could not decide took none.
fn taken(action: &Action, record: &Record, records: &[Record]) -> Option<String> {
    let branches = branches(action);
    if record.code == "BadRequest" {
        return None;
    }
    let left = |inner: &&Action| {
        let same = |other: &&Record| {
            other.name == inner.id && other.iterations.get(..record.iterations.len()) == Some(&record.iterations[..])
        };
        records.iter().find(same).is_some_and(|record| {
            let code = record.error.as_ref().and_then(|error| error["code"].as_str());
            code != Some("ActionBranchingConditionNotSatisfied")
        })
    };
    let with_actions = branches.iter().find(|(_, inner)| inner.iter().any(|inner| left(&inner)));
    let empty = || branches.iter().rev().find(|(_, inner)| inner.is_empty());
    with_actions.or_else(empty).map(|(name, _)| name.clone())
}
