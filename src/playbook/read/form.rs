//! `trigger: form:`

use super::{name, step, trigger};
use crate::{
    diagnostic::{Faults, codes},
    limits,
    playbook::{Field, FieldType, FormTrigger, Trigger},
    yaml::{Given, Takes, shape},
};

const TYPES: &[(&str, FieldType)] = &[
    ("text", FieldType::Text),
    ("long_text", FieldType::LongText),
    ("choice", FieldType::Choice),
    ("email", FieldType::Email),
    ("url", FieldType::Url),
    ("date", FieldType::Date),
    ("number", FieldType::Number),
    ("checkbox", FieldType::Checkbox),
];

/// What every form delivers beside its answers.
const DELIVERED: &[&str] = &["responseId", "submitDate", "responder"];

crate::shape! {
    /// Starts for every answer to a form, which Larum serves at `/forms/PATH`.
    pub(super) FORM = "a form";
    /// The last part of its address.
    required "path": trigger::PATH;
    /// What stands above it.
    required "title": Takes::Words;
    /// What is asked, from top to bottom.
    required "fields": Takes::List(&Takes::Map(&FORM_FIELD));
}

crate::shape! {
    /// One question of a form.
    FORM_FIELD = "a field";
    /// Its name in `trigger`.
    required "id": step::ID;
    /// The question, for whoever answers.
    required "label": Takes::Words;
    /// What is answered with.
    required "type": Takes::Choice(|| shape::names(TYPES));
    /// Whether it must be answered. Default false.
    optional "required": Takes::Flag;
    /// Of what is typed: the most characters.
    optional "max_length": Takes::Count(1, limits::FORM_ANSWER_CHARS as i64);
    /// Of a `choice`: what there is to choose from.
    sometimes "options": Takes::List(&Takes::Words);
    /// Of a `choice`: whether several may be chosen. Default false.
    optional "multiple": Takes::Flag;
}

pub(super) fn form<'n>(given: Given<'n>, faults: &mut Faults) -> Option<trigger::Read<'n>> {
    let mut fields = given.fields(&FORM, faults)?;
    let path = fields.required("path");
    let title = fields.required("title");
    let list = fields.required("fields");
    fields.finish(faults);
    let path = path.and_then(|given| trigger::path(given, faults));
    let title = title.and_then(|given| given.words(faults));
    let fields = list.and_then(|given| read_fields(given, faults));
    let (path, span) = path?;
    let form = FormTrigger { path: path.to_owned(), title: title?.to_owned(), fields: fields? };
    Some(trigger::Read { path: Some(span), ..Trigger::Form(form).into() })
}

fn read_fields(given: Given<'_>, faults: &mut Faults) -> Option<Vec<Field>> {
    let items = given.list(faults)?;
    if items.is_empty() || items.len() > limits::FORM_FIELDS {
        let message = format!("a form has from 1 to {} fields", limits::FORM_FIELDS);
        faults.add(codes::OUT_OF_BOUNDS, given.span(), message);
    }
    let mut out: Vec<Field> = Vec::new();
    let mut complete = true;
    for item in items {
        match field(item, &out, faults) {
            Some(field) => out.push(field),
            None => complete = false,
        }
    }
    complete.then_some(out)
}

fn field(item: Given<'_>, before: &[Field], faults: &mut Faults) -> Option<Field> {
    let mut fields = item.fields(&FORM_FIELD, faults)?;
    let id = fields.required("id");
    let label = fields.required("label");
    let kind = fields.required("type");
    let required = fields.optional("required");
    let max_length = fields.optional("max_length");
    let options = fields.optional("options");
    let multiple = fields.optional("multiple");
    let span = fields.span();
    fields.finish(faults);

    let id = id.and_then(|given| field_id(given, before, faults));
    let label = label.and_then(|given| given.words(faults));
    let kind = kind.and_then(|given| field_type(given, faults));
    let required = required.and_then(|given| given.flag(faults)).unwrap_or(false);
    let bounds = 1..=limits::FORM_ANSWER_CHARS as u64;
    let length = max_length.and_then(|given| given.count(bounds, faults));
    let choices = options.and_then(|given| read_options(given, faults));
    let several = multiple.and_then(|given| given.flag(faults)).unwrap_or(false);
    let kind = kind?;
    let typed = matches!(kind, FieldType::Text | FieldType::LongText | FieldType::Email | FieldType::Url);
    only(max_length, typed, "a length is for what is typed: text, long_text, email and url", faults);
    only(options, kind == FieldType::Choice, "options are for a field of type choice", faults);
    only(multiple, kind == FieldType::Choice, "several answers are for a field of type choice", faults);
    if kind == FieldType::Choice && options.is_none() {
        faults.add(codes::FIELD_RULE, span, "a field of type choice needs `options`");
        return None;
    }
    Some(Field {
        id: id?.to_owned(),
        label: label?.to_owned(),
        kind,
        required,
        max_length: length.and_then(|length| usize::try_from(length).ok()),
        options: choices.unwrap_or_default(),
        multiple: several,
    })
}

fn field_id<'n>(given: Given<'n>, before: &[Field], faults: &mut Faults) -> Option<&'n str> {
    let id = name::id(given, faults)?;
    if let Some(first) = before.iter().find(|field| field.id.eq_ignore_ascii_case(id)) {
        let message = format!("a field before has the id `{}`", first.id);
        faults.add(codes::DUPLICATE_NAME, given.span(), message);
        return None;
    }
    if let Some(taken) = DELIVERED.iter().find(|taken| taken.eq_ignore_ascii_case(id)) {
        faults.add(codes::DUPLICATE_NAME, given.span(), format!("every form delivers `{taken}` by itself"));
        return None;
    }
    Some(id)
}

fn field_type(given: Given<'_>, faults: &mut Faults) -> Option<FieldType> {
    if given.node.as_text() == Some("file") {
        faults.add(codes::NOT_SUPPORTED, given.span(), "a field of type `file` is not supported yet");
        return None;
    }
    given.choice(TYPES, faults)
}

fn read_options(given: Given<'_>, faults: &mut Faults) -> Option<Vec<String>> {
    let items = given.list(faults)?;
    if items.is_empty() {
        faults.add(codes::FIELD_RULE, given.span(), "`options` must not be empty");
        return None;
    }
    let mut out: Vec<String> = Vec::new();
    for item in items {
        let option = item.words(faults)?;
        if out.iter().any(|other| other == option) {
            faults.add(codes::DUPLICATE_NAME, item.span(), format!("the option `{option}` is written twice"));
        }
        out.push(option.to_owned());
    }
    Some(out)
}

/// Reports a key where it means nothing.
fn only(given: Option<Given<'_>>, fits: bool, rule: &str, faults: &mut Faults) {
    if let Some(given) = given
        && !fits
    {
        faults.add(codes::FIELD_RULE, given.key_span(), rule);
    }
}
