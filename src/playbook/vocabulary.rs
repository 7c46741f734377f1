//! The actions a playbook may use, as the action room lists them; the checker sees only this.

use super::VariableType;

/// What the checker must know of an action.
#[derive(Debug, Clone, Copy)]
pub struct ActionSpec {
    /// The name after `action:`.
    pub name: &'static str,
    /// Other names under which authors look for it, Logic Apps' own among them, in lower case and without `_`. It does
    /// not go by them; whoever writes one is told the right one.
    pub sought_as: &'static [&'static str],
    /// The JSON schema of `with:`, made from the input struct's fields and doc comments.
    pub inputs: fn() -> schemars::Schema,
    /// The input that names a handlebars template (`template:` of send_email): it must be written out, and the machine
    /// hands the action the rendered text.
    pub template_input: Option<&'static str>,
    /// The kinds of connection its `connection:` input may name (`smtp`); empty when it has no such input.
    pub connections: &'static [&'static str],
    /// Whether `retry:` means anything for it.
    pub retries: bool,
    /// The input whose expressions are evaluated once for each element of `from`, which `item` then is.
    pub per_item: Option<&'static str>,
    /// The types of variable that its `name:` input may name; empty when it changes none.
    pub variables: &'static [VariableType],
    /// Whether it may stand inside a loop.
    pub in_loops: bool,
    /// Says what is wrong with the value of an input that is written out, where its schema cannot: an unknown time zone.
    pub refuses: fn(&str, &serde_json::Value) -> Option<String>,
    /// The only trigger kinds it makes sense with; empty when it does with any.
    pub triggers: &'static [&'static str],
    /// The input that a trigger gives where it is not written, and that must be written otherwise.
    pub given_by: Option<GivenBy>,
}

/// An input that a trigger gives: the incident that started the run. A trigger's is of the built-in workspace, so with a
/// `connection` it must be written.
#[derive(Debug, Clone, Copy)]
pub struct GivenBy {
    pub input: &'static str,
    /// The kind of trigger that gives it.
    pub trigger: &'static str,
    /// Inputs that do instead.
    pub instead: &'static [&'static str],
}

impl ActionSpec {
    /// An action that takes `inputs` and nothing else of the above.
    #[must_use]
    pub const fn new(name: &'static str, inputs: fn() -> schemars::Schema) -> Self {
        Self {
            name,
            sought_as: &[],
            inputs,
            template_input: None,
            connections: &[],
            retries: false,
            per_item: None,
            variables: &[],
            in_loops: true,
            refuses: |_, _| None,
            triggers: &[],
            given_by: None,
        }
    }
}

/// Every action there is.
pub type Vocabulary = [ActionSpec];
