//! String functions.

use std::borrow::Cow;

use serde_json::Value;
use uuid::Uuid;

use super::{Args, number, utf16};
use crate::expression::{EvalError, evaluate::Outcome, value};

/// A string as the result.
pub(super) fn text<'a>(text: impl Into<String>) -> Outcome<'a> {
    Ok(Cow::Owned(Value::String(text.into())))
}

fn count<'a>(position: Option<usize>) -> Outcome<'a> {
    let position = position.and_then(|position| i64::try_from(position).ok()).unwrap_or(-1);
    Ok(Cow::Owned(Value::from(position)))
}

pub(super) fn concat(args: Args<'_>) -> Outcome<'_> {
    let mut out = String::new();
    for value in &args.values {
        value::write_text(&mut out, value);
        args.fits(out.len())?;
    }
    text(out)
}

pub(super) fn substring(args: Args<'_>) -> Outcome<'_> {
    let subject = args.string(0)?;
    let total = utf16::length(subject);
    let start = usize::try_from(args.integer(1)?).ok();
    let end = match (start, args.has(2)) {
        (Some(start), true) => usize::try_from(args.integer(2)?).ok().and_then(|length| start.checked_add(length)),
        (Some(_), false) => Some(total),
        (None, _) => None,
    };
    match (start, end) {
        (Some(start), Some(end)) if start <= end && end <= total => text(utf16::cut(subject, start, end)),
        _ => Err(args.error(
            "parameters are out of range: 'start index' and 'length' must be non-negative integers and their sum must \
             be no larger than the length of the string",
        )),
    }
}

pub(super) fn slice(args: Args<'_>) -> Outcome<'_> {
    let subject = args.string(0)?;
    let total = utf16::length(subject);
    let place = |at: i64| {
        let distance = usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX);
        if at < 0 { total.saturating_sub(distance) } else { distance.min(total) }
    };
    let start = place(args.integer(1)?);
    let end = if args.has(2) { place(args.integer(2)?) } else { total };
    text(if start < end { utf16::cut(subject, start, end) } else { String::new() })
}

pub(super) fn replace(args: Args<'_>) -> Outcome<'_> {
    let (subject, old, new) = (args.string(0)?, args.string(1)?, args.string(2)?);
    if old.is_empty() {
        return Err(args.error("expects its second parameter, the text to replace, not to be empty"));
    }
    // Counted first, so that nothing too large is ever built.
    let found = subject.matches(old).count();
    args.fits(subject.len().saturating_add(found.saturating_mul(new.len())).saturating_sub(found * old.len()))?;
    text(subject.replace(old, new))
}

pub(super) fn guid(args: Args<'_>) -> Outcome<'_> {
    let id = uuid::Builder::from_random_bytes(
        ((u128::from(args.scope.random()) << 64) | u128::from(args.scope.random())).to_be_bytes(),
    )
    .into_uuid();
    let format = if args.has(0) { args.only_string()? } else { "D" };
    text(match format {
        "D" | "d" | "" => id.to_string(),
        "N" | "n" => id.simple().to_string(),
        "B" | "b" => id.braced().to_string(),
        "P" | "p" => format!("({id})"),
        "X" | "x" => hexadecimal(id),
        _ => return Err(args.error(format_args!("does not know the format '{format}'; there are N, D, B, P and X"))),
    })
}

/// `{0x…,0x…,0x…,{0x…,…}}`, .NET's format X.
fn hexadecimal(id: Uuid) -> String {
    let (first, second, third, rest) = id.as_fields();
    let rest: Vec<String> = rest.iter().map(|byte| format!("0x{byte:02x}")).collect();
    format!("{{0x{first:08x},0x{second:04x},0x{third:04x},{{{}}}}}", rest.join(","))
}

pub(super) fn to_lower(args: Args<'_>) -> Outcome<'_> {
    text(args.only_string()?.chars().map(value::lower).collect::<String>())
}

pub(super) fn to_upper(args: Args<'_>) -> Outcome<'_> {
    text(args.only_string()?.chars().map(value::fold).collect::<String>())
}

pub(super) fn index_of(args: Args<'_>) -> Outcome<'_> {
    let (subject, needle) = (args.string(0)?, args.string(1)?);
    if needle.is_empty() {
        return count(Some(0));
    }
    count(utf16::places(&utf16::folded(subject), &utf16::folded(needle)).next())
}

pub(super) fn last_index_of(args: Args<'_>) -> Outcome<'_> {
    let (subject, needle) = (args.string(0)?, args.string(1)?);
    // For empty text, .NET names the last character and not the place after it.
    if needle.is_empty() {
        return count(Some(utf16::length(subject).saturating_sub(1)));
    }
    count(utf16::places(&utf16::folded(subject), &utf16::folded(needle)).last())
}

pub(super) fn nth_index_of(args: Args<'_>) -> Outcome<'_> {
    let (subject, needle) = (utf16::folded(args.string(0)?), utf16::folded(args.string(1)?));
    let occurrence = args.integer(2)?;
    if needle.is_empty() || occurrence == 0 {
        return count((needle.is_empty() && !subject.is_empty()).then_some(0));
    }
    let nth = usize::try_from(occurrence.unsigned_abs()).unwrap_or(usize::MAX);
    let mut places = utf16::places(&subject, &needle);
    if occurrence > 0 {
        return count(places.nth(nth - 1));
    }
    let places: Vec<usize> = places.collect();
    count(places.len().checked_sub(nth).and_then(|at| places.get(at)).copied())
}

pub(super) fn starts_with(args: Args<'_>) -> Outcome<'_> {
    let (subject, start) = (args.string(0)?, args.string(1)?);
    Ok(Cow::Owned(Value::Bool(utf16::folded(subject).starts_with(&utf16::folded(start)))))
}

pub(super) fn ends_with(args: Args<'_>) -> Outcome<'_> {
    let (subject, end) = (args.string(0)?, args.string(1)?);
    Ok(Cow::Owned(Value::Bool(utf16::folded(subject).ends_with(&utf16::folded(end)))))
}

pub(super) fn split(args: Args<'_>) -> Outcome<'_> {
    let (subject, separator) = (args.string(0)?, args.string(1)?);
    let parts = match separator {
        "" => vec![Value::from(subject)],
        _ => subject.split(separator).map(Value::from).collect(),
    };
    Ok(Cow::Owned(Value::Array(parts)))
}

pub(super) fn trim(args: Args<'_>) -> Outcome<'_> {
    match args.at(0) {
        Value::String(subject) => text(subject.trim()),
        other => Err(args.error(format_args!(
            "parameters are not valid: it expects a string and was given a value of type '{}'",
            value::type_name(other)
        ))),
    }
}

pub(super) fn trim_byte_order_mark(mut args: Args<'_>) -> Outcome<'_> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
    match args.take(0).into_owned() {
        Value::String(subject) => text(subject.trim_start_matches('\u{feff}')),
        Value::Object(mut map) => match value::envelope(&map) {
            Some(bytes) => {
                let rest = bytes.strip_prefix(&MARK).unwrap_or(&bytes);
                map.insert("$content".to_owned(), Value::String(STANDARD.encode(rest)));
                Ok(Cow::Owned(Value::Object(map)))
            }
            None => {
                Err(super::args::expected(args.function, "its parameter to be a string or binary", &Value::Object(map)))
            }
        },
        other => Err(super::args::expected(args.function, "its parameter to be a string or binary", &other)),
    }
}

pub(super) fn format_number(args: Args<'_>) -> Outcome<'_> {
    let Value::Number(number) = args.at(0) else {
        return Err(args.expected("its first parameter to be a number", 0));
    };
    let locale = if args.has(2) { args.string(2)? } else { "en-US" };
    let culture = super::culture::find(locale).ok_or_else(|| unknown_locale(&args, locale))?;
    match super::number_format::format(number, args.string(1)?, culture) {
        Some(formatted) => text(formatted),
        None => Err(args.error(format_args!("does not know the number format '{}'", args.string(1)?))),
    }
}

/// The error for a locale that nothing is known of.
pub(super) fn unknown_locale(args: &Args<'_>, locale: &str) -> EvalError {
    args.error(format_args!("does not know the locale '{locale}'"))
}

pub(super) fn is_int(args: Args<'_>) -> Outcome<'_> {
    let found = match args.at(0) {
        Value::String(subject) => number::parse_int(subject).is_some(),
        Value::Number(number) => !number.is_f64(),
        _ => return Err(args.expected("its parameter to be a string", 0)),
    };
    Ok(Cow::Owned(Value::Bool(found)))
}

pub(super) fn is_float(args: Args<'_>) -> Outcome<'_> {
    let locale = if args.has(1) { args.string(1)? } else { "" };
    let culture = super::culture::find(locale).ok_or_else(|| unknown_locale(&args, locale))?;
    let found = number::parse_float(args.string(0)?, culture).is_some();
    Ok(Cow::Owned(Value::Bool(found)))
}

pub(super) fn escape_html(args: Args<'_>) -> Outcome<'_> {
    let given = value::text(args.at(0));
    let mut out = String::with_capacity(given.len());
    for letter in given.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(letter),
        }
    }
    args.fits(out.len())?;
    text(out)
}
