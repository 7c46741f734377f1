//! What both languages hold of JSON values: how they print, when they are equal, how their members are found.

use std::{borrow::Cow, cmp::Ordering, fmt::Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Number, Value};

/// The value of everything that is absent.
pub(crate) static NULL: Value = Value::Null;

/// Logic Apps' word for a value's type.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Float",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "Array",
        Value::Object(_) => "Object",
    }
}

/// The value as it stands inside text: null is nothing, booleans are `True` and `False`, `5.0` is `5`, arrays and
/// objects are compact JSON, a content envelope is its text.
pub(crate) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::Bool(true) => Cow::Borrowed("True"),
        Value::Bool(false) => Cow::Borrowed("False"),
        Value::Number(number) => Cow::Owned(number_text(number)),
        Value::String(text) => Cow::Borrowed(text),
        Value::Object(map) => match envelope(map) {
            Some(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
            None => Cow::Owned(json_text(value)),
        },
        Value::Array(_) => Cow::Owned(json_text(value)),
    }
}

/// Compact JSON.
pub(crate) fn json_text(value: &Value) -> String {
    value.to_string()
}

/// The bytes of a content envelope, `{"$content-type": …, "$content": base64}`.
pub(crate) fn envelope(map: &Map<String, Value>) -> Option<Vec<u8>> {
    map.get("$content-type")?.as_str()?;
    STANDARD.decode(map.get("$content")?.as_str()?).ok()
}

/// Whether a value has at most `levels` of arrays and objects inside one another.
pub(crate) fn nested_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| nested_within(item, levels - 1)),
        Value::Object(map) => levels > 0 && map.values().all(|item| nested_within(item, levels - 1)),
        _ => true,
    }
}

/// A number as .NET prints it: shortest digits, scientific from 15 digits before the point and 5 after it.
pub(crate) fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float_text(float),
        _ => number.to_string(),
    }
}

fn float_text(float: f64) -> String {
    if float == 0.0 {
        return if float.is_sign_negative() { "-0".to_owned() } else { "0".to_owned() };
    }
    // Rust's `{:e}` gives the shortest digits that read back as the same number, as .NET's does.
    let scientific = format!("{float:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..15).contains(&exponent) {
        return format!("{float}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}E{sign}{:02}", exponent.abs())
}

/// Equality as `equals()` sees it: by type and depth, numbers by value, strings and keys by case.
pub(crate) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => left == right,
    }
}

/// The order of two numbers by value, whatever their types.
pub(crate) fn compare_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (left.as_i64(), right.as_i64()) {
        return Some(a.cmp(&b));
    }
    if let (Some(a), Some(b)) = (left.as_u64(), right.as_u64()) {
        return Some(a.cmp(&b));
    }
    left.as_f64()?.partial_cmp(&right.as_f64()?)
}

/// A letter in upper case as .NET's invariant culture has it: letter by letter, never lengthening. Comparisons that
/// ignore case compare these.
pub(crate) fn fold(letter: char) -> char {
    // These two have an upper case in Unicode that the invariant culture leaves out.
    if matches!(letter, 'ı' | 'ſ') {
        return letter;
    }
    single(letter.to_uppercase()).unwrap_or(letter)
}

/// A letter in lower case as .NET's invariant culture has it.
pub(crate) fn lower(letter: char) -> char {
    single(letter.to_lowercase()).unwrap_or(letter)
}

fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    let first = letters.next();
    if letters.next().is_none() { first } else { None }
}

/// Whether two names are the same but for case.
pub(crate) fn same_name(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
        || (!(left.is_ascii() && right.is_ascii()) && left.chars().map(fold).eq(right.chars().map(fold)))
}

/// The key of `map` that `name` means: the exact one, else the first that differs only in case.
pub(crate) fn find_key<'m>(map: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    match map.get_key_value(name) {
        Some((key, _)) => Some(key),
        None => map.keys().find(|key| same_name(key, name)).map(String::as_str),
    }
}

/// The member of `map` that `name` means.
pub(crate) fn find<'m>(map: &'m Map<String, Value>, name: &str) -> Option<&'m Value> {
    map.get(name).or_else(|| find_key(map, name).and_then(|key| map.get(key)))
}

/// What a step into a value comes to.
pub(crate) enum Member<'a> {
    Found(Cow<'a, Value>),
    /// There was nothing to step into.
    OfNull,
    /// No such property, or an index out of range.
    Absent(Cow<'a, Value>),
    /// A value without members, or a key of the wrong type for it.
    Mismatch(Cow<'a, Value>),
}

/// Steps from `of` to its member `key`. A key like `body/value` that is no property itself is walked part by part.
pub(crate) fn member<'a>(of: Cow<'a, Value>, key: &Value) -> Member<'a> {
    match (of.as_ref(), key) {
        (Value::Null, _) => Member::OfNull,
        (Value::Object(_), Value::String(name)) => property(of, name),
        (Value::Array(items), Value::Number(index)) => match index.as_u64().and_then(|at| usize::try_from(at).ok()) {
            Some(at) if at < items.len() => Member::Found(element(of, at)),
            None if index.is_f64() => Member::Mismatch(of),
            _ => Member::Absent(of),
        },
        _ => Member::Mismatch(of),
    }
}

fn element(of: Cow<'_, Value>, at: usize) -> Cow<'_, Value> {
    match of {
        Cow::Borrowed(value) => Cow::Borrowed(value.get(at).unwrap_or(&NULL)),
        Cow::Owned(Value::Array(mut items)) if at < items.len() => Cow::Owned(items.swap_remove(at)),
        Cow::Owned(_) => Cow::Borrowed(&NULL),
    }
}

/// The property of `of` that `name` means.
pub(crate) fn property<'a>(of: Cow<'a, Value>, name: &str) -> Member<'a> {
    if let Cow::Borrowed(Value::Object(map)) = of {
        if let Some(found) = find(map, name) {
            return Member::Found(Cow::Borrowed(found));
        }
    } else if let Cow::Owned(Value::Object(mut map)) = of {
        let key = find_key(&map, name).map(str::to_owned);
        return match key.and_then(|key| map.swap_remove(&key)) {
            Some(found) => Member::Found(Cow::Owned(found)),
            None => along(Cow::Owned(Value::Object(map)), name),
        };
    } else {
        return if of.is_null() { Member::OfNull } else { Member::Mismatch(of) };
    }
    along(of, name)
}

fn along<'a>(of: Cow<'a, Value>, path: &str) -> Member<'a> {
    let Some((first, rest)) = path.split_once('/') else { return Member::Absent(of) };
    match property(of, first) {
        Member::Found(next) => property(next, rest),
        other => other,
    }
}

/// Adds the text of `value` to `out`.
pub(crate) fn write_text(out: &mut String, value: &Value) {
    match value {
        Value::Number(number) if !number.is_f64() => {
            // Writing to a String cannot fail.
            let _ = write!(out, "{number}");
        }
        _ => out.push_str(&text(value)),
    }
}
