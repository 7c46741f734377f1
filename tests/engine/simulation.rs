//! The machine without a driver: the test decides what comes when.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use larum::{
    action::{Outcome, RunInfo},
    engine::{Command, Delivered, Earlier, Event, Input, Machine, Plan, Secrets, Step, journal},
    playbook::Playbook,
    secret::Vault,
    store::run::RunStatus,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{house, probe};

/// A plan of this playbook, with the probe among its actions.
pub fn plan(playbook: Playbook) -> Arc<Plan> {
    Arc::new(Plan::compile("version", Arc::new(playbook), Vec::new(), probe::actions()).unwrap())
}

pub fn delivered(seed: u8) -> Delivered {
    let info = RunInfo {
        run: Uuid::from_u128(1),
        effects: Uuid::from_u128(1),
        playbook: "report".into(),
        version: "version".into(),
        event: Uuid::from_u128(2),
        kind: "form".into(),
        summary: "a report".into(),
        resembles: None,
        outputs: Arc::new(json!({"headers": {}, "body": {"what": "stranger"}})),
    };
    Delivered {
        info: Arc::new(info),
        at: house::start(),
        seed: [seed; 32],
        secrets: Arc::new(Secrets::default()),
        earlier: Default::default(),
    }
}

/// An effect the machine waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub step: Step,
    pub attempt: u32,
    pub input: Arc<Value>,
    pub journalled: Input,
    pub started: bool,
}

/// What may happen next.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    Start(Step, u32),
    Finish(Step, u32),
    Wake(u64),
    Signal(Step),
    Call(Step),
    Return(Step),
    Reply,
}

/// A machine, what was journalled and what it asked for.
pub struct Simulation {
    pub machine: Machine,
    pub journal: Vec<Vec<u8>>,
    pub commands: Vec<Command>,
    pub wanted: Vec<Wanted>,
    pub timers: BTreeMap<u64, DateTime<Utc>>,
    pub awaits: Vec<Step>,
    /// Children, and whether the wish is journalled.
    pub calls: Vec<(Step, Input, bool)>,
    pub replies: bool,
    pub end: Option<(RunStatus, Option<Value>)>,
    now: DateTime<Utc>,
}

impl Simulation {
    pub fn start(plan: &Arc<Plan>, seed: u8) -> Self {
        Self::start_from(plan, seed, &Arc::default())
    }

    /// A run that keeps something of an earlier one.
    pub fn start_from(plan: &Arc<Plan>, seed: u8, earlier: &Arc<Earlier>) -> Self {
        let delivered = Delivered { earlier: earlier.clone(), ..delivered(seed) };
        let (machine, commands) = Machine::start(plan.clone(), delivered);
        let mut simulation = Self {
            machine,
            journal: Vec::new(),
            commands: Vec::new(),
            wanted: Vec::new(),
            timers: BTreeMap::new(),
            awaits: Vec::new(),
            calls: Vec::new(),
            replies: false,
            end: None,
            now: house::start(),
        };
        simulation.take(commands);
        simulation
    }

    /// What a new process makes of a journal.
    pub fn replay(plan: &Arc<Plan>, seed: u8, journal: &[Vec<u8>]) -> Self {
        Self::replay_from(plan, seed, &Arc::default(), journal)
    }

    /// The same of a run that keeps something of an earlier one.
    pub fn replay_from(plan: &Arc<Plan>, seed: u8, earlier: &Arc<Earlier>, journal: &[Vec<u8>]) -> Self {
        let mut simulation = Self::start_from(plan, seed, earlier);
        journal.iter().for_each(|bytes| simulation.absorb(bytes.clone()));
        simulation
    }

    fn take(&mut self, commands: Vec<Command>) {
        for command in commands {
            self.commands.push(command.clone());
            match command {
                Command::Perform { step, attempt, input, journalled, .. } => {
                    self.wanted.push(Wanted { step, attempt, input, journalled, started: false });
                }
                Command::Drop { step, attempt } => {
                    self.wanted.retain(|wanted| wanted.step != step || wanted.attempt != attempt);
                    self.awaits.retain(|awaited| *awaited != step);
                    self.calls.retain(|(called, ..)| *called != step);
                }
                Command::Await { step } => self.awaits.push(step),
                Command::Call { step, journalled, .. } => self.calls.push((step, journalled, false)),
                Command::Reply { .. } => self.replies = true,
                Command::Sleep { timer, until } => assert!(self.timers.insert(timer, until).is_none()),
                Command::Unsleep { timer } => assert!(self.timers.remove(&timer).is_some()),
                Command::Finish { status, error } => {
                    assert!(self.end.replace((status, error)).is_none(), "a run ends once");
                }
            }
        }
        while self.machine.is_paused() {
            let more = self.machine.go_on();
            self.take(more);
        }
    }

    fn absorb(&mut self, bytes: Vec<u8>) {
        let event = journal::decode(&bytes, &Vault::ephemeral("key"), Uuid::from_u128(1)).unwrap();
        self.journal.push(bytes);
        self.now = self.now.max(event.at());
        match &event {
            Event::Started { step, attempt, .. } => {
                for wanted in &mut self.wanted {
                    wanted.started |= wanted.step == *step && wanted.attempt == *attempt;
                }
                for (called, _, begun) in &mut self.calls {
                    *begun |= called == step;
                }
            }
            Event::Finished { step, attempt, .. } => {
                self.wanted.retain(|wanted| wanted.step != *step || wanted.attempt != *attempt);
            }
            Event::Woke { timer, .. } => {
                self.timers.remove(timer);
            }
            Event::Signalled { step, .. } => self.awaits.retain(|awaited| awaited != step),
            Event::Returned { step, .. } => self.calls.retain(|(called, ..)| called != step),
            Event::Replied { .. } => self.replies = false,
            Event::Cancelled { .. } => {}
        }
        let commands = self.machine.apply(event);
        self.take(commands);
    }

    /// Journals an event and applies it.
    pub fn happens(&mut self, event: &Event) {
        self.absorb(journal::encode(event, None).unwrap());
    }

    pub fn later(&mut self) -> DateTime<Utc> {
        self.now += Duration::milliseconds(1);
        self.now
    }

    /// What may happen next: effects begin and land in any order, timers fire in the order of their times.
    pub fn choices(&self) -> Vec<Choice> {
        let effects = self.wanted.iter().filter_map(|wanted| {
            let (step, attempt) = (wanted.step.clone(), wanted.attempt);
            match self.answer(wanted) {
                _ if !wanted.started => Some(Choice::Start(step, attempt)),
                Some(_) => Some(Choice::Finish(step, attempt)),
                None => None,
            }
        });
        let first = self.timers.iter().min_by_key(|(timer, until)| (**until, **timer));
        let signals = self.awaits.iter().cloned().map(Choice::Signal);
        let calls = self.calls.iter().map(|(step, _, begun)| match begun {
            true => Choice::Return(step.clone()),
            false => Choice::Call(step.clone()),
        });
        let reply = self.replies.then_some(Choice::Reply);
        effects.chain(signals).chain(calls).chain(reply).chain(first.map(|(timer, _)| Choice::Wake(*timer))).collect()
    }

    pub fn choose(&mut self, choice: &Choice) {
        let at = self.later();
        let event = match choice {
            Choice::Wake(timer) => Event::Woke { timer: *timer, at: at.max(self.timers[timer]) },
            Choice::Signal(step) => Event::Signalled { step: step.clone(), payload: json!({"choice": "yes"}), at },
            Choice::Call(step) => {
                let (_, input, _) = self.calls.iter().find(|(called, ..)| called == step).unwrap();
                Event::Started { step: step.clone(), attempt: 1, at, input: input.clone() }
            }
            Choice::Return(step) => Event::Returned { step: step.clone(), outcome: probe::outcome(&json!(1)), at },
            Choice::Reply => Event::Replied { at },
            Choice::Start(step, attempt) => {
                let (step, attempt, input) = (step.clone(), *attempt, self.find(step, *attempt).journalled.clone());
                Event::Started { step, attempt, at, input }
            }
            Choice::Finish(step, attempt) => {
                let outcome = self.answer(self.find(step, *attempt)).unwrap();
                Event::Finished { step: step.clone(), attempt: *attempt, at, outcome }
            }
        };
        self.happens(&event);
    }

    fn find(&self, step: &Step, attempt: u32) -> &Wanted {
        self.wanted.iter().find(|wanted| wanted.step == *step && wanted.attempt == attempt).unwrap()
    }

    /// Lets everything happen in order, timers only when nothing else can.
    pub fn run(&mut self) -> RunStatus {
        while self.end.is_none() {
            let choice = self.choices().into_iter().next().expect("something to do or an end");
            self.choose(&choice);
        }
        self.end.as_ref().map(|(status, _)| *status).unwrap()
    }

    /// What an effect will answer; `None` when it hangs.
    fn answer(&self, wanted: &Wanted) -> Option<Outcome> {
        let answers = wanted.input["answers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let answer = answers.get(wanted.attempt as usize - 1).or(answers.last()).cloned().unwrap_or_default();
        (answer != "hang").then(|| probe::outcome(&answer))
    }
}
