//! `given:`, what starts the run.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{Context, instant, mail, shape};
use crate::{
    diagnostic::{Faults, codes},
    limits,
    playbook::{Method, Trigger},
    testing::delivery::{Delivery, Event, posted},
    trigger::webhook::HookCall,
    yaml::{Fields, Given, Value as Yaml},
};

/// What starts a run.
pub(super) const KINDS: &[&str] = &["mail", "form", "webhook", "tick", "body", "event"];

/// What a case gives; without `given:` the trigger delivers nothing. `None` after a fault.
pub(super) fn delivery(
    given: Option<&Given<'_>>,
    case: &Given<'_>,
    context: &Context<'_>,
    now: DateTime<Utc>,
    faults: &mut Faults,
) -> Option<Delivery> {
    let playbook = context.playbook;
    let Some(given) = given else {
        if !matches!(playbook.trigger, Trigger::Manual) {
            let kind = playbook.trigger.kind();
            let message = format!("a case of a playbook with a {kind} trigger needs `given`");
            faults.add(codes::MISSING_KEY, case.span(), message);
            return None;
        }
        return Some(Event::body(playbook, &Value::Null).arrive(playbook, now, 0));
    };
    let mut fields = given.fields(&shape::GIVEN, faults)?;
    let found: Vec<Given<'_>> = KINDS.iter().filter_map(|kind| fields.optional(kind)).collect();
    let element = fields.optional("element");
    fields.finish(faults);
    let element = element.and_then(|given| given.count(0..=limits::SPLIT_ELEMENTS as u64, faults)).unwrap_or(0);
    let [one] = found[..] else {
        if found.is_empty() {
            let message = "a case gives one of `mail`, `form`, `webhook`, `tick`, `body` and `event`";
            faults.add(codes::MISSING_KEY, given.span(), message);
        } else {
            let message = format!("`{}` and `{}` exclude each other", found[0].key, found[1].key);
            faults.add(codes::EXCLUSIVE_KEYS, found[1].key_span(), message);
        }
        return None;
    };
    let kind = playbook.trigger.kind();
    let fits = match one.key {
        "mail" => ["mailbox", "manual"].contains(&kind),
        "form" => kind == "form",
        "webhook" => kind == "webhook",
        "tick" => kind == "schedule",
        _ => true,
    };
    if !fits {
        let message = format!("the playbook has a {kind} trigger, which takes no `{}`", one.key);
        faults.add(codes::TEST_GIVEN, one.key_span(), message);
        return None;
    }
    let event = match one.key {
        "mail" => mail::mail(&one, context, now, faults),
        "form" => Event::form(playbook, &one.node.to_json(), now),
        "webhook" => call(&one, faults).and_then(|call| Event::webhook(playbook, call)),
        "tick" => tick(&one, now, faults),
        "body" => Some(Event::body(playbook, &one.node.to_json())),
        _ => {
            one.fields("an event, the trigger's outputs", faults)?;
            Some(Event::raw(playbook, one.node.to_json()))
        }
    }?;
    Some(event.arrive(playbook, now, usize::try_from(element).unwrap_or(0)))
}

/// `{body, method, headers, queries, parameters}`
fn call(given: &Given<'_>, faults: &mut Faults) -> Option<HookCall> {
    let mut fields = given.fields(&shape::HOOK_CALL, faults)?;
    let body = fields.optional("body");
    let method = fields.optional("method");
    let headers = fields.optional("headers");
    let queries = fields.optional("queries");
    let parameters = fields.optional("parameters");
    fields.finish(faults);
    let methods: Vec<(&'static str, Method)> = Method::ALL.iter().map(|method| (method.as_str(), *method)).collect();
    let method = method.and_then(|given| given.choice(&methods, faults)).unwrap_or(Method::Post);
    let mut members = |given: Option<Given<'_>>, lower: bool| -> Map<String, Value> {
        let Some(fields) = given.and_then(|given| given.fields("a map of texts", faults)) else { return Map::new() };
        let name = |name: &str| if lower { name.to_lowercase() } else { name.to_owned() };
        fields.entries().iter().map(|entry| (name(&entry.key), entry.value.to_json())).collect()
    };
    Some(HookCall {
        method,
        headers: members(headers, true),
        queries: members(queries, false),
        parameters: members(parameters, false),
        ..posted(body.map(|given| given.node.to_json()).unwrap_or_default())
    })
}

/// An instant, or `{scheduled, previous, missed}`.
fn tick(given: &Given<'_>, now: DateTime<Utc>, faults: &mut Faults) -> Option<Event> {
    if !matches!(given.node.value, Yaml::Map(_)) {
        return instant(given, faults).map(|at| Event::tick(at, None, 0));
    }
    let mut fields: Fields<'_> = given.fields(&shape::TICK, faults)?;
    let scheduled = fields.optional("scheduled");
    let previous = fields.optional("previous");
    let missed = fields.optional("missed");
    fields.finish(faults);
    let scheduled = scheduled.and_then(|given| instant(&given, faults)).unwrap_or(now);
    let previous = previous.and_then(|given| instant(&given, faults));
    let missed = missed.and_then(|given| given.count(0..=u64::from(u32::MAX), faults)).unwrap_or(0);
    Some(Event::tick(scheduled, previous, missed))
}
