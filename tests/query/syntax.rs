//! What can be said in `$filter` and `$orderby`, and what is answered when it cannot.

use larum::{
    incident::properties::INCIDENT,
    limits,
    odata::{Filter, Order},
};

#[test]
fn what_is_no_filter_is_refused_with_its_position() {
    let table = include_str!("../data/odata/malformed.txt");
    let (_, cases) = table.split_once('\n').unwrap();
    let answers: Vec<String> = cases
        .trim_end()
        .split("\n\n")
        .map(|case| {
            let filter = case.lines().next().unwrap_or_default();
            let answer = Filter::parse(filter, INCIDENT).map(|filter| format!("{filter:?}"));
            format!("{filter}\n{}", answer.unwrap_or_else(|error| error.to_string()))
        })
        .collect();
    assert!(answers.len() >= 40);
    for (answer, case) in answers.iter().zip(cases.trim_end().split("\n\n")) {
        assert_eq!(answer, case);
    }
}

#[test]
fn an_empty_text_is_no_filter_and_no_order() {
    let expected = Err("Expression expected at position 1 in ''.".to_owned());
    assert_eq!(Filter::parse("", INCIDENT).map(drop).map_err(|error| error.to_string()), expected);
    assert_eq!(Order::parse("", INCIDENT).map(drop).map_err(|error| error.to_string()), expected);
}

#[test]
fn what_is_no_order_is_refused_with_its_position() {
    let keys = ["properties/title"; limits::ORDER_KEYS + 1].join(",");
    for (order, expected) in [
        (
            "createdTimeUtc",
            "Could not find a property named 'createdTimeUtc' (did you mean 'properties/createdTimeUtc'?) at position 1",
        ),
        ("properties/title down", "Syntax error at position 18"),
        ("properties/title,", "Expression expected at position 18"),
        ("properties/title desc asc", "Syntax error at position 23"),
        ("properties/title desc, 'x'", "Expression expected at position 24"),
        ("properties/labels", "The list 'properties/labels' cannot be sorted by at position 1"),
        ("tolower(properties/title)", "Syntax error at position 8"),
        (&keys, "More than 8 sort keys at position 137"),
    ] {
        let answer = Order::parse(order, INCIDENT).map_err(|error| error.to_string());
        assert_eq!(answer, Err(format!("{expected} in '{order}'.")));
    }
}

#[test]
fn an_order_names_its_keys_and_a_repeated_one_counts_once() {
    let order = Order::parse("Properties/Severity DESC, properties/title ,properties/severity asc", INCIDENT).unwrap();
    let keys: Vec<_> = order.iter().map(|key| (key.property.path, key.descending)).collect();
    assert_eq!(keys, [("properties/severity", true), ("properties/title", false)]);
}

#[test]
fn what_is_too_long_or_too_deep_is_refused_whatever_it_says() {
    let long = format!("properties/title eq '{}'", "x".repeat(limits::FILTER_CHARS));
    let error = Filter::parse(&long, INCIDENT).unwrap_err();
    assert_eq!((error.message.as_str(), error.position), ("The expression is longer than 32768 characters", 32_769));
    assert_eq!(error.text.chars().count(), limits::FILTER_SHOWN_CHARS + 1);
    let any = "properties/labels/any(x: ";
    for opening in ["(", "not ", "not(", "contains(", "tolower(", any] {
        let deep = opening.repeat(limits::FILTER_NESTING + 1);
        let error = Filter::parse(&deep, INCIDENT).unwrap_err();
        assert_eq!(error.message, "Recursion depth exceeded allowed limit of 64", "{opening}");
    }
    let three = ["a", "b", "c"].map(|x| format!("properties/labels/any({x}: "));
    let error = Filter::parse(&format!("{}true)))", three.concat()), INCIDENT).unwrap_err();
    assert_eq!((error.message.as_str(), error.position), ("More than 2 'any' inside each other", 51));
    let deepest = "(".repeat(limits::FILTER_NESTING) + "true" + &")".repeat(limits::FILTER_NESTING);
    assert_eq!(Filter::parse(&deepest, INCIDENT), Ok(Filter::Constant(true)));
}

/// Whatever is written with the words of the language, an answer comes, and a position within the text.
#[test]
fn nothing_that_is_written_breaks_it() {
    use proptest::prelude::*;
    const WORDS: &[&str] = &[
        "properties",
        "/",
        "title",
        "labels",
        "any",
        "(",
        ")",
        ":",
        ",",
        "'",
        "''",
        "eq",
        "and",
        "or",
        "not",
        "null",
        "true",
        "x",
        "contains",
        "tolower",
        "1",
        "-",
        "2024-01-01",
        "é",
        " ",
        "\u{0}",
        "00000000-0000-0000-0000-000000000000",
    ];
    let text = prop::collection::vec(prop::sample::select(WORDS), 0..30).prop_map(|words| words.join(""));
    proptest!(|(text in text)| {
        for error in [Filter::parse(&text, INCIDENT).err(), Order::parse(&text, INCIDENT).err()].into_iter().flatten() {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.position));
        }
    });
}
