//! What a template refers to, partials included. Blocks change what names mean, so the walk carries that along.

use std::ops::Range;

use super::{
    Include, Node, Partials, Path, Text,
    path::{Root, Start},
};
use crate::expression::{
    CompileError, CompileErrorKind as Kind, Use,
    ast::{Call, Expr, Key, Link},
    functions,
    reference::reference,
};

/// What a name stands for while nothing is evaluated yet.
#[derive(Clone)]
enum Meaning {
    /// Everything there is.
    Root,
    /// A member of something known.
    Member { call: Call, path: Vec<String> },
    /// An element of a list, or the result of a function.
    Unknown,
}

/// A block on the way, innermost last.
#[derive(Clone)]
struct Block {
    this: Meaning,
    names: Vec<(String, Meaning)>,
}

struct Survey<'t> {
    partials: &'t Partials,
    uses: Vec<Use>,
    reached: Vec<String>,
    errors: Vec<CompileError>,
    /// The partials being walked, outermost first.
    within: Vec<String>,
}

impl Text {
    /// Every reference and every partial reached.
    pub(crate) fn survey(&self) -> Result<(Vec<Use>, Vec<String>), Vec<CompileError>> {
        let mut survey = Survey {
            partials: &self.partials,
            uses: Vec::new(),
            reached: Vec::new(),
            errors: Vec::new(),
            within: Vec::new(),
        };
        survey.nodes(&self.nodes, &[], None);
        if survey.errors.is_empty() { Ok((survey.uses, survey.reached)) } else { Err(survey.errors) }
    }
}

/// The content of a partial's block, with the blocks it was written in.
struct Content<'c, 't> {
    nodes: &'t [Node],
    blocks: &'c [Block],
    /// How many partials were being walked where it was written.
    depth: usize,
    outer: Option<&'c Content<'c, 't>>,
}

impl<'t> Survey<'t> {
    fn nodes(&mut self, nodes: &'t [Node], blocks: &[Block], content: Option<&Content<'_, 't>>) {
        for node in nodes {
            match node {
                Node::Text(_) => {}
                Node::Print(expr) => self.expr(expr, blocks),
                Node::If { condition, then, otherwise, .. } => {
                    self.expr(condition, blocks);
                    self.nodes(then, blocks, content);
                    self.nodes(otherwise, blocks, content);
                }
                Node::Each { list, names, body, otherwise } => {
                    self.expr(list, blocks);
                    let names = names.iter().map(|name| (name.clone(), Meaning::Unknown)).collect();
                    let inner = [blocks, &[Block { this: Meaning::Unknown, names }]].concat();
                    self.nodes(body, &inner, content);
                    self.nodes(otherwise, blocks, content);
                }
                Node::With { value, key, names, body, otherwise } => {
                    self.expr(value, blocks);
                    let mut this = meaning(value, blocks);
                    if let Some(key) = key {
                        self.expr(key, blocks);
                        this = Meaning::Unknown;
                    }
                    let names = names.iter().take(1).map(|name| (name.clone(), this.clone())).collect();
                    let inner = [blocks, &[Block { this, names }]].concat();
                    self.nodes(body, &inner, content);
                    self.nodes(otherwise, blocks, content);
                }
                Node::Partial(include) => self.include(include, blocks, content),
                Node::PartialBlock => {
                    if let Some(block) = content {
                        let inner = self.within.split_off(block.depth);
                        self.nodes(block.nodes, block.blocks, block.outer);
                        self.within.extend(inner);
                    }
                }
            }
        }
    }

    fn include(&mut self, include: &'t Include, blocks: &[Block], content: Option<&Content<'_, 't>>) {
        let mut names = Vec::new();
        for (name, expr) in &include.hash {
            self.expr(expr, blocks);
            names.push((name.clone(), meaning(expr, blocks)));
        }
        let mut this = blocks.last().map_or(Meaning::Root, |block| block.this.clone());
        if let Some(context) = &include.context {
            self.expr(context, blocks);
            this = meaning(context, blocks);
        }
        if !self.reached.contains(&include.name) {
            self.reached.push(include.name.clone());
        }
        let inner = if include.context.is_none() && names.is_empty() {
            blocks.to_vec()
        } else {
            [blocks, &[Block { this, names }]].concat()
        };
        let block =
            include.block.as_deref().map(|nodes| Content { nodes, blocks, depth: self.within.len(), outer: content });
        self.within.push(include.name.clone());
        let partials = self.partials;
        self.nodes(partials.get(&include.name), &inner, block.as_ref());
        self.within.pop();
    }

    fn expr(&mut self, expr: &Expr, blocks: &[Block]) {
        match expr {
            Expr::Literal(_) | Expr::Chain { .. } => {}
            Expr::Call(call) => {
                self.call(call, &[], call.range.clone());
                for argument in &call.arguments {
                    self.expr(argument, blocks);
                }
            }
            Expr::Path(path) => self.path(path, blocks),
        }
    }

    fn call(&mut self, call: &Call, path: &[String], range: Range<usize>) {
        let links: Vec<Link> =
            path.iter().map(|name| Link { key: Key::Property(name.clone()), safe: true, end: range.end }).collect();
        if let Some(what) = reference(call, &links) {
            let partial = self.within.last().cloned();
            self.uses.push(Use { what, range, partial });
        }
    }

    fn path(&mut self, path: &Path, blocks: &[Block]) {
        match resolve(path, blocks) {
            Meaning::Member { call, path: members } => self.call(&call, &members, path.range.clone()),
            Meaning::Root => {
                let name = path.segments().first().map_or("this", String::as_str);
                let error = if functions::root(name).is_some_and(|root| root.named) {
                    CompileError::new(Kind::UnknownName, path.range.clone(), format!("'{name}' needs a name after it"))
                        .help(format!("write {{{{{name}.NAME}}}}"))
                } else if let Ok(function) = crate::expression::parse::resolve(name, &path.range) {
                    let name = function.name;
                    CompileError::new(
                        Kind::ParameterCount,
                        path.range.clone(),
                        format!("'{name}' is a function and needs its parameters"),
                    )
                    .help(format!("write {}", function.signature))
                } else {
                    let error = CompileError::new(
                        Kind::UnknownName,
                        path.range.clone(),
                        format!("nothing is called '{name}' here"),
                    );
                    match crate::diagnostic::nearest(name, functions::ROOTS) {
                        Some(near) => error.help(format!("did you mean '{near}'?")),
                        None => error.help(format!("the names here are {}", functions::ROOTS.join(", "))),
                    }
                };
                self.error(error);
            }
            Meaning::Unknown => {
                // Handlebars would look for the name in the element and, not finding it, print nothing.
                if let Some(first) = path.segments().first()
                    && path.start() == Start::Name
                    && path.up() == 0
                    && path.root().is_some()
                    && !blocks.iter().any(|block| block.names.iter().any(|(name, _)| name == first))
                {
                    self.error(
                        CompileError::new(
                            Kind::UnknownName,
                            path.range.clone(),
                            format!("inside a block '{first}' would be a member of the block's value"),
                        )
                        .help(format!(
                            "write @root.{0} for what {first} is outside, or this.{0} for the member",
                            path.written()
                        )),
                    );
                }
            }
        }
    }

    /// Notes an error, with the partial it stands in.
    fn error(&mut self, mut error: CompileError) {
        error.partial = self.within.last().cloned();
        self.errors.push(error);
    }
}

/// What an expression stands for, as the context of a block.
fn meaning(expr: &Expr, blocks: &[Block]) -> Meaning {
    match expr {
        Expr::Path(path) => resolve(path, blocks),
        Expr::Call(call) if reference(call, &[]).is_some() => Meaning::Member { call: call.clone(), path: Vec::new() },
        _ => Meaning::Unknown,
    }
}

fn resolve(path: &Path, blocks: &[Block]) -> Meaning {
    let from_root = || match path.root() {
        Some(Root { call, taken }) => Meaning::Member { call: call.clone(), path: path.segments()[*taken..].to_vec() },
        None => Meaning::Root,
    };
    match path.start() {
        Start::Root => return from_root(),
        Start::Local => return Meaning::Unknown,
        Start::Name | Start::This => {}
    }
    let around = &blocks[..blocks.len().saturating_sub(path.up())];
    if let (Start::Name, 0, Some(first)) = (path.start(), path.up(), path.segments().first()) {
        let named = around.iter().rev().flat_map(|block| &block.names).find(|(name, _)| name == first);
        if let Some((_, meaning)) = named {
            return deeper(meaning, &path.segments()[1..]);
        }
    }
    match around.last().map(|block| &block.this) {
        None | Some(Meaning::Root) => from_root(),
        Some(meaning) => deeper(meaning, path.segments()),
    }
}

fn deeper(meaning: &Meaning, segments: &[String]) -> Meaning {
    match meaning {
        Meaning::Member { call, path } => {
            Meaning::Member { call: call.clone(), path: path.iter().chain(segments).cloned().collect() }
        }
        other => other.clone(),
    }
}
