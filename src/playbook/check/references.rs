//! Whether what an expression refers to exists, and can have happened by then.

use std::collections::BTreeSet;

use super::{
    Checker, admission,
    delivered::{self, Members},
    names::{ContainerKind, Known, fold},
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
    pub within: &'r [Around<'r>],
    /// `item` is an element of its own `from`.
    pub item: bool,
}

/// A container around an action whose expressions are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'r> {
    pub id: &'r str,
    pub kind: ContainerKind,
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
        if self.at_the_door && !admission::is_delivered(reference) {
            let message = "a trigger's own expressions see only what it delivers".to_owned();
            let help = "they are evaluated before there is a run: use `trigger`, or `request` of a form or webhook";
            return Some(Refused::new(codes::BEFORE_THE_RUN, message, Some(help.to_owned())));
        }
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
                if reader.item || reader.within.iter().any(|around| around.kind == ContainerKind::ForEach) {
                    return None;
                }
                let message = "`item` is what a `for_each` is at, and this is in none".to_owned();
                Some(Refused::new(codes::OUTSIDE_LOOP, message, None))
            }
            Reference::Items { name, .. } => self.loop_around(name, &[ContainerKind::ForEach], reader),
            // The condition of an `until` sees how often its body ran.
            Reference::IterationIndexes(name) if fold(name) == fold(reader.id) && self.is_until(name) => None,
            Reference::IterationIndexes(name) => {
                self.loop_around(name, &[ContainerKind::ForEach, ContainerKind::Until], reader)
            }
            Reference::TriggerRecord | Reference::Workflow => None,
        }
    }

    fn trigger_field(&self, path: &[String]) -> Option<Refused> {
        let trigger = self.trigger?;
        let fields = delivered::fields(trigger)?;
        let mut at = "trigger".to_owned();
        let mut known = fields.as_slice();
        for (depth, part) in path.iter().enumerate() {
            let Some((name, members)) = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(part)) else {
                let names = || known.iter().map(|(name, _)| *name);
                let message = if depth == 0 {
                    format!("{} trigger delivers no `{part}`", with_article(trigger.kind()))
                } else {
                    format!("`{at}` has no `{part}`")
                };
                let listed = || names().collect::<Vec<_>>().join(", ");
                let help = did_you_mean(part, names()).or_else(|| match trigger {
                    _ if depth > 0 => Some(format!("it has {}", listed())),
                    Trigger::Mailbox(_) | Trigger::Manual => None,
                    _ => Some(format!("it delivers {}", listed())),
                });
                return Some(Refused::new(codes::UNKNOWN_FIELD, message, help));
            };
            at = format!("{at}.{name}");
            match members {
                Members::Free => return None,
                Members::Plain if depth + 1 == path.len() => return None,
                Members::Plain => {
                    return Some(Refused::new(codes::UNKNOWN_FIELD, format!("`{at}` has no members"), None));
                }
                Members::Named(members) => known = *members,
            }
        }
        None
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
            _ => {
                let message = format!("{} trigger comes without a request", with_article(trigger.kind()));
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
        if reader.within.iter().any(|container| fold(container.id) == fold(id)) {
            let message = format!("`{name}` is read from inside: it has not ended yet");
            return Some(Refused::new(codes::INSIDE_CONTAINER, message, None));
        }
        if reader.ended.contains(&fold(id)) {
            return self.loops_between(known, reader);
        }
        let message = format!("`{name}` cannot have run when `{me}` starts");
        let around = self.names.get(me).map_or(&[][..], |known| &known.within);
        let fork = known.within.iter().zip(around).find(|(a, b)| a.id == b.id && a.branch != b.branch);
        let help = if let Some((container, _)) = fork {
            format!("`{name}` is in the `{}` of `{}`, and only one branch runs", container.branch, container.id)
        } else if known.within.len() == around.len() {
            format!("let `{me}` wait for it: run_after: {{{name}: [succeeded]}}")
        } else {
            format!("only what `{me}`, or a container around it, waits for has run by then")
        };
        Some(Refused::new(codes::NOT_BEFORE, message, Some(help)))
    }

    /// From outside one `for_each` an action is the list of what it was in each iteration; deeper, it is refused.
    fn loops_between(&self, known: &Known<'_>, reader: &Reader<'_>) -> Option<Refused> {
        let around =
            |id: &str| reader.within.iter().any(|around| fold(around.id) == fold(id)) || fold(reader.id) == fold(id);
        let loops: Vec<&str> = known
            .within
            .iter()
            .filter(|within| within.kind == ContainerKind::ForEach && !around(within.id))
            .map(|within| within.id)
            .collect();
        if loops.len() < 2 {
            return None;
        }
        let message = format!("`{}` is inside of several loops: {}", known.id, loops.join(", "));
        let help = "from outside, only the actions of one `for_each` can be read; collect what is needed in a variable";
        Some(Refused::new(codes::NESTED_LOOPS, message, Some(help.to_owned())))
    }

    fn loop_around(&self, name: &str, kinds: &[ContainerKind], reader: &Reader<'_>) -> Option<Refused> {
        let loops = || reader.within.iter().filter(|around| kinds.contains(&around.kind)).map(|around| around.id);
        if loops().any(|known| fold(known) == fold(name)) || reader.item && fold(reader.id) == fold(name) {
            return None;
        }
        let message = format!("there is no loop `{name}` around this");
        Some(Refused::new(codes::OUTSIDE_LOOP, message, did_you_mean(name, loops())))
    }

    fn is_until(&self, id: &str) -> bool {
        self.names.get(id).is_some_and(|known| known.kind == Some(ContainerKind::Until))
    }

    fn container(&self, id: &str) -> Option<Refused> {
        let known = self.names.get(id)?;
        if known.kind.is_some() {
            return None;
        }
        let message = format!("`{}` holds no other actions", known.id);
        let help = Some("`result` gives what the actions inside a container came to".to_owned());
        Some(Refused::new(codes::UNKNOWN_REFERENCE, message, help))
    }
}

/// "a form", "an alert"
fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {kind}")
}

pub(super) fn unknown<'k>(
    name: &str,
    what: &str,
    code: Code,
    known: impl Iterator<Item = &'k str> + Clone,
) -> Option<Refused> {
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
