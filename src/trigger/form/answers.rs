//! A submission checked against a form's fields, with a plain sentence for everything that is wrong with it.

use std::fmt;

use chrono::NaiveDate;
use percent_encoding::percent_decode;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Number, error::Category};

use crate::{
    diagnostic::nearest,
    limits::{FORM_ANSWER_CHARS, FORM_ANSWERS, FORM_NUMBER},
    mail::shown::turns_direction,
    playbook::{Field, FieldType},
};

/// Faults named in one refusal; a body of ten megabytes could hold a million unknown fields.
const FAULTS_SHOWN: usize = 50;
const TOO_MANY: &str = "There are more than 10,000 answers.";
/// Characters of a name or message that came from outside, as far as it is repeated in a refusal.
const ECHOED_CHARS: usize = 120;

/// The answers of a form that passed every check, in the order of its fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers(Vec<(String, Answer)>);

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Nothing was answered.
    None,
    Text(String),
    Number(Number),
    Ticked(bool),
    Chosen(Vec<String>),
}

/// Why a submission is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot be read at all.
    Malformed(String),
    /// It can be read, and these fields are wrong.
    Fields(Vec<FieldFault>),
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldFault {
    /// The field's id, or the name that no field has.
    pub field: String,
    /// What people know the field by.
    pub label: Option<String>,
    /// What is wrong, as a sentence.
    pub message: String,
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => number.serialize(serializer),
            Self::Ticked(ticked) => serializer.serialize_bool(*ticked),
            Self::Chosen(options) => options.serialize(serializer),
        }
    }
}

impl Answers {
    /// Reads a JSON submission: one object of answers by field id.
    ///
    /// # Errors
    /// When it is not such an object, or an answer does not fit its field.
    pub fn from_json(fields: &[Field], body: &[u8]) -> Result<Self, Refusal> {
        let Members(members) = serde_json::from_slice(body).map_err(|error| {
            Refusal::Malformed(match error.classify() {
                Category::Data => {
                    "The body must be one JSON object with at most 10,000 answers by field id.".to_owned()
                }
                Category::Syntax | Category::Eof | Category::Io => {
                    format!("The body is not readable JSON: {}.", shown(&error))
                }
            })
        })?;
        collect(fields, members, json_answer)
    }

    /// Reads a submission from a page: pairs of field id and text, a field with several answers more than once.
    ///
    /// # Errors
    /// When an answer does not fit its field.
    pub fn from_pairs(fields: &[Field], pairs: Vec<(String, String)>) -> Result<Self, Refusal> {
        let mut gathered: Vec<(String, Vec<String>)> = Vec::new();
        for (name, value) in pairs {
            match gathered.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                Some((_, values)) => values.push(value),
                None => gathered.push((name, vec![value])),
            }
            // What is left out here has no place in the form either, and the refusal names no more.
            if gathered.len() > fields.len() + FAULTS_SHOWN {
                break;
            }
        }
        collect(fields, gathered, page_answer)
    }

    /// The answers by field id, in the order of the fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Answer)> {
        self.0.iter().map(|(id, answer)| (id.as_str(), answer))
    }
}

/// Decodes an `application/x-www-form-urlencoded` body; unlike the URL standard's own parser it refuses what is not UTF-8
/// rather than replace it.
///
/// # Errors
/// When a name or value is not UTF-8, or there are more than [`FORM_ANSWERS`] of them.
pub fn decode_pairs(body: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    let text = |bytes: &[u8]| {
        let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        let decoded = percent_decode(&spaced).decode_utf8().map(std::borrow::Cow::into_owned);
        decoded.map_err(|_| Refusal::Malformed("The text is not valid UTF-8.".to_owned()))
    };
    let mut pairs = Vec::new();
    for piece in body.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
        let mut halves = piece.splitn(2, |byte| *byte == b'=');
        let name = text(halves.next().unwrap_or_default())?;
        if pairs.len() == FORM_ANSWERS {
            return Err(Refusal::Malformed(TOO_MANY.to_owned()));
        }
        pairs.push((name, text(halves.next().unwrap_or_default())?));
    }
    Ok(pairs)
}

/// The members of a JSON object in order, repeated names included, which a map would hide.
struct Members(Vec<(String, Given)>);

/// A JSON value as far as any field could take it; what no field takes is not kept, so that a body cannot grow in memory.
enum Given {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<String>),
    /// A list that holds something else than text.
    Mixed(&'static str),
    Object,
}

impl Given {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) | Self::Mixed(_) => "a list",
            Self::Object => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of answers by field id")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    if members.len() == FORM_ANSWERS {
                        return Err(A::Error::custom("more than 10,000 answers"));
                    }
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Given;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an answer")
            }
            fn visit_unit<E>(self) -> Result<Given, E> {
                Ok(Given::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Given, E> {
                Ok(Given::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Given, E> {
                Ok(Given::Number(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Given, E> {
                Ok(Given::Number(value.into()))
            }
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Given, E> {
                Number::from_f64(value).map(Given::Number).ok_or_else(|| E::custom("number out of range"))
            }
            fn visit_str<E>(self, value: &str) -> Result<Given, E> {
                Ok(Given::Text(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Given, E> {
                Ok(Given::Text(value))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Given, A::Error> {
                let mut texts = Vec::new();
                while let Some(piece) = seq.next_element()? {
                    let Given::Text(text) = piece else {
                        while seq.next_element::<IgnoredAny>()?.is_some() {}
                        return Ok(Given::Mixed(piece.kind()));
                    };
                    if texts.len() == FORM_ANSWERS {
                        return Err(A::Error::custom("more than 10,000 answers"));
                    }
                    texts.push(text);
                }
                Ok(Given::List(texts))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Given::Object)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// Brings what was given to the fields it is meant for.
fn collect<T>(
    fields: &[Field],
    given: Vec<(String, T)>,
    read: impl Fn(&Field, Option<T>) -> Result<Answer, String>,
) -> Result<Answers, Refusal> {
    let mut faults = Vec::new();
    let mut slots: Vec<Option<T>> = fields.iter().map(|_| None).collect();
    for (name, value) in given {
        if faults.len() >= FAULTS_SHOWN {
            break;
        }
        let place = fields.iter().position(|field| field.id.eq_ignore_ascii_case(&name));
        match place.and_then(|place| Some((fields.get(place)?, slots.get_mut(place)?))) {
            Some((_, slot @ None)) => *slot = Some(value),
            Some((field, Some(_))) => faults.push(fault(field, "This field was sent twice.".to_owned())),
            None => faults.push(unknown(fields, &name)),
        }
    }
    let mut answers = Vec::with_capacity(fields.len());
    for (field, slot) in fields.iter().zip(slots) {
        match read(field, slot) {
            Ok(answer) => answers.push((field.id.clone(), answer)),
            Err(message) => faults.push(fault(field, message)),
        }
    }
    if faults.is_empty() { Ok(Answers(answers)) } else { Err(Refusal::Fields(faults)) }
}

fn fault(field: &Field, message: String) -> FieldFault {
    FieldFault { field: field.id.clone(), label: Some(field.label.clone()), message }
}

fn unknown(fields: &[Field], name: &str) -> FieldFault {
    let near = (name.chars().count() <= ECHOED_CHARS)
        .then(|| nearest(name, fields.iter().map(|field| field.id.as_str())))
        .flatten();
    let message = match near {
        Some(near) => format!("This form has no such field; did you mean {near}?"),
        None => "This form has no such field.".to_owned(),
    };
    FieldFault { field: shown(&name), label: None, message }
}

/// A piece of what came from outside, short and without control characters, to be repeated in a refusal.
fn shown(text: &dyn fmt::Display) -> String {
    let text = text.to_string();
    let mut shown: String =
        text.chars().take(ECHOED_CHARS).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if shown.len() < text.len() && text.chars().count() > ECHOED_CHARS {
        shown.push('…');
    }
    shown
}

/// An answer from a JSON value, whose type must be the field's.
fn json_answer(field: &Field, given: Option<Given>) -> Result<Answer, String> {
    let given = given.unwrap_or(Given::Null);
    let kind = given.kind();
    let wrong = |expected: &str| Err(format!("This must be {expected}, not {kind}."));
    match (field.kind, given) {
        (FieldType::Checkbox, Given::Null) => ticked(field, false),
        (_, Given::Null) => unanswered(field),
        (FieldType::Checkbox, Given::Bool(value)) => ticked(field, value),
        (FieldType::Checkbox, _) => wrong("true or false"),
        (FieldType::Number, Given::Number(value)) => number(value),
        (FieldType::Number, _) => wrong("a number"),
        (FieldType::Choice, Given::List(values)) if field.multiple => chosen(field, values),
        (FieldType::Choice, Given::Mixed(kind)) if field.multiple => {
            Err(format!("This must be a list of texts; it holds {kind}."))
        }
        (FieldType::Choice, _) if field.multiple => wrong("a list of texts"),
        (FieldType::Choice, Given::Text(value)) => choice(field, value),
        (_, Given::Text(value)) => text(field, value),
        (_, _) => wrong("text"),
    }
}

/// An answer from what a page sent, which is always text.
fn page_answer(field: &Field, given: Option<Vec<String>>) -> Result<Answer, String> {
    let values = given.unwrap_or_default();
    if field.kind == FieldType::Choice && field.multiple {
        return chosen(field, values);
    }
    let mut values = values.into_iter();
    let value = values.next();
    if values.next().is_some() {
        return Err("This field was sent twice.".to_owned());
    }
    match (field.kind, value) {
        (FieldType::Checkbox, None) => ticked(field, false),
        (FieldType::Checkbox, Some(value)) if value == "true" => ticked(field, true),
        (FieldType::Checkbox, Some(_)) => Err("This must be ticked or not.".to_owned()),
        (_, None) => unanswered(field),
        (FieldType::Number, Some(value)) => match value.trim() {
            "" => unanswered(field),
            value => {
                let whole = value.parse::<i64>().ok().map(Number::from);
                let number_given = whole.or_else(|| value.parse().ok().and_then(Number::from_f64));
                number(number_given.ok_or("This must be a number, such as 12 or 3.5.")?)
            }
        },
        (FieldType::Choice, Some(value)) => choice(field, value),
        (_, Some(value)) => text(field, value),
    }
}

fn unanswered(field: &Field) -> Result<Answer, String> {
    if field.required { Err("An answer is required.".to_owned()) } else { Ok(Answer::None) }
}

fn ticked(field: &Field, value: bool) -> Result<Answer, String> {
    if field.required && !value { Err("This must be ticked.".to_owned()) } else { Ok(Answer::Ticked(value)) }
}

fn number(value: Number) -> Result<Answer, String> {
    match value.as_f64() {
        Some(size) if size.abs() <= FORM_NUMBER => Ok(Answer::Number(value)),
        _ => Err("This number is too large: at most 9,007,199,254,740,991 is kept exactly.".to_owned()),
    }
}

fn choice(field: &Field, value: String) -> Result<Answer, String> {
    if value.is_empty() {
        return unanswered(field);
    }
    if field.options.contains(&value) { Ok(Answer::Text(value)) } else { Err(must_be_option(field)) }
}

fn chosen(field: &Field, values: Vec<String>) -> Result<Answer, String> {
    if values.is_empty() {
        return unanswered(field);
    }
    for (place, value) in values.iter().enumerate() {
        if !field.options.contains(value) {
            return Err(must_be_option(field));
        }
        // Every value is an option here, so the list is no longer than the options until one repeats.
        if values.iter().take(place).any(|earlier| earlier == value) {
            return Err("An option was chosen twice.".to_owned());
        }
    }
    Ok(Answer::Chosen(values))
}

fn must_be_option(field: &Field) -> String {
    let each = if field.multiple { "Each answer" } else { "This" };
    format!("{each} must be one of: {}.", field.options.join(", "))
}

fn text(field: &Field, given: String) -> Result<Answer, String> {
    let value = match field.kind {
        // Browsers send CR LF; everything after this counts and shows lines alike.
        FieldType::LongText if given.contains('\r') => given.replace("\r\n", "\n").replace('\r', "\n"),
        FieldType::LongText => given,
        _ => given.trim().to_owned(),
    };
    if value.trim().is_empty() {
        return unanswered(field);
    }
    let lines = field.kind == FieldType::LongText;
    if !lines && value.contains(['\n', '\r', '\u{2028}', '\u{2029}']) {
        return Err("This must be a single line.".to_owned());
    }
    // Marks that turn the writing direction belong in running text; in a line they make one name look like another.
    let hidden = |c: char| (c.is_control() && c != '\t' && !(lines && c == '\n')) || (!lines && turns_direction(c));
    if value.contains(hidden) {
        return Err("This holds a hidden character, as copied text may; type it anew.".to_owned());
    }
    let most = field.max_length.unwrap_or(FORM_ANSWER_CHARS);
    // A text of so many bytes need not be counted.
    let length = if value.len() <= most { 0 } else { value.chars().count() };
    if length > most {
        let (length, most) = (grouped(length as u64), grouped(most as u64));
        return Err(format!("This has {length} characters; at most {most} are allowed."));
    }
    match field.kind {
        FieldType::Email if value.parse::<lettre::Address>().is_err() => {
            Err("This must be a mail address, such as name@example.com.".to_owned())
        }
        FieldType::Url if !is_web_address(&value) => {
            Err("This must be a web address that starts with https:// or http://.".to_owned())
        }
        FieldType::Date if !is_date(&value) => {
            Err("This must be a date written year-month-day, such as 2026-11-24.".to_owned())
        }
        _ => Ok(Answer::Text(value)),
    }
}

fn is_web_address(text: &str) -> bool {
    !text.contains(char::is_whitespace)
        && url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// A full date of RFC 3339, the form in which browsers send one.
fn is_date(text: &str) -> bool {
    text.len() == 10 && text.is_ascii() && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

/// A count with commas between thousands.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
