//! Random plans, random answers, random orders: a journal replays to what was lived.

use std::{ops::Range, time::Duration};

use larum::{
    diagnostic::Source,
    expression::Tree,
    playbook::{Action, ActionKind, ActionStatus, Playbook, Retry, RunAfter, Trigger},
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
    let leaf = prop_oneof![
        1 => Just(What::Compose),
        4 => prop::collection::vec(answer(), 1..4).prop_map(What::Probe),
    ];
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
    let list = prop::collection::vec(sketch(leaf.boxed()), 0..6).boxed();
    list.prop_recursive(3, 24, 6, move |inner| {
        let condition = prop_oneof![Just(json!(true)), Just(json!(false)), Just(json!("neither"))];
        let branches = (condition, inner.clone(), inner).prop_map(|(condition, a, b)| What::If(condition, a, b));
        let leaf = prop::collection::vec(answer(), 1..4).prop_map(What::Probe);
        prop::collection::vec(sketch(prop_oneof![2 => branches, 3 => leaf].boxed()), 0..6)
    })
}

fn build(sketches: &[Sketch], named: &mut usize) -> Vec<Action> {
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
        let kind = match &sketch.what {
            What::Compose => ActionKind::Call { action: "compose", with: Tree::Literal(json!({"inputs": [1, null]})) },
            What::Probe(answers) => {
                ActionKind::Call { action: "probe", with: Tree::Literal(json!({"value": id, "answers": answers})) }
            }
            What::If(condition, then, otherwise) => ActionKind::If {
                condition: Tree::Literal(condition.clone()),
                then: build(then, named),
                otherwise: build(otherwise, named),
            },
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
        variables: Vec::new(),
        fallback: true,
        trigger: Trigger::Manual,
        admission: Default::default(),
        actions: build(sketches, &mut 0),
    }
}

/// Lives a run to its end, each choice made by the next of `choices`. Timeouts and retries come in between when `timers`.
fn live(simulation: &mut Simulation, choices: &[Index], timers: bool) {
    let mut choices = choices.iter().cycle();
    while simulation.end.is_none() {
        let mut open = simulation.choices();
        if !timers && open.iter().any(|choice| !matches!(choice, Choice::Wake(_))) {
            open.retain(|choice| !matches!(choice, Choice::Wake(_)));
        }
        assert!(!open.is_empty(), "a run that has not ended waits for something");
        let choice = choices.next().map_or(0, |index| index.index(open.len()));
        simulation.choose(&open[choice].clone());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_replays_to_the_same_commands_state_and_statuses(
        sketches in sketches(),
        choices in prop::collection::vec(any::<Index>(), 1..40),
        seed: u8,
    ) {
        let plan = plan(playbook(&sketches));
        let mut lived = Simulation::start(&plan, seed);
        live(&mut lived, &choices, true);
        let replayed = Simulation::replay(&plan, seed, &lived.journal);
        prop_assert_eq!(format!("{:?}", &replayed.commands), format!("{:?}", &lived.commands));
        prop_assert_eq!(&replayed.end, &lived.end);
        prop_assert_eq!(replayed.machine.records(), lived.machine.records());
        prop_assert_eq!(replayed.machine.events(), lived.journal.len() as u64);
        prop_assert!(lived.wanted.is_empty() && lived.timers.is_empty());
    }

    #[test]
    fn a_journal_cut_anywhere_goes_on_from_there(
        sketches in sketches(),
        choices in prop::collection::vec(any::<Index>(), 1..40),
        seed: u8,
        cut: Index,
    ) {
        let plan = plan(playbook(&sketches));
        let mut lived = Simulation::start(&plan, seed);
        live(&mut lived, &choices, true);
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
        without_timeouts(&mut sketches);
        let plan = plan(playbook(&sketches));
        let mut lived = Simulation::start(&plan, seed);
        live(&mut lived, &choices, false);
        let cut = cut.index(lived.journal.len() + 1);
        let mut resumed = Simulation::replay(&plan, seed, &lived.journal[..cut]);
        live(&mut resumed, &others, false);
        prop_assert_eq!(statuses(&resumed), statuses(&lived));
        prop_assert_eq!(&resumed.end, &lived.end);
    }
}

/// With timeouts the order of things may decide, so there it is not the same.
fn without_timeouts(sketches: &mut [Sketch]) {
    for sketch in sketches {
        sketch.timeout = None;
        if let What::If(_, then, otherwise) = &mut sketch.what {
            without_timeouts(then);
            without_timeouts(otherwise);
        }
    }
}

fn statuses(simulation: &Simulation) -> Vec<(Value, Value)> {
    let records: Value = serde_json::from_str(&simulation.machine.records()).unwrap_or_default();
    let records = records.as_array().cloned().unwrap_or_default();
    records.into_iter().map(|record| (record["name"].clone(), record["status"].clone())).collect()
}
