//! Events as the journal keeps them: one JSON text each, with a version, sealed where the playbook asks for it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{Entry, Step, event::Event};
use crate::{playbook::ActionStatus, secret::Vault, store::RunId};

/// The format below; a reader refuses one it does not know.
const VERSION: u32 = 1;

/// `{"v":1,"event":{…}}` or `{"v":1,"sealed":"base64"}`.
#[derive(Serialize, Deserialize)]
struct Line<E> {
    v: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<E>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

/// An event cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("format {0} of a journal event is unknown; a newer Larum wrote it")]
    Version(u32),
    #[error("a journal event is unreadable: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("a sealed journal event cannot be opened or closed: {0}")]
    Sealed(String),
}

/// The bytes of an event. `seal` hides it from everyone without this data folder's key.
///
/// # Errors
/// Only when the system gives no randomness to seal with.
pub fn encode(event: &Event, seal: Option<(&Vault, RunId)>) -> Result<Vec<u8>, JournalError> {
    write(event, seal)
}

/// The bytes of [`Event::Finished`] with an [`Outcome::succeeded`](crate::action::Outcome::succeeded) whose outputs are
/// JSON text already.
///
/// # Errors
/// Only when the system gives no randomness to seal with.
pub fn encode_success(
    step: &Step,
    attempt: u32,
    at: DateTime<Utc>,
    outputs: &RawValue,
    seal: Option<(&Vault, RunId)>,
) -> Result<Vec<u8>, JournalError> {
    let outcome = Succeeded { status: ActionStatus::Succeeded, code: "OK", outputs };
    write(&Success::Finished { step, attempt, at, outcome }, seal)
}

/// [`Event::Finished`], as far as a success has members.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Success<'a> {
    Finished { step: &'a Step, attempt: u32, at: DateTime<Utc>, outcome: Succeeded<'a> },
}

#[derive(Serialize)]
struct Succeeded<'a> {
    status: ActionStatus,
    code: &'static str,
    outputs: &'a RawValue,
}

fn write<E: Serialize>(event: &E, seal: Option<(&Vault, RunId)>) -> Result<Vec<u8>, JournalError> {
    let Some((vault, run)) = seal else {
        return Ok(serde_json::to_vec(&Line { v: VERSION, event: Some(event), sealed: None })?);
    };
    let clear = serde_json::to_vec(event)?;
    let sealed = vault.seal(&place(run), &clear).map_err(|error| JournalError::Sealed(error.to_string()))?;
    Ok(serde_json::to_vec(&Line::<&E> { v: VERSION, event: None, sealed: Some(STANDARD.encode(sealed)) })?)
}

/// The event behind stored bytes.
///
/// # Errors
/// When they are damaged, of an unknown format, or sealed by another key.
pub fn decode(bytes: &[u8], vault: &Vault, run: RunId) -> Result<Event, JournalError> {
    read(bytes, vault, run)
}

fn read<E: DeserializeOwned>(bytes: &[u8], vault: &Vault, run: RunId) -> Result<E, JournalError> {
    let line: Line<E> = serde_json::from_slice(bytes)?;
    match line {
        Line { v, .. } if v != VERSION => Err(JournalError::Version(v)),
        Line { event: Some(event), .. } => Ok(event),
        Line { sealed: Some(sealed), .. } => {
            let sealed = STANDARD.decode(sealed).map_err(|error| JournalError::Sealed(error.to_string()))?;
            let clear = vault.unseal(&place(run), &sealed).map_err(|error| JournalError::Sealed(error.to_string()))?;
            Ok(serde_json::from_slice(&clear)?)
        }
        Line { event: None, sealed: None, .. } => Err(JournalError::Sealed("it holds nothing".to_owned())),
    }
}

/// The text of what is kept of an earlier run, in the same format.
///
/// # Errors
/// Only when the system gives no randomness to seal with.
pub fn encode_entry(entry: &Entry, seal: Option<(&Vault, RunId)>) -> Result<Vec<u8>, JournalError> {
    write(entry, seal)
}

/// What [`encode_entry`] wrote for this run.
///
/// # Errors
/// When it is of an unknown version, damaged, or sealed by another key or for another run.
pub fn decode_entry(bytes: &[u8], vault: &Vault, run: RunId) -> Result<Entry, JournalError> {
    read(bytes, vault, run)
}

/// A sealed event belongs to its run and opens nowhere else.
fn place(run: RunId) -> String {
    format!("journal/{run}")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::{
        action::Outcome,
        engine::{Step, event::Input},
    };

    fn events() -> Vec<Event> {
        let at = DateTime::from_timestamp(1_800_000_000, 123_456_789).unwrap_or_default();
        let step = Step { action: "create".into(), iterations: Vec::new() };
        let input = Input::of(&json!({"title": "é", "n": 1.0}));
        let large = Input::of(&json!("x".repeat(crate::limits::JOURNALLED_INPUT_BYTES)));
        let failed = Outcome::failed("ServiceUnavailable", "busy").retryable(Some(std::time::Duration::from_secs(3)));
        vec![
            Event::Started { step: step.clone(), attempt: 1, at, input },
            Event::Started { step: step.clone(), attempt: 1, at, input: large },
            Event::Finished { step: step.clone(), attempt: 1, at, outcome: failed },
            Event::Finished { step, attempt: 2, at, outcome: Outcome::succeeded(json!({"body": [1, 2.50, null]})) },
            Event::Woke { timer: 3, at },
            Event::Cancelled { at, pauses: 0 },
            Event::Cancelled { at, pauses: 2 },
        ]
    }

    /// The journal outlives the program that wrote it: this text may only change together with [`VERSION`].
    #[test]
    fn the_format_is_stable() -> Result<(), JournalError> {
        let lines: Vec<String> = events()
            .iter()
            .map(|event| Ok(String::from_utf8_lossy(&encode(event, None)?).into_owned()))
            .collect::<Result<_, JournalError>>()?;
        insta::assert_snapshot!(lines.join("\n"));
        Ok(())
    }

    #[test]
    fn events_read_back_as_they_were_clear_and_sealed() -> Result<(), JournalError> {
        let (vault, run) = (Vault::ephemeral("key"), Uuid::from_u128(7));
        for event in events() {
            let clear = encode(&event, None)?;
            assert_eq!(decode(&clear, &vault, run)?, event);
            let sealed = encode(&event, Some((&vault, run)))?;
            assert!(!String::from_utf8_lossy(&sealed).contains("\"at\""));
            assert_eq!(decode(&sealed, &vault, run)?, event);
            assert!(decode(&sealed, &vault, Uuid::from_u128(8)).is_err());
        }
        Ok(())
    }

    #[test]
    fn a_success_written_from_text_is_the_event() -> Result<(), Box<dyn std::error::Error>> {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default();
        let (step, text) = (Step { action: "create".into(), iterations: vec![2] }, r#"{"body":{"n":1}}"#);
        let outcome = Outcome::succeeded(serde_json::from_str(text)?);
        let event = encode(&Event::Finished { step: step.clone(), attempt: 3, at, outcome }, None)?;
        assert_eq!(encode_success(&step, 3, at, serde_json::from_str(text)?, None)?, event);
        Ok(())
    }

    #[test]
    fn a_newer_format_is_refused() {
        let vault = Vault::ephemeral("key");
        let error = decode(br#"{"v":2,"event":null}"#, &vault, Uuid::from_u128(7)).map_err(|error| error.to_string());
        assert_eq!(error, Err("format 2 of a journal event is unknown; a newer Larum wrote it".to_owned()));
    }
}
