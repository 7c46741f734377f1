//! `answers:`, what the outside says.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{shape, step};
use crate::{
    action::{Nature, Outcome, approve, http},
    diagnostic::{Faults, codes},
    engine::{Kind, Plan},
    limits,
    testing::case::{Answer, Answers, Says},
    yaml::{Fields, Given, Value as Yaml},
};

/// How an action asks the outside.
#[derive(Clone, Copy, PartialEq)]
enum Asks {
    /// A call: what fails has no outputs, because nobody answered.
    Http,
    /// Something that answers as Logic Apps' connectors do, faults included.
    Connector,
    Question,
    Playbook,
}

/// The answers by action or step.
pub(super) fn answers(given: &Given<'_>, plan: &Plan, faults: &mut Faults) -> Answers {
    let mut answers = Answers::default();
    let Some(fields) = given.fields("the answers of a case", faults) else { return answers };
    for entry in fields.entries() {
        let Some((id, iterations)) = step(&entry.key, &entry.key_span, plan, faults) else { continue };
        let asks = plan.find(&id).and_then(|index| match &plan.node_at(index).kind {
            Kind::Call { action, .. } => match action.nature {
                Nature::Effect(_) if action.spec.name == "http" => Some(Asks::Http),
                Nature::Effect(_) => Some(Asks::Connector),
                Nature::Approval { .. } => Some(Asks::Question),
                Nature::Child(_) => Some(Asks::Playbook),
                _ => None,
            },
            _ => None,
        });
        let Some(asks) = asks else {
            let message = format!("`{id}` asks nothing of the outside, so nobody answers it");
            faults.add(codes::TEST_ANSWER, entry.key_span.clone(), message);
            continue;
        };
        let given = Given::of(entry);
        let list = match &entry.value.value {
            Yaml::List(_) => given.list(faults).unwrap_or_default(),
            _ => vec![given],
        };
        if list.is_empty() {
            faults.add(codes::BAD_VALUE, given.span(), format!("`{}` has no answers", entry.key));
        }
        let list = list.iter().filter_map(|given| answer(given, asks, faults)).collect();
        let step = iterations.iter().fold(id, |step, iteration| format!("{step}/{iteration}"));
        answers.0.insert(step, list);
    }
    answers
}

/// Words that are an answer.
pub(super) const WORDS: &[(&str, Word)] =
    &[("succeeds", Word::Succeeds), ("fails", Word::Fails), ("nothing", Word::Nothing)];

#[derive(Clone, Copy)]
pub(super) enum Word {
    Succeeds,
    Fails,
    Nothing,
}

fn answer(given: &Given<'_>, asks: Asks, faults: &mut Faults) -> Option<Answer> {
    let now = |says| Some(Answer { after: Duration::ZERO, says });
    if matches!(given.node.value, Yaml::Text(_)) {
        return match given.choice(WORDS, faults)? {
            Word::Succeeds => now(Says::Well),
            Word::Fails => now(Says::Outcome(Box::new(failed(asks, "ActionFailed", "as the test says", None)))),
            Word::Nothing => now(Says::Nothing),
        };
    }
    let mut fields = given.fields(&shape::ANSWER, faults)?;
    let returns = fields.optional("returns");
    let outputs = fields.optional("outputs");
    let status = fields.optional("status");
    let headers = fields.optional("headers");
    let body = fields.optional("body");
    let fails = fields.optional("fails");
    let chosen = fields.optional("chosen");
    let by = fields.optional("by");
    let after = fields.optional("after");
    fields.finish(faults);

    let main: Vec<Given<'_>> = [returns, outputs, status, fails, chosen].into_iter().flatten().collect();
    if let [first, second, ..] = main[..] {
        let message = format!("`{}` and `{}` exclude each other", first.key, second.key);
        faults.add(codes::EXCLUSIVE_KEYS, second.key_span(), message);
        return None;
    }
    for (given, with) in [(headers, status), (body, status), (by, chosen)] {
        if let Some(given) = given.filter(|_| with.is_none()) {
            let wanted = if given.key == "by" { "chosen" } else { "status" };
            let message = format!("`{}` goes with `{wanted}`", given.key);
            faults.add(codes::TEST_ANSWER, given.key_span(), message);
        }
    }
    let fits = match (asks, main.first().map(|given| given.key)) {
        (Asks::Question, Some(key)) => ["chosen", "fails"].contains(&key),
        (_, Some("chosen")) => false,
        _ => true,
    };
    if let Some(given) = main.first().filter(|_| !fits) {
        let message = match asks {
            Asks::Question => format!("a question is answered with `chosen` or `fails`, not with `{}`", given.key),
            _ => format!("`{}` answers a question, and this action asks none", given.key),
        };
        faults.add(codes::TEST_ANSWER, given.key_span(), message);
        return None;
    }
    let limit = "at most 90 days";
    let after = after.and_then(|given| given.duration(Duration::ZERO..=limits::RUN_DURATION, limit, faults));
    let outcome = |outcome| Says::Outcome(Box::new(outcome));
    let says = if let Some(given) = returns {
        let body = given.node.to_json();
        outcome(Outcome::succeeded(match asks {
            Asks::Playbook => json!({"body": body}),
            _ => json!({"statusCode": 200, "headers": {}, "body": body}),
        }))
    } else if let Some(given) = outputs {
        outcome(Outcome::succeeded(given.node.to_json()))
    } else if let Some(given) = status {
        let status = u16::try_from(given.count(100..=599, faults)?).unwrap_or_default();
        outcome(answered(status, headers, body, faults))
    } else if let Some(given) = fails {
        outcome(fault(&given, asks, faults)?)
    } else if let Some(given) = chosen {
        let by = by.and_then(|given| given.words(faults));
        Says::Chosen(approve::given(given.words(faults)?, by))
    } else {
        Says::Well
    };
    Some(Answer { after: after.unwrap_or_default(), says })
}

/// An HTTP answer, as the `http` action takes it.
fn answered(status: u16, headers: Option<Given<'_>>, body: Option<Given<'_>>, faults: &mut Faults) -> Outcome {
    let headers = headers.and_then(|given| given.fields("the headers of an answer", faults));
    let headers: Map<String, Value> =
        headers.iter().flat_map(Fields::entries).map(|entry| (entry.key.clone(), entry.value.to_json())).collect();
    let retry_after = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
    let retry_after = retry_after.and_then(|(_, value)| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    });
    let body = body.map(|given| given.node.to_json());
    http::answered(status, headers, body, retry_after.map(Duration::from_secs))
}

/// `fails: {code, message, retryable, retry_after}`, or its code alone.
fn fault(given: &Given<'_>, asks: Asks, faults: &mut Faults) -> Option<Outcome> {
    if let Some(code) = given.node.as_text() {
        return Some(failed(asks, code, "as the test says", None));
    }
    let mut fields = given.fields(&shape::FAILURE, faults)?;
    let code = fields.optional("code");
    let message = fields.optional("message");
    let status = fields.optional("status");
    let retryable = fields.optional("retryable");
    let retry_after = fields.optional("retry_after");
    fields.finish(faults);
    let code = code.and_then(|given| given.words(faults)).unwrap_or("ActionFailed");
    let message = message.and_then(|given| given.words(faults)).unwrap_or("as the test says");
    let status = status.and_then(|given| given.count(400..=599, faults));
    let outcome = failed(asks, code, message, status);
    let limit = "at most 90 days";
    let wait = retry_after.and_then(|given| given.duration(Duration::ZERO..=limits::RUN_DURATION, limit, faults));
    let retryable = retryable.and_then(|given| given.flag(faults)).unwrap_or(wait.is_some());
    Some(if retryable { outcome.retryable(wait) } else { outcome })
}

/// A failure with the outputs such an action has then.
fn failed(asks: Asks, code: &str, message: &str, status: Option<u64>) -> Outcome {
    let outcome = Outcome::failed(code, message);
    match asks {
        Asks::Http | Asks::Playbook => outcome,
        Asks::Connector | Asks::Question => {
            let status = status.unwrap_or(if code == "BadRequest" { 400 } else { 502 });
            let body = json!({"error": {"code": code, "message": message}});
            outcome.with_outputs(json!({"statusCode": status, "headers": {}, "body": body}))
        }
    }
}
