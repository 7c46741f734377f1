//! `larum functions` and its page, both from the one table.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::{env, fs, process::Command};

fn larum(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_larum")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_page_says_what_the_table_says() {
    const PAGE: &str = "docs/functions.md";
    let page = larum::cli::functions::page();
    if env::var_os("UPDATE").is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    assert_eq!(
        fs::read_to_string(PAGE).unwrap(),
        page,
        "{PAGE} is stale: UPDATE=1 cargo test --test functions writes it"
    );
}

#[test]
fn one_function_is_shown_with_its_example() {
    let (exit, shown, _) = larum(&["functions", "FORMATNUMBER"]);
    assert_eq!(exit, 0);
    insta::assert_snapshot!(shown, @r"
    formatNumber(number, format, locale?)
      A number by a .NET format such as N2 or #,##0.00.

      @formatNumber(1234567.894, 'N2', 'de-DE')
      1.234.567,89
    ");
    let (_, json, _) = larum(&["functions", "uriPort", "--output", "json"]);
    insta::assert_snapshot!(json, @r#"{"name":"uriPort","family":"uri","signature":"uriPort(uri)","min":1,"max":1,"doc":"The port of a URI; its scheme's where it names none, -1 where that has none.","example":"uriPort('https://www.example.com')","result":"443"}"#);
}

#[test]
fn every_function_is_listed_by_family() {
    let (exit, list, _) = larum(&["functions"]);
    assert_eq!(exit, 0);
    let headings: Vec<&str> =
        list.lines().filter(|line| !line.starts_with(' ') && !line.starts_with('`') && !line.is_empty()).collect();
    assert_eq!(
        headings,
        [
            "Text",
            "Collections",
            "Conversion",
            "XML",
            "Mathematics",
            "Date and time",
            "URIs",
            "Logic",
            "The run and its data"
        ]
    );
    let listed = list.lines().filter(|line| line.starts_with("  ")).count();
    let (_, json, _) = larum(&["functions", "--output", "json"]);
    let json: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(listed, json.len());
}

#[test]
fn a_name_that_is_no_function_gets_a_near_one() {
    let (exit, shown, error) = larum(&["functions", "formatNumbr"]);
    assert_eq!((exit, &*shown), (1, ""));
    insta::assert_snapshot!(error, @r"
    error: there is no function `formatNumbr`
    did you mean `formatNumber`?
    ");
}

#[test]
fn a_template_that_is_tried_out_has_the_partials_of_the_binary() {
    let (exit, shown, error) = larum(&["eval", "{{> acknowledge-reporter}}"]);
    assert_eq!((exit, &*error), (0, ""));
    assert!(!shown.is_empty());
}
