//! Collection functions, and those on the properties of objects.

use std::{borrow::Cow, cmp::Ordering, collections::BTreeSet};

use serde_json::{Map, Value};

use super::{Args, args::expected, string::text, utf16};
use crate::expression::{
    EvalError,
    evaluate::Outcome,
    value::{self, same_name},
};

fn list<'a>(items: Vec<Value>) -> Outcome<'a> {
    Ok(Cow::Owned(Value::Array(items)))
}

fn object<'a>(map: Map<String, Value>) -> Outcome<'a> {
    Ok(Cow::Owned(Value::Object(map)))
}

pub(super) fn contains(args: Args<'_>) -> Outcome<'_> {
    let found = match args.at(0) {
        Value::String(subject) => subject.contains(args.string(1)?),
        Value::Array(items) => items.iter().any(|item| value::equal(item, args.at(1))),
        Value::Object(map) => {
            let key = args.string(1)?;
            map.keys().any(|known| same_name(known, key))
        }
        _ => {
            return Err(
                args.expected("its first argument 'collection' to be a dictionary (object), an array or a string", 0)
            );
        }
    };
    Ok(Cow::Owned(Value::Bool(found)))
}

pub(super) fn length(args: Args<'_>) -> Outcome<'_> {
    let length = match args.at(0) {
        Value::String(subject) => utf16::length(subject),
        Value::Array(items) => items.len(),
        _ => return Err(args.expected("its parameter to be an array or a string", 0)),
    };
    Ok(Cow::Owned(Value::from(length)))
}

pub(super) fn empty(args: Args<'_>) -> Outcome<'_> {
    let empty = match args.at(0) {
        Value::Null => true,
        Value::String(subject) => subject.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => return Err(args.expected("its parameter to be an object, an array or a string", 0)),
    };
    Ok(Cow::Owned(Value::Bool(empty)))
}

/// The first or last element or character.
fn end(mut args: Args<'_>, last: bool) -> Outcome<'_> {
    match args.take(0) {
        Cow::Borrowed(Value::Array(items)) => {
            Ok(Cow::Borrowed(if last { items.last() } else { items.first() }.unwrap_or(&value::NULL)))
        }
        Cow::Owned(Value::Array(mut items)) => {
            let item = if last { items.pop() } else { items.into_iter().next() };
            Ok(Cow::Owned(item.unwrap_or_default()))
        }
        other => match other.as_ref() {
            Value::String(subject) => {
                let letter = if last { subject.chars().next_back() } else { subject.chars().next() };
                text(letter.map(String::from).unwrap_or_default())
            }
            other => Err(expected(args.function, "its parameter to be an array or a string", other)),
        },
    }
}

pub(super) fn first(args: Args<'_>) -> Outcome<'_> {
    end(args, false)
}

pub(super) fn last(args: Args<'_>) -> Outcome<'_> {
    end(args, true)
}

/// The second parameter as a number of elements.
fn size(args: &Args<'_>) -> Result<usize, EvalError> {
    usize::try_from(args.integer(1)?).map_err(|_| args.error("expects its second parameter to be a positive integer"))
}

pub(super) fn take(args: Args<'_>) -> Outcome<'_> {
    match args.at(0) {
        Value::String(subject) => {
            let count = size(&args)?.min(utf16::length(subject));
            text(utf16::cut(subject, 0, count))
        }
        Value::Array(items) => list(items.iter().take(size(&args)?).cloned().collect()),
        _ => Err(args.expected("its first parameter to be an array or a string", 0)),
    }
}

pub(super) fn skip(args: Args<'_>) -> Outcome<'_> {
    match args.at(0) {
        Value::Array(items) => list(items.iter().skip(size(&args)?).cloned().collect()),
        _ => Err(args.expected("its first parameter to be an array", 0)),
    }
}

pub(super) fn join(args: Args<'_>) -> Outcome<'_> {
    let Value::Array(items) = args.at(0) else {
        return Err(args.expected("its first parameter to be an array", 0));
    };
    let delimiter = args.string(1)?;
    let mut out = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(delimiter);
        }
        value::write_text(&mut out, item);
        args.fits(out.len())?;
    }
    text(out)
}

pub(super) fn reverse(mut args: Args<'_>) -> Outcome<'_> {
    match args.take(0).into_owned() {
        Value::Array(mut items) => {
            items.reverse();
            list(items)
        }
        other => Err(expected(args.function, "its parameter to be of type array", &other)),
    }
}

pub(super) fn chunk(args: Args<'_>) -> Outcome<'_> {
    let size = usize::try_from(args.integer(1)?).ok().filter(|size| *size > 0);
    let size = size.ok_or_else(|| args.error("expects chunk size to be a positive integer"))?;
    match args.at(0) {
        Value::Array(items) => list(items.chunks(size).map(|chunk| Value::Array(chunk.to_vec())).collect()),
        Value::String(subject) => {
            let units: Vec<u16> = subject.encode_utf16().collect();
            let parts = units.chunks(size).map(|part| Value::String(String::from_utf16_lossy(part)));
            list(parts.collect())
        }
        _ => Err(args.expected("its first parameter to be an array or a string", 0)),
    }
}

pub(super) fn sort(mut args: Args<'_>) -> Outcome<'_> {
    let by = if args.has(1) { Some(args.string(1)?.to_owned()) } else { None };
    let mut items = match args.take(0).into_owned() {
        Value::Array(items) => items,
        other => return Err(expected(args.function, "its first parameter to be an array", &other)),
    };
    let key = |item: &Value| match &by {
        Some(property) => item.as_object().and_then(|map| value::find(map, property)).cloned().unwrap_or_default(),
        None => item.clone(),
    };
    let mut keyed: Vec<(Value, Value)> = items.drain(..).map(|item| (key(&item), item)).collect();
    let mut comparable = true;
    keyed.sort_by(|(left, _), (right, _)| {
        sort_order(left, right).unwrap_or_else(|| {
            comparable = false;
            Ordering::Equal
        })
    });
    if !comparable {
        return Err(args.error("expects elements that can be compared: all numbers, all strings or all booleans"));
    }
    list(keyed.into_iter().map(|(_, item)| item).collect())
}

/// Numbers by value, strings ignoring case and then by it, null first.
fn sort_order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Null, _) => Some(Ordering::Less),
        (_, Value::Null) => Some(Ordering::Greater),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => value::compare_numbers(left, right),
        (Value::String(left), Value::String(right)) => {
            let folded = left.chars().map(value::fold).cmp(right.chars().map(value::fold));
            Some(folded.then_with(|| left.cmp(right)))
        }
        _ => None,
    }
}

/// A text that two values share exactly when `equals` holds of them, so that large lists need no pairwise comparison.
fn identity(value: &Value) -> String {
    match value {
        Value::Number(number) => value::number_text(number),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(identity).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(map) => {
            let mut members: Vec<String> =
                map.iter().map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), identity(value))).collect();
            members.sort_unstable();
            format!("{{{}}}", members.join(","))
        }
        other => value::json_text(other),
    }
}

/// Parameters that are all arrays, or all objects.
enum Collections {
    Arrays(Vec<Vec<Value>>),
    Objects(Vec<Map<String, Value>>),
}

fn collections(args: &mut Args<'_>) -> Result<Collections, EvalError> {
    let values: Vec<Value> = std::mem::take(&mut args.values).into_iter().map(Cow::into_owned).collect();
    if values.iter().all(Value::is_array) {
        let arrays = values.into_iter().filter_map(|value| match value {
            Value::Array(items) => Some(items),
            _ => None,
        });
        return Ok(Collections::Arrays(arrays.collect()));
    }
    if values.iter().all(Value::is_object) {
        let objects = values.into_iter().filter_map(|value| match value {
            Value::Object(map) => Some(map),
            _ => None,
        });
        return Ok(Collections::Objects(objects.collect()));
    }
    let types: Vec<&str> = values.iter().map(value::type_name).collect();
    Err(args.error(format_args!(
        "expects parameters of same type, all arrays or all objects. The provided types are '{}'",
        types.join(", ")
    )))
}

pub(super) fn union(mut args: Args<'_>) -> Outcome<'_> {
    match collections(&mut args)? {
        Collections::Arrays(arrays) => {
            let mut seen = BTreeSet::new();
            list(arrays.into_iter().flatten().filter(|item| seen.insert(identity(item))).collect())
        }
        Collections::Objects(objects) => object(objects.into_iter().flatten().collect()),
    }
}

pub(super) fn intersection(mut args: Args<'_>) -> Outcome<'_> {
    match collections(&mut args)? {
        Collections::Arrays(arrays) => {
            let mut arrays = arrays.into_iter();
            let first = arrays.next().unwrap_or_default();
            let others: Vec<BTreeSet<String>> = arrays.map(|items| items.iter().map(identity).collect()).collect();
            let mut seen = BTreeSet::new();
            let shared = |item: &Value| {
                let identity = identity(item);
                others.iter().all(|other| other.contains(&identity)) && seen.insert(identity)
            };
            let mut shared = shared;
            list(first.into_iter().filter(|item| shared(item)).collect())
        }
        Collections::Objects(objects) => {
            let mut objects = objects.into_iter();
            let mut first = objects.next().unwrap_or_default();
            for other in objects {
                first.retain(|key, item| other.get(key).is_some_and(|other| value::equal(item, other)));
            }
            object(first)
        }
    }
}

pub(super) fn create_array(args: Args<'_>) -> Outcome<'_> {
    list(args.values.into_iter().map(Cow::into_owned).collect())
}

pub(super) fn add_property(mut args: Args<'_>) -> Outcome<'_> {
    let mut map = args.object(0)?;
    let key = args.string(1)?.to_owned();
    if value::find_key(&map, &key).is_some() {
        return Err(args.error(format_args!("expects the '{key}' property to not exist in the object")));
    }
    map.insert(key, args.take(2).into_owned());
    object(map)
}

pub(super) fn set_property(mut args: Args<'_>) -> Outcome<'_> {
    let mut map = args.object(0)?;
    let given = args.string(1)?.to_owned();
    let key = value::find_key(&map, &given).map_or(given.clone(), str::to_owned);
    // As in Logic Apps, a property that is set goes to the end.
    map.shift_remove(&key);
    map.insert(key, args.take(2).into_owned());
    object(map)
}

pub(super) fn remove_property(mut args: Args<'_>) -> Outcome<'_> {
    let mut map = args.object(0)?;
    if let Some(key) = value::find_key(&map, args.string(1)?).map(str::to_owned) {
        map.shift_remove(&key);
    }
    object(map)
}

pub(super) fn merge_objects(mut args: Args<'_>) -> Outcome<'_> {
    let mut map = args.object(0)?;
    merge(&mut map, args.object(1)?);
    object(map)
}

/// Later wins; objects that both sides have are merged in turn.
fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}
