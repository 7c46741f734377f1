//! `actions:` and what stands in one.

use std::{ops::Range, time::Duration};

use serde_json::Value as Json;

use super::{name, retry, step};
use crate::{
    diagnostic::{Faults, codes, nearest},
    limits,
    playbook::{ActionSpec, ActionStatus, Retry, TerminateStatus, Vocabulary},
    yaml::{Fields, Given, Node, Value},
};

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
    Switch { on: Given<'n>, cases: Vec<(Json, Vec<Step<'n>>)>, default: Vec<Step<'n>> },
    ForEach { over: Given<'n>, concurrency: Option<u32>, steps: Vec<Step<'n>> },
    Until { condition: Given<'n>, limit: Limit<'n>, steps: Vec<Step<'n>> },
    Scope { steps: Vec<Step<'n>> },
    Terminate { span: Range<usize>, status: TerminateStatus, code: Option<&'n Node>, message: Option<&'n Node> },
    Call { spec: ActionSpec, with: Option<&'n Node>, span: Range<usize> },
}

/// Where an `until` stops, as written.
pub(in crate::playbook) struct Limit<'n> {
    pub count: Option<&'n Node>,
    pub timeout: Duration,
    pub fails: bool,
}

impl<'n> Body<'n> {
    /// The lists of actions inside, each with the word a reader knows it by.
    pub(in crate::playbook) fn lists(&self) -> Vec<(String, &[Step<'n>])> {
        match self {
            Self::If { then, otherwise, .. } => vec![("then".to_owned(), then), ("else".to_owned(), otherwise)],
            Self::Switch { cases, default, .. } => {
                let cases = cases.iter().map(|(case, steps)| {
                    let case = case.as_str().map_or_else(|| case.to_string(), str::to_owned);
                    (format!("case {case}"), steps.as_slice())
                });
                cases.chain([("default".to_owned(), default.as_slice())]).collect()
            }
            Self::ForEach { steps, .. } | Self::Until { steps, .. } => vec![("do".to_owned(), steps)],
            Self::Scope { steps } => vec![("scope".to_owned(), steps)],
            Self::Terminate { .. } | Self::Call { .. } => Vec::new(),
        }
    }

    /// Whether it holds other actions.
    pub(in crate::playbook) fn is_container(&self) -> bool {
        !matches!(self, Self::Terminate { .. } | Self::Call { .. })
    }
}

/// What the readers of steps share.
pub(super) struct Reading<'v> {
    pub vocabulary: &'v Vocabulary,
    /// Actions read so far.
    pub count: usize,
}

impl Reading<'_> {
    /// Reads a list of actions that stands in `level` containers.
    pub(super) fn steps<'n>(&mut self, given: Given<'n>, level: usize, faults: &mut Faults) -> Vec<Step<'n>> {
        let Some(items) = given.list(faults) else { return Vec::new() };
        if level > limits::ACTION_NESTING {
            let message = format!("actions stand in at most {} containers", limits::ACTION_NESTING);
            faults.add(codes::NESTED_ACTIONS, given.key_span(), message);
            return Vec::new();
        }
        if items.is_empty() && level == 0 {
            faults.add(codes::BAD_VALUE, given.span(), "a playbook needs an action");
        }
        self.count += items.len();
        items.into_iter().filter_map(|item| self.step(item, level, faults)).collect()
    }

    /// Reads the list under a key that may be absent.
    fn inner<'n>(&mut self, given: Option<Given<'n>>, level: usize, faults: &mut Faults) -> Vec<Step<'n>> {
        given.map(|given| self.steps(given, level + 1, faults)).unwrap_or_default()
    }

    fn step<'n>(&mut self, item: Given<'n>, level: usize, faults: &mut Faults) -> Option<Step<'n>> {
        let mut fields = item.fields("an action", faults)?;
        let id = fields.required("id");
        let run_after = fields.optional("run_after");
        let description = fields.optional("description");
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
        let mut kinds = step::KINDS.iter().filter_map(|(word, shape)| Some((fields.given(word)?, *shape)));
        let (kind, second) = (kinds.next(), kinds.next());
        drop(kinds);
        match (kind, second) {
            (Some((first, _)), Some((second, _))) => {
                let message = format!("an action has `{}` or `{}`, not both", first.key, second.key);
                faults.add(codes::EXCLUSIVE_KEYS, second.key_span(), message);
                // The words of every kind are not reported again.
                step::KINDS.iter().flat_map(|(_, shape)| shape.keys).for_each(|key| fields.ignore(&[key.name]));
                fields.finish(faults);
            }
            (Some((kind, shape)), None) if kind.key != "action" => {
                fields.narrow(shape);
                let timeout = (kind.key != "terminate").then(|| fields.optional("timeout")).flatten();
                step.body = self.container(kind, fields, level, faults);
                step.timeout = timeout.and_then(|given| self::timeout(given, faults));
            }
            _ => {
                fields.narrow(&step::CALL);
                self.call(fields, &mut step, faults);
            }
        }
        step.id = id.and_then(|given| name::id(given, faults).map(|id| (id, given.span())));
        step.order = run_after.map_or(Order::AsWritten, |given| order(given, faults));
        step.description = description.and_then(|given| given.text(faults));
        Some(step)
    }

    /// Reads the rest of an action that steers the run.
    fn container<'n>(
        &mut self,
        kind: Given<'n>,
        mut fields: Fields<'n>,
        level: usize,
        faults: &mut Faults,
    ) -> Option<Body<'n>> {
        match kind.key {
            "if" => {
                let condition = fields.required("if")?;
                let then = fields.optional("then");
                let otherwise = fields.optional("else");
                fields.finish(faults);
                if then.is_none() && otherwise.is_none() {
                    faults.add(codes::MISSING_KEY, condition.key_span(), "an `if` needs `then` or `else`");
                }
                let then = self.inner(then, level, faults);
                Some(Body::If { condition, then, otherwise: self.inner(otherwise, level, faults) })
            }
            "switch" => {
                let on = fields.required("switch")?;
                let cases = fields.required("cases");
                let default = fields.optional("default");
                fields.finish(faults);
                let cases = cases.map(|given| self.cases(given, level, faults)).unwrap_or_default();
                Some(Body::Switch { on, cases, default: self.inner(default, level, faults) })
            }
            "for_each" => {
                let over = fields.required("for_each")?;
                let concurrency = fields.optional("concurrency");
                let steps = fields.required("do");
                fields.finish(faults);
                let most = limits::FOR_EACH_CONCURRENCY;
                let concurrency = concurrency
                    .and_then(|given| given.count(1..=u64::from(most), faults))
                    .and_then(|count| u32::try_from(count).ok());
                Some(Body::ForEach { over, concurrency, steps: self.inner(steps, level, faults) })
            }
            "until" => {
                let condition = fields.required("until")?;
                let limit = fields.optional("limit");
                let fails = fields.optional("fail_when_limits_reached");
                let steps = fields.required("do");
                fields.finish(faults);
                let (count, timeout) = limit.map(|given| until_limit(given, faults)).unwrap_or_default();
                let limit = Limit {
                    count,
                    timeout: timeout.unwrap_or(limits::UNTIL_TIMEOUT_DEFAULT),
                    fails: fails.and_then(|given| given.flag(faults)).unwrap_or(false),
                };
                Some(Body::Until { condition, limit, steps: self.inner(steps, level, faults) })
            }
            "scope" => {
                let scope = fields.required("scope");
                fields.finish(faults);
                Some(Body::Scope { steps: self.inner(scope, level, faults) })
            }
            _ => {
                let given = fields.required("terminate")?;
                fields.finish(faults);
                terminate(given, faults)
            }
        }
    }

    /// The cases of a `switch`.
    fn cases<'n>(&mut self, given: Given<'n>, level: usize, faults: &mut Faults) -> Vec<(Json, Vec<Step<'n>>)> {
        let items = given.list(faults).unwrap_or_default();
        if items.len() > limits::SWITCH_CASES {
            let message = format!("a `switch` has at most {} cases", limits::SWITCH_CASES);
            faults.add(codes::OUT_OF_BOUNDS, given.key_span(), message);
        }
        let mut cases: Vec<(Json, Vec<Step<'n>>)> = Vec::new();
        for item in items {
            let Some(mut fields) = item.fields(&step::SWITCH_CASE, faults) else { continue };
            let (case, steps) = (fields.required("case"), fields.required("do"));
            fields.finish(faults);
            let steps = self.inner(steps, level, faults);
            let Some(case) = case else { continue };
            let value = case.node.to_json();
            let first = cases.first().map(|(first, _)| first);
            if !(value.is_string() || value.is_i64() || value.is_u64()) {
                case.wrong_type("text or a whole number", faults);
            } else if cases.iter().any(|(other, _)| *other == value) {
                faults.add(codes::DUPLICATE_NAME, case.span(), format!("the case {value} is there already"));
            } else if first.is_some_and(|first| first.is_string() != value.is_string()) {
                let help = Some("a number never matches text: quote it to make it text".to_owned());
                let message = "the cases of a `switch` are all texts or all whole numbers";
                faults.add_with(codes::WRONG_TYPE, case.span(), message, help);
            } else {
                cases.push((value, steps));
            }
        }
        cases
    }

    /// Reads the rest of an action that calls something.
    fn call<'n>(&mut self, mut fields: Fields<'n>, step: &mut Step<'n>, faults: &mut Faults) {
        let action = fields.required("action");
        let with = fields.optional("with");
        let timeout = fields.optional("timeout");
        let retry = fields.optional("retry");
        let secure = fields.optional("secure");
        fields.finish(faults);
        let spec = action.and_then(|given| spec(given, self.vocabulary, faults));
        step.timeout = timeout.and_then(|given| self::timeout(given, faults));
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
}

fn timeout(given: Given<'_>, faults: &mut Faults) -> Option<Duration> {
    given.duration(Duration::from_secs(1)..=limits::RUN_DURATION, "between one second and 90 days", faults)
}

/// `limit:` of an `until`: its count, which may be an expression, and its timeout.
fn until_limit<'n>(given: Given<'n>, faults: &mut Faults) -> (Option<&'n Node>, Option<Duration>) {
    let Some(mut fields) = given.fields(&step::LIMIT, faults) else { return (None, None) };
    let (count, timeout) = (fields.optional("count"), fields.optional("timeout"));
    fields.finish(faults);
    let count = count.filter(|given| match &given.node.value {
        Value::Text(text) if text.value.starts_with('@') => true,
        _ => given.count(1..=limits::UNTIL_COUNT, faults).is_some(),
    });
    (count.map(|given| given.node), timeout.and_then(|given| self::timeout(given, faults)))
}

/// How a run may be ended.
pub(super) const ENDINGS: &[(&str, TerminateStatus)] = &[
    ("succeeded", TerminateStatus::Succeeded),
    ("failed", TerminateStatus::Failed),
    ("cancelled", TerminateStatus::Cancelled),
];

fn terminate<'n>(given: Given<'n>, faults: &mut Faults) -> Option<Body<'n>> {
    let mut fields = given.fields(&step::ENDING, faults)?;
    let (status, code, message) = (fields.required("status"), fields.optional("code"), fields.optional("message"));
    fields.finish(faults);
    let status = status?.choice(ENDINGS, faults)?;
    for part in [code, message].into_iter().flatten() {
        if status != TerminateStatus::Failed {
            let message = format!("`{}` is for a run that is terminated as failed", part.key);
            faults.add(codes::EXCLUSIVE_KEYS, part.key_span(), message);
        } else {
            part.text(faults);
        }
    }
    let node = |given: Option<Given<'n>>| given.map(|given| given.node);
    Some(Body::Terminate { span: given.key_span(), status, code: node(code), message: node(message) })
}

fn spec(given: Given<'_>, vocabulary: &Vocabulary, faults: &mut Faults) -> Option<ActionSpec> {
    let name = given.words(faults)?;
    if let Some(spec) = vocabulary.iter().find(|spec| spec.name.eq_ignore_ascii_case(name)) {
        return Some(*spec);
    }
    let bare = name.replace(['_', '-', ' '], "").to_lowercase();
    let sought = vocabulary.iter().find(|spec| spec.sought_as.contains(&bare.as_str())).map(|spec| spec.name);
    let help = match sought.or_else(|| nearest(name, vocabulary.iter().map(|spec| spec.name))) {
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
