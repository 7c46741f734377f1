//! `{{templates}}`. The handlebars crate parses; what it parsed becomes the tree that `@expressions` become too, so
//! that both languages share one evaluator, and no data is copied into a rendering context.

mod lower;
mod mustache;
mod partials;
mod path;
mod render;
mod survey;

use std::ops::Range;

use serde_json::Value;

use super::{CompileError, ast::Expr};

pub(crate) use mustache::outside;
pub use partials::Partials;
pub(crate) use path::{Path, Start};
pub(crate) use render::Frame;

/// A compiled template, with the partials it can reach.
#[derive(Debug)]
pub(crate) struct Text {
    nodes: Vec<Node>,
    partials: Partials,
}

impl Text {
    /// Compiles the text of a template.
    pub(crate) fn compile(source: &str, partials: &Partials) -> Result<Self, Vec<CompileError>> {
        let nodes = lower::lower(source, &|name| partials.contains(name))?;
        Ok(Self { nodes, partials: partials.clone() })
    }

    /// Calls `see` with every expression of the text itself, in order; those of partials are theirs.
    pub(crate) fn each<'t>(&'t self, see: &mut dyn FnMut(&'t Expr)) {
        each(&self.nodes, see);
    }
}

fn each<'t>(nodes: &'t [Node], see: &mut dyn FnMut(&'t Expr)) {
    for node in nodes {
        match node {
            Node::Text(_) | Node::PartialBlock => {}
            Node::Print(expr) => see(expr),
            Node::If { condition, then, otherwise, .. } => {
                see(condition);
                each(then, see);
                each(otherwise, see);
            }
            Node::Each { list: value, body, otherwise, .. } | Node::With { value, body, otherwise, .. } => {
                see(value);
                if let Node::With { key: Some(key), .. } = node {
                    see(key);
                }
                each(body, see);
                each(otherwise, see);
            }
            Node::Partial(include) => {
                include.context.iter().for_each(&mut *see);
                include.hash.iter().for_each(|(_, expr)| see(expr));
                each(include.block.as_deref().unwrap_or_default(), see);
            }
        }
    }
}

/// A piece of a template.
#[derive(Debug)]
pub(crate) enum Node {
    Text(String),
    /// `{{expression}}`
    Print(Expr),
    /// `{{#if}}` and, with `when` false, `{{#unless}}`
    If {
        condition: Expr,
        when: bool,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    /// `{{#each list as |value index|}}`
    Each {
        list: Expr,
        names: Vec<String>,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
    /// `{{#with value as |name|}}` and, with a key, `{{#lookup value key}}`
    With {
        value: Expr,
        key: Option<Expr>,
        names: Vec<String>,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
    /// `{{> name context key=value}}` and `{{#> name}}block{{/name}}`
    Partial(Include),
    /// `{{> @partial-block}}`
    PartialBlock,
}

/// The inclusion of a partial.
#[derive(Debug)]
pub(crate) struct Include {
    name: String,
    context: Option<Expr>,
    hash: Vec<(String, Expr)>,
    block: Option<Vec<Node>>,
    /// White space that every line of the partial is moved in by.
    indent: String,
    /// Where it stands in its source.
    range: Range<usize>,
}

/// Whether a block's condition holds: handlebars has false, 0, null, empty text, lists and objects not hold.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}
