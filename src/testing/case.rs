//! A test file, read: cases with what they give, answer and expect.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use serde_json::Value;

use super::play::Play;
use crate::{action::Outcome, diagnostic::Source, engine::Step, yaml::Node};

/// The cases of one test file.
#[derive(Debug)]
pub struct Suite {
    /// The test file.
    pub source: Source,
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    /// Where its name stands in the file.
    pub span: Range<usize>,
    pub(super) play: Play,
    pub(super) expect: Expect,
}

/// What the outside answers, by action or step, for each attempt.
#[derive(Debug, Default)]
pub(super) struct Answers(pub(super) BTreeMap<String, Vec<Answer>>);

/// One answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// How long it takes.
    pub(super) after: Duration,
    pub(super) says: Says,
}

/// What an answer says.
#[derive(Debug, Clone)]
pub(super) enum Says {
    /// What the effect would come to in a world where everything goes well.
    Well,
    /// The effect comes to this.
    Outcome(Box<Outcome>),
    /// The question is sent, and somebody gives this answer.
    Chosen(Value),
    /// Nothing ever comes.
    Nothing,
}

impl Answers {
    /// Those for a step: its own, or those of the action in every iteration.
    pub(super) fn of(&self, step: &Step) -> &[Answer] {
        let own = self.0.get(&step.to_string()).or_else(|| self.0.get(&*step.action));
        own.map(Vec::as_slice).unwrap_or_default()
    }

    /// The one for an attempt, from 1; the last one counts for all further attempts.
    pub(super) fn attempt(&self, step: &Step, attempt: u32) -> Option<&Answer> {
        let answers = self.of(step);
        answers.get((attempt as usize).saturating_sub(1)).or(answers.last())
    }

    /// What somebody answers to a question, and after how long.
    pub(super) fn chosen(&self, step: &Step) -> Option<(&Value, Duration)> {
        self.of(step).iter().find_map(|answer| match &answer.says {
            Says::Chosen(payload) => Some((payload, answer.after)),
            _ => None,
        })
    }
}

/// What must come of a run. Only what is written is compared.
#[derive(Debug)]
pub(super) struct Expect {
    /// `actions` names every action, a status alone stands for its usual code, and objects have no further members.
    pub(super) exactly: bool,
    /// In the order of the file.
    pub(super) sections: Vec<Section>,
}

/// One key of `expect:` with its value.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) kind: SectionKind,
    pub(super) span: Range<usize>,
    pub(super) node: Node,
}

/// The keys of `expect:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SectionKind {
    Status,
    Code,
    Message,
    Because,
    Lasts,
    Actions,
    Errors,
    Attempts,
    Inputs,
    Outputs,
    Variables,
    Incidents,
    Mails,
    Calls,
    Children,
    Reply,
}

impl SectionKind {
    pub(super) const ALL: &'static [(&'static str, Self)] = &[
        ("status", Self::Status),
        ("code", Self::Code),
        ("message", Self::Message),
        ("because", Self::Because),
        ("lasts", Self::Lasts),
        ("actions", Self::Actions),
        ("errors", Self::Errors),
        ("attempts", Self::Attempts),
        ("inputs", Self::Inputs),
        ("outputs", Self::Outputs),
        ("variables", Self::Variables),
        ("incidents", Self::Incidents),
        ("mails", Self::Mails),
        ("calls", Self::Calls),
        ("children", Self::Children),
        ("reply", Self::Reply),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}
