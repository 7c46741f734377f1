//! `delay` and `delay_until`: the run waits, on disk and without memory, and goes on at its time.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{ActionType, Nature, Outcome, Returns, input};
use crate::{
    duration,
    expression::{self, TimeUnit},
    playbook::ActionSpec,
};

/// Waits for a while. A waiting run takes no memory and goes on after a restart; it cannot wait longer than a run may last.
/// Give either `for`, or `count` and `unit` as Logic Apps has them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Delay {
    /// How long: `90s`, `5m`, `2h`, `7d` or ISO 8601 such as `PT1H30M`.
    #[serde(default)]
    r#for: Option<String>,
    /// How many units.
    #[serde(default)]
    count: Option<i64>,
    /// `Second`, `Minute`, `Hour`, `Day`, `Week` or `Month`.
    #[serde(default)]
    unit: Option<String>,
}

/// Waits until an instant. One that has passed is no wait at all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DelayUntil {
    /// The instant, such as `2026-11-24T09:00:00+01:00`; one without a zone is UTC.
    timestamp: String,
}

pub(super) const DELAY: ActionType = ActionType {
    spec: ActionSpec { sought_as: &["wait"], ..ActionSpec::new("delay", || schemars::schema_for!(Delay)) },
    nature: Nature::Delay(delay),
    returns: Returns::Body,
};

pub(super) const DELAY_UNTIL: ActionType = ActionType {
    spec: ActionSpec::new("delay_until", || schemars::schema_for!(DelayUntil)),
    nature: Nature::Delay(delay_until),
    returns: Returns::Body,
};

fn delay(given: &Value, now: DateTime<Utc>) -> Result<DateTime<Utc>, Box<Outcome>> {
    let Delay { r#for, count, unit } = input::read("delay", given)?;
    match (r#for, count, unit) {
        (Some(text), None, None) => {
            let lasts = duration::parse(&text)
                .ok_or_else(|| refused(format!("`{text}` is not a duration: {}", duration::FORMS)))?;
            let lasts = chrono::Duration::from_std(lasts).unwrap_or(chrono::Duration::MAX);
            Ok(now.checked_add_signed(lasts).unwrap_or(DateTime::<Utc>::MAX_UTC))
        }
        (None, Some(count), Some(unit)) => {
            let named = TimeUnit::named(&unit).ok_or_else(|| refused(format!("`{unit}` is not a unit of time")))?;
            expression::instant_after(now, count, named).map_err(|error| refused(error.to_string()))
        }
        _ => Err(refused("`delay` takes either `for`, or `count` and `unit`".to_owned())),
    }
}

fn delay_until(given: &Value, _now: DateTime<Utc>) -> Result<DateTime<Utc>, Box<Outcome>> {
    let DelayUntil { timestamp } = input::read("delay_until", given)?;
    expression::instant(&timestamp).map_err(|error| refused(error.to_string()))
}

fn refused(message: String) -> Box<Outcome> {
    Box::new(Outcome::failed("BadRequest", message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wait_ends_when_its_time_has_come() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default();
        let until = |read: super::super::Until, given| {
            read(&given, now)
                .map(|until| (until - now).num_seconds())
                .map_err(|outcome| outcome.error.map(|error| error.message).unwrap_or_default())
        };
        assert_eq!(until(delay, json!({"for": "5m"})), Ok(300));
        assert_eq!(until(delay, json!({"for": "PT1H30M"})), Ok(5_400));
        assert_eq!(until(delay, json!({"count": 2, "unit": "hours"})), Ok(7_200));
        assert_eq!(until(delay, json!({"count": 1, "unit": "Month"})), Ok(31 * 86_400));
        assert_eq!(until(delay_until, json!({"timestamp": "2027-01-15T09:00:00+01:00"})), Ok(0));
        let neither = "`delay` takes either `for`, or `count` and `unit`";
        assert_eq!(until(delay, json!({"for": "5m", "count": 1, "unit": "Day"})), Err(neither.to_owned()));
        assert_eq!(until(delay, json!({"count": 1})), Err(neither.to_owned()));
        assert!(until(delay, json!({"for": "soon"})).is_err());
        assert!(until(delay_until, json!({"timestamp": "soon"})).is_err());
    }
}
