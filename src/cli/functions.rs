//! `larum functions`: what expressions and templates can call.

use std::fmt::Write;

use clap::Parser;

use super::{Exit, Output};
use crate::{
    diagnostic::nearest,
    expression::{EXAMPLE_CONTEXT, Family, Function, functions},
};

/// List the functions of expressions and templates, or show one with its example.
#[derive(Debug, Parser)]
pub struct Args {
    /// The function to show; case does not count.
    name: Option<String>,
    /// How to print; JSON has name, family, signature, what it does, example and result.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let Some(name) = &args.name else {
        match args.output {
            Output::Text => print!("{}", list()),
            Output::Json => println!("{}", serde_json::json!(functions())),
        }
        return Exit::Done;
    };
    let Some(function) = functions().iter().find(|function| function.name.eq_ignore_ascii_case(name)) else {
        eprintln!("error: there is no function `{name}`");
        match nearest(name, functions().iter().map(|function| function.name)) {
            Some(near) => eprintln!("did you mean `{near}`?"),
            None => eprintln!("`larum functions` lists them"),
        }
        return Exit::InputAtFault;
    };
    match args.output {
        Output::Text => print!("{}", shown(function)),
        Output::Json => println!("{}", serde_json::json!(function)),
    }
    Exit::Done
}

/// The families in the order of the table, each with its functions.
fn families() -> impl Iterator<Item = (Family, &'static [Function])> {
    functions().chunk_by(|left, right| left.family == right.family).map(|group| (group[0].family, group))
}

fn list() -> String {
    const SIGNATURE_CHARS: usize = 44;
    let mut out = String::new();
    for (family, group) in families() {
        let space = if out.is_empty() { "" } else { "\n" };
        out.push_str(&format!("{space}{}\n", family.title()));
        for Function { signature, doc, .. } in group {
            out.push_str(&format!("  {signature:SIGNATURE_CHARS$} {doc}\n"));
        }
    }
    out + "\n`larum functions NAME` shows one with an example.\n"
}

fn shown(Function { signature, doc, example, result, .. }: &Function) -> String {
    format!("{signature}\n  {doc}\n\n  @{example}\n  {result}\n")
}

/// The page `docs/functions.md`.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Functions\n\n\
         Every function of both languages: `@concat(a, b)` in an expression is `{{concat a b}}` in a template. Names compare ignoring case;\n\
         `?` marks a parameter that may be left out, `...` any number more. `larum functions NAME` shows one of them. The examples see the\n\
         data at the end of this page.\n\n\
         This page is written from the table in `src/expression/functions/table.rs`: `UPDATE=1 cargo test --test functions` writes it anew.\n",
    );
    for (family, group) in families() {
        // Writing to a String cannot fail.
        let _ = write!(
            page,
            "\n## {}\n\n| function | what it does | example | comes to |\n|---|---|---|---|\n",
            family.title()
        );
        for function in group {
            let cell = |text: &str| format!("`{}`", text.replace('|', "\\|"));
            let cells = [
                cell(function.signature),
                function.doc.replace('_', "\\_"),
                cell(function.example),
                cell(function.result),
            ];
            let _ = writeln!(page, "| {} |", cells.join(" | "));
        }
    }
    page + "\n## What the examples see\n\n```json\n" + EXAMPLE_CONTEXT + "```\n"
}
