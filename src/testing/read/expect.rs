//! `expect:`, what must come of it.

use super::{shape, step};
use crate::{
    diagnostic::{Faults, codes, did_you_mean},
    duration,
    engine::Plan,
    playbook::ActionStatus,
    testing::{
        case::{Expect, Section, SectionKind},
        compare::CONTAINS,
        found::RUN_STATUSES,
        world::{CALL, CHILD, INCIDENT, MAIL, REPLY},
    },
    yaml::{Given, Node, Value as Yaml},
};

pub(super) fn expect(given: &Given<'_>, plan: &Plan, faults: &mut Faults) -> Expect {
    let mut expect = Expect { exactly: false, sections: Vec::new() };
    let Some(mut fields) = given.fields(&shape::EXPECT, faults) else { return expect };
    if let Some(given) = fields.optional("exactly") {
        expect.exactly = given.flag(faults).unwrap_or(false);
    }
    for (name, kind) in SectionKind::ALL {
        if let Some(given) = fields.optional(name) {
            section(*kind, &given, plan, faults);
            expect.sections.push(Section { kind: *kind, span: given.key_span(), node: given.node.clone() });
        }
    }
    fields.finish(faults);
    expect.sections.sort_by_key(|section| section.span.start);
    expect
}

fn section(kind: SectionKind, given: &Given<'_>, plan: &Plan, faults: &mut Faults) {
    match kind {
        SectionKind::Status => {
            let statuses: Vec<(&'static str, ())> = RUN_STATUSES.iter().map(|name| (*name, ())).collect();
            if given.choice(&statuses, faults).is_some() {
                // The comparison is exact, so the spelling counts too.
                let text = given.node.as_text().unwrap_or_default();
                if !RUN_STATUSES.contains(&text) {
                    given.not_a_choice(text, RUN_STATUSES.iter().copied(), faults);
                }
            }
        }
        SectionKind::Code | SectionKind::Message | SectionKind::Because => {
            if !matches!(given.node.value, Yaml::Text(_) | Yaml::Null | Yaml::Map(_)) {
                given.wrong_type("text", faults);
            }
        }
        SectionKind::Lasts => {
            if let Some(text) = given.text(faults)
                && duration::parse(text).is_none()
            {
                let message = format!("`{text}` is not a duration");
                faults.add_with(codes::NOT_A_DURATION, given.span(), message, Some(duration::FORMS.to_owned()));
            }
        }
        SectionKind::Actions => steps(given, plan, faults, status),
        SectionKind::Errors => steps(given, plan, faults, |given, faults| members(given, &["code", "message"], faults)),
        SectionKind::Attempts => steps(given, plan, faults, |given, faults| {
            given.count(0..=u64::from(u32::MAX), faults);
        }),
        SectionKind::Inputs | SectionKind::Outputs => steps(given, plan, faults, |_, _| {}),
        SectionKind::Variables => {
            let Some(fields) = given.fields("the expected variables", faults) else { return };
            let known: Vec<&str> = plan.playbook.variables.iter().map(|variable| variable.name.as_str()).collect();
            for entry in fields.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())) {
                let help = did_you_mean(&entry.key, known.iter().copied());
                let message = format!("the playbook has no variable `{}`", entry.key);
                faults.add_with(codes::UNKNOWN_VARIABLE, entry.key_span.clone(), message, help);
            }
        }
        SectionKind::Incidents => list(given, INCIDENT, faults),
        SectionKind::Mails => list(given, MAIL, faults),
        SectionKind::Calls => list(given, CALL, faults),
        SectionKind::Children => list(given, CHILD, faults),
        SectionKind::Reply => {
            if !matches!(given.node.value, Yaml::Null) {
                members(given, REPLY, faults);
            }
        }
    }
}

/// A map by step.
fn steps(given: &Given<'_>, plan: &Plan, faults: &mut Faults, check: impl Fn(&Given<'_>, &mut Faults)) {
    let Some(fields) = given.fields("a map by action", faults) else { return };
    for entry in fields.entries() {
        if step(&entry.key, &entry.key_span, plan, faults).is_some() {
            check(&Given::of(entry), faults);
        }
    }
}

/// `failed`, `failed BadGateway`, or of an action in a loop a list with one for each iteration.
fn status(given: &Given<'_>, faults: &mut Faults) {
    if let Yaml::List(_) = given.node.value {
        for item in given.list(faults).unwrap_or_default() {
            status(&item, faults);
        }
        return;
    }
    let Some(text) = given.text(faults) else { return };
    let name = text.split(' ').next().unwrap_or_default();
    let names = ActionStatus::ALL.iter().map(|status| status.yaml_name());
    if !names.clone().any(|known| known == name) {
        given.not_a_choice(name, names, faults);
    }
}

fn list(given: &Given<'_>, known: &'static [&'static str], faults: &mut Faults) {
    if is_part(given.node) {
        return;
    }
    for item in given.list(faults).unwrap_or_default() {
        members(&item, known, faults);
    }
}

/// A map of these keys and no others.
fn members(given: &Given<'_>, known: &'static [&'static str], faults: &mut Faults) {
    if is_part(given.node) {
        return;
    }
    let Some(mut fields) = given.fields("what is expected here", faults) else { return };
    for key in known {
        fields.optional(key);
    }
    fields.finish(faults);
}

/// `{$contains: …}`
fn is_part(node: &Node) -> bool {
    matches!(&node.value, Yaml::Map(entries) if entries.len() == 1 && entries[0].key == CONTAINS)
}
