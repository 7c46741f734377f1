//! Pure steps a second on one core: `cargo bench --bench machine`.

use std::{
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use larum::{
    action::{ACTIONS, RunInfo},
    engine::{Delivered, Machine, Plan, Secrets},
    playbook::{self, Bundle},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// Triples of an `if` and the two actions in it, as often as a playbook may have actions.
const GROUPS: usize = 160;
const MEASURED: Duration = Duration::from_secs(3);

fn main() {
    let mut source = String::from("name: steps\ntrigger:\n  manual: {}\nactions:\n");
    for group in 0..GROUPS {
        let _ = write!(
            source,
            "  - id: if{group}\n    if: \"@equals(trigger.kind, 'mail')\"\n    then:\n      - {{id: then{group}, action: compose, with: {{inputs: \"@trigger.subject\"}}}}\n    else:\n      - {{id: else{group}, action: compose, with: {{inputs: 1}}}}\n"
        );
    }
    let bundle =
        Bundle { path: "steps.yaml".into(), source, templates: Default::default(), parameters: Default::default() };
    let vocabulary: Vec<_> = ACTIONS.iter().map(|action| action.spec).collect();
    let playbook = match playbook::load(&bundle, &vocabulary) {
        Ok(playbook) => playbook,
        Err(faults) => {
            faults.iter().for_each(|fault| eprintln!("{fault}"));
            std::process::exit(1);
        }
    };
    let plan = match Plan::compile("version", Arc::new(playbook), Vec::new(), ACTIONS) {
        Ok(plan) => Arc::new(plan),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    let body = json!({"kind": "mail", "subject": "incident: stranger at the north door", "text": "x".repeat(4_000)});
    let delivered = delivered(&body);
    let (mut steps, began) = (0_usize, Instant::now());
    while began.elapsed() < MEASURED {
        let (machine, commands) = Machine::start(plan.clone(), delivered.clone());
        assert_eq!((commands.len(), machine.is_paused()), (1, false));
        // The action of the other branch is skipped, which is a step too, but not counted.
        steps += 2 * GROUPS;
    }
    let rate = steps as f64 / began.elapsed().as_secs_f64();
    println!("pure steps on one core: {rate:.0} steps/s");
}

fn delivered(body: &Value) -> Delivered {
    let info = RunInfo {
        run: Uuid::from_u128(1),
        effects: Uuid::from_u128(1),
        playbook: "steps".into(),
        version: "version".into(),
        event: Uuid::from_u128(2),
        kind: "manual".into(),
        summary: String::new(),
        resembles: None,
        outputs: Arc::new(json!({ "body": body })),
    };
    let at = chrono::DateTime::UNIX_EPOCH;
    Delivered {
        info: Arc::new(info),
        at,
        seed: [7; 32],
        secrets: Arc::new(Secrets::default()),
        earlier: Default::default(),
    }
}
