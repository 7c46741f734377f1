//! YAML in which every value knows its place. What may be written is YAML's core without anchors, tags and merge keys,
//! so that a file says one thing and says it where it stands.

mod fields;
mod format;
mod parse;
mod place;
pub mod shape;
mod tree;

pub use fields::{Fields, Given};
pub use format::{NotFormatted, format};
pub use parse::{file_name, parse, read_file};
pub use shape::{Definitions, Key, Need, Rule, Shape, Takes};
pub use tree::{Entry, Node, Style, Text, Value};
