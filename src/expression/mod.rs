//! The two languages of a playbook: `@expressions` of the Logic Apps workflow definition language, and `{{templates}}`.

mod scope;

pub use scope::{Lookup, Scope};
