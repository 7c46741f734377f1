//! An action's record, as `actions('x')` shows it and as it is kept when the run has ended.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Machine, count};
use crate::{
    action::ErrorInfo,
    engine::{plan::Index, secrets::REDACTED},
    playbook::ActionStatus,
};

/// Logic Apps' shape.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActionRecord<'m> {
    name: &'m str,
    /// `null` while it has not ended.
    status: Option<ActionStatus>,
    code: &'m str,
    start_time: Option<String>,
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tracking_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_tracking_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<&'m Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<&'m Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'m ErrorInfo>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    retry_history: Vec<Value>,
}

impl<'m> ActionRecord<'m> {
    pub(super) fn of(machine: &'m Machine, index: Index) -> Self {
        let slot = &machine.slots[index as usize];
        Self {
            name: &machine.plan.node_at(index).id,
            status: slot.status,
            code: &slot.code,
            start_time: slot.started.or(slot.ended).map(instant),
            end_time: slot.ended.map(instant),
            tracking_id: None,
            client_tracking_id: None,
            inputs: slot.input.as_deref(),
            outputs: slot.outputs.as_deref(),
            error: slot.error.as_ref(),
            retry_history: slot
                .history
                .iter()
                .map(|attempt| {
                    json!({
                        "startTime": instant(attempt.started),
                        "endTime": instant(attempt.ended),
                        "code": attempt.code,
                        "error": attempt.error,
                    })
                })
                .collect(),
        }
    }
}

/// ISO 8601 in UTC with seven fraction digits, as Logic Apps writes it.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6f0Z").to_string()
}

/// The input of an HTTP call with its `Authorization` header hidden, if it has one: Logic Apps never records it.
fn without_authorization(input: &Value) -> Option<Value> {
    let is_private = |name: &String| name.eq_ignore_ascii_case("authorization");
    input.get("headers")?.as_object()?.keys().find(|name| is_private(name))?;
    let mut clean = input.clone();
    for (_, value) in clean.get_mut("headers")?.as_object_mut()?.iter_mut().filter(|(name, _)| is_private(name)) {
        *value = REDACTED.into();
    }
    Some(clean)
}

impl Machine {
    /// The records of every action in file order, JSON text: what is kept once the run has ended. `secure:` fields and
    /// secrets are left out.
    #[must_use]
    pub fn records(&self) -> String {
        let hidden = Value::String(REDACTED.to_owned());
        let without: Vec<Option<Value>> =
            self.slots.iter().map(|slot| slot.input.as_deref().and_then(without_authorization)).collect();
        let records: Vec<ActionRecord<'_>> = (0..count(&self.plan.nodes))
            .map(|index| {
                let node = self.plan.node_at(index);
                let mut record = ActionRecord::of(self, index);
                if let Some(clean) = without.get(index as usize).and_then(Option::as_ref) {
                    record.inputs = Some(clean);
                }
                if node.secure_inputs {
                    record.inputs = record.inputs.map(|_| &hidden);
                }
                if node.secure_outputs {
                    record.outputs = record.outputs.map(|_| &hidden);
                }
                record
            })
            .collect();
        if self.trigger.secrets.is_empty() {
            return serde_json::to_string(&records).unwrap_or_default();
        }
        let mut clean = serde_json::to_value(&records).unwrap_or_default();
        self.trigger.secrets.redact(&mut clean);
        clean.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authorization_header_is_never_recorded() {
        let input = json!({"url": "x", "headers": {"Accept": "a", "AUTHORIZATION": "Basic 1"}});
        let clean = without_authorization(&input).expect("a clean copy");
        assert_eq!(clean, json!({"url": "x", "headers": {"Accept": "a", "AUTHORIZATION": REDACTED}}));
        assert_eq!(without_authorization(&json!({"headers": {"Accept": "a"}})), None);
        assert_eq!(without_authorization(&json!({"headers": "authorization"})), None);
    }
}
