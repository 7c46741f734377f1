//! The two languages of a playbook: `@expressions` of the Logic Apps workflow definition language, and `{{templates}}`.
//!
//! A string is compiled once, when its playbook is loaded ([`Template::compile`]), and evaluated over a [`Scope`].
//! Both languages become one tree ([`ast`]) and share one evaluator and one table of [`functions()`].
//! Nothing here reads a clock, a random source or a file.

mod ast;
mod calls;
mod error;
mod evaluate;
mod functions;
mod handlebars;
mod json_scope;
mod parse;
mod reference;
mod scope;
mod template;
mod trace;
mod value;

pub use calls::{Called, Operand};
pub use error::{CompileError, CompileErrorKind, EvalError};
pub use functions::{
    DateError, EXAMPLE_CONTEXT, Family, Function, TimeUnit, add_to_time, convert_time_zone, functions, instant,
    instant_after, nearest_time_zone, time_zone,
};
pub use handlebars::Partials;
pub use json_scope::JsonScope;
pub use reference::{Part, Reference, Use};
pub use scope::{Lookup, Scope};
pub use template::{Template, Tree};
pub use trace::{Key, Read, Rendered};
pub(crate) use value::{text, type_name};
