//! A plan: a checked playbook laid out flat, with everything a step would otherwise have to search for.

use std::{ops::Range, sync::Arc, time::Duration};

use serde_json::Value;

use crate::{
    action::{ActionType, InputShape},
    expression::Tree,
    playbook::{self, ActionKind, ActionStatus, Playbook, Retry, RunAfter, Terminate, UntilLimit},
};

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
    /// The playbook's own region first.
    pub(crate) regions: Vec<Region>,
    /// Ids in order, letter case ignored.
    by_name: Vec<(Arc<str>, Index)>,
}

/// One action.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: Arc<str>,
    /// The list it stands in.
    pub(crate) list: u32,
    pub(crate) region: u32,
    /// Its place among the actions of its region.
    pub(crate) place: u32,
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
    If {
        condition: Tree,
        then: u32,
        otherwise: u32,
    },
    Switch {
        on: Tree,
        cases: Vec<(Value, u32)>,
        default: u32,
    },
    Scope {
        list: u32,
    },
    ForEach {
        over: Tree,
        concurrency: u32,
        region: u32,
    },
    Until {
        condition: Tree,
        limit: UntilLimit,
        region: u32,
    },
    Terminate(Terminate),
    Call {
        action: &'static ActionType,
        with: Tree,
        /// The input that is evaluated for each element of `from`, by name.
        each: Option<(&'static str, Tree)>,
        /// The variable it changes.
        variable: Option<usize>,
        shape: InputShape,
    },
}

impl Kind {
    /// The lists inside that run at most once each time the action does, in file order; a loop has none.
    pub(crate) fn lists(&self) -> Vec<u32> {
        match self {
            Self::If { then, otherwise, .. } => vec![*then, *otherwise],
            Self::Switch { cases, default, .. } => cases.iter().map(|(_, list)| *list).chain([*default]).collect(),
            Self::Scope { list } => vec![*list],
            Self::ForEach { .. } | Self::Until { .. } | Self::Terminate(_) | Self::Call { .. } => Vec::new(),
        }
    }

    /// The region whose frames are a loop's iterations.
    pub(crate) fn body(&self) -> Option<u32> {
        match self {
            Self::ForEach { region, .. } | Self::Until { region, .. } => Some(*region),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::If { .. } => "If",
            Self::Switch { .. } => "Switch",
            Self::Scope { .. } => "Scope",
            Self::ForEach { .. } => "ForEach",
            Self::Until { .. } => "Until",
            Self::Terminate(_) => "Terminate",
            Self::Call { action, .. } => action.spec.name,
        })
    }
}

/// What runs together: the playbook outside of its loops, or the body of a loop outside of the loops in it. Each
/// iteration of the loop has one frame of it.
#[derive(Debug)]
pub(crate) struct Region {
    /// The loop; `None` for the playbook's own.
    pub(crate) owner: Option<Index>,
    /// The outermost list.
    pub(crate) list: u32,
    pub(crate) nodes: Vec<Index>,
    pub(crate) lists: Vec<u32>,
}

/// Actions that stand together: the playbook's own, or a branch.
#[derive(Debug)]
pub(crate) struct List {
    /// The container; `None` for the playbook's own list.
    pub(crate) owner: Option<Index>,
    /// Its place among the lists of its region.
    pub(crate) place: u32,
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
            regions: Vec::new(),
            by_name: Vec::new(),
        };
        let playbook = plan.playbook.clone();
        plan.region(None, &playbook.actions, actions)?;
        plan.by_name = plan.nodes.iter().zip(0..).map(|(node, index)| (node.id.clone(), index)).collect();
        plan.by_name.sort_by(|(a, _), (b, _)| fold(a).cmp(fold(b)));
        Ok(plan)
    }

    /// Lays out what one frame holds.
    fn region(
        &mut self,
        owner: Option<Index>,
        members: &[playbook::Action],
        actions: &'static [ActionType],
    ) -> Result<u32, UnknownAction> {
        let region = index(self.regions.len());
        self.regions.push(Region { owner, list: 0, nodes: Vec::new(), lists: Vec::new() });
        let list = self.list(region, owner, members, actions)?;
        self.regions[region as usize].list = list;
        Ok(region)
    }

    fn list(
        &mut self,
        region: u32,
        owner: Option<Index>,
        members: &[playbook::Action],
        actions: &'static [ActionType],
    ) -> Result<u32, UnknownAction> {
        let number = index(self.lists.len());
        let lists = &mut self.regions[region as usize].lists;
        let place = index(lists.len());
        lists.push(number);
        self.lists.push(List { owner, place, members: Vec::new(), starters: Vec::new(), leaves: Vec::new() });
        let mut indices = Vec::with_capacity(members.len());
        for member in members {
            indices.push(self.node(region, number, member, actions)?);
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
        self.lists[number as usize] = List { owner, place, members: indices, starters, leaves };
        Ok(number)
    }

    fn node(
        &mut self,
        region: u32,
        list: u32,
        action: &playbook::Action,
        actions: &'static [ActionType],
    ) -> Result<Index, UnknownAction> {
        let at = index(self.nodes.len());
        let nodes = &mut self.regions[region as usize].nodes;
        let place = index(nodes.len());
        nodes.push(at);
        self.nodes.push(Node {
            id: action.id.as_str().into(),
            list,
            region,
            place,
            subtree: at..at + 1,
            after: Vec::new(),
            dependents: Vec::new(),
            timeout: action.timeout,
            retry: action.retry,
            secure_inputs: action.secure_inputs,
            secure_outputs: action.secure_outputs,
            // What it holds is numbered after it.
            kind: Kind::Scope { list },
        });
        let kind = self.kind(region, at, action, actions)?;
        let end = index(self.nodes.len());
        let node = &mut self.nodes[at as usize];
        node.kind = kind;
        node.subtree.end = end;
        Ok(at)
    }

    fn kind(
        &mut self,
        region: u32,
        at: Index,
        action: &playbook::Action,
        actions: &'static [ActionType],
    ) -> Result<Kind, UnknownAction> {
        Ok(match &action.kind {
            ActionKind::If { condition, then, otherwise } => Kind::If {
                condition: condition.clone(),
                then: self.list(region, Some(at), then, actions)?,
                otherwise: self.list(region, Some(at), otherwise, actions)?,
            },
            ActionKind::Switch { on, cases, default } => {
                let mut numbered = Vec::with_capacity(cases.len());
                for (case, members) in cases {
                    numbered.push((case.clone(), self.list(region, Some(at), members, actions)?));
                }
                let default = self.list(region, Some(at), default, actions)?;
                Kind::Switch { on: on.clone(), cases: numbered, default }
            }
            ActionKind::Scope { actions: members } => {
                Kind::Scope { list: self.list(region, Some(at), members, actions)? }
            }
            ActionKind::ForEach { over, concurrency, actions: members } => Kind::ForEach {
                over: over.clone(),
                concurrency: *concurrency,
                region: self.region(Some(at), members, actions)?,
            },
            ActionKind::Until { condition, limit, actions: members } => Kind::Until {
                condition: condition.clone(),
                limit: limit.clone(),
                region: self.region(Some(at), members, actions)?,
            },
            ActionKind::Terminate(terminate) => Kind::Terminate(terminate.clone()),
            ActionKind::Call { action: name, with } => {
                let known = actions.iter().find(|known| known.spec.name == *name).ok_or_else(|| UnknownAction {
                    playbook: self.playbook.name.clone(),
                    id: action.id.clone(),
                    action: (*name).to_owned(),
                })?;
                let mut with = with.clone();
                let each = known.spec.per_item.map(|member| (member, take_member(&mut with, member)));
                let variable = if known.spec.variables.is_empty() { None } else { self.variable(&with) };
                Kind::Call { action: known, with, each, variable, shape: InputShape::of(&known.spec) }
            }
        })
    }

    /// The variable that `name:` names; the checker saw that it exists.
    fn variable(&self, with: &Tree) -> Option<usize> {
        let Tree::Object(members) = with else { return None };
        let (_, name) = members.iter().find(|(key, _)| key == "name")?;
        let Tree::Literal(Value::String(name)) = name else { return None };
        self.playbook.variables.iter().position(|variable| variable.name.eq_ignore_ascii_case(name))
    }

    /// The action of this id, ignoring case.
    pub(crate) fn find(&self, id: &str) -> Option<Index> {
        let place = self.by_name.binary_search_by(|(known, _)| fold(known).cmp(fold(id))).ok()?;
        self.by_name.get(place).map(|(_, index)| *index)
    }

    pub(crate) fn node_at(&self, index: Index) -> &Node {
        &self.nodes[index as usize]
    }
}

/// Takes a member out of an action's inputs; null where there is none.
fn take_member(with: &mut Tree, member: &str) -> Tree {
    if let Tree::Object(members) = with
        && let Some(at) = members.iter().position(|(key, _)| key == member)
    {
        return members.remove(at).1;
    }
    Tree::Literal(Value::Null)
}

/// The letters of an id in lower case; ids are ASCII.
fn fold(id: &str) -> impl Iterator<Item = u8> + '_ {
    id.bytes().map(|byte| byte.to_ascii_lowercase())
}

/// A place as a number; a playbook holds at most [`crate::limits::PLAYBOOK_ACTIONS`] actions.
fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
