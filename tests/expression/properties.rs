//! Properties that hold of any string.

use larum::expression::{JsonScope, Partials, Template};
use proptest::{prelude::*, sample::select};
use serde_json::json;

use crate::{now, partials, scope};

/// Strings that look like templates: the signs of both languages, names that exist, and anything at all.
fn anything() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(vec![
            "@",
            "@{",
            "}",
            "{{",
            "}}",
            "{{{",
            "}}}",
            "{{#if ",
            "{{/if}}",
            "{{#each ",
            "{{/each}}",
            "{{else}}",
            "{{> ",
            "{{!--",
            "--}}",
            "\\",
            "(",
            ")",
            "[",
            "]",
            "?",
            ".",
            ",",
            "'",
            "''",
            "\"",
            "~",
            "../",
            "this",
            "@root.",
            "@index",
            "trigger",
            "actions",
            "variables.x",
            "item",
            "concat",
            "body",
            "length",
            "if",
            "each",
            "lookup",
            "1",
            "-1.5e3",
            "null",
            " ",
            "\n",
            "as |x|",
            "x=",
            "report",
            "{{{{",
            "&",
            "|",
            "😀",
            "é",
        ])
        .prop_map(str::to_owned),
        ".{0,4}",
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_string_makes_the_compiler_or_the_evaluator_panic(text in anything()) {
        let partials = partials();
        match Template::compile(&text, &partials) {
            Ok(template) => {
                let _ = template.evaluate(&scope());
                for found in template.uses().iter().filter(|found| found.partial.is_none()) {
                    assert!(text.get(found.range.clone()).is_some());
                }
            }
            Err(errors) => {
                assert!(!errors.is_empty());
                for error in errors {
                    assert!(text.get(error.range.clone()).is_some(), "{:?} of {text:?}", error.range);
                }
            }
        }
    }

    #[test]
    fn dates_and_numbers_take_any_format(format in ".{0,12}", number in any::<f64>(), whole in any::<i64>()) {
        let scope = JsonScope::new(json!({"variables": {"format": format, "number": number, "whole": whole}}), now(), 1);
        for template in [
            "@utcNow(variables.format)",
            "@formatNumber(variables.number, variables.format)",
            "@formatNumber(variables.whole, variables.format, 'de-DE')",
            "@formatDateTime(variables.format)",
            "@float(variables.format)",
            "@addDays('2026-01-31', variables.whole)",
        ] {
            let _ = Template::compile(template, &Partials::default()).unwrap().evaluate(&scope);
        }
    }

}

proptest! {
    // An unknown zone is compared with every known one.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn dates_zones_and_uris_take_any_text(a in ".{0,24}", b in ".{0,8}", date in "[0-9]{1,4}[-/. ][0-9a-z]{1,4}[-/. ][0-9]{1,4}.{0,8}") {
        let scope = JsonScope::new(json!({"variables": {"a": a, "b": b, "date": date}}), now(), 1);
        for template in [
            "@parseDateTime(variables.a)",
            "@parseDateTime(variables.date, 'de-DE')",
            "@parseDateTime(variables.date, 'fr-FR', variables.b)",
            "@parseDateTime(variables.a, 'en-US', variables.a)",
            "@parseDateTime(variables.a, variables.b)",
            "@dateDifference(variables.date, '2026-01-31')",
            "@formatTimeSpan(variables.a, variables.b)",
            "@formatTimeSpan('1.02:03:04', variables.a)",
            "@convertTimeZone('2026-01-31', variables.b, 'UTC')",
            "@convertToUtc(variables.date, 'Europe/Berlin')",
            "@addToTime('2026-01-31', 1, variables.b)",
            "@uriPathAndQuery(variables.a)",
            "@uriPort(concat('https://', variables.a))",
            "@nthIndexOf(variables.a, variables.b, -1)",
            "@chunk(variables.a, 2)",
        ] {
            let _ = Template::compile(template, &Partials::default()).unwrap().evaluate(&scope);
        }
    }

    #[test]
    fn xml_takes_any_text(text in markup(), xpath in steps()) {
        let scope = JsonScope::new(json!({"variables": {"text": text, "xpath": xpath}}), now(), 1);
        let value = |template: &str| Template::compile(template, &Partials::default()).unwrap().evaluate(&scope);
        if let Ok(written) = value("@string(xml(variables.text))") {
            // What was written once is XML, and is written the same again.
            assert_eq!(value("@string(xml(string(xml(variables.text))))"), Ok(written));
            let _ = value("@string(xml(json(xml(variables.text))))");
            let _ = value("@xpath(variables.text, variables.xpath)");
        }
        let _ = value("@xpath('<a b=\"1\"><c>d</c><c/></a>', variables.xpath)");
    }
}

/// Texts that look like XML.
fn markup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(vec![
            "<a>",
            "</a>",
            "<b/>",
            "<a b='1'>",
            "<p:a xmlns:p='u'>",
            "</p:a>",
            "<!--c-->",
            "<![CDATA[x]]>",
            "<?p d?>",
            "&amp;",
            "&#65;",
            "&e;",
            "<?xml version='1.0'?>",
            "<!DOCTYPE a [<!ENTITY e 'x'>]>",
            "<",
            ">",
            "\"",
            "]]>",
            "\r\n",
            " ",
        ])
        .prop_map(str::to_owned),
        ".{0,3}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| format!("<a>{}</a>", pieces.concat()))
}

/// Texts that look like XPath.
fn steps() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(vec![
            "/",
            "//",
            "*",
            "a",
            "c",
            "@b",
            "[",
            "]",
            "(",
            ")",
            "..",
            ".",
            "|",
            "=",
            "1",
            "'x'",
            "text()",
            "count(",
            "position()",
            "ancestor::",
            "following::",
            "namespace::",
            "-",
            " or ",
            "+",
            ",",
            "id('x')",
            "$v",
            "string(",
            "p:a",
            "last()",
        ])
        .prop_map(str::to_owned),
        ".{0,2}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}
