//! What a stranger wrote in a mail, in the address of a call.

use super::{
    flow::{Flow, Kind},
    scene::Scene,
};
use crate::{
    diagnostic::{Diagnostic, codes},
    expression::Reference,
    playbook::Trigger,
};

/// Fields of a mail that its sender does not choose, or not freely.
const HARMLESS: &[&str] = &["id", "receivedDateTime", "hasAttachments", "isHtml", "isRead", "importance"];
/// Functions whose result cannot change where an address leads.
const HARMLESS_AFTER: &[&str] = &["encodeUriComponent", "uriComponent", "int", "float", "ticks"];

pub(super) fn lint(scene: &Scene<'_>) -> Vec<Diagnostic> {
    if !matches!(scene.playbook.trigger, Trigger::Mailbox(_)) {
        return Vec::new();
    }
    let is_content = |path: &[String]| {
        path.first().is_none_or(|first| !HARMLESS.iter().any(|known| known.eq_ignore_ascii_case(first)))
    };
    let begins = |reference: &Reference| match reference {
        Reference::Trigger { path } => is_content(path),
        Reference::TriggerOutputs { path } => path.split_first().is_none_or(|(_, path)| is_content(path)),
        Reference::TriggerRecord => true,
        _ => false,
    };
    let flow = Flow::of(scene, Kind { begins: &begins, returned_by: &|_| false, ends: HARMLESS_AFTER });
    let mut found = Vec::new();
    for step in scene.steps.iter().filter(|step| step.call().is_some_and(|(action, _)| action == "http")) {
        for text in step.texts.iter().filter(|text| text.key == "url") {
            let Some(used) = flow.carried(scene, step, text) else { continue };
            let message =
                format!("{} comes from the mail, and decides where `{}` calls", text.written(used), step.action.id);
            let help = "write it under `queries`, or encodeUriComponent(…) around it; a whole address from a mail should \
                        be compared with a list of known hosts first";
            found.push(scene.warning(codes::MAIL_IN_URL, scene.place_of(text, used), message, help));
        }
    }
    found
}
