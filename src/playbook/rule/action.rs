//! `actions:` of a rule.

use std::ops::Range;

use super::Places;
use crate::{
    diagnostic::{Faults, codes},
    incident::{Classification, ClassificationReason, Owner, Patch, Severity, Status, automation::RuleAction},
    yaml::Given,
};

/// The words that say what an action does, one for each action.
const KINDS: &[&str] = &["modify", "run_playbook", "add_task"];
/// The owner who is none.
const NOBODY: &str = "nobody";

/// Reads the actions; `runs` takes the playbooks they run, with their places.
pub(super) fn actions(
    given: Given<'_>,
    path: &str,
    places: &mut Places,
    runs: &mut Vec<(String, Range<usize>)>,
    faults: &mut Faults,
) -> Vec<RuleAction> {
    let items = given.list(faults).unwrap_or_default();
    let read = items.into_iter().enumerate().filter_map(|(at, item)| {
        places.note(format!("{path}[{at}]"), item.span());
        let before = faults.count();
        let read = action(item, runs, faults);
        if read.is_none() && faults.count() == before {
            let help = "it is one of `modify`, `run_playbook` or `add_task`";
            faults.add_with(codes::MISSING_KEY, item.span(), "an action says what it does", Some(help.into()));
        }
        read
    });
    read.collect()
}

fn action(item: Given<'_>, runs: &mut Vec<(String, Range<usize>)>, faults: &mut Faults) -> Option<RuleAction> {
    let mut fields = item.fields("an action of a rule", faults)?;
    let kinds: Vec<Given<'_>> = KINDS.iter().filter_map(|kind| fields.optional(kind)).collect();
    fields.finish(faults);
    let kind = match kinds[..] {
        [kind] => kind,
        [first, second, ..] => {
            let message = format!("an action does one thing, not `{}` and `{}`", first.key, second.key);
            faults.add(codes::EXCLUSIVE_KEYS, second.key_span(), message);
            return None;
        }
        [] => return None,
    };
    match kind.key {
        "modify" => modify(kind, faults).map(|patch| RuleAction::ModifyProperties(Box::new(patch))),
        "run_playbook" => {
            let resource = kind.words(faults)?.to_owned();
            runs.push((RuleAction::playbook_of(&resource).to_owned(), kind.span()));
            Some(RuleAction::RunPlaybook { resource, tenant: None })
        }
        _ => {
            let mut fields = kind.fields("a task", faults)?;
            let title = fields.required("title");
            let description = fields.optional("description");
            fields.finish(faults);
            let description = description.and_then(|given| given.text(faults)).map(str::to_owned);
            let title = title.and_then(|given| given.words(faults))?.to_owned();
            Some(RuleAction::AddIncidentTask { title, description })
        }
    }
}

fn modify(given: Given<'_>, faults: &mut Faults) -> Option<Patch> {
    let mut fields = given.fields("`modify`", faults)?;
    let severity = fields.optional("severity");
    let status = fields.optional("status");
    let classification = fields.optional("classification");
    let classification_reason = fields.optional("classification_reason");
    let classification_comment = fields.optional("classification_comment");
    let owner = fields.optional("owner");
    let add_tags = fields.optional("add_tags");
    fields.finish(faults);
    let owner = owner
        .and_then(|given| given.words(faults))
        .map(|text| if text.eq_ignore_ascii_case(NOBODY) { Owner::default() } else { Owner::parse(text) });
    let tags = add_tags.and_then(|given| given.texts(faults)).unwrap_or_default();
    Some(Patch {
        severity: one_of(severity, Severity::ALL, Severity::as_str, faults),
        status: one_of(status, Status::ALL, Status::as_str, faults),
        classification: one_of(classification, Classification::ALL, Classification::as_str, faults),
        classification_reason: one_of(
            classification_reason,
            ClassificationReason::ALL,
            ClassificationReason::as_str,
            faults,
        ),
        classification_comment: classification_comment.and_then(|given| given.text(faults)).map(str::to_owned),
        owner,
        add_tags: tags.into_iter().map(|(_, text)| text.to_owned()).collect(),
        ..Patch::default()
    })
}

fn one_of<T: Copy>(
    given: Option<Given<'_>>,
    all: &[T],
    name: impl Fn(T) -> &'static str,
    faults: &mut Faults,
) -> Option<T> {
    let choices: Vec<(&'static str, T)> = all.iter().map(|value| (name(*value), *value)).collect();
    given?.choice(&choices, faults)
}
