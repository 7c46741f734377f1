//! A name in a template: `trigger.subject`, `../name`, `this.[odd key]`, `@index`, `@root.trigger`.

use std::{borrow::Cow, ops::Range};

use serde_json::Value;

use super::Frame;
use crate::expression::{
    CompileError, CompileErrorKind as Kind, EvalError, Reference,
    ast::{Call, Expr, Key, Link, Written},
    evaluate::{Env, evaluate_call},
    functions,
    reference::reference,
    value::{self, Member},
};

/// A name in a template, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    written: String,
    /// How many blocks outward it starts.
    up: usize,
    start: Start,
    segments: Vec<String>,
    /// Its meaning where no block surrounds it.
    root: Option<Root>,
    /// Where it stands in its source.
    pub(crate) range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// A plain name.
    Name,
    /// `this.x`: the block's own value and nothing else.
    This,
    /// `@root.x`
    Root,
    /// `@index`, `@key`, `@first`, `@last`
    Local,
}

/// A call that gives the data behind the first segments, and how many those are.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    pub(crate) call: Call,
    pub(crate) taken: usize,
}

impl Path {
    /// Takes a name apart; the handlebars parser has accepted its form.
    pub(crate) fn parse(written: &str, range: Range<usize>) -> Result<Self, CompileError> {
        let mut rest = written;
        let mut start = Start::Name;
        for prefix in ["this.", "this/", "./"] {
            if let Some(after) = rest.strip_prefix(prefix) {
                rest = after;
                start = Start::This;
                break;
            }
        }
        if rest == "this" {
            rest = "";
            start = Start::This;
        }
        if let Some(after) = rest.strip_prefix("@root.").or_else(|| rest.strip_prefix("@root/")) {
            rest = after;
            start = Start::Root;
        } else if let Some(after) = rest.strip_prefix('@') {
            rest = after;
            start = Start::Local;
        }
        let mut up = 0;
        while let Some(after) = rest.strip_prefix("../").or_else(|| rest.strip_prefix("...")) {
            rest = after;
            up += 1;
        }
        let segments = segments(rest);
        if start == Start::Local && !matches!(segments.as_slice(), [name] if Local::is(name)) {
            return Err(CompileError::new(Kind::UnknownName, range, format!("nothing is called '{written}' here"))
                .help("there are @index, @key, @first, @last and @root"));
        }
        let root = root(&segments, &range);
        Ok(Self { written: written.to_owned(), up, start, segments, root, range })
    }

    /// As the author wrote it.
    pub(crate) fn written(&self) -> &str {
        &self.written
    }

    pub(crate) fn start(&self) -> Start {
        self.start
    }

    pub(crate) fn up(&self) -> usize {
        self.up
    }

    pub(crate) fn segments(&self) -> &[String] {
        &self.segments
    }

    pub(crate) fn root(&self) -> Option<&Root> {
        self.root.as_ref()
    }

    /// What it refers to, where a name of its kind means the same in every block.
    pub(crate) fn reference(&self) -> Option<Reference> {
        let root = self.root.as_ref().filter(|_| matches!(self.start, Start::Name | Start::Root) && self.up == 0)?;
        let link = |name: &String| Link { key: Key::Property(name.clone()), safe: true, end: self.range.end };
        let links: Vec<Link> = self.segments[root.taken..].iter().map(link).collect();
        reference(&root.call, &links)
    }

    /// The name alone, when it is one plain word.
    pub(crate) fn word(&self) -> Option<&str> {
        match self.segments.as_slice() {
            [word] if self.start == Start::Name && self.up == 0 => Some(word),
            _ => None,
        }
    }

    /// The value, `None` where there is nothing of that name: in a template absence is no error.
    pub(crate) fn evaluate<'e>(&'e self, env: &'e Env<'e>) -> Result<Option<Cow<'e, Value>>, EvalError> {
        if self.start == Start::Root {
            return Ok(self.at_root(env));
        }
        if self.start == Start::Local {
            return Ok(self.local(env.frame));
        }
        let mut frame = env.frame;
        for _ in 0..self.up {
            frame = frame.and_then(|frame| frame.outer);
        }
        if self.start == Start::Name && self.up == 0 {
            let mut around = frame;
            while let (Some(here), Some(first)) = (around, self.segments.first()) {
                if let Some(value) = here.named(first) {
                    return Ok(follow(Cow::Borrowed(value), &self.segments[1..]));
                }
                around = here.outer;
            }
        }
        Ok(match frame.and_then(|frame| frame.this) {
            Some(this) => follow(Cow::Borrowed(this), &self.segments),
            None => self.at_root(env),
        })
    }

    fn at_root<'e>(&'e self, env: &'e Env<'e>) -> Option<Cow<'e, Value>> {
        let root = self.root.as_ref()?;
        // Data that is not there, such as the element of a loop outside of one, is nothing.
        let value = evaluate_call(&root.call, env).ok()?;
        follow(value, &self.segments[root.taken..])
    }

    fn local<'e>(&self, mut frame: Option<&'e Frame<'e>>) -> Option<Cow<'e, Value>> {
        let mut up = self.up;
        loop {
            let here = frame?;
            match &here.local {
                Some(local) if up == 0 => {
                    return self.segments.first().and_then(|name| local.get(name)).map(Cow::Owned);
                }
                Some(_) => up -= 1,
                None => {}
            }
            frame = here.outer;
        }
    }
}

/// The state of a loop.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    pub(crate) index: usize,
    pub(crate) count: usize,
    /// The key, where an object is looped over.
    pub(crate) key: Option<String>,
}

impl Local {
    fn is(name: &str) -> bool {
        matches!(name, "index" | "key" | "first" | "last")
    }

    fn get(&self, name: &str) -> Option<Value> {
        match name {
            "index" => Some(Value::from(self.index)),
            "first" => Some(Value::Bool(self.index == 0)),
            "last" => Some(Value::Bool(self.index + 1 == self.count)),
            "key" => self.key.clone().map(Value::String),
            _ => None,
        }
    }
}

/// Follows property names and array indices as far as they lead.
pub(crate) fn follow<'e>(mut at: Cow<'e, Value>, segments: &[String]) -> Option<Cow<'e, Value>> {
    for segment in segments {
        let step = match (at.as_ref(), segment.parse::<u64>()) {
            (Value::Array(_), Ok(index)) => value::member(at, &Value::from(index)),
            _ => value::property(at, segment),
        };
        let Member::Found(next) = step else { return None };
        at = next;
    }
    Some(at)
}

/// Cuts `a.b/[c d]` at its separators.
fn segments(path: &str) -> Vec<String> {
    let mut segments = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (segment, after) = match rest.strip_prefix('[') {
            Some(inside) => inside.split_once(']').unwrap_or((inside, "")),
            None => rest.split_at(rest.find(['.', '/']).unwrap_or(rest.len())),
        };
        if segment != "this" {
            segments.push(segment.to_owned());
        }
        rest = after.strip_prefix(['.', '/']).unwrap_or(after);
    }
    segments
}

/// What the first segments mean as a bare root.
fn root(segments: &[String], range: &Range<usize>) -> Option<Root> {
    let root = functions::root(segments.first()?)?;
    let mut arguments = Vec::new();
    if root.named {
        arguments.push(Expr::Literal(Value::String(segments.get(1)?.clone())));
    }
    let taken = 1 + arguments.len();
    let written = Written::Bare(root.name);
    Some(Root { call: Call { function: root.function, arguments, written, eager: true, range: range.clone() }, taken })
}
