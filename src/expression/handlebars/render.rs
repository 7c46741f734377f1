//! Rendering: nodes and data in, text out. What a value prints is written as it is and never looked at again.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    Include, Node, Partials, Text,
    path::{Local, follow},
    truthy,
};
use crate::expression::{
    EvalError,
    ast::Expr,
    evaluate::{Env, Outcome, evaluate},
    template::within_result,
    value,
};

/// The value a block stands in, and the names it gives.
#[derive(Debug)]
pub(crate) struct Frame<'e> {
    /// The block's value; `None` while it is still everything there is.
    pub(crate) this: Option<&'e Value>,
    pub(crate) names: Vec<(&'e str, Cow<'e, Value>)>,
    pub(crate) local: Option<Local>,
    pub(crate) outer: Option<&'e Frame<'e>>,
}

impl<'e> Frame<'e> {
    pub(crate) fn named(&'e self, name: &str) -> Option<&'e Value> {
        self.names.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_ref())
    }
}

impl Text {
    /// The value: that of a lone `{{expression}}` with its type, else text.
    pub(crate) fn evaluate<'e>(&'e self, env: &'e Env<'e>) -> Outcome<'e> {
        if let [Node::Print(only)] = self.nodes.as_slice() {
            return evaluate(only, env);
        }
        let mut out = Out { text: String::new(), indent: String::new(), line_start: false };
        Renderer { partials: &self.partials }.nodes(&self.nodes, env, None, &mut out)?;
        Ok(Cow::Owned(Value::String(out.text)))
    }
}

/// Text being written, with the indentation of the partial that writes it.
struct Out {
    text: String,
    indent: String,
    /// The partial's own text has just ended a line.
    line_start: bool,
}

impl Out {
    fn begin(&mut self, next: &str) {
        if self.line_start && !next.is_empty() {
            self.line_start = false;
            if !next.starts_with(['\n', '\r']) {
                self.text.push_str(&self.indent);
            }
        }
    }

    /// A template's own text, moved in line by line.
    fn template(&mut self, text: &str) {
        if self.indent.is_empty() {
            self.text.push_str(text);
            return;
        }
        for line in text.split_inclusive('\n') {
            self.begin(line);
            self.text.push_str(line);
            self.line_start = line.ends_with('\n');
        }
    }

    fn value(&mut self, value: &Value, env: &Env<'_>) -> Result<(), EvalError> {
        if self.line_start {
            self.begin(&value::text(value));
        }
        env.print(&mut self.text, value)
    }
}

/// The content of `{{#> partial}}…{{/partial}}`, in the surroundings it was written in.
#[derive(Clone, Copy)]
struct Content<'e> {
    nodes: &'e [Node],
    env: &'e Env<'e>,
    outer: Option<&'e Content<'e>>,
}

struct Renderer<'e> {
    partials: &'e Partials,
}

impl<'e> Renderer<'e> {
    fn nodes<'f>(
        &self,
        nodes: &'f [Node],
        env: &'f Env<'f>,
        content: Option<&'f Content<'f>>,
        out: &mut Out,
    ) -> Result<(), EvalError>
    where
        'e: 'f,
    {
        for node in nodes {
            match node {
                Node::Text(text) => out.template(text),
                Node::Print(expr) => out.value(evaluate(expr, env)?.as_ref(), env)?,
                Node::If { condition, when, then, otherwise } => {
                    let holds = truthy(evaluate(condition, env)?.as_ref()) == *when;
                    self.nodes(if holds { then } else { otherwise }, env, content, out)?;
                }
                Node::Each { list, names, body, otherwise } => {
                    let list = evaluate(list, env)?;
                    if truthy(&list) && (list.is_array() || list.is_object()) {
                        self.each(&list, names, body, env, content, out)?;
                    } else {
                        self.nodes(otherwise, env, content, out)?;
                    }
                }
                Node::With { value, key, names, body, otherwise } => {
                    let value = with(value, key.as_ref(), env)?;
                    if truthy(&value) {
                        let names = names.iter().take(1).map(|name| (name.as_str(), Cow::Borrowed(value.as_ref())));
                        let frame = Frame { this: Some(&value), names: names.collect(), local: None, outer: env.frame };
                        self.nodes(body, &Env { frame: Some(&frame), ..*env }, content, out)?;
                    } else {
                        self.nodes(otherwise, env, content, out)?;
                    }
                }
                Node::Partial(include) => self.include(include, env, content, out)?,
                Node::PartialBlock => {
                    if let Some(block) = content {
                        self.nodes(block.nodes, block.env, block.outer, out)?;
                    }
                }
            }
            within_result(&out.text)?;
        }
        Ok(())
    }

    fn each<'f>(
        &self,
        list: &'f Value,
        names: &'f [String],
        body: &'f [Node],
        env: &'f Env<'f>,
        content: Option<&'f Content<'f>>,
        out: &mut Out,
    ) -> Result<(), EvalError>
    where
        'e: 'f,
    {
        let mut one = |index: usize, count: usize, key: Option<&str>, element: &Value| {
            let place = key.map_or_else(|| Value::from(index), |key| Value::String(key.to_owned()));
            let values = [Cow::Borrowed(element), Cow::Owned(place)];
            let frame = Frame {
                this: Some(element),
                names: names.iter().map(String::as_str).zip(values).collect(),
                local: Some(Local { index, count, key: key.map(str::to_owned) }),
                outer: env.frame,
            };
            self.nodes(body, &Env { frame: Some(&frame), ..*env }, content, out)
        };
        match list {
            Value::Object(map) => {
                for (index, (key, element)) in map.iter().enumerate() {
                    one(index, map.len(), Some(key), element)?;
                }
            }
            Value::Array(items) => {
                for (index, element) in items.iter().enumerate() {
                    one(index, items.len(), None, element)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn include<'f>(
        &self,
        include: &'f Include,
        env: &'f Env<'f>,
        content: Option<&'f Content<'f>>,
        out: &mut Out,
    ) -> Result<(), EvalError>
    where
        'e: 'f,
    {
        let context = include.context.as_ref().map(|context| evaluate(context, env)).transpose()?;
        let mut names = Vec::with_capacity(include.hash.len());
        for (name, expr) in &include.hash {
            names.push((name.as_str(), evaluate(expr, env)?));
        }
        let plain = context.is_none() && names.is_empty();
        let this = context.as_deref().or_else(|| env.frame.and_then(|frame| frame.this));
        let frame = Frame { this, names, local: None, outer: env.frame };
        let inner = Env { frame: if plain { env.frame } else { Some(&frame) }, ..*env };
        let block = include.block.as_deref().map(|nodes| Content { nodes, env, outer: content });

        let outer_indent = out.indent.len();
        out.indent.push_str(&include.indent);
        out.line_start |= !include.indent.is_empty();
        self.nodes(self.partials.get(&include.name), &inner, block.as_ref(), out)?;
        out.indent.truncate(outer_indent);
        out.line_start &= outer_indent > 0;
        Ok(())
    }
}

/// The value a `with` or `lookup` block goes into.
fn with<'f>(value: &'f Expr, key: Option<&'f Expr>, env: &'f Env<'f>) -> Outcome<'f> {
    let value = evaluate(value, env)?;
    let Some(key) = key else { return Ok(value) };
    let key = value::text(evaluate(key, env)?.as_ref()).into_owned();
    Ok(follow(value, &[key]).unwrap_or(Cow::Borrowed(&value::NULL)))
}
