//! `conditions`, `split_on` and `concurrency` beside a trigger.

use crate::{
    diagnostic::Faults,
    limits,
    playbook::{Concurrency, Overflow},
    yaml::{Fields, Given, Takes, shape},
};

/// What stands beside a trigger; expressions are compiled later.
#[derive(Default)]
pub(in crate::playbook) struct Admission<'n> {
    pub conditions: Vec<Given<'n>>,
    pub split_on: Option<Given<'n>>,
    pub concurrency: Option<Concurrency>,
}

/// The keys, which every kind of trigger takes beside its own.
pub(super) const KEYS: &[&str] = &["conditions", "split_on", "concurrency"];

pub(super) fn admission<'n>(fields: &mut Fields<'n>, faults: &mut Faults) -> Admission<'n> {
    let conditions = fields.optional("conditions").and_then(|given| given.texts(faults));
    let conditions = conditions.unwrap_or_default().into_iter().map(|(given, _)| given).collect();
    let split_on = fields.optional("split_on").filter(|given| given.words(faults).is_some());
    let concurrency = fields.optional("concurrency").and_then(|given| concurrency(given, faults));
    Admission { conditions, split_on, concurrency }
}

/// What becomes of a report for which there is no room, before it is known how many may wait.
#[derive(Clone, Copy)]
enum Beyond {
    Queue,
    Reject,
    DropOldest,
}

const OVERFLOWS: &[(&str, Beyond)] =
    &[("queue", Beyond::Queue), ("reject", Beyond::Reject), ("drop_oldest", Beyond::DropOldest)];

crate::shape! {
    /// How many runs of the playbook there are at once.
    pub(super) CONCURRENCY = "`concurrency`";
    /// Runs at once.
    required "runs": Takes::Count(1, limits::CONCURRENT_RUNS as i64);
    /// How many may wait, for `reject` and `drop_oldest`. Default: `runs` + 10, at most 100.
    optional "waiting": Takes::Count(0, limits::WAITING_RUNS as i64);
    /// What becomes of a report when as many runs wait as may. Default `queue`: it waits too.
    optional "overflow": Takes::Choice(|| shape::names(OVERFLOWS));
}

fn concurrency(given: Given<'_>, faults: &mut Faults) -> Option<Concurrency> {
    let mut fields = given.fields(&CONCURRENCY, faults)?;
    let runs = fields.required("runs");
    let waiting = fields.optional("waiting");
    let overflow = fields.optional("overflow");
    fields.finish(faults);
    let number = |given: Given<'_>, least: u64, most: u32, faults: &mut Faults| {
        given.count(least..=u64::from(most), faults).and_then(|count| u32::try_from(count).ok())
    };
    let runs = runs.and_then(|given| number(given, 1, limits::CONCURRENT_RUNS, faults));
    let waiting = waiting.and_then(|given| number(given, 0, limits::WAITING_RUNS, faults));
    let beyond = overflow.and_then(|given| given.choice(OVERFLOWS, faults)).unwrap_or(Beyond::Queue);
    let runs = runs?;
    // Logic Apps' default.
    let waiting = waiting.unwrap_or_else(|| (10 + runs).min(100));
    let overflow = match beyond {
        Beyond::Queue => Overflow::Queue,
        Beyond::Reject => Overflow::Reject { waiting },
        Beyond::DropOldest => Overflow::DropOldest { waiting },
    };
    Some(Concurrency { runs, overflow })
}
