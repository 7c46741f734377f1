//! Nothing falls silent: the incident that stands for a report whose run came to nothing.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{
    action::{Identity, RunInfo},
    incident::Draft,
    limits,
    store::run::{Fallback, RunStatus},
};

/// The tag by which such incidents are found.
pub(super) const TAG: &str = "larum-unprocessed";

/// The incident for a mailbox or form run that ended failed or timed out; the store makes it when the run itself made none.
pub(crate) fn for_run(info: &RunInfo, wanted: bool, status: RunStatus, error: Option<&Value>) -> Option<Fallback> {
    let failed = matches!(status, RunStatus::Failed | RunStatus::TimedOut);
    if !wanted || !failed || !matches!(&*info.kind, "mailbox" | "form") {
        return None;
    }
    let mut draft = Draft::new(format!("Unprocessed report: {}", subject(info)));
    draft.tags = vec![TAG.to_owned()];
    draft.description = describe(info, status, error);
    Some(Fallback {
        draft: draft.check().ok()?,
        provenance: info.provenance(),
        id: Identity::of(info.run, "larum/fallback").uuid_by_age(info.run, "incident"),
        causes: info.causes(),
    })
}

/// The mail's subject, or the report in a few words.
fn subject(info: &RunInfo) -> String {
    let subject = info.trigger_body().get("subject").and_then(Value::as_str).map(str::trim);
    match subject {
        Some("") => "(no subject)".to_owned(),
        Some(subject) if info.kind == "mailbox" => subject.to_owned(),
        _ => info.summary.clone(),
    }
}

fn describe(info: &RunInfo, status: RunStatus, error: Option<&Value>) -> String {
    let mut text =
        format!("Playbook '{}' ended {} and made no incident of this report.\n", info.playbook, status.as_str());
    let detail = error.and_then(|error| error.pointer("/details/0").or(Some(error)));
    if let Some(detail) = detail {
        let part = |name: &str| detail.get(name).and_then(Value::as_str);
        if let Some(action) = part("target") {
            let _ = write!(text, "Action '{action}': ");
        }
        let _ = writeln!(text, "{}: {}", part("code").unwrap_or("Failed"), part("message").unwrap_or_default());
    }
    let _ = writeln!(text, "Run {}\n", info.run);
    let body = info.trigger_body();
    match body.get("text").and_then(Value::as_str).filter(|_| info.kind == "mailbox") {
        Some(report) => text.push_str(report),
        None => {
            // A form: one answer a line.
            for (field, answer) in body.as_object().into_iter().flatten() {
                let answer = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
                let _ = writeln!(text, "{field}: {answer}");
                if text.len() > limits::INCIDENT_DESCRIPTION_CHARS * 4 {
                    break;
                }
            }
        }
    }
    text
}
