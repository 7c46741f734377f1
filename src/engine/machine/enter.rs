//! An action's turn: it runs, or is skipped.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Machine, Reply,
    reason::{self, Cause, Why},
    sight::Sight,
    state::{Ending, Kept, Phase, Place, Purpose},
};
use crate::{
    action::{ActionType, ErrorInfo, InputShape, Nature, Outcome},
    engine::{
        event::{Command, Input},
        plan::{Kind, Plan},
        secrets::without_credentials,
    },
    expression::{Key, Tree},
    limits,
    playbook::{ActionStatus, Terminate, TerminateStatus},
    redaction::{TooMuchDerived, whatever_the_secrets},
    store::run::RunStatus,
};

/// An action whose turn came either goes on by itself or ends at once.
type Turn = Result<(), Box<Ending>>;

impl Machine {
    pub(super) fn enter(&mut self, plan: &Plan, at: Place, out: &mut Vec<Command>) {
        let node = plan.node_at(at.index);
        let unmet = |(predecessor, accepted): &(u32, Vec<ActionStatus>)| {
            let status = self.slot(plan, Place { index: *predecessor, ..at }).status;
            status.is_some_and(|actual| !accepted.contains(&actual))
        };
        if node.after.iter().any(unmet) {
            self.skip_inside(plan, at, out);
            return self.end(plan, at, Ending::why(ActionStatus::Skipped, Why::RunAfter), out);
        }
        self.slot_mut(plan, at).started = Some(self.now);
        let turn = match &node.kind {
            Kind::If { condition, then, otherwise } => self.choose(plan, at, condition, (*then, *otherwise), out),
            Kind::Switch { on, cases, default } => self.switch(plan, at, on, (cases, *default), out),
            Kind::Scope { list } => {
                self.open(plan, at, *list, out);
                Ok(())
            }
            Kind::ForEach { over, .. } => self.begin_for_each(plan, at, over, out),
            Kind::Until { limit, .. } => self.begin_until(plan, at, limit, out),
            Kind::Terminate(terminate) => self.terminate(plan, at, terminate, out),
            Kind::Call { action, with, each, variable, shape } => {
                self.call(plan, at, (action, with, each.as_ref(), *variable, shape), out)
            }
        };
        if let Err(ending) = turn {
            self.skip_inside(plan, at, out);
            self.end(plan, at, *ending, out);
        }
    }

    /// What an expression of the action gives; the action fails where it has no value.
    pub(super) fn evaluate(
        &mut self,
        plan: &Plan,
        at: Place,
        key: &'static str,
        tree: &Tree,
    ) -> Result<Value, Box<Ending>> {
        self.value(plan, at, key, tree)
            .map_err(|fault| Box::new(Ending::failed("BadRequest", reason::no_value(plan.node_at(at.index), &fault))))
    }

    // --- containers ---

    fn choose(
        &mut self,
        plan: &Plan,
        at: Place,
        condition: &Tree,
        (then, otherwise): (u32, u32),
        out: &mut Vec<Command>,
    ) -> Turn {
        if let Some(chosen) = self.branch_taken(plan, at) {
            self.branch(plan, at, chosen, true, out);
            return Ok(());
        }
        let chosen = match self.evaluate(plan, at, "if", condition)? {
            Value::Bool(true) => then,
            Value::Bool(false) => otherwise,
            value => return Err(self.wrong_type(plan, at, "condition", &value, "Boolean")),
        };
        self.branch(plan, at, chosen, !self.failed, out);
        Ok(())
    }

    /// A switch is strict: a number never matches text, and neither is compared with anything else.
    fn switch(
        &mut self,
        plan: &Plan,
        at: Place,
        on: &Tree,
        (cases, default): (&[(Value, u32)], u32),
        out: &mut Vec<Command>,
    ) -> Turn {
        if let Some(chosen) = self.branch_taken(plan, at) {
            self.branch(plan, at, chosen, true, out);
            return Ok(());
        }
        let value = self.evaluate(plan, at, "switch", on)?;
        let is_integer = value.is_i64() || value.is_u64();
        let expected = match cases.first() {
            Some((case, _)) if case.is_string() && !value.is_string() => Some("String"),
            Some((case, _)) if !case.is_string() && !is_integer => Some("Integer"),
            _ if value.is_string() || is_integer => None,
            _ => Some("String, Integer"),
        };
        // Nothing at all is the same fault for every switch, in Logic Apps' words.
        let expected = if value.is_null() { Some("String, Integer") } else { expected };
        if let Some(expected) = expected {
            return Err(self.wrong_type(plan, at, "expression", &value, expected));
        }
        let chosen = cases.iter().find(|(case, _)| *case == value).map_or(default, |(_, list)| *list);
        self.branch(plan, at, chosen, !self.failed, out);
        Ok(())
    }

    pub(super) fn wrong_type(&self, plan: &Plan, at: Place, what: &str, value: &Value, expected: &str) -> Box<Ending> {
        let id = &plan.node_at(at.index).id;
        Box::new(Ending::failed("BadRequest", reason::wrong_type(id, what, value, expected)))
    }

    /// Opens the list that was chosen and skips the others; `early` when nothing that failed can have decided it.
    fn branch(&mut self, plan: &Plan, at: Place, chosen: u32, early: bool, out: &mut Vec<Command>) {
        self.slot_mut(plan, at).early = early;
        for other in plan.node_at(at.index).kind.lists().into_iter().filter(|&list| list != chosen) {
            for &member in &plan.lists[other as usize].members {
                let region = plan.node_at(member).region;
                for index in plan.node_at(member).subtree.clone() {
                    if plan.node_at(index).region == region {
                        let ending = Ending::why(ActionStatus::Skipped, Why::BranchNotTaken);
                        self.close(plan, Place { index, ..at }, ending, out);
                    }
                }
            }
        }
        self.open(plan, at, chosen, out);
    }

    fn open(&mut self, plan: &Plan, at: Place, list: u32, out: &mut Vec<Command>) {
        self.slot_mut(plan, at).phase = Phase::Running;
        if self.begin_list(plan, at.frame, list) {
            self.start_timeout(plan, at, out);
        } else {
            self.end(plan, at, Ending::succeeded("OK"), out);
        }
    }

    fn terminate(&mut self, plan: &Plan, at: Place, terminate: &Terminate, out: &mut Vec<Command>) -> Turn {
        let mut text = |key, tree: &Option<Tree>| -> Result<Option<String>, Box<Ending>> {
            let Some(tree) = tree else { return Ok(None) };
            Ok(match self.evaluate(plan, at, key, tree)? {
                Value::Null => None,
                Value::String(text) => Some(text),
                other => Some(other.to_string()),
            })
        };
        let (code, message) =
            (text("terminate.code", &terminate.code)?, text("terminate.message", &terminate.message)?);
        let (status, error) = match terminate.status {
            TerminateStatus::Succeeded => (RunStatus::Succeeded, None),
            TerminateStatus::Cancelled => (RunStatus::Cancelled, None),
            TerminateStatus::Failed => {
                let code = code.unwrap_or_else(|| "Terminated".to_owned());
                let message = message.unwrap_or_else(|| {
                    format!("The run was terminated by the action '{}'.", plan.node_at(at.index).id)
                });
                let (code, message) =
                    (self.trigger.secrets.redact_text(&code), self.trigger.secrets.redact_text(&message));
                (RunStatus::Failed, Some(reason::run_error(&code, &message)))
            }
        };
        self.close(plan, at, Ending::succeeded("NotSpecified"), out);
        self.stop(plan, status, error, Cause::RunTerminated, out);
        Ok(())
    }

    // --- actions ---

    fn call(
        &mut self,
        plan: &Plan,
        at: Place,
        (action, with, each, variable, shape): Called<'_>,
        out: &mut Vec<Command>,
    ) -> Turn {
        if self.take_over(plan, at, action, out) {
            return Ok(());
        }
        let id = &plan.node_at(at.index).id;
        let input = self.evaluate(plan, at, "with", with)?;
        if plan.node_at(at.index).secure_inputs {
            self.learn(with, &input).map_err(|fault| too_much(id, fault))?;
        }
        let input =
            shape.shape(input).map_err(|key| Box::new(Ending::failed("BadRequest", reason::missing_input(id, key))))?;
        let input = Arc::new(input);
        self.slot_mut(plan, at).input = Some(Kept::Whole(input.clone()));
        let outcome = match action.nature {
            Nature::Pure(run) => self.followed(plan, at, &[&input], |given| run(given[0]))?,
            Nature::Clocked(run) => self.followed(plan, at, &[&input], |given| run(given[0], self.now))?,
            Nature::PerItem(run) => {
                let values = self.for_each_element(plan, at, &input, each)?;
                match self.trigger.secrets.tracked() {
                    None => run(&input, values),
                    Some(_) => self.followed(plan, at, &[&input, &Value::Array(values)], |given| {
                        run(given[0], given[1].as_array().cloned().unwrap_or_default())
                    })?,
                }
            }
            Nature::Variable(change) => {
                let ending = self.change(plan, variable, change, &input);
                self.end(plan, at, ending, out);
                return Ok(());
            }
            Nature::Delay(until) => match until(&input, self.now) {
                Ok(until) if until > self.now => {
                    self.slot_mut(plan, at).phase = Phase::Waiting;
                    let timer = self.sleep(at, Purpose::Delay, until, out);
                    self.slot_mut(plan, at).work().timer = Some(timer);
                    self.start_timeout(plan, at, out);
                    return Ok(());
                }
                Ok(_) => {
                    self.end(plan, at, Ending::succeeded("OK"), out);
                    return Ok(());
                }
                Err(outcome) => *outcome,
            },
            Nature::Reply(respond) => match respond(&input) {
                Ok(response) => return self.answer(plan, at, response, out),
                Err(outcome) => *outcome,
            },
            Nature::Child(read) => match read(&input) {
                Ok(child) => {
                    let journalled = self.journalled(&input);
                    let slot = self.slot_mut(plan, at);
                    slot.phase = Phase::Running;
                    slot.work().attempt = 1;
                    slot.work().journalled = Some(journalled.clone());
                    self.start_timeout(plan, at, out);
                    self.wait_at_most(plan, at, out);
                    out.push(Command::Call { step: self.step(plan, at), child, journalled });
                    return Ok(());
                }
                Err(outcome) => *outcome,
            },
            Nature::Effect(_) | Nature::Approval { .. } => {
                let journalled = self.journalled(&input);
                self.slot_mut(plan, at).work().journalled = Some(journalled);
                self.start_timeout(plan, at, out);
                self.perform(plan, at, out);
                return Ok(());
            }
        };
        self.end(plan, at, super::hear::ending(outcome), out);
        Ok(())
    }

    /// What an action makes of what it is given, secrets in it kept track of.
    fn followed(
        &self,
        plan: &Plan,
        at: Place,
        given: &[&Value],
        run: impl Fn(&[&Value]) -> Outcome,
    ) -> Result<Outcome, Box<Ending>> {
        let outcome = run(given);
        if let (Some(tracked), Some(outputs)) = (self.trigger.secrets.tracked(), &outcome.outputs) {
            let again = |given: Vec<Value>| {
                let given: Vec<&Value> = given.iter().collect();
                run(&given).outputs.map(|outputs| (*outputs).clone())
            };
            let id = &plan.node_at(at.index).id;
            tracked.follow(given, outputs, again).map_err(|fault| too_much(id, fault))?;
        }
        Ok(outcome)
    }

    /// What was computed for inputs that the author calls secure is secret from now on. What the playbook says in so many
    /// words is not, nor what the trigger delivered: both lie in the data folder in clear.
    fn learn(&self, with: &Tree, input: &Value) -> Result<(), TooMuchDerived> {
        let mut computed = Vec::new();
        computed_in(with, input, &mut computed);
        // All at once, because what the trigger delivered is gone through each time.
        let computed = computed.into_iter().cloned().collect();
        self.trigger.secrets.learn(&Value::Array(computed), &self.trigger.info.outputs)
    }

    /// The same for what an action returned and the author calls secure.
    fn learn_outputs(&self, outputs: &Value) -> Result<(), TooMuchDerived> {
        let (secrets, delivered) = (&self.trigger.secrets, &self.trigger.info.outputs);
        let Some(headers) = outputs.get("headers").and_then(Value::as_object) else {
            return secrets.learn(outputs, delivered);
        };
        let headers = headers.iter().filter(|(name, _)| !is_descriptive(name)).map(|(_, value)| value.clone());
        secrets.learn(outputs.get("body").unwrap_or(&Value::Null), delivered)?;
        secrets.learn(&Value::Array(headers.collect()), delivered)
    }

    /// How an action ends whose outputs the author calls secure: failed, where they are too much to keep track of.
    pub(super) fn learned(&self, plan: &Plan, at: Place, ending: Ending) -> Ending {
        let node = plan.node_at(at.index);
        let Some(outputs) = ending.outputs.as_ref().filter(|_| node.secure_outputs) else { return ending };
        match self.learn_outputs(&outputs.value()) {
            Ok(()) => ending,
            Err(fault) => *too_much(&node.id, fault),
        }
    }

    /// The value of the input that is evaluated for each element of `from`.
    fn for_each_element(
        &mut self,
        plan: &Plan,
        at: Place,
        input: &Value,
        each: Option<&(&'static str, Tree)>,
    ) -> Result<Vec<Value>, Box<Ending>> {
        let id = &plan.node_at(at.index).id;
        let from = input.get("from").unwrap_or(&Value::Null);
        let Value::Array(items) = from else {
            return Err(Box::new(Ending::failed("BadRequest", reason::not_a_list(id, from))));
        };
        let Some((member, tree)) = each else { return Ok(Vec::new()) };
        // One sight for all, so that random values differ from element to element.
        let mut sight = Sight::of(self, at);
        let mut fields = Vec::new();
        let value = |item| {
            sight.look_at(item);
            if self.trace.is_none() {
                return tree.evaluate(&sight);
            }
            let (value, rendered) = tree.trace(&sight);
            fields.extend(rendered);
            value
        };
        let values: Result<_, _> = items.iter().map(value).collect();
        if self.trace.is_some() {
            for field in &mut fields {
                field.path.insert(0, Key::Member((*member).to_owned()));
            }
            self.note(plan, at, "with", fields);
        }
        values.map_err(|fault| Box::new(Ending::failed("BadRequest", reason::no_value(plan.node_at(at.index), &fault))))
    }

    fn change(&mut self, plan: &Plan, variable: Option<usize>, change: crate::action::Change, input: &Value) -> Ending {
        let declared = variable.and_then(|place| plan.playbook.variables.get(place));
        let value = variable.and_then(|place| self.variables.get_mut(place));
        let (Some(declared), Some(value)) = (declared, value) else {
            // The checker refuses such a playbook; one made by hand is told so.
            let error = ErrorInfo { code: "BadRequest".into(), message: "there is no such variable".into() };
            return Ending::failed("BadRequest", error);
        };
        match change(value, declared.kind, input) {
            Ok(outputs) => Ending {
                outputs: outputs.map(|outputs| Kept::Whole(Arc::new(outputs))),
                ..Ending::succeeded("NotSpecified")
            },
            Err(error) => Ending::failed("BadRequest", error),
        }
    }

    /// Sends the answer to whoever called, once.
    fn answer(&mut self, plan: &Plan, at: Place, response: Value, out: &mut Vec<Command>) -> Turn {
        let id = &plan.node_at(at.index).id;
        if self.reply != Reply::Open {
            return Err(Box::new(Ending::failed("BadRequest", reason::already_answered(id))));
        }
        if self.now - self.trigger.at >= chrono::Duration::from_std(limits::REPLY).unwrap_or_default() {
            return Err(Box::new(Ending::why(ActionStatus::Skipped, Why::NobodyWaits)));
        }
        self.reply = Reply::Sending(at);
        let slot = self.slot_mut(plan, at);
        slot.phase = Phase::Running;
        slot.outputs = Some(Kept::Whole(Arc::new(response.clone())));
        out.push(Command::Reply { response });
        Ok(())
    }

    /// An effect's input as it is written down, without secrets.
    pub(super) fn journalled(&self, input: &Value) -> Input {
        let mut clean = match without_credentials(input) {
            Some(clean) => clean,
            None if self.trigger.secrets.is_empty() => return Input::of(input),
            None => input.clone(),
        };
        self.trigger.secrets.redact(&mut clean);
        Input::of(&clean)
    }

    /// Whether a recorded input is the one that was computed, whatever was known to be secret when it was recorded. It may
    /// have been recorded before what stands in it counted as a secret, or with a secret that is another one by now.
    pub(super) fn is_same(&self, computed: &Input, recorded: &Input, whole: Option<&Kept>) -> bool {
        let same = computed == recorded;
        if same || self.trigger.secrets.is_empty() {
            return same;
        }
        match (computed, recorded) {
            (Input::Whole(_), Input::Whole(_)) => {
                // As text, in which the order of keys counts too.
                let text = |input| whatever_the_secrets(self.shown(input)).to_string();
                text(computed) == text(recorded)
            }
            // A hash of what only secret parameters were taken out of.
            (_, Input::Sha256(_)) => whole.is_some_and(|whole| {
                let whole = whole.value();
                let mut clean = without_credentials(&whole).unwrap_or_else(|| whole.into_owned());
                self.trigger.secrets.withhold(&mut clean);
                Input::of(&clean) == *recorded
            }),
            (Input::Sha256(_), Input::Whole(_)) => false,
        }
    }

    /// A journalled input without what is known to be secret now.
    pub(super) fn shown(&self, input: &Input) -> Value {
        let shown = input.show();
        let mut clean = without_credentials(&shown).unwrap_or(shown);
        self.trigger.secrets.redact(&mut clean);
        clean
    }

    /// Everything inside a container that is skipped or could not decide is skipped with it.
    fn skip_inside(&mut self, plan: &Plan, at: Place, out: &mut Vec<Command>) {
        for place in self.inside(plan, at) {
            let ending = Ending::why(ActionStatus::Skipped, Why::ContainerDidNotRun(at.index));
            self.close(plan, place, ending, out);
        }
    }
}

/// The parts of an input that were computed.
fn computed_in<'v>(with: &Tree, input: &'v Value, computed: &mut Vec<&'v Value>) {
    match (with, input) {
        (Tree::Literal(_), _) => {}
        (Tree::Template(_), value) => computed.push(value),
        (Tree::Array(trees), Value::Array(items)) => {
            trees.iter().zip(items).for_each(|(tree, item)| computed_in(tree, item, computed));
        }
        (Tree::Object(trees), Value::Object(members)) => {
            for (key, tree) in trees {
                members.get(key).into_iter().for_each(|member| computed_in(tree, member, computed));
            }
        }
        (Tree::Array(_) | Tree::Object(_), _) => {}
    }
}

fn too_much(id: &str, fault: TooMuchDerived) -> Box<Ending> {
    Box::new(Ending::failed("BadRequest", reason::invalid_template(id, &fault.into())))
}

/// Headers of an answer that say what kind of answer it is, when it came and how it travelled.
fn is_descriptive(header: &str) -> bool {
    const NAMES: &[&str] =
        &["date", "server", "connection", "keep-alive", "transfer-encoding", "vary", "age", "expires"];
    let name = header.to_ascii_lowercase();
    NAMES.contains(&name.as_str())
        || ["content-", "cache-", "access-control-"].iter().any(|kind| name.starts_with(kind))
}

/// An action to be called: its type, its inputs, the input for each element, its variable, what it requires.
type Called<'p> = (&'static ActionType, &'p Tree, Option<&'p (&'static str, Tree)>, Option<usize>, &'p InputShape);
