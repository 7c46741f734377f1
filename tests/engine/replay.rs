//! Random plans, random answers, random orders: a journal replays to what was lived.

use std::{ops::Range, sync::Arc, time::Duration};

use larum::{
    diagnostic::Source,
    engine::{Command, Earlier, Entry, Event, Step},
    expression::{Partials, Template, Tree},
    playbook::{
        Action, ActionKind, ActionStatus, Playbook, Retry, RunAfter, Terminate, TerminateStatus, Trigger, UntilLimit,
        Variable, VariableType,
    },
};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

use crate::simulation::{Choice, Simulation, plan};

/// What an action is to be, before it has a name.
#[derive(Debug, Clone)]
struct Sketch {
    what: What,
    /// Earlier siblings, and a set of statuses for each.
    after: Vec<(Index, u8)>,
    /// Runs after the one above it, with the container, or as `after` says.
    order: u8,
    timeout: Option<u16>,
    retry: Retry,
}

#[derive(Debug, Clone)]
enum What {
    Compose,
    Probe(Vec<Value>),
    If(Value, Vec<Sketch>, Vec<Sketch>),
    /// Which of two cases, or another.
    Switch(Value, Vec<Sketch>, Vec<Sketch>, Vec<Sketch>),
    Scope(Vec<Sketch>),
    /// Items and concurrency.
    ForEach(Value, u32, Vec<Sketch>),
    /// After how many iterations its condition is true, and how many there may be.
    Until(u8, u64, Vec<Sketch>),
    Append,
    Terminate(TerminateStatus),
    Delay(u16),
    /// A question, a child, an answer to the caller.
    Outside(&'static str),
}

fn answer() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(json!({"text": "é", "number": 0.1})),
        2 => Just(json!({"fails": {"retryable": true}})),
        1 => Just(json!({"fails": {"retryable": true, "after": 3}})),
        2 => Just(json!({"fails": {}})),
    ]
}

fn sketches() -> impl Strategy<Value = Vec<Sketch>> {
    let leaf = || {
        prop_oneof![
            2 => Just(What::Compose),
            2 => Just(What::Append),
            6 => prop::collection::vec(answer(), 1..4).prop_map(What::Probe),
            2 => (1u16..100).prop_map(What::Delay),
            1 => Just(What::Outside("ask")),
            1 => Just(What::Outside("run_playbook")),
            1 => Just(What::Outside("answer")),
            1 => prop_oneof![
                Just(TerminateStatus::Succeeded),
                Just(TerminateStatus::Failed),
                Just(TerminateStatus::Cancelled)
            ]
            .prop_map(What::Terminate),
        ]
    };
    let sketch = |what: BoxedStrategy<What>| {
        let retry = prop_oneof![
            Just(Retry::Default),
            Just(Retry::None),
            Just(Retry::Fixed { count: 2, interval: Duration::from_secs(9) })
        ];
        let after = prop::collection::vec((any::<Index>(), 1u8..32), 0..3);
        (what, after, 0u8..4, prop::option::weighted(0.2, 1u16..100), retry)
            .prop_map(|(what, after, order, timeout, retry)| Sketch { what, after, order, timeout, retry })
    };
    let list = prop::collection::vec(sketch(leaf().boxed()), 0..5).boxed();
    list.prop_recursive(3, 24, 5, move |inner| {
        let condition = prop_oneof![Just(json!(true)), Just(json!(false)), Just(json!("neither"))];
        let on = prop_oneof![Just(json!("a")), Just(json!("b")), Just(json!("c")), Just(json!(1))];
        let items = prop_oneof![4 => (0usize..5).prop_map(|n| json!(vec!["x"; n])), 1 => Just(json!("no list"))];
        let containers = prop_oneof![
            (condition, inner.clone(), inner.clone()).prop_map(|(condition, a, b)| What::If(condition, a, b)),
            (on, inner.clone(), inner.clone(), inner.clone()).prop_map(|(on, a, b, c)| What::Switch(on, a, b, c)),
            inner.clone().prop_map(What::Scope),
            (items, 1u32..4, inner.clone()).prop_map(|(items, at_once, body)| What::ForEach(items, at_once, body)),
            (0u8..4, 1u64..4, inner).prop_map(|(after, most, body)| What::Until(after, most, body)),
        ];
        prop::collection::vec(sketch(prop_oneof![1 => containers, 1 => leaf()].boxed()), 0..5)
    })
}

fn template(text: &str) -> Tree {
    Tree::Template(Template::compile(text, &Partials::default()).unwrap())
}

fn call(action: &'static str, with: Value) -> ActionKind {
    ActionKind::Call { action, with: Tree::Literal(with) }
}

fn build(sketches: &[Sketch], named: &mut usize, looped: bool) -> Vec<Action> {
    let mut actions = Vec::new();
    for (place, sketch) in sketches.iter().enumerate() {
        *named += 1;
        let id = format!("a{named}");
        let run_after = match sketch.order {
            _ if place == 0 => RunAfter::Start,
            0 => RunAfter::Start,
            1 => RunAfter::After(vec![(place - 1, vec![ActionStatus::Succeeded])]),
            _ => {
                let mut after: Vec<(usize, Vec<ActionStatus>)> = Vec::new();
                for (sibling, set) in &sketch.after {
                    let sibling = sibling.index(place);
                    if after.iter().all(|(known, _)| *known != sibling) {
                        let named = (0..5).filter(|bit| set >> bit & 1 == 1).map(|bit| ActionStatus::ALL[bit]);
                        after.push((sibling, named.collect()));
                    }
                }
                RunAfter::After(after)
            }
        };
        let mut inner = |sketches: &[Sketch], looped: bool| build(sketches, named, looped);
        let kind = match &sketch.what {
            What::Compose => call("compose", json!({"inputs": [1, null]})),
            What::Probe(answers) => call("probe", json!({"value": id, "answers": answers})),
            What::If(condition, then, otherwise) => ActionKind::If {
                condition: Tree::Literal(condition.clone()),
                then: inner(then, looped),
                otherwise: inner(otherwise, looped),
            },
            What::Switch(on, a, b, c) => ActionKind::Switch {
                on: Tree::Literal(on.clone()),
                cases: vec![(json!("a"), inner(a, looped)), (json!("b"), inner(b, looped))],
                default: inner(c, looped),
            },
            What::Scope(body) => ActionKind::Scope { actions: inner(body, looped) },
            What::ForEach(items, concurrency, body) => ActionKind::ForEach {
                over: Tree::Literal(items.clone()),
                concurrency: *concurrency,
                actions: inner(body, true),
            },
            What::Until(after, most, body) => ActionKind::Until {
                // Of a loop without iterations there is no index, and the condition fails.
                condition: template(&format!(
                    "@greaterOrEquals(length(string(result('{id}'))), {})",
                    u32::from(*after) * 100
                )),
                limit: UntilLimit {
                    count: Tree::Literal(json!(most)),
                    timeout: Duration::from_secs(90),
                    fails: *after == 3,
                },
                actions: inner(body, true),
            },
            What::Append => call("append_to_array", json!({"name": "seen", "value": id})),
            // Neither may stand in a loop.
            What::Terminate(_) | What::Outside("answer") if looped => call("compose", json!({"inputs": 1})),
            What::Terminate(status) => ActionKind::Terminate(Terminate { status: *status, code: None, message: None }),
            What::Delay(seconds) => call("delay", json!({"for": format!("{seconds}s")})),
            What::Outside("run_playbook") => call("run_playbook", json!({"playbook": "other"})),
            What::Outside(action) => call(action, json!({"value": id})),
        };
        actions.push(Action {
            id,
            span: Range::default(),
            run_after,
            timeout: sketch.timeout.map(|seconds| Duration::from_secs(seconds.into())),
            retry: sketch.retry,
            secure_inputs: false,
            secure_outputs: false,
            description: None,
            kind,
        });
    }
    actions
}

fn playbook(sketches: &[Sketch]) -> Playbook {
    Playbook {
        name: "random".into(),
        description: None,
        source: Source::new("random.yaml", ""),
        parameters: Vec::new(),
        variables: vec![Variable { name: "seen".into(), kind: VariableType::Array, default: json!([]) }],
        fallback: true,
        trigger: Trigger::Manual,
        admission: Default::default(),
        actions: build(sketches, &mut 0, false),
    }
}

/// Lives a run to its end, each choice made by the next of `choices`. Timeouts and retries come in between when `timers`;
/// after `cancel` choices somebody ends it.
fn live(simulation: &mut Simulation, choices: &[Index], timers: bool, cancel: Option<u8>) {
    let mut choices = choices.iter().cycle();
    let mut made = 0;
    while simulation.end.is_none() {
        if cancel == Some(made) {
            let event = Event::Cancelled { at: simulation.later(), pauses: simulation.machine.pauses() };
            simulation.happens(&event);
            continue;
        }
        let mut open = simulation.choices();
        if !timers && open.iter().any(|choice| !matches!(choice, Choice::Wake(_))) {
            open.retain(|choice| !matches!(choice, Choice::Wake(_)));
        }
        assert!(!open.is_empty(), "a run that has not ended waits for something");
        let choice = choices.next().map_or(0, |index| index.index(open.len()));
        simulation.choose(&open[choice].clone());
        made = made.saturating_add(1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_replays_to_the_same_commands_state_and_statuses(
        sketches in sketches(),
        choices in prop::collection::vec(any::<Index>(), 1..40),
        seed: u8,
        cancel in prop::option::weighted(0.2, 0u8..12),
    ) {
        let plan = plan(playbook(&sketches));
        let mut lived = Simulation::start(&plan, seed);
        live(&mut lived, &choices, true, cancel);
        let replayed = Simulation::replay(&plan, seed, &lived.journal);
        prop_assert_eq!(format!("{:?}", &replayed.commands), format!("{:?}", &lived.commands));
        prop_assert_eq!(&replayed.end, &lived.end);
        prop_assert_eq!(replayed.machine.records(), lived.machine.records());
        prop_assert_eq!(replayed.machine.events(), lived.journal.len() as u64);
        prop_assert!(lived.wanted.is_empty() && lived.timers.is_empty() && lived.awaits.is_empty() && lived.calls.is_empty());
    }

    #[test]
    fn a_journal_cut_anywhere_goes_on_from_there(
        sketches in sketches(),
        choices in prop::collection::vec(any::<Index>(), 1..40),
        seed: u8,
        cut: Index,
        cancel in prop::option::weighted(0.2, 0u8..12),
    ) {
        let plan = plan(playbook(&sketches));
        let mut lived = Simulation::start(&plan, seed);
        live(&mut lived, &choices, true, cancel);
        let cut = cut.index(lived.journal.len() + 1);
        let mut resumed = Simulation::replay(&plan, seed, &lived.journal[..cut]);
        // The same things happen: what is asked for from here on is the same, too.
        for bytes in &lived.journal[cut..] {
            let event = larum::engine::journal::decode(bytes, &larum::secret::Vault::ephemeral("key"), Default::default());
            resumed.happens(&event.unwrap());
        }
        prop_assert_eq!(format!("{:?}", &resumed.commands), format!("{:?}", &lived.commands));
        prop_assert_eq!(resumed.machine.records(), lived.machine.records());
    }

    #[test]
    fn after_a_cut_the_same_answers_end_the_run_the_same_in_any_order(
        mut sketches in sketches(),
        choices in prop::collection::vec(any::<Index>(), 1..40),
        others in prop::collection::vec(any::<Index>(), 1..40),
        seed: u8,
        cut: Index,
    ) {
        in_any_order(&mut sketches);
        let plan = plan(playbook(&sketches));
        let mut lived = Simulation::start(&plan, seed);
        live(&mut lived, &choices, false, None);
        let cut = cut.index(lived.journal.len() + 1);
        let mut resumed = Simulation::replay(&plan, seed, &lived.journal[..cut]);
        live(&mut resumed, &others, false, None);
        prop_assert_eq!(statuses(&resumed), statuses(&lived));
        prop_assert_eq!(&resumed.end, &lived.end);
    }

    #[test]
    fn a_run_that_goes_on_from_a_failure_does_nothing_again_and_replays_the_same(
        sketches in sketches(),
        choices in prop::collection::vec(any::<Index>(), 1..40),
        others in prop::collection::vec(any::<Index>(), 1..40),
        seed: u8,
        cancel in prop::option::weighted(0.2, 0u8..12),
    ) {
        let plan = plan(playbook(&sketches));
        let mut lived = Simulation::start(&plan, seed);
        live(&mut lived, &choices, true, cancel);
        let left = lived.machine.leaves();
        let done: Vec<Step> = left.iter().filter(|entry| matches!(entry, Entry::Done { .. })).map(|entry| entry.step().clone()).collect();
        let earlier: Arc<Earlier> = Arc::new(left.into_iter().collect());
        let mut again = Simulation::start_from(&plan, seed, &earlier);
        live(&mut again, &others, true, None);
        for command in &again.commands {
            if let Command::Perform { step, .. } | Command::Call { step, .. } | Command::Await { step } = command {
                prop_assert!(!done.contains(step), "{step} is done again");
            }
        }
        let replayed = Simulation::replay_from(&plan, seed, &earlier, &again.journal);
        prop_assert_eq!(format!("{:?}", &replayed.commands), format!("{:?}", &again.commands));
        prop_assert_eq!(replayed.machine.records(), again.machine.records());
        // Nothing failed: there is nothing to do, and it ends as it ended.
        if lived.machine.failed().is_empty() {
            prop_assert!(again.journal.is_empty(), "{:?}", again.commands);
            prop_assert_eq!(&again.end, &lived.end);
            prop_assert_eq!(statuses(&again), statuses(&lived));
        }
    }
}

/// Takes out what makes the order of things decide: timeouts, the end of everything, a second answer to the caller, what
/// several branches write to.
fn in_any_order(sketches: &mut [Sketch]) {
    for sketch in sketches {
        sketch.timeout = None;
        match &mut sketch.what {
            What::If(_, a, b) => [a, b].into_iter().for_each(|list| in_any_order(list)),
            What::Switch(_, a, b, c) => [a, b, c].into_iter().for_each(|list| in_any_order(list)),
            What::Scope(body) | What::ForEach(_, _, body) | What::Until(_, _, body) => in_any_order(body),
            what @ (What::Terminate(_) | What::Outside("answer") | What::Append) => *what = What::Compose,
            What::Compose | What::Probe(_) | What::Delay(_) | What::Outside(_) => {}
        }
    }
}

fn statuses(simulation: &Simulation) -> Vec<(Value, Value, Value)> {
    let records: Value = serde_json::from_str(&simulation.machine.records()).unwrap_or_default();
    let records = records.as_array().cloned().unwrap_or_default();
    records
        .into_iter()
        .map(|record| (record["name"].clone(), record["iterations"].clone(), record["status"].clone()))
        .collect()
}
