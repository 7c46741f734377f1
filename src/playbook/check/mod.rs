//! From a draft to a playbook: every name is looked up, every expression compiled and every reference followed.

mod admission;
mod delivered;
mod inputs;
mod key;
mod names;
mod order;
mod references;
mod values;

use std::{collections::BTreeSet, ops::Range};

pub(super) use values::code;

use self::{
    names::{ContainerKind, Names},
    order::Plan,
    references::{Around, Reader},
};
use super::{
    Action, ActionKind, Admits, Parameter, Playbook, RunAfter, Terminate, Trigger, UntilLimit, Variable,
    read::{Body, Draft, Step},
    templates::Compiled,
};
use crate::{
    diagnostic::{Diagnostic, Faults, codes},
    expression::Tree,
    limits,
};

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
    /// The trigger's own expressions are checked, which see what it delivered and nothing else.
    at_the_door: bool,
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
        at_the_door: false,
    };
    let key = draft.key.and_then(|given| checker.key(given));
    let admission = checker.admission(&draft.admission);
    if admission.split_on.is_some() {
        // What actions see is an element, of which nothing is known.
        checker.trigger = None;
    }
    let actions = checker.list(&draft.steps, &BTreeSet::new(), &[]);
    let Checker { reached, mut connections, .. } = checker;
    let listens = match &draft.trigger {
        Some(Trigger::Mailbox(mailbox)) => mailbox.connection.as_ref().map(|name| (name, MAILBOXES)),
        Some(Trigger::Webhook(webhook)) => match &webhook.admits {
            Admits::Signed { connection } => Some((connection, WEBHOOKS)),
            Admits::SignedUrl | Admits::Anybody => None,
        },
        Some(Trigger::Form(_) | Trigger::Schedule(_) | Trigger::Incident(_) | Trigger::Alert(_) | Trigger::Manual)
        | None => None,
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
        admission,
        actions,
    };
    let places = Places { name: span, path: draft.path, parameters: spans };
    Ok(Checked { playbook, reached, connections, places })
}

impl<'a> Checker<'a> {
    /// Checks a list of steps. `before` are the actions that have ended when its container starts, `within` the
    /// containers around it, outermost first.
    fn list(&mut self, steps: &[Step<'a>], before: &BTreeSet<String>, within: &[Around<'_>]) -> Vec<Action> {
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

    fn step(
        &mut self,
        step: &Step<'a>,
        run_after: RunAfter,
        ended: &BTreeSet<String>,
        within: &[Around<'_>],
    ) -> Action {
        let (id, span) = step.id.clone().unwrap_or_default();
        let reader = Reader { id, ended, within, item: false };
        let kind = match &step.body {
            Some(body) => self.body(body, step, &reader),
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

    fn body(&mut self, body: &Body<'a>, step: &Step<'a>, reader: &Reader<'_>) -> ActionKind {
        let (id, ended) = (reader.id, reader.ended);
        let inner = [reader.within, &[Around { id, kind: ContainerKind::of(body) }]].concat();
        match body {
            Body::If { condition, then, otherwise } => ActionKind::If {
                condition: self.computed(*condition, "\"@equals(trigger.importance, 'high')\"", reader),
                then: self.list(then, ended, &inner),
                otherwise: self.list(otherwise, ended, &inner),
            },
            Body::Switch { on, cases, default } => ActionKind::Switch {
                on: self.computed(*on, "\"@trigger.importance\"", reader),
                cases: cases.iter().map(|(case, steps)| (case.clone(), self.list(steps, ended, &inner))).collect(),
                default: self.list(default, ended, &inner),
            },
            Body::ForEach { over, concurrency, steps } => ActionKind::ForEach {
                over: self.computed(*over, "\"@trigger.attachments\"", reader),
                // As in Logic Apps, a loop in a loop goes one by one unless it is told otherwise.
                concurrency: concurrency.unwrap_or_else(|| {
                    let nested = reader.within.iter().any(|around| around.kind == ContainerKind::ForEach);
                    if nested { 1 } else { limits::FOR_EACH_CONCURRENCY_DEFAULT }
                }),
                actions: self.list(steps, ended, &inner),
            },
            Body::Until { condition, limit, steps } => {
                // Its condition is looked at after the body.
                let mut after = ended.clone();
                names::inside(step, &mut after);
                let looking = Reader { ended: &after, ..*reader };
                ActionKind::Until {
                    condition: self.computed(*condition, "\"@equals(variables.done, true)\"", &looking),
                    limit: UntilLimit {
                        count: match limit.count {
                            Some(count) => self.value(count, reader),
                            None => Tree::Literal(limits::UNTIL_COUNT_DEFAULT.into()),
                        },
                        timeout: limit.timeout,
                        fails: limit.fails,
                    },
                    actions: self.list(steps, ended, &inner),
                }
            }
            Body::Scope { steps } => ActionKind::Scope { actions: self.list(steps, ended, &inner) },
            Body::Terminate { span, status, code, message } => {
                self.not_in_loop("terminate", span, reader);
                let mut value = |node: &Option<&crate::yaml::Node>| node.map(|node| self.value(node, reader));
                ActionKind::Terminate(Terminate { status: *status, code: value(code), message: value(message) })
            }
            Body::Call { spec, with, span } => {
                if !spec.in_loops {
                    self.not_in_loop(spec.name, span, reader);
                }
                if let Some(trigger) = self.trigger
                    && !spec.triggers.is_empty()
                    && !spec.triggers.contains(&trigger.kind())
                {
                    let needed = spec.triggers.join(" or ");
                    let message =
                        format!("`{}` needs a {needed} trigger, and this is a {} one", spec.name, trigger.kind());
                    self.faults.add(codes::NEEDS_TRIGGER, span.clone(), message);
                }
                ActionKind::Call { action: spec.name, with: self.inputs(spec, *with, span.clone(), reader) }
            }
        }
    }

    /// Logic Apps refuses some actions inside of loops, at any depth.
    fn not_in_loop(&mut self, what: &str, span: &Range<usize>, reader: &Reader<'_>) {
        let around = reader.within.iter().find(|around| around.kind != ContainerKind::Plain);
        if let Some(around) = around {
            let message = format!("`{what}` may not stand in a loop, and `{}` is one", around.id);
            self.faults.add(codes::NOT_IN_LOOPS, span.clone(), message);
        }
    }

    /// What a container goes by: an expression, or a value written out.
    fn computed(&mut self, given: crate::yaml::Given<'_>, example: &str, reader: &Reader<'_>) -> Tree {
        use crate::yaml::Value;
        let tree = self.value(given.node, reader);
        let fits = match given.key {
            "for_each" => matches!(given.node.value, Value::List(_)),
            "switch" => false,
            _ => matches!(given.node.value, Value::Bool(_)),
        };
        match (&given.node.value, &tree) {
            (Value::Broken, _) | (_, Tree::Template(_)) => {}
            // A text that did not compile was reported.
            (Value::Text(_), Tree::Literal(value)) if value.is_null() => {}
            (Value::Text(_), _) => {
                let message = format!("`{}` must be an expression", given.key);
                self.faults.add_with(
                    codes::WRONG_TYPE,
                    given.span(),
                    message,
                    Some(format!("write it like {example}")),
                );
            }
            _ if fits => {}
            _ => given.wrong_type("an expression", self.faults),
        }
        tree
    }
}
