//! The actions a playbook may use, as the action room lists them; the checker sees only this.

/// What the checker must know of an action.
#[derive(Debug, Clone, Copy)]
pub struct ActionSpec {
    /// The name after `action:`.
    pub name: &'static str,
    /// The JSON schema of `with:`, made from the input struct's fields and doc comments.
    pub inputs: fn() -> schemars::Schema,
    /// The input that names a handlebars template (`template:` of send_email): it must be written out, and the machine
    /// hands the action the rendered text.
    pub template_input: Option<&'static str>,
    /// The kinds of connection its `connection:` input may name (`smtp`); empty when it has no such input.
    pub connections: &'static [&'static str],
    /// Whether `retry:` means anything for it.
    pub retries: bool,
}

/// Every action there is.
pub type Vocabulary = [ActionSpec];
