//! A plan: a checked playbook laid out flat, with everything a step would otherwise have to search for.

use std::{ops::Range, sync::Arc, time::Duration};

use serde_json::Value;

use crate::{
    action::{ActionType, InputShape},
    expression::Tree,
    playbook::{self, ActionKind, ActionStatus, Playbook, Retry, RunAfter},
};

use super::Step;

/// The place of an action in its plan. Actions are numbered as they stand in the file, a container before what it holds.
pub(crate) type Index = u32;

/// What a run follows: a playbook version with its parameter values.
#[derive(Debug)]
pub struct Plan {
    pub version: String,
    pub playbook: Arc<Playbook>,
    /// Values of parameters that are not secret, by name.
    pub(crate) parameters: Vec<(String, Value)>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) lists: Vec<List>,
    /// Ids in order, letter case ignored.
    by_name: Vec<(Arc<str>, Index)>,
}

/// One action.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: Arc<str>,
    /// The list it stands in.
    pub(crate) list: u32,
    /// Itself and everything inside it.
    pub(crate) subtree: Range<Index>,
    /// Siblings it waits for, with the statuses it accepts.
    pub(crate) after: Vec<(Index, Vec<ActionStatus>)>,
    /// Siblings that wait for it.
    pub(crate) dependents: Vec<Index>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: Retry,
    pub(crate) secure_inputs: bool,
    pub(crate) secure_outputs: bool,
    pub(crate) kind: Kind,
}

/// What an action does.
pub(crate) enum Kind {
    If { condition: Tree, then: u32, otherwise: u32 },
    Call { action: &'static ActionType, with: Tree, shape: InputShape },
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::If { .. } => "If",
            Self::Call { action, .. } => action.spec.name,
        })
    }
}

/// Actions that stand together: the playbook's own, or a branch.
#[derive(Debug)]
pub(crate) struct List {
    /// The container; `None` for the playbook's own list.
    pub(crate) owner: Option<Index>,
    pub(crate) members: Vec<Index>,
    /// Members that start with the container.
    pub(crate) starters: Vec<Index>,
    /// Members nobody waits for: they decide the status.
    pub(crate) leaves: Vec<Index>,
}

/// A playbook names an action that this program does not have: it was made for another version of Larum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("playbook '{playbook}' uses the action '{action}' in '{id}', which this Larum does not have")]
pub struct UnknownAction {
    pub playbook: String,
    pub id: String,
    pub action: String,
}

impl Plan {
    /// Lays a playbook out. `parameters` are its plain values by name, defaults included; secret ones are read when a run
    /// is driven. `actions` is the table its actions are looked up in.
    ///
    /// # Errors
    /// When the table lacks an action.
    pub fn compile(
        version: impl Into<String>,
        playbook: Arc<Playbook>,
        parameters: Vec<(String, Value)>,
        actions: &'static [ActionType],
    ) -> Result<Self, UnknownAction> {
        let mut plan = Self {
            version: version.into(),
            playbook,
            parameters,
            nodes: Vec::new(),
            lists: Vec::new(),
            by_name: Vec::new(),
        };
        let playbook = plan.playbook.clone();
        plan.list(None, &playbook.actions, actions)?;
        plan.by_name = plan.nodes.iter().zip(0..).map(|(node, index)| (node.id.clone(), index)).collect();
        plan.by_name.sort_by(|(a, _), (b, _)| fold(a).cmp(fold(b)));
        Ok(plan)
    }

    fn list(
        &mut self,
        owner: Option<Index>,
        members: &[playbook::Action],
        actions: &'static [ActionType],
    ) -> Result<u32, UnknownAction> {
        let number = index(self.lists.len());
        self.lists.push(List { owner, members: Vec::new(), starters: Vec::new(), leaves: Vec::new() });
        let mut indices = Vec::with_capacity(members.len());
        for member in members {
            indices.push(self.node(number, member, actions)?);
        }
        for (member, &at) in members.iter().zip(&indices) {
            if let RunAfter::After(siblings) = &member.run_after {
                for (sibling, statuses) in siblings {
                    let Some(&sibling) = indices.get(*sibling) else { continue };
                    self.nodes[at as usize].after.push((sibling, statuses.clone()));
                    self.nodes[sibling as usize].dependents.push(at);
                }
            }
        }
        let having = |which: fn(&Node) -> bool| {
            indices.iter().copied().filter(|&at| which(&self.nodes[at as usize])).collect::<Vec<_>>()
        };
        let starters = having(|node| node.after.is_empty());
        let leaves = having(|node| node.dependents.is_empty());
        self.lists[number as usize] = List { owner, members: indices, starters, leaves };
        Ok(number)
    }

    fn node(
        &mut self,
        list: u32,
        action: &playbook::Action,
        actions: &'static [ActionType],
    ) -> Result<Index, UnknownAction> {
        let at = index(self.nodes.len());
        let kind = match &action.kind {
            // The lists of a container are numbered below, once its own place is taken.
            ActionKind::If { condition, .. } => Kind::If { condition: condition.clone(), then: 0, otherwise: 0 },
            ActionKind::Call { action: name, with } => {
                let known = actions.iter().find(|known| known.spec.name == *name).ok_or_else(|| UnknownAction {
                    playbook: self.playbook.name.clone(),
                    id: action.id.clone(),
                    action: (*name).to_owned(),
                })?;
                Kind::Call { action: known, with: with.clone(), shape: InputShape::of(&known.spec) }
            }
        };
        self.nodes.push(Node {
            id: action.id.as_str().into(),
            list,
            subtree: at..at + 1,
            after: Vec::new(),
            dependents: Vec::new(),
            timeout: action.timeout,
            retry: action.retry,
            secure_inputs: action.secure_inputs,
            secure_outputs: action.secure_outputs,
            kind,
        });
        if let ActionKind::If { then: yes, otherwise: no, .. } = &action.kind {
            let yes = self.list(Some(at), yes, actions)?;
            let no = self.list(Some(at), no, actions)?;
            if let Kind::If { then, otherwise, .. } = &mut self.nodes[at as usize].kind {
                (*then, *otherwise) = (yes, no);
            }
        }
        self.nodes[at as usize].subtree.end = index(self.nodes.len());
        Ok(at)
    }

    /// The action of this id, ignoring case.
    pub(crate) fn find(&self, id: &str) -> Option<Index> {
        let place = self.by_name.binary_search_by(|(known, _)| fold(known).cmp(fold(id))).ok()?;
        self.by_name.get(place).map(|(_, index)| *index)
    }

    pub(crate) fn node_at(&self, index: Index) -> &Node {
        &self.nodes[index as usize]
    }

    /// The step of an action outside of loops.
    pub(crate) fn step(&self, index: Index) -> Step {
        Step { action: self.node_at(index).id.clone(), iterations: Vec::new() }
    }
}

/// The letters of an id in lower case; ids are ASCII.
fn fold(id: &str) -> impl Iterator<Item = u8> + '_ {
    id.bytes().map(|byte| byte.to_ascii_lowercase())
}

/// A place as a number; a playbook holds at most [`crate::limits::PLAYBOOK_ACTIONS`] actions.
fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
