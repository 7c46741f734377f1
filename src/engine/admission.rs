//! What a playbook makes of a report at the door: its `conditions`, its `split_on`, its `concurrency`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Live;
use crate::{
    expression::{JsonScope, type_name},
    limits,
    playbook::Admission,
    store::{
        EventId, StoreError,
        intake::{Decision, Delivery, Listening, NewRun, Opening},
    },
};

/// A report on its way in, as conditions and `split_on` see it.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'r> {
    /// Which trigger kind saw it.
    pub kind: &'static str,
    /// The event's id, should it prove new.
    pub event: EventId,
    /// What the trigger delivers, the trigger's outputs as JSON text.
    pub outputs: &'r str,
    pub at: DateTime<Utc>,
}

/// Decides whether `live` starts for a report, and with how many runs.
///
/// # Errors
/// When the system gives no randomness for a run's seed.
pub fn decide(live: &Live, arrival: &Arrival<'_>) -> Result<Listening, StoreError> {
    let admission = &live.playbook.admission;
    let deliveries = match sort(admission, arrival) {
        Sorted::Deliver(deliveries) => deliveries,
        Sorted::Skip { because } => {
            return Ok(Listening { playbook: live.playbook.name.clone(), decision: Decision::Skip { because } });
        }
    };
    let mut seeds = vec![0; deliveries.len() * SEED];
    getrandom::fill(&mut seeds).map_err(|error| StoreError::Failed(error.to_string().into()))?;
    let seeds = seeds.as_chunks::<SEED>().0;
    let runs = deliveries.into_iter().zip(seeds);
    let runs = runs.map(|(delivery, seed)| NewRun { run: Uuid::now_v7(), seed: *seed, delivery }).collect();
    let opening = Opening { version: live.version.clone(), runs, limit: admission.concurrency };
    Ok(Listening { playbook: live.playbook.name.clone(), decision: Decision::Start(opening) })
}

/// Bytes of a run's seed.
const SEED: usize = 32;

/// What the conditions and `split_on` make of a report.
enum Sorted {
    /// A run for each.
    Deliver(Vec<Delivery>),
    Skip {
        because: String,
    },
}

impl Sorted {
    /// Nothing falls silent: a run that ends failed, as one whose first action cannot be evaluated does.
    fn fault(message: impl Into<String>) -> Self {
        Self::Deliver(vec![Delivery::Fault(json!({"code": "InvalidTemplate", "message": message.into()}))])
    }
}

fn sort(admission: &Admission, arrival: &Arrival<'_>) -> Sorted {
    if admission.conditions.is_empty() && admission.split_on.is_none() {
        return Sorted::Deliver(vec![Delivery::Whole]);
    }
    let outputs: Value = match serde_json::from_str(arrival.outputs) {
        Ok(outputs) => outputs,
        Err(error) => return Sorted::fault(format!("What the trigger delivered is not JSON: {error}.")),
    };
    let around = outputs.as_object().into_iter().flatten().filter(|(name, _)| *name != "body");
    let around: Map<String, Value> = around.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut seen = Map::from_iter([("triggerOutputs".to_owned(), outputs)]);
    if matches!(arrival.kind, "form" | "webhook") {
        seen.insert("request".to_owned(), Value::Object(around.clone()));
    }
    let sight = JsonScope::new(Value::Object(seen), arrival.at, arrival.event.as_u64_pair().1);
    for condition in &admission.conditions {
        let text = &condition.text;
        match condition.expression.evaluate(&sight) {
            Ok(Value::Bool(true)) => {}
            Ok(Value::Bool(false)) => return Sorted::Skip { because: format!("the condition {text} is not met") },
            Ok(other) => {
                return Sorted::fault(format!(
                    "The result of the evaluation of the trigger's condition '{text}' is of type '{}' but is expected to be a value of type 'Boolean'.",
                    type_name(&other)
                ));
            }
            Err(error) => {
                return Sorted::fault(format!(
                    "Unable to process the trigger's condition '{text}': '{}'.",
                    error.message
                ));
            }
        }
    }
    let Some(split_on) = &admission.split_on else { return Sorted::Deliver(vec![Delivery::Whole]) };
    match split_on.evaluate(&sight) {
        Ok(Value::Array(elements)) if elements.is_empty() => {
            Sorted::Skip { because: "`split_on` gave an empty list".to_owned() }
        }
        Ok(Value::Array(elements)) if elements.len() > limits::SPLIT_ELEMENTS => Sorted::fault(format!(
            "The result of the evaluation of 'split_on' has {} elements, at most {} are allowed.",
            elements.len(),
            limits::SPLIT_ELEMENTS
        )),
        Ok(Value::Array(elements)) => parts(around, &elements),
        Ok(other) => Sorted::fault(format!(
            "The result of the evaluation of 'split_on' is of type '{}' but is expected to be a value of type 'Array'.",
            type_name(&other)
        )),
        Err(error) => Sorted::fault(format!("Unable to process the trigger's 'split_on': '{}'.", error.message)),
    }
}

/// The outputs of each run: `around`, which is what the report has beside its body, and the element as the body.
fn parts(around: Map<String, Value>, elements: &[Value]) -> Sorted {
    let mut before = Value::Object(around).to_string();
    before.pop();
    if before.len() > 1 {
        before.push(',');
    }
    before.push_str("\"body\":");
    // Each run has a copy, so long headers and many elements would make very much of little.
    if before.len().saturating_mul(elements.len()) > limits::SPLIT_BYTES {
        return Sorted::fault(format!(
            "The report's headers and queries, {} bytes, are too long to be given to each of {} elements of 'split_on'.",
            before.len(),
            elements.len()
        ));
    }
    let part = |element: &Value| Delivery::Part(Arc::from(format!("{before}{element}}}")));
    Sorted::Deliver(elements.iter().map(part).collect())
}
