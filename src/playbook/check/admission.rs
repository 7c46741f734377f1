//! The trigger's own expressions: they see what it delivered and nothing else, because there is no run yet.

use std::collections::BTreeSet;

use super::{Checker, references::Reader};
use crate::{
    diagnostic::codes,
    expression::{Reference, Tree},
    playbook::{Admission, Condition, read},
    yaml::Given,
};

impl<'a> Checker<'a> {
    /// Compiles what stands beside the trigger.
    pub(super) fn admission(&mut self, read: &read::Admission<'a>) -> Admission {
        self.at_the_door = true;
        let conditions = read.conditions.iter().map(|given| Condition {
            text: given.node.as_text().unwrap_or_default().to_owned(),
            expression: self.own(*given),
        });
        let conditions = conditions.collect();
        let split_on = read.split_on.map(|given| self.own(given));
        self.at_the_door = false;
        Admission { conditions, split_on, concurrency: read.concurrency }
    }

    /// One of the trigger's own expressions.
    fn own(&mut self, given: Given<'a>) -> Tree {
        let nothing = BTreeSet::new();
        let tree = self.value(given.node, &Reader { id: "trigger", ended: &nothing, within: &[], item: false });
        // A text that did not compile became null and was reported.
        if let Tree::Literal(serde_json::Value::String(_)) = &tree {
            let help = "write it like \"@equals(trigger.importance, 'high')\"".to_owned();
            let message = format!("`{}` must be an expression", given.key);
            self.faults.add_with(codes::WRONG_TYPE, given.span(), message, Some(help));
        }
        tree
    }
}

/// Whether a trigger's own expression may say this.
pub(super) fn is_delivered(reference: &Reference) -> bool {
    match reference {
        Reference::Trigger { .. }
        | Reference::TriggerOutputs { .. }
        | Reference::TriggerRecord
        | Reference::Request { .. } => true,
        Reference::Action { .. }
        | Reference::Result(_)
        | Reference::Variable(_)
        | Reference::Parameter(_)
        | Reference::Item { .. }
        | Reference::Items { .. }
        | Reference::IterationIndexes(_)
        | Reference::Workflow => false,
    }
}
