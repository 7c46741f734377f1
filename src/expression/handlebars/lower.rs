//! From the handlebars crate's template to [`Node`]s: names are resolved, calls checked, places found again.

use std::{collections::HashMap, ops::Range};

use handlebars::{
    Template,
    template::{BlockParam, DecoratorTemplate, HelperTemplate, Parameter, TemplateElement},
};

use super::{
    Include, Node, Path,
    mustache::{self, Mustache, Role},
};
use crate::expression::{
    CompileError, CompileErrorKind as Kind,
    ast::{Call, Expr, Written},
    functions, parse,
};

/// Handlebars' own words, which exist as blocks only.
const BLOCKS: [&str; 5] = ["if", "unless", "each", "with", "lookup"];

/// Parses a template. `known` says which partials exist.
pub(super) fn lower(source: &str, known: &dyn Fn(&str) -> bool) -> Result<Vec<Node>, Vec<CompileError>> {
    let mustaches = mustache::scan(source);
    mustache::check_depth(source, &mustaches).map_err(|error| vec![error])?;
    if let Some(raw) = mustaches.iter().find(|mustache| mustache.role == Role::Raw) {
        let error = CompileError::syntax(raw.range.clone(), "there are no raw blocks here");
        return Err(vec![error.help("write a literal '{{' as '\\{{'")]);
    }
    let template = Template::compile(source).map_err(|error| vec![syntax(source, &mustaches, &error)])?;
    let mut lowering = Lowering { source, known, mustaches, next: 0, inside: 0..0, cursor: 0, errors: Vec::new() };
    let nodes = lowering.nodes(&template);
    if lowering.errors.is_empty() { Ok(nodes) } else { Err(lowering.errors) }
}

/// The crate's parse error, with its line and column made a range: the `{{…}}` it stands in.
fn syntax(source: &str, mustaches: &[Mustache], error: &handlebars::TemplateError) -> CompileError {
    use handlebars::TemplateErrorReason as Reason;
    let at = error.pos().map_or(0, |(line, column)| offset(source, line, column));
    let around = mustaches.iter().find(|mustache| mustache.range.contains(&at));
    let range = around.map_or(at..source.len().min(at + 1), |mustache| mustache.range.clone());
    let range = if source.is_char_boundary(range.end) { range } else { at..at };
    let message = match error.reason() {
        Reason::MismatchingClosedHelper(opened, closed) | Reason::MismatchingClosedDecorator(opened, closed) => {
            let bare = |name: &str| name.trim_matches('"').to_owned();
            format!("'{{{{#{}}}}}' is closed by '{{{{/{}}}}}'", bare(opened), bare(closed))
        }
        Reason::InvalidParam(parameter) => format!("'{parameter}' is no parameter"),
        Reason::InvalidSyntax(_) => match unclosed(source, mustaches) {
            Some(open) => {
                let written = source[open.clone()].lines().next().unwrap_or_default();
                return CompileError::syntax(open.clone(), format!("'{written}' is not closed"));
            }
            None => "the template does not follow the grammar of handlebars here".to_owned(),
        },
        _ => "the template does not follow the grammar of handlebars here".to_owned(),
    };
    CompileError::syntax(range, message).help("between '{{' and '}}' stands a name, or a function and its parameters")
}

/// The innermost block that nothing closes.
fn unclosed(source: &str, mustaches: &[Mustache]) -> Option<Range<usize>> {
    let mut open = Vec::new();
    for mustache in mustaches {
        let text = &source[mustache.range.clone()];
        if !text.ends_with("}}") {
            return Some(mustache.range.clone());
        }
        match mustache.role {
            Role::Open if text.trim_start_matches(['{', '~']).trim_start().starts_with('#') => open.push(mustache),
            Role::Close => {
                open.pop();
            }
            _ => {}
        }
    }
    open.pop().map(|mustache| mustache.range.clone())
}

/// The byte at a line and column, both from 1, the column in characters.
fn offset(source: &str, line: usize, column: usize) -> usize {
    let start: usize = source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = source.get(start..).unwrap_or_default();
    start + rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
}

struct Lowering<'s> {
    source: &'s str,
    known: &'s dyn Fn(&str) -> bool,
    mustaches: Vec<Mustache>,
    /// The `{{…}}` that the next element of the parsed template came from.
    next: usize,
    /// The `{{…}}` at hand.
    inside: Range<usize>,
    /// How far names have been found in it.
    cursor: usize,
    errors: Vec<CompileError>,
}

impl Lowering<'_> {
    fn nodes(&mut self, template: &Template) -> Vec<Node> {
        let mut nodes = Vec::with_capacity(template.elements.len());
        for element in &template.elements {
            match self.node(element) {
                Ok(Some(node)) => nodes.push(node),
                Ok(None) => {}
                Err(error) => self.errors.push(error),
            }
        }
        nodes
    }

    fn node(&mut self, element: &TemplateElement) -> Result<Option<Node>, CompileError> {
        Ok(Some(match element {
            TemplateElement::RawString(text) if text.is_empty() => return Ok(None),
            TemplateElement::RawString(text) => Node::Text(text.clone()),
            TemplateElement::Comment(_) => return Ok(None),
            TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => {
                self.open();
                Node::Print(self.expression(call)?)
            }
            TemplateElement::HelperBlock(block) => {
                self.open();
                return self.block(block).map(Some);
            }
            TemplateElement::PartialExpression(partial) | TemplateElement::PartialBlock(partial) => {
                self.open();
                return self.partial(partial).map(Some);
            }
            TemplateElement::DecoratorExpression(_) | TemplateElement::DecoratorBlock(_) => {
                self.open();
                return Err(CompileError::syntax(self.inside.clone(), "there are no inline partials here")
                    .help("put the partial into a file of its own under templates/"));
            }
            _ => return Err(CompileError::syntax(self.inside.clone(), "this is not supported")),
        }))
    }

    /// Moves on to the next `{{…}}` that opens something.
    fn open(&mut self) {
        while let Some(mustache) = self.mustaches.get(self.next) {
            self.next += 1;
            if mustache.role == Role::Open {
                self.inside = mustache.range.clone();
                self.cursor = self.inside.start;
                return;
            }
        }
    }

    /// Where `word` stands in the `{{…}}` at hand, after what was found before.
    fn place(&mut self, word: &str) -> Range<usize> {
        let text = &self.source[..self.inside.end];
        let mut from = self.cursor.min(text.len());
        while let Some(found) = text[from..].find(word) {
            let (start, end) = (from + found, from + found + word.len());
            let before = text[..start].chars().next_back();
            let after = text[end..].chars().next();
            let edge = |c: Option<char>, signs: &str| c.is_none_or(|c| c.is_whitespace() || signs.contains(c));
            if !word.is_empty() && edge(before, "({=~#&>|") && edge(after, ")}~=|") {
                self.cursor = end;
                return start..end;
            }
            from = start + text[start..].chars().next().map_or(1, char::len_utf8);
        }
        self.inside.clone()
    }

    /// Moves on past a string that comes next, so that a call's place reaches to its end.
    fn pass(&mut self, text: &str) {
        let rest = self.source.get(self.cursor..self.inside.end).unwrap_or_default();
        let next = rest.trim_start();
        let inside = next.strip_prefix(['\'', '"']).filter(|inside| inside.starts_with(text));
        if inside.is_some_and(|inside| inside[text.len()..].starts_with(['\'', '"'])) {
            self.cursor += rest.len() - next.len() + text.len() + 2;
        }
    }

    fn block(&mut self, block: &HelperTemplate) -> Result<Node, CompileError> {
        let name = block.name.as_name().unwrap_or_default().to_owned();
        let at = self.place(&name);
        let checked = self.block_head(block, &name, at);
        // The body is lowered even when the head is at fault: its own faults are reported too, and its places are passed.
        let body = block.template.as_ref().map(|body| self.nodes(body)).unwrap_or_default();
        let otherwise = block.inverse.as_ref().map(|body| self.nodes(body)).unwrap_or_default();
        let (mut parameters, names) = checked?;
        let key = (parameters.len() > 1).then(|| parameters.pop()).flatten();
        let first = parameters.pop().unwrap_or(Expr::Literal(serde_json::Value::Null));
        Ok(match name.as_str() {
            "if" | "unless" => Node::If { condition: first, when: name == "if", then: body, otherwise },
            "each" => Node::Each { list: first, names, body, otherwise },
            _ => Node::With { value: first, key, names, body, otherwise },
        })
    }

    fn block_head(
        &mut self,
        block: &HelperTemplate,
        name: &str,
        at: Range<usize>,
    ) -> Result<(Vec<Expr>, Vec<String>), CompileError> {
        if !BLOCKS.contains(&name) {
            let error = CompileError::new(Kind::UnknownBlock, at, format!("there is no block '{name}'"));
            return Err(match crate::diagnostic::nearest(name, BLOCKS) {
                Some(near) => error.help(format!("did you mean '{near}'?")),
                None => error.help("the blocks are if, unless, each, with and lookup"),
            });
        }
        let parameters = self.parameters(&block.params)?;
        self.no_hash(&block.hash)?;
        let wanted = if name == "lookup" { 2 } else { 1 };
        if parameters.len() != wanted {
            let words = if wanted == 1 { "one parameter" } else { "two parameters" };
            let message = format!("the block '{name}' takes {words} and was given {}", parameters.len());
            let error = CompileError::new(Kind::UnknownBlock, at, message);
            return Err(match block.params.first().and_then(Parameter::as_name) {
                Some(function) if functions::find(function).is_some() => {
                    error.help(format!("put a call in parentheses: {{{{#{name} ({function} …)}}}}"))
                }
                _ => error,
            });
        }
        let names = match &block.block_param {
            None => Vec::new(),
            Some(BlockParam::Single(one)) => vec![one],
            Some(BlockParam::Pair((one, two))) => vec![one, two],
            Some(_) => Vec::new(),
        };
        Ok((parameters, names.into_iter().filter_map(|name| name.as_name().map(str::to_owned)).collect()))
    }

    fn partial(&mut self, partial: &DecoratorTemplate) -> Result<Node, CompileError> {
        let range = self.inside.clone();
        let checked = self.partial_head(partial);
        let block = partial.template.as_ref().map(|body| self.nodes(body));
        let (name, context, hash) = checked?;
        if name == "@partial-block" {
            return Ok(Node::PartialBlock);
        }
        let indent = if self.stands_alone(&range) { partial.indent.clone() } else { None };
        Ok(Node::Partial(Include { name, context, hash, block, indent: indent.unwrap_or_default(), range }))
    }

    #[expect(clippy::type_complexity, reason = "the three parts of an inclusion, used once")]
    fn partial_head(
        &mut self,
        partial: &DecoratorTemplate,
    ) -> Result<(String, Option<Expr>, Vec<(String, Expr)>), CompileError> {
        let Some(written) = partial.name.as_name() else {
            return Err(CompileError::new(
                Kind::DynamicPartial,
                self.inside.clone(),
                "a partial's name cannot be computed",
            )
            .help("choose between partials with {{#if}}"));
        };
        let at = self.place(written);
        let name = written.trim_matches(['\'', '[', ']']).to_owned();
        if name != "@partial-block" && !(self.known)(&name) {
            return Err(CompileError::new(Kind::UnknownPartial, at, format!("there is no partial '{name}'"))
                .help(format!("it would be the file templates/{name}.hbs")));
        }
        let mut parameters = self.parameters(&partial.params)?;
        if parameters.len() > 1 {
            return Err(CompileError::syntax(at, "a partial takes one value as its context")
                .help("give further values by name: {{> name key=value}}"));
        }
        let mut hash = Vec::new();
        let mut keys: Vec<&String> = partial.hash.keys().collect();
        keys.sort_unstable();
        for key in keys {
            self.cursor = self.inside.start;
            self.place(key);
            hash.push((key.clone(), self.parameter(&partial.hash[key])?));
        }
        Ok((name, parameters.pop(), hash))
    }

    /// Whether a `{{…}}` has its line to itself.
    fn stands_alone(&self, range: &Range<usize>) -> bool {
        let before = self.source[..range.start].rsplit('\n').next().unwrap_or_default();
        let after = self.source[range.end..].split('\n').next().unwrap_or_default();
        before.trim().is_empty() && after.trim().is_empty()
    }

    fn no_hash(&mut self, hash: &HashMap<String, Parameter>) -> Result<(), CompileError> {
        match hash.keys().min() {
            None => Ok(()),
            Some(key) => {
                let at = self.place(key);
                Err(CompileError::syntax(at, format!("only a partial takes parameters by name, such as '{key}='")))
            }
        }
    }

    fn parameters(&mut self, parameters: &[Parameter]) -> Result<Vec<Expr>, CompileError> {
        parameters.iter().map(|parameter| self.parameter(parameter)).collect()
    }

    fn parameter(&mut self, parameter: &Parameter) -> Result<Expr, CompileError> {
        match parameter {
            Parameter::Literal(value) => {
                if let serde_json::Value::String(text) = value {
                    self.pass(text);
                }
                Ok(Expr::Literal(value.clone()))
            }
            Parameter::Name(written) => self.name(written),
            Parameter::Path(_) => self.name(parameter.as_name().unwrap_or_default()),
            Parameter::Subexpression(inner) => match inner.as_element() {
                TemplateElement::Expression(call) => self.expression(call),
                _ => Err(CompileError::syntax(self.inside.clone(), "this is no expression")),
            },
            _ => Err(CompileError::syntax(self.inside.clone(), "this is not supported")),
        }
    }

    /// A name or a call: what stands between `{{` and `}}`, or between parentheses.
    fn expression(&mut self, call: &HelperTemplate) -> Result<Expr, CompileError> {
        if call.params.is_empty() && call.hash.is_empty() {
            return self.parameter(&call.name);
        }
        let name = call.name.as_name().unwrap_or_default().to_owned();
        let at = self.place(&name);
        if BLOCKS.contains(&name.as_str()) {
            return Err(inline_block(&name, at));
        }
        let function = parse::resolve(&name, &at)?;
        parse::check_count(function, call.params.len(), &at)?;
        self.no_hash(&call.hash)?;
        let arguments = self.parameters(&call.params)?;
        let call = Call { function, arguments, written: Written::Call, eager: true, range: at.start..self.cursor };
        parse::check_name(&call)?;
        Ok(Expr::Call(call))
    }

    /// A name alone: a function without parameters, or data.
    fn name(&mut self, written: &str) -> Result<Expr, CompileError> {
        let at = self.place(written);
        let path = Path::parse(written, at.clone())?;
        let Some(word) = path.word() else { return Ok(Expr::Path(path)) };
        if BLOCKS.contains(&word) {
            return Err(inline_block(word, at));
        }
        match functions::find(word) {
            Some(function) if function.min == 0 && functions::root(word).is_none() => {
                let call = Call { function, arguments: Vec::new(), written: Written::Call, eager: true, range: at };
                Ok(Expr::Call(call))
            }
            _ => Ok(Expr::Path(path)),
        }
    }
}

fn inline_block(name: &str, at: Range<usize>) -> CompileError {
    let error =
        CompileError::new(Kind::InlineBlock, at, format!("'{name}' is a block and cannot stand inside '{{{{…}}}}'"));
    match name {
        "if" | "unless" => error.help("write {{#if x}}…{{/if}}, or the whole value as @if(condition, a, b)"),
        "lookup" => error.help("write {{#lookup map key}}…{{/lookup}}, or the whole value as @map?[key]"),
        _ => error.help(format!("write {{{{#{name} x}}}}…{{{{/{name}}}}}")),
    }
}
