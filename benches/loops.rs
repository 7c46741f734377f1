//! What a `for_each` costs per item: `cargo bench --bench loops`.

use std::{sync::Arc, time::Duration};

use larum::{
    action::{ACTIONS, RunInfo},
    engine::{Delivered, Machine, Plan, Secrets},
    playbook::{self, Bundle},
};
use serde_json::{Value, json};
use uuid::Uuid;

const PLAYBOOK: &str = include_str!("../tests/data/playbooks/long-loop.yaml");
/// Steps of an iteration: the compose, the condition, and every second time the append.
const STEPS: f64 = 2.5;
const ITEMS: [usize; 3] = [1_000, 10_000, 100_000];
const MEASURED: Duration = Duration::from_millis(500);

fn main() {
    let plan = plan();
    let mut first = None;
    for items in ITEMS {
        let body = json!({"items": (0..items).map(|n| json!({ "n": n })).collect::<Vec<_>>()});
        let (mut runs, began) = (0_u32, worked());
        while runs == 0 || worked() - began < MEASURED {
            let mut machine = Machine::start(plan.clone(), delivered(&body)).0;
            while machine.is_paused() {
                machine.go_on();
            }
            runs += 1;
        }
        let per_item = (worked() - began).as_secs_f64() * 1e6 / f64::from(runs) / items as f64;
        let ratio = per_item / *first.get_or_insert(per_item);
        let steps = STEPS / per_item;
        println!(
            "{items} items: {per_item:.2} us an item, {ratio:.2} of the cost at {}, {steps:.2} million steps/s",
            ITEMS[0]
        );
    }
}

/// The processor time this process has used; other programs do not count.
fn worked() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    // Fields 14 and 15 of proc(5), the third being the first behind the name; in hundredths of a second.
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn plan() -> Arc<Plan> {
    let (path, source) = ("loop.yaml".into(), PLAYBOOK.into());
    let bundle = Bundle { path, source, templates: Default::default(), parameters: Default::default() };
    let vocabulary: Vec<_> = ACTIONS.iter().map(|action| action.spec).collect();
    let playbook = playbook::load(&bundle, &vocabulary).unwrap_or_else(|faults| panic!("{faults:?}"));
    Arc::new(Plan::compile("version", Arc::new(playbook), Vec::new(), ACTIONS).expect("the actions are there"))
}

fn delivered(body: &Value) -> Delivered {
    let info = RunInfo {
        run: Uuid::from_u128(1),
        effects: Uuid::from_u128(1),
        playbook: "loop".into(),
        version: "version".into(),
        event: Uuid::from_u128(2),
        kind: "webhook".into(),
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
