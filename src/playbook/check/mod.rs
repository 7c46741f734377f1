//! From a draft to a playbook: every name is looked up, every expression compiled and every reference followed.

mod delivered;
mod inputs;
mod key;
mod names;
mod order;
mod references;
mod values;

use std::{collections::BTreeSet, ops::Range};

pub(super) use values::code;

use self::{names::Names, order::Plan, references::Reader};
use super::{
    Action, ActionKind, Admits, Parameter, Playbook, RunAfter, Trigger, Variable,
    read::{Body, Draft, Step},
    templates::Compiled,
};
use crate::diagnostic::{Diagnostic, Faults, codes};

/// What is known of the playbook whose expressions are checked.
struct Checker<'a> {
    faults: &'a mut Faults,
    templates: &'a Compiled,
    names: Names<'a>,
    trigger: Option<&'a Trigger>,
    parameters: &'a [Parameter],
    variables: &'a [Variable],
    /// Templates and partials that are used, directly or through others.
    reached: BTreeSet<String>,
    connections: Vec<Named>,
}

/// A connection that is named, to be looked up in a configuration.
pub(super) struct Named {
    pub name: String,
    pub span: Range<usize>,
    /// The kinds it may be of.
    pub kinds: &'static [&'static str],
}

/// A checked playbook and the templates it reaches.
pub(super) struct Checked {
    pub playbook: Playbook,
    pub reached: BTreeSet<String>,
    pub connections: Vec<Named>,
    /// Where things stand that are compared across files.
    pub places: Places,
}

/// Where things stand that faults across files point to.
pub(super) struct Places {
    pub name: Range<usize>,
    /// Of a form or webhook.
    pub path: Option<Range<usize>>,
    pub parameters: Vec<Range<usize>>,
}

/// The kinds of connection a mailbox trigger listens on.
const MAILBOXES: &[&str] = &["maildir", "imap"];
/// The kind of connection a webhook's senders sign by.
const WEBHOOKS: &[&str] = &["webhook"];

/// Checks a draft whose own faults are already in `faults`.
///
/// # Errors
/// Every fault, the draft's included, by position.
pub(super) fn check(draft: Draft<'_>, templates: &Compiled, mut faults: Faults) -> Result<Checked, Vec<Diagnostic>> {
    let (parameters, spans): (Vec<Parameter>, Vec<_>) = draft.parameters.into_iter().unzip();
    let names = Names::of(&draft.steps, &mut faults);
    let mut checker = Checker {
        faults: &mut faults,
        templates,
        names,
        trigger: draft.trigger.as_ref(),
        parameters: &parameters,
        variables: &draft.variables,
        reached: BTreeSet::new(),
        connections: Vec::new(),
    };
    let actions = checker.list(&draft.steps, &BTreeSet::new(), &[]);
    let key = draft.key.and_then(|given| checker.key(given));
    let Checker { reached, mut connections, .. } = checker;
    let listens = match &draft.trigger {
        Some(Trigger::Mailbox(mailbox)) => mailbox.connection.as_ref().map(|name| (name, MAILBOXES)),
        Some(Trigger::Webhook(webhook)) => match &webhook.admits {
            Admits::Signed { connection } => Some((connection, WEBHOOKS)),
            Admits::SignedUrl | Admits::Anybody => None,
        },
        Some(Trigger::Form(_) | Trigger::Schedule(_) | Trigger::Manual) | None => None,
    };
    if let (Some((name, kinds)), Some(span)) = (listens, draft.connection) {
        connections.push(Named { name: name.clone(), span, kinds });
    }
    let (Some((name, span)), Some(mut trigger), 0) = (draft.name, draft.trigger, faults.count()) else {
        return Err(faults.into_sorted());
    };
    if let Trigger::Webhook(webhook) = &mut trigger {
        webhook.key = key;
    }
    let playbook = Playbook {
        name: name.to_owned(),
        description: draft.description.map(str::to_owned),
        source: faults.source().clone(),
        parameters,
        variables: draft.variables,
        fallback: draft.fallback,
        trigger,
        actions,
    };
    let places = Places { name: span, path: draft.path, parameters: spans };
    Ok(Checked { playbook, reached, connections, places })
}

impl<'a> Checker<'a> {
    /// Checks a list of steps. `before` are the actions that have ended when its container starts, `within` the
    /// containers around it, outermost first.
    fn list(&mut self, steps: &[Step<'a>], before: &BTreeSet<String>, within: &[&str]) -> Vec<Action> {
        let plan = Plan::of(steps, &self.names, self.faults);
        let mut actions = Vec::with_capacity(steps.len());
        for (at, step) in steps.iter().enumerate() {
            let mut ended = before.clone();
            for earlier in &plan.before[at] {
                names::collect(&steps[*earlier], &mut ended);
            }
            actions.push(self.step(step, plan.run_after[at].clone(), &ended, within));
        }
        actions
    }

    fn step(&mut self, step: &Step<'a>, run_after: RunAfter, ended: &BTreeSet<String>, within: &[&str]) -> Action {
        let (id, span) = step.id.clone().unwrap_or_default();
        let reader = Reader { id, ended, within };
        let kind = match &step.body {
            Some(Body::If { condition, then, otherwise }) => {
                let tree = self.condition(*condition, &reader);
                let inner = [within, &[id]].concat();
                ActionKind::If {
                    condition: tree,
                    then: self.list(then, ended, &inner),
                    otherwise: self.list(otherwise, ended, &inner),
                }
            }
            Some(Body::Call { spec, with, span }) => {
                ActionKind::Call { action: spec.name, with: self.inputs(spec, *with, span.clone(), &reader) }
            }
            // What could not be read was reported; the action stands for its id only.
            None => ActionKind::Call { action: "", with: values::nothing() },
        };
        Action {
            id: id.to_owned(),
            span,
            run_after,
            timeout: step.timeout,
            retry: step.retry,
            secure_inputs: step.secure_inputs,
            secure_outputs: step.secure_outputs,
            description: step.description.map(str::to_owned),
            kind,
        }
    }

    /// The condition of an `if`: an expression, or true or false.
    fn condition(&mut self, given: crate::yaml::Given<'_>, reader: &Reader<'_>) -> crate::expression::Tree {
        use crate::{expression::Tree, yaml::Value};
        let tree = self.value(given.node, reader);
        match (&given.node.value, &tree) {
            (Value::Bool(_) | Value::Broken, _) | (_, Tree::Template(_)) => {}
            // A text that did not compile was reported.
            (Value::Text(_), Tree::Literal(value)) if value.is_null() => {}
            (Value::Text(_), _) => {
                let help = "write it like \"@equals(trigger.importance, 'high')\"".to_owned();
                self.faults.add_with(codes::WRONG_TYPE, given.span(), "`if` must be an expression", Some(help));
            }
            _ => given.wrong_type("an expression", self.faults),
        }
        tree
    }
}
