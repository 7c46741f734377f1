//! `actions:` and what stands in one.

use std::{ops::Range, time::Duration};

use super::{name, retry};
use crate::{
    diagnostic::{Faults, codes, nearest},
    limits,
    playbook::{ActionSpec, ActionStatus, Retry, Vocabulary},
    yaml::{Fields, Given, Node, Value},
};

/// Words that say what an action does, which Larum does not know yet.
const LATER: &[&str] = &["switch", "for_each", "until", "scope", "terminate"];
/// The words beside them, which must not be reported a second time.
const LATER_PARTS: &[&str] = &["cases", "default", "concurrency", "do", "limit", "fail_when_limits_reached"];
/// Actions of Logic Apps that are to come.
const LATER_ACTIONS: &[&str] = &[
    "parse_json",
    "select",
    "query",
    "join",
    "set_variable",
    "increment_variable",
    "decrement_variable",
    "append_to_array_variable",
    "append_to_string_variable",
    "delay",
    "response",
    "update_incident",
    "add_comment",
];

/// An action as written.
pub(in crate::playbook) struct Step<'n> {
    pub id: Option<(&'n str, Range<usize>)>,
    pub order: Order<'n>,
    pub timeout: Option<Duration>,
    pub retry: Retry,
    pub secure_inputs: bool,
    pub secure_outputs: bool,
    pub description: Option<&'n str>,
    /// `None` when it could not be read, which was reported.
    pub body: Option<Body<'n>>,
}

/// When a step may start, as written.
pub(in crate::playbook) enum Order<'n> {
    /// After the one above it succeeded, or with its container.
    AsWritten,
    /// `run_after`, each sibling with its place.
    After(Vec<(&'n str, Range<usize>, Vec<ActionStatus>)>),
}

/// What a step does, as written.
pub(in crate::playbook) enum Body<'n> {
    If { condition: Given<'n>, then: Vec<Step<'n>>, otherwise: Vec<Step<'n>> },
    Call { spec: ActionSpec, with: Option<&'n Node>, span: Range<usize> },
}

/// Reads a list of actions that stands in `level` containers.
pub(super) fn steps<'n>(
    given: Given<'n>,
    vocabulary: &Vocabulary,
    level: usize,
    count: &mut usize,
    faults: &mut Faults,
) -> Vec<Step<'n>> {
    let Some(items) = given.list(faults) else { return Vec::new() };
    if level > limits::ACTION_NESTING {
        let message = format!("actions stand in at most {} containers", limits::ACTION_NESTING);
        faults.add(codes::NESTED_ACTIONS, given.key_span(), message);
        return Vec::new();
    }
    if items.is_empty() && level == 0 {
        faults.add(codes::BAD_VALUE, given.span(), "a playbook needs an action");
    }
    *count += items.len();
    items.into_iter().filter_map(|item| step(item, vocabulary, level, count, faults)).collect()
}

fn step<'n>(
    item: Given<'n>,
    vocabulary: &Vocabulary,
    level: usize,
    count: &mut usize,
    faults: &mut Faults,
) -> Option<Step<'n>> {
    let mut fields = item.fields("an action", faults)?;
    let id = fields.required("id");
    let run_after = fields.optional("run_after");
    let description = fields.optional("description");
    let later = fields.not_yet(LATER, faults);
    let condition = fields.optional("if");
    let mut step = Step {
        id: None,
        order: Order::AsWritten,
        timeout: None,
        retry: Retry::Default,
        secure_inputs: false,
        secure_outputs: false,
        description: None,
        body: None,
    };
    match (condition, later) {
        (Some(condition), false) => {
            if let Some(action) = fields.optional("action") {
                let message = "an action has `action` or `if`, not both";
                faults.add(codes::EXCLUSIVE_KEYS, action.key_span(), message);
            }
            let then = fields.optional("then");
            let otherwise = fields.optional("else");
            fields.finish(faults);
            if then.is_none() && otherwise.is_none() {
                faults.add(codes::MISSING_KEY, condition.key_span(), "an `if` needs `then` or `else`");
            }
            let mut branch = |given: Option<Given<'n>>| {
                given.map(|given| steps(given, vocabulary, level + 1, count, faults)).unwrap_or_default()
            };
            step.body = Some(Body::If { condition, then: branch(then), otherwise: branch(otherwise) });
        }
        (_, true) => {
            for part in LATER_PARTS.iter().chain(&["action", "with", "then", "else", "timeout", "retry", "secure"]) {
                fields.optional(part);
            }
            fields.finish(faults);
        }
        (None, false) => call(fields, vocabulary, &mut step, faults),
    }
    step.id = id.and_then(|given| name::id(given, faults).map(|id| (id, given.span())));
    step.order = run_after.map_or(Order::AsWritten, |given| order(given, faults));
    step.description = description.and_then(|given| given.text(faults));
    Some(step)
}

/// Reads the rest of an action that calls something.
fn call<'n>(mut fields: Fields<'n>, vocabulary: &Vocabulary, step: &mut Step<'n>, faults: &mut Faults) {
    let action = fields.required("action");
    let with = fields.optional("with");
    let timeout = fields.optional("timeout");
    let retry = fields.optional("retry");
    let secure = fields.optional("secure");
    fields.finish(faults);
    let spec = action.and_then(|given| spec(given, vocabulary, faults));
    step.timeout = timeout.and_then(|given| {
        given.duration(Duration::from_secs(1)..=limits::RUN_DURATION, "between one second and 90 days", faults)
    });
    if let Some(given) = retry {
        if let Some(read) = retry::retry(given, faults) {
            step.retry = read;
        }
        if let Some(spec) = spec
            && !spec.retries
        {
            let message = format!("`{}` is never retried", spec.name);
            faults.add(codes::NO_RETRY, given.key_span(), message);
        }
    }
    for (given, part) in secure.and_then(|given| given.texts(faults)).unwrap_or_default() {
        match part {
            "inputs" => step.secure_inputs = true,
            "outputs" => step.secure_outputs = true,
            _ => given.not_a_choice(part, ["inputs", "outputs"].into_iter(), faults),
        }
    }
    if let Some(given) = with
        && !matches!(given.node.value, Value::Map(_))
    {
        given.wrong_type("a map of inputs", faults);
    } else if let (Some(spec), Some(action)) = (spec, action) {
        step.body = Some(Body::Call { spec, with: with.map(|given| given.node), span: action.span() });
    }
}

fn spec(given: Given<'_>, vocabulary: &Vocabulary, faults: &mut Faults) -> Option<ActionSpec> {
    let name = given.words(faults)?;
    if let Some(spec) = vocabulary.iter().find(|spec| spec.name.eq_ignore_ascii_case(name)) {
        return Some(*spec);
    }
    if LATER_ACTIONS.contains(&name) {
        faults.add(codes::NOT_SUPPORTED, given.span(), format!("the action `{name}` is not supported yet"));
        return None;
    }
    let help = match nearest(name, vocabulary.iter().map(|spec| spec.name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let names: Vec<&str> = vocabulary.iter().map(|spec| spec.name).collect();
            format!("the actions are {}", names.join(", "))
        }
    };
    faults.add_with(codes::UNKNOWN_ACTION, given.span(), format!("there is no action `{name}`"), Some(help));
    None
}

fn order<'n>(given: Given<'n>, faults: &mut Faults) -> Order<'n> {
    let Value::Map(entries) = &given.node.value else {
        if !given.node.is_broken() {
            let message = format!("`run_after` must be a map of actions and statuses, but is {}", given.node.kind());
            let help = "write it like {create: [succeeded]}, or {} to start at once".to_owned();
            faults.add_with(codes::WRONG_TYPE, given.span(), message, Some(help));
        }
        return Order::AsWritten;
    };
    let after = entries.iter().map(|entry| {
        let given = Given::of(entry);
        (given.key, given.key_span(), statuses(given, faults))
    });
    Order::After(after.collect())
}

fn statuses(given: Given<'_>, faults: &mut Faults) -> Vec<ActionStatus> {
    let Some(texts) = given.texts(faults) else { return Vec::new() };
    if texts.is_empty() {
        let message = format!("`{}` needs a status to wait for", given.key);
        faults.add_with(codes::BAD_VALUE, given.span(), message, Some("write it like [succeeded]".into()));
    }
    let mut out = Vec::new();
    for (item, text) in texts {
        match ActionStatus::parse(text) {
            Some(status) if !out.contains(&status) => out.push(status),
            Some(_) => {}
            None => {
                let names = ActionStatus::ALL.iter().map(|status| status.yaml_name());
                let help = match nearest(text, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it may be {}", names.collect::<Vec<_>>().join(", ")),
                };
                faults.add_with(codes::NOT_A_CHOICE, item.span(), format!("`{text}` is not a status"), Some(help));
            }
        }
    }
    out
}
