//! Inputs as expressions and forms give them: text that may be a number, names in any letter case.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::incident::{Classification, ClassificationReason, Refusal};

/// Text, or a number or truth value written as text: what an expression that keeps its type may give.
#[derive(Debug, Default, schemars::JsonSchema)]
#[schemars(transparent)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Bool(true) => Ok(Self("True".to_owned())),
            Value::Bool(false) => Ok(Self("False".to_owned())),
            Value::Number(number) => Ok(Self(number.to_string())),
            Value::Null => Ok(Self::default()),
            Value::Array(_) => Err(serde::de::Error::custom("expected text, found a list")),
            Value::Object(_) => Err(serde::de::Error::custom("expected text, found an object")),
        }
    }
}

impl Text {
    /// The trimmed text, unless it is empty.
    pub(super) fn given(&self) -> Option<&str> {
        Some(self.0.trim()).filter(|text| !text.is_empty())
    }

    /// The same, to be kept.
    pub(super) fn to_given(&self) -> Option<String> {
        self.given().map(str::to_owned)
    }
}

/// Labels as they are given, without the empty ones.
pub(super) fn tags(given: &[Text]) -> Vec<String> {
    given.iter().filter_map(Text::to_given).collect()
}

/// Classification and reason, from two inputs or from the connector's combined one.
pub(super) fn classification(
    classification: &Text,
    reason: &Text,
) -> Result<(Option<Classification>, Option<ClassificationReason>), Refusal> {
    let parse_reason = |reason: Option<&str>| {
        one_of("classification_reason", reason, ClassificationReason::ALL, ClassificationReason::parse)
    };
    let Some(text) = classification.given() else { return Ok((None, parse_reason(reason.given())?)) };
    let (name, combined) = text.split_once('-').map_or((text, None), |(name, reason)| (name, Some(reason)));
    let classification = one_of("classification", Some(name.trim()), Classification::ALL, Classification::parse)?;
    let combined = combined.map(str::trim).filter(|reason| !reason.is_empty());
    Ok((classification, parse_reason(combined.or_else(|| reason.given()))?))
}

/// A value of a closed set by its name; nothing given is no value.
pub(super) fn one_of<T: Copy + std::fmt::Display>(
    field: &'static str,
    name: Option<&str>,
    all: &[T],
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    let Some(name) = name else { return Ok(None) };
    parse(name).map(Some).ok_or_else(|| Refusal::NotOneOf {
        field,
        value: shortened(name),
        allowed: all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    })
}

/// An instant in ISO 8601.
pub(super) fn instant(field: &str, text: &Text) -> Result<Option<DateTime<Utc>>, String> {
    let Some(text) = text.given() else { return Ok(None) };
    let with_offset = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    let in_utc = || text.parse::<NaiveDateTime>().map(|at| at.and_utc());
    let at_midnight = || text.parse::<NaiveDate>().map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc());
    with_offset
        .or_else(|_| in_utc())
        .or_else(|_| at_midnight())
        .map(Some)
        .map_err(|_| format!("'{}' is not a {field}; write it like 2026-11-24T09:05:00Z", shortened(text)))
}

/// A whole mail can stand where a severity should; the start of it is enough to see that.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}
