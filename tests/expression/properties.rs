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
