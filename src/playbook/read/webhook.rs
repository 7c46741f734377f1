//! `trigger: webhook:`

use super::{name, trigger};
use crate::{
    diagnostic::{Faults, codes},
    playbook::{Admits, Method, Segment, Trigger, WebhookTrigger},
    schema::Schema,
    yaml::{Given, Takes, Value},
};

/// What opens a webhook to anybody, where a connection would be named.
const NO_CONNECTION: &str = "none";

crate::shape! {
    /// Starts for every call of `/hooks/PATH`.
    pub(super) WEBHOOK = "a webhook";
    /// The last part of its address.
    required "path": trigger::PATH;
    /// The webhook connection of `larum.yaml` that says how calls are signed; `none` takes them from anybody. Without it,
    /// the address itself is signed: `larum hooks` shows it.
    optional "connection": Takes::Words;
    /// The methods it is called with. Default POST.
    optional "methods": Takes::OneOrMore(&Takes::Choice(methods));
    /// A JSON schema that the body must fit.
    optional "schema": Takes::Any(&[Takes::Names(&Takes::Anything), Takes::Flag]);
    /// What follows in the address, such as `customer/{id}`; goes with `methods`.
    optional "relative_path": Takes::Words;
    /// A template whose text makes a call unique: one whose key came before starts nothing.
    optional "key": Takes::Text;
}

fn methods() -> Vec<&'static str> {
    Method::ALL.iter().map(|method| method.as_str()).collect()
}

pub(super) fn webhook<'n>(given: Given<'n>, faults: &mut Faults) -> Option<trigger::Read<'n>> {
    let mut fields = given.fields(&WEBHOOK, faults)?;
    let path = fields.required("path");
    let connection = fields.optional("connection");
    let methods = fields.optional("methods");
    let schema = fields.optional("schema");
    let relative_path = fields.optional("relative_path");
    let key = fields.optional("key");
    fields.finish(faults);

    let path = path.and_then(|given| trigger::path(given, faults));
    let name = connection.and_then(|given| given.words(faults));
    let admits = match name {
        Some(NO_CONNECTION) => Admits::Anybody,
        Some(name) => Admits::Signed { connection: name.to_owned() },
        None => Admits::SignedUrl,
    };
    let taken = methods.and_then(|given| read_methods(given, faults));
    let schema = schema.map(|given| read_schema(given, faults));
    let segments = relative_path.map(|given| read_relative_path(given, faults));
    if let (Some(given), None) = (relative_path, methods) {
        let help = "name them, such as `methods: [POST]`";
        faults.add_with(
            codes::MISSING_KEY,
            given.key_span(),
            "a webhook with `relative_path` needs `methods`",
            Some(help.to_owned()),
        );
    }
    let (path, span) = path?;
    let webhook = WebhookTrigger {
        path: path.to_owned(),
        admits,
        methods: taken.unwrap_or_else(|| vec![Method::Post]),
        // One that is at fault was reported.
        schema: schema.flatten(),
        relative_path: segments.flatten().unwrap_or_default(),
        key: None,
    };
    Some(trigger::Read {
        admission: Default::default(),
        trigger: Trigger::Webhook(webhook),
        connection: connection.map(|given| given.span()),
        path: Some(span),
        key,
    })
}

fn read_methods(given: Given<'_>, faults: &mut Faults) -> Option<Vec<Method>> {
    let choices: Vec<(&'static str, Method)> = Method::ALL.iter().map(|method| (method.as_str(), *method)).collect();
    let items = match given.node.value {
        Value::Text(_) => vec![given],
        _ => given.list(faults)?,
    };
    if items.is_empty() {
        faults.add(codes::BAD_VALUE, given.span(), "`methods` must not be empty");
    }
    let mut out = Vec::new();
    for item in items {
        let Some(method) = item.choice(&choices, faults) else { continue };
        if out.contains(&method) {
            faults.add(codes::DUPLICATE_NAME, item.span(), format!("`{}` is written twice", method.as_str()));
        }
        out.push(method);
    }
    Some(out)
}

fn read_schema(given: Given<'_>, faults: &mut Faults) -> Option<Schema> {
    if given.node.is_broken() {
        return None;
    }
    if !matches!(given.node.value, Value::Map(_) | Value::Bool(_)) {
        given.wrong_type("a JSON schema", faults);
        return None;
    }
    match Schema::new(&given.node.to_json()) {
        Ok(schema) => Some(schema),
        Err(error) => {
            let place = match error.pointer.as_str() {
                "" => String::new(),
                pointer => format!(" at `{pointer}`"),
            };
            faults.add(codes::BAD_SCHEMA, given.key_span(), format!("the JSON schema cannot be used{place}: {error}"));
            None
        }
    }
}

/// `customer/{id}` in segments.
fn read_relative_path(given: Given<'_>, faults: &mut Faults) -> Option<Vec<Segment>> {
    let text = given.words(faults)?;
    let mut out: Vec<Segment> = Vec::new();
    for piece in text.trim_matches('/').split('/') {
        let segment = match piece.strip_prefix('{').and_then(|piece| piece.strip_suffix('}')) {
            Some(parameter) if name::is_plain(parameter) => Segment::Parameter(parameter.to_owned()),
            None if !piece.is_empty()
                && !piece.contains(['{', '}', '?', '#', '%'])
                && ![".", ".."].contains(&piece) =>
            {
                Segment::Text(piece.to_owned())
            }
            _ => {
                let help = "each segment is a text or a name in braces, such as `customer/{id}`";
                let message = format!("`{piece}` is not a segment of a path");
                faults.add_with(codes::BAD_VALUE, given.span(), message, Some(help.to_owned()));
                return None;
            }
        };
        if let Segment::Parameter(name) = &segment
            && out.iter().any(|other| matches!(other, Segment::Parameter(known) if known.eq_ignore_ascii_case(name)))
        {
            faults.add(codes::DUPLICATE_NAME, given.span(), format!("the path has `{{{name}}}` twice"));
        }
        out.push(segment);
    }
    Some(out)
}
