//! `probe`, an effect that does what its input says and remembers that it was asked; beside it the real actions.

use std::{
    collections::{HashMap, HashSet},
    sync::{LazyLock, Mutex},
    time::Duration,
};

use larum::{
    action::{ACTIONS, ActionType, Call, Effect, EffectKind, Nature, Outcome, Performed, Returns},
    playbook::ActionSpec,
    store::RunId,
};
use serde_json::{Value, json};

#[derive(schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is used")]
struct Input {
    /// `identified` (default), `bare` or `bare-retry`.
    kind: Option<String>,
    /// One for each attempt, the last one for all further: a value it returns, `{fails: {…}}` or `hang`.
    answers: Option<Vec<Value>>,
    /// Whatever it is given.
    value: Option<Value>,
}

/// The value an attempt was given, and its number.
type Attempt = (String, u32);

/// Every attempt that any run made.
static ASKED: LazyLock<Mutex<HashMap<RunId, Vec<Attempt>>>> = LazyLock::new(Mutex::default);

/// The attempts a run made: the value it was given and the attempt, in order.
pub fn asked(run: RunId) -> Vec<Attempt> {
    ASKED.lock().unwrap().get(&run).cloned().unwrap_or_default()
}

/// Values whose probes succeed from now on, whatever their answers say.
static MENDED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// Lets every later attempt that is given this value succeed. Tests run side by side, so it is a value of one test.
pub fn mend(value: &str) {
    MENDED.lock().unwrap().insert(value.to_owned());
}

pub struct Probe;

#[async_trait::async_trait]
impl Effect for Probe {
    fn kind(&self, input: &Value) -> EffectKind {
        match input["kind"].as_str() {
            Some("bare") => EffectKind::Bare { repeat_when_unknown: false },
            Some("bare-retry") => EffectKind::Bare { repeat_when_unknown: true },
            _ => EffectKind::Identified,
        }
    }

    async fn perform(&self, call: Call<'_>) -> Performed {
        let value = call.input["value"].as_str().unwrap_or_default().to_owned();
        let mended = MENDED.lock().unwrap().contains(&value);
        ASKED.lock().unwrap().entry(call.run.run).or_default().push((value, call.attempt));
        if mended {
            return Performed::Outcome(Outcome::succeeded(json!({"body": "mended"})));
        }
        let answers = call.input["answers"].as_array().cloned().unwrap_or_default();
        let answer = answers.get(call.attempt as usize - 1).or(answers.last()).cloned().unwrap_or_default();
        if answer == "hang" {
            std::future::pending::<()>().await;
        }
        Performed::Outcome(outcome(&answer))
    }
}

/// `{fails: {code, retryable, after}}` fails, anything else is returned.
pub fn outcome(answer: &Value) -> Outcome {
    let Some(fault) = answer.get("fails") else { return Outcome::succeeded(json!({"body": answer})) };
    let outcome = Outcome::failed(fault["code"].as_str().unwrap_or("BadGateway"), "as asked");
    match fault["retryable"].as_bool() {
        Some(true) => outcome.retryable(fault["after"].as_u64().map(Duration::from_secs)),
        _ => outcome,
    }
}

const PROBE: ActionType = ActionType {
    spec: ActionSpec { retries: true, ..ActionSpec::new("probe", || schemars::schema_for!(Input)) },
    nature: Nature::Effect(&Probe),
    returns: Returns::Body,
};

/// Asks somebody, and returns what they said.
const ASK: ActionType = ActionType {
    spec: ActionSpec::new("ask", || schemars::schema_for!(Input)),
    nature: Nature::Approval {
        ask: &Probe,
        answer: |sent, payload| Outcome::succeeded(json!({"body": {"sent": sent["body"], "said": payload}})),
    },
    returns: Returns::Body,
};

/// Answers the caller with its value.
const ANSWER: ActionType = ActionType {
    spec: ActionSpec { in_loops: false, ..ActionSpec::new("answer", || schemars::schema_for!(Input)) },
    nature: Nature::Reply(|input| Ok(json!({"statusCode": 200, "body": input["value"]}))),
    returns: Returns::Body,
};

/// The real actions and the probe.
pub fn actions() -> &'static [ActionType] {
    static TABLE: LazyLock<Vec<ActionType>> =
        LazyLock::new(|| ACTIONS.iter().copied().chain([PROBE, ASK, ANSWER]).collect());
    &TABLE
}
