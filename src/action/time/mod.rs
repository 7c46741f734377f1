//! Actions that give a timestamp: Logic Apps' date and time operations, as functions have them too.

pub(super) mod add_to_time;
pub(super) mod convert_time_zone;
pub(super) mod current_time;
pub(super) mod get_future_time;
pub(super) mod get_past_time;
pub(super) mod subtract_from_time;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::Outcome;
use crate::expression::{DateError, TimeUnit, add_to_time, convert_time_zone};

/// The units of time, for the schema; the input itself is read ignoring case.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the schema is made from it")]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// What is wrong with a timestamp, zone or format that is written out.
fn refuses(input: &str, value: &Value) -> Option<String> {
    const SOME_TIME: &str = "2026-01-31T12:00:00Z";
    let text = value.as_str()?;
    let tried = match input {
        "base_time" => add_to_time(text, 0, TimeUnit::Second, None),
        "format" => add_to_time(SOME_TIME, 0, TimeUnit::Second, Some(text)),
        "source_time_zone" | "destination_time_zone" => convert_time_zone(SOME_TIME, text, "UTC", None),
        _ => return None,
    };
    tried.err().map(|error| error.to_string())
}

/// The outcome of an action that gives a text.
fn outcome(result: Result<String, DateError>) -> Outcome {
    match result {
        Ok(text) => Outcome::succeeded(json!({"body": text})),
        Err(error) => Outcome::failed("BadRequest", error.to_string()),
    }
}

/// `base_time` moved by `interval` units called `unit`; `None` for the interval when it has no opposite.
fn moved(base_time: &str, interval: Option<i64>, unit: &str, format: Option<&str>) -> Outcome {
    let unit = TimeUnit::named(unit).ok_or_else(|| DateError::UnknownUnit(unit.to_owned()));
    let interval = interval.ok_or(DateError::OutOfRange);
    outcome(interval.and_then(|interval| add_to_time(base_time, interval, unit?, format)))
}

/// The run's present instant as a timestamp.
fn written(now: DateTime<Utc>) -> String {
    now.to_rfc3339_opts(SecondsFormat::Nanos, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_763_974_800, 123_456_700).unwrap_or_default()
    }

    fn body(outcome: Outcome) -> Result<String, String> {
        match (outcome.outputs, outcome.error) {
            (Some(outputs), None) => Ok(outputs["body"].as_str().unwrap_or_default().to_owned()),
            (_, error) => Err(error.map(|error| format!("{}: {}", error.code, error.message)).unwrap_or_default()),
        }
    }

    #[test]
    fn timestamps_are_moved_and_written() {
        let present = |input: Value| body(current_time::execute(&input, now()));
        let added = |input: Value| body(add_to_time::execute(&input));
        let subtracted = |input: Value| body(subtract_from_time::execute(&input));
        let future = |input: Value| body(get_future_time::execute(&input, now()));
        let past = |input: Value| body(get_past_time::execute(&input, now()));
        let base = "2026-01-31T12:00:00Z";
        let rows = [
            (present(json!({})), "2025-11-24T09:00:00.1234567Z"),
            (present(json!({"format": "yyyy-MM-dd"})), "2025-11-24"),
            (added(json!({"base_time": base, "interval": 1, "time_unit": "Month"})), "2026-02-28T12:00:00.0000000Z"),
            (
                added(json!({"base_time": base, "interval": -36, "time_unit": "hours", "format": "g"})),
                "1/30/2026 12:00 AM",
            ),
            (
                subtracted(json!({"base_time": base, "interval": 2, "time_unit": "week"})),
                "2026-01-17T12:00:00.0000000Z",
            ),
            (future(json!({"interval": 5, "time_unit": "Day", "format": "yyyy-MM-dd"})), "2025-11-29"),
            (past(json!({"interval": 5, "time_unit": "Day", "format": "yyyy-MM-dd"})), "2025-11-19"),
        ];
        for (got, expected) in rows {
            assert_eq!(got.as_deref(), Ok(expected));
        }
    }

    #[test]
    fn zones_go_by_both_their_names() {
        let converted = |input: Value| body(convert_time_zone::execute(&input));
        let base = "2026-07-01T12:00:00Z";
        let rows = [
            (json!({"base_time": base, "destination_time_zone": "Europe/Berlin"}), "2026-07-01T14:00:00.0000000"),
            (
                json!({"base_time": base, "source_time_zone": "UTC", "destination_time_zone": "Pacific Standard Time"}),
                "2026-07-01T05:00:00.0000000",
            ),
            (
                json!({
                    "base_time": "2026-07-01T12:00:00",
                    "source_time_zone": "W. Europe Standard Time",
                    "destination_time_zone": "UTC",
                    "format": "HH:mm"
                }),
                "10:00",
            ),
        ];
        for (input, expected) in rows {
            assert_eq!(converted(input.clone()).as_deref(), Ok(expected), "{input}");
        }
    }

    #[test]
    fn what_is_written_out_is_looked_at() {
        assert_eq!(refuses("source_time_zone", &json!("Europe/Berlin")), None);
        assert_eq!(
            refuses("source_time_zone", &json!("Atlantis")).as_deref(),
            Some("there is no time zone 'Atlantis'")
        );
        assert_eq!(refuses("base_time", &json!("2026-01-31")), None);
        assert!(refuses("base_time", &json!("soon")).is_some());
        assert_eq!(refuses("format", &json!("yyyy-MM-dd")), None);
        assert_eq!(
            refuses("format", &json!("q")).as_deref(),
            Some("there is no date format 'q' for the locale 'en-US'")
        );
        assert_eq!(refuses("interval", &json!(1)), None);
    }

    #[test]
    fn what_has_no_time_is_named() {
        let base = "2026-01-31T12:00:00Z";
        let rows = [
            (
                add_to_time::execute(&json!({"base_time": "soon", "interval": 1, "time_unit": "Day"})),
                "BadRequest: 'soon' is no timestamp; one looks like '2026-01-31T12:00:00Z'",
            ),
            (
                add_to_time::execute(&json!({"base_time": base, "interval": 1, "time_unit": "fortnight"})),
                "BadRequest: there is no unit of time 'fortnight'; there are Second, Minute, Hour, Day, Week, Month and Year",
            ),
            (
                add_to_time::execute(&json!({"base_time": base, "interval": 1.5, "time_unit": "Day"})),
                "BadRequest: the input `interval` of `add_to_time` cannot be used: expected i64",
            ),
            (
                subtract_from_time::execute(&json!({"base_time": base, "interval": i64::MIN, "time_unit": "Day"})),
                "BadRequest: the result lies outside of the years 1 to 9999",
            ),
            (
                convert_time_zone::execute(&json!({"base_time": base, "destination_time_zone": "Europe/Berlinn"})),
                "BadRequest: there is no time zone 'Europe/Berlinn'; did you mean 'Europe/Berlin'?",
            ),
        ];
        for (outcome, expected) in rows {
            assert_eq!(body(outcome), Err(expected.to_owned()));
        }
    }
}
