//! Whether what an expression refers to exists, and can have happened by then.

use std::collections::BTreeSet;

use super::{
    Checker,
    delivered::{self, Members},
    names::fold,
};
use crate::{
    diagnostic::{Code, codes, did_you_mean, nearest},
    expression::Reference,
    playbook::Trigger,
};

/// The action whose expressions are read, and what it can see.
pub(super) struct Reader<'r> {
    /// Its id as spelt.
    pub id: &'r str,
    /// The actions that have ended when it starts, in lower case.
    pub ended: &'r BTreeSet<String>,
    /// The containers around it, outermost first.
    pub within: &'r [&'r str],
}

/// What is wrong with a reference.
pub(super) struct Refused {
    pub code: Code,
    pub message: String,
    pub help: Option<String>,
}

impl Refused {
    fn new(code: Code, message: String, help: Option<String>) -> Self {
        Self { code, message, help }
    }
}

impl Checker<'_> {
    /// Follows one reference of `reader`.
    pub(super) fn refer(&self, reference: &Reference, reader: &Reader<'_>) -> Option<Refused> {
        match reference {
            Reference::Trigger { path } => self.trigger_field(path),
            Reference::TriggerOutputs { path } => match path.split_first() {
                Some((first, rest)) if first.eq_ignore_ascii_case("body") => self.trigger_field(rest),
                _ => None,
            },
            Reference::Request { path } => self.request(path),
            Reference::Action { id, .. } => self.action(id, reader),
            Reference::Result(id) => self.action(id, reader).or_else(|| self.container(id)),
            Reference::Variable(name) => {
                let known = self.variables.iter().map(|variable| variable.name.as_str());
                unknown(name, "variable", codes::UNKNOWN_VARIABLE, known)
            }
            Reference::Parameter(name) => {
                let known = self.parameters.iter().map(|parameter| parameter.name.as_str());
                unknown(name, "parameter", codes::UNKNOWN_PARAMETER, known)
            }
            Reference::Item { .. } => {
                let message = "`item` is what a loop is at, and this is in no loop".to_owned();
                Some(Refused::new(codes::OUTSIDE_LOOP, message, None))
            }
            Reference::Items { name, .. } | Reference::IterationIndexes(name) => {
                Some(Refused::new(codes::OUTSIDE_LOOP, format!("there is no loop `{name}` around this"), None))
            }
            Reference::TriggerRecord | Reference::Workflow => None,
        }
    }

    fn trigger_field(&self, path: &[String]) -> Option<Refused> {
        let (trigger, first) = (self.trigger?, path.first()?);
        let fields = delivered::fields(trigger)?;
        let Some((name, members)) = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(first)) else {
            let message = format!("a {} trigger delivers no `{first}`", trigger.kind());
            let known = || fields.iter().map(|(name, _)| *name);
            let help = did_you_mean(first, known()).or_else(|| match trigger {
                Trigger::Mailbox(_) | Trigger::Manual => None,
                Trigger::Form(_) | Trigger::Webhook(_) | Trigger::Schedule(_) => {
                    Some(format!("it delivers {}", known().collect::<Vec<_>>().join(", ")))
                }
            });
            return Some(Refused::new(codes::UNKNOWN_FIELD, message, help));
        };
        let second = path.get(1)?;
        match members {
            Members::Free => None,
            Members::Plain => {
                let message = format!("`trigger.{name}` has no members");
                Some(Refused::new(codes::UNKNOWN_FIELD, message, None))
            }
            Members::Named(known) if known.iter().any(|known| known.eq_ignore_ascii_case(second)) => None,
            Members::Named(known) => {
                let message = format!("`trigger.{name}` has no `{second}`");
                let help = did_you_mean(second, known.iter().copied())
                    .unwrap_or_else(|| format!("it has {}", known.join(", ")));
                Some(Refused::new(codes::UNKNOWN_FIELD, message, Some(help)))
            }
        }
    }

    fn request(&self, path: &[String]) -> Option<Refused> {
        let trigger = self.trigger?;
        match trigger {
            Trigger::Form(_) | Trigger::Webhook(_) => {
                let first = path.first()?;
                let known = delivered::REQUEST;
                if known.iter().any(|known| known.eq_ignore_ascii_case(first)) {
                    return None;
                }
                let help = did_you_mean(first, known.iter().copied())
                    .unwrap_or_else(|| format!("it has {}", known.join(", ")));
                Some(Refused::new(codes::UNKNOWN_FIELD, format!("`request` has no `{first}`"), Some(help)))
            }
            Trigger::Mailbox(_) | Trigger::Schedule(_) | Trigger::Manual => {
                let message = format!("a {} trigger comes without a request", trigger.kind());
                let help = Some("`request` is there for forms and webhooks".to_owned());
                Some(Refused::new(codes::NO_REQUEST, message, help))
            }
        }
    }

    fn action(&self, id: &str, reader: &Reader<'_>) -> Option<Refused> {
        let Some(known) = self.names.get(id) else {
            let help = did_you_mean(id, self.names.ids());
            return Some(Refused::new(codes::UNKNOWN_REFERENCE, format!("there is no action `{id}`"), help));
        };
        let (name, me) = (known.id, reader.id);
        if fold(id) == fold(me) {
            let message = format!("`{name}` refers to itself");
            return Some(Refused::new(codes::SELF_REFERENCE, message, None));
        }
        if reader.within.iter().any(|container| fold(container) == fold(id)) {
            let message = format!("`{name}` is read from inside: it has not ended yet");
            return Some(Refused::new(codes::INSIDE_CONTAINER, message, None));
        }
        if reader.ended.contains(&fold(id)) {
            return None;
        }
        let message = format!("`{name}` cannot have run when `{me}` starts");
        let around = self.names.get(me).map_or(&[][..], |known| &known.within);
        let fork = known.within.iter().zip(around).find(|((a, branch), (b, other))| a == b && branch != other);
        let help = if let Some(((container, branch), _)) = fork {
            format!("`{name}` is in the `{branch}` of `{container}`, and only one branch runs")
        } else if known.within.len() == around.len() {
            format!("let `{me}` wait for it: run_after: {{{name}: [succeeded]}}")
        } else {
            format!("only what `{me}`, or a container around it, waits for has run by then")
        };
        Some(Refused::new(codes::NOT_BEFORE, message, Some(help)))
    }

    fn container(&self, id: &str) -> Option<Refused> {
        let known = self.names.get(id)?;
        if known.is_container {
            return None;
        }
        let message = format!("`{}` holds no other actions", known.id);
        let help = Some("`result` gives what the actions inside a container came to".to_owned());
        Some(Refused::new(codes::UNKNOWN_REFERENCE, message, help))
    }
}

fn unknown<'k>(name: &str, what: &str, code: Code, known: impl Iterator<Item = &'k str> + Clone) -> Option<Refused> {
    if known.clone().any(|known| fold(known) == fold(name)) {
        return None;
    }
    let help = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.clone().next().is_none() => format!("the playbook has no {what}s"),
        None => format!("the {what}s are {}", known.collect::<Vec<_>>().join(", ")),
    };
    Some(Refused::new(code, format!("there is no {what} `{name}`"), Some(help)))
}
