//! `conditions:` of a rule.

use super::Places;
use crate::{
    diagnostic::{Faults, codes},
    incident::automation::{Added, Changed, Condition, Direction, Each, Items, Operator, PROPERTIES, Property},
    limits,
    yaml::{Fields, Given, Value},
};

const OPERATORS: &[(&str, Operator)] = &[
    ("equals", Operator::Equals),
    ("not_equals", Operator::NotEquals),
    ("contains", Operator::Contains),
    ("not_contains", Operator::NotContains),
    ("starts_with", Operator::StartsWith),
    ("not_starts_with", Operator::NotStartsWith),
    ("ends_with", Operator::EndsWith),
    ("not_ends_with", Operator::NotEndsWith),
];
const CHANGED: &[(&str, Changed)] =
    &[("severity", Changed::Severity), ("status", Changed::Status), ("owner", Changed::Owner)];
const ADDED: &[(&str, Added)] =
    &[("alerts", Added::Alerts), ("labels", Added::Labels), ("tactics", Added::Tactics), ("comments", Added::Comments)];
const ITEMS: &[(&str, Items)] = &[
    ("custom_details", Items::CustomDetails),
    ("custom_detail_values", Items::CustomDetailValues),
    ("labels", Items::Labels),
];

const COMPARE: &str = "compare it: `equals`, `contains`, `starts_with`, `ends_with`, or `not_` and one of these";

/// The words that say what a condition looks at, one for each condition.
const KINDS: &[&str] = &["property", "changed", "added", "any_item", "all_items", "all", "any"];
/// The words beside them that are no operators.
const PARTS: &[&str] = &["where", "from", "to"];

/// Reads a list of conditions that stands in `depth - 1` others.
pub(super) fn conditions(
    given: Given<'_>,
    path: &str,
    depth: usize,
    places: &mut Places,
    faults: &mut Faults,
) -> Vec<Condition> {
    let Some(items) = given.list(faults) else { return Vec::new() };
    if depth > limits::RULE_CONDITION_NESTING {
        let message = format!("conditions stand in at most {} others", limits::RULE_CONDITION_NESTING);
        faults.add(codes::RULE, given.key_span(), message);
        return Vec::new();
    }
    let read = items.into_iter().enumerate().filter_map(|(at, item)| {
        let path = format!("{path}[{at}]");
        places.note(path.clone(), item.span());
        let before = faults.count();
        let read = condition(item, &path, depth, places, faults);
        if read.is_none() && faults.count() == before {
            // A condition that got lost would let the rule act on everything.
            faults.add(codes::RULE, item.span(), "this condition says nothing");
        }
        read
    });
    read.collect()
}

fn condition(item: Given<'_>, path: &str, depth: usize, places: &mut Places, faults: &mut Faults) -> Option<Condition> {
    let path = format!("{path}.conditionProperties");
    let mut fields = item.fields("a condition", faults)?;
    let kinds: Vec<Given<'_>> = KINDS.iter().filter_map(|kind| fields.optional(kind)).collect();
    let [kind] = kinds[..] else {
        match kinds.get(1) {
            Some(second) => {
                let message = format!("a condition is of one kind, not `{}` and `{}`", kinds[0].key, second.key);
                faults.add(codes::EXCLUSIVE_KEYS, second.key_span(), message);
            }
            None if fields.entries().iter().any(|entry| !is_part(&entry.key)) => {
                // Without its kind nothing is known of the rest.
                OPERATORS.iter().for_each(|(name, _)| fields.ignore(&[name]));
                fields.ignore(PARTS);
                fields.finish(faults);
            }
            None => {
                let help = "it is one of `property`, `changed`, `added`, `any_item`, `all_items`, `all` or `any`";
                let message = "a condition says what it looks at";
                faults.add_with(codes::MISSING_KEY, item.span(), message, Some(help.into()));
            }
        }
        return None;
    };
    let mut inner = |given: Given<'_>, member: &str, faults: &mut Faults| {
        let path = format!("{path}.{member}");
        places.note(path.clone(), given.key_span());
        conditions(given, &path, depth + 1, places, faults)
    };
    match kind.key {
        "property" => {
            let compared = comparison(&mut fields, faults);
            if let Some((given, _, _)) = &compared {
                places.note(format!("{path}.propertyValues"), given.span());
            }
            places.note(format!("{path}.propertyName"), kind.span());
            let missing = compared.is_none().then(|| fields.span());
            let before = faults.count();
            fields.finish(faults);
            if let Some(span) = missing
                && faults.count() == before
            {
                faults.add_with(codes::MISSING_KEY, span, "the property is not compared", Some(COMPARE.into()));
            }
            let property = property(kind, faults);
            let (_, operator, values) = compared?;
            Some(Condition::Is { property: property?, operator, values })
        }
        "changed" => {
            let from = fields.optional("from");
            let to = fields.optional("to");
            fields.finish(faults);
            let property = kind.choice(CHANGED, faults);
            if let (Some(_), Some(to)) = (from, to) {
                let message = "a condition looks at one side of a change: write one for each";
                faults.add(codes::EXCLUSIVE_KEYS, to.key_span(), message);
                return None;
            }
            let side = match (from, to) {
                (Some(given), _) => Some((Direction::From, given)),
                (None, Some(given)) => Some((Direction::To, given)),
                (None, None) => None,
            };
            let to = match side {
                Some((direction, given)) => {
                    places.note(format!("{path}.propertyValues"), given.span());
                    let (operator, values) = compared_side(given, faults)?;
                    Some((direction, operator, values))
                }
                None => None,
            };
            Some(Condition::Changed { property: property?, to })
        }
        "added" => {
            fields.finish(faults);
            kind.choice(ADDED, faults).map(Condition::Added)
        }
        "any_item" | "all_items" => {
            let of = fields.required("where");
            fields.finish(faults);
            let items = kind.choice(ITEMS, faults);
            let each = if kind.key == "any_item" { Each::Any } else { Each::All };
            let conditions = inner(of?, "itemConditions", faults);
            Some(Condition::Items { items: items?, each, conditions })
        }
        all_or_any => {
            fields.finish(faults);
            let conditions = inner(kind, "innerConditions", faults);
            Some(if all_or_any == "all" { Condition::All(conditions) } else { Condition::Any(conditions) })
        }
    }
}

/// Whether a key stands beside a kind.
fn is_part(key: &str) -> bool {
    PARTS.contains(&key) || OPERATORS.iter().any(|(name, _)| *name == key)
}

/// The operator with its values, whose place is the first of the result.
fn comparison<'n>(fields: &mut Fields<'n>, faults: &mut Faults) -> Option<(Given<'n>, Operator, Vec<String>)> {
    let found: Vec<(Given<'n>, Operator)> =
        OPERATORS.iter().filter_map(|(name, operator)| fields.optional(name).map(|given| (given, *operator))).collect();
    if let [_, (second, _), ..] = found[..] {
        let message = format!("a condition compares in one way: write another condition for `{}`", second.key);
        faults.add(codes::EXCLUSIVE_KEYS, second.key_span(), message);
    }
    let (given, operator) = *found.first()?;
    Some((given, operator, texts(given, faults).unwrap_or_default()))
}

/// `to: High`, `to: [High, Medium]` or `to: {not_equals: Low}`.
fn compared_side(given: Given<'_>, faults: &mut Faults) -> Option<(Operator, Vec<String>)> {
    if !matches!(given.node.value, Value::Map(_)) {
        return Some((Operator::Equals, texts(given, faults)?));
    }
    let mut fields = given.fields("a comparison", faults)?;
    let compared = comparison(&mut fields, faults);
    let before = faults.count();
    fields.finish(faults);
    if compared.is_none() && faults.count() == before {
        faults.add_with(codes::MISSING_KEY, given.span(), "the value is not compared", Some(COMPARE.into()));
    }
    let (_, operator, values) = compared?;
    Some((operator, values))
}

fn texts(given: Given<'_>, faults: &mut Faults) -> Option<Vec<String>> {
    Some(given.texts(faults)?.into_iter().map(|(_, text)| text.to_owned()).collect())
}

fn property(given: Given<'_>, faults: &mut Faults) -> Option<&'static Property> {
    let text = given.words(faults)?;
    let known = PROPERTIES.iter().find(|property| property.key.eq_ignore_ascii_case(text));
    let known = known.or_else(|| Property::parse(text));
    if known.is_none() {
        let help = crate::diagnostic::did_you_mean(text, PROPERTIES.iter().map(|property| property.key))
            .unwrap_or_else(|| "docs/automation-rules.md lists the properties".to_owned());
        faults.add_with(codes::NOT_A_CHOICE, given.span(), format!("`{text}` is not a property"), Some(help));
    }
    known
}
