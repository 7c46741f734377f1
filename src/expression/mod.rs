//! The two languages of a playbook: `@expressions` of the Logic Apps workflow definition language, and `{{templates}}`.

mod scope;

pub use scope::{Lookup, Scope};

/// A value of a playbook (`with:`, `if:`): literals and templates, evaluated together.
#[derive(Debug, Clone)]
pub enum Tree {
    Literal(serde_json::Value),
}
