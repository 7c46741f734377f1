//! `larum eval`: what an expression or template comes to.

use std::{
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
};

use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Exit, Output};
use crate::{
    clock::{Clock, SystemClock},
    diagnostic::Source,
    expression::{CompileError, EvalError, JsonScope, Partials, Template},
    playbook::templates,
};

/// Evaluate an expression or template.
///
/// `larum eval "@add(1, 2)"` prints 3. The data it sees come from a JSON file:
/// `{"trigger": {"subject": "hello"}, "actions": {"create": {…}}, "variables": {…}, "now": "2026-01-31T12:00:00Z"}`.
#[derive(Debug, Parser)]
pub struct Args {
    /// The string, as it would stand in a playbook.
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin", allow_hyphen_values = true)]
    template: Option<String>,
    /// A JSON file with what the template sees: now, trigger, request, actions, variables, parameters, item, items.
    #[arg(long, value_name = "FILE", conflicts_with = "stdin")]
    context: Option<PathBuf>,
    /// A folder of templates that can be included as partials, beside those of the binary.
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// Read JSON lines {"template", "context"} and answer each with {"value"} or {"error": {"code", "message"}}.
    #[arg(long)]
    stdin: bool,
    /// How to print the value; text prints a string without quotes.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// One line of `--stdin`.
#[derive(Deserialize)]
struct Question {
    template: String,
    #[serde(default)]
    context: Value,
}

/// Its answer.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Value(Value),
    Error(EvalError),
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let (partials, faults) = templates::partials(args.templates.as_deref());
    for fault in faults {
        eprintln!("{fault}");
    }
    match &args.template {
        Some(template) => one(template, args, &partials),
        None => lines(&mut io::stdin().lock(), &mut io::stdout().lock(), &partials),
    }
}

fn one(template: &str, args: &Args, partials: &Partials) -> Exit {
    let context = match args.context.as_deref().map(read).transpose() {
        Ok(context) => context.unwrap_or_default(),
        Err((exit, message)) => {
            eprintln!("error: {message}");
            return exit;
        }
    };
    let compiled = match Template::compile(template, partials) {
        Ok(compiled) => compiled,
        Err(errors) => {
            for error in &errors {
                eprintln!("{}", shown(template, error));
            }
            return Exit::InputAtFault;
        }
    };
    match compiled.evaluate(&scope(context)) {
        Ok(value) => {
            match (args.output, &value) {
                (Output::Json, _) => println!("{}", serde_json::json!({"value": value})),
                (Output::Text, Value::String(text)) => println!("{text}"),
                (Output::Text, value) => println!("{value}"),
            }
            Exit::Done
        }
        Err(error) => {
            eprintln!("error: {}: {}", error.code, error.message);
            Exit::InputAtFault
        }
    }
}

fn read(path: &Path) -> Result<Value, (Exit, String)> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| (Exit::WorldFailed, format!("the context {} cannot be read: {error}", path.display())))?;
    serde_json::from_str(&text)
        .map_err(|error| (Exit::InputAtFault, format!("the context {} is no JSON: {error}", path.display())))
}

fn scope(context: Value) -> JsonScope {
    // Here the sequence only has to differ from call to call; a run's own comes from its seed.
    let mut seed = [0; 8];
    let seed = getrandom::fill(&mut seed).map_or(0, |()| u64::from_le_bytes(seed));
    JsonScope::new(context, SystemClock.now(), seed)
}

/// The fault with the line it stands in, underlined.
fn shown(template: &str, error: &CompileError) -> String {
    let source = Source::new("template", template);
    let position = source.position(error.range.start);
    let line = source.line(position.line);
    let length =
        template.get(error.range.clone()).unwrap_or_default().lines().next().unwrap_or_default().chars().count();
    let underline = format!("{}{}", " ".repeat(position.column - 1), "^".repeat(length.max(1)));
    let help = error.help.as_ref().map(|help| format!("\n  = {help}")).unwrap_or_default();
    format!("error: {}\n  | {line}\n  | {underline}{help}", error.message)
}

fn lines(input: &mut impl BufRead, output: &mut impl Write, partials: &Partials) -> Exit {
    let mut line = String::new();
    loop {
        line.clear();
        match input.read_line(&mut line) {
            Ok(0) => return Exit::Done,
            Ok(_) if line.trim().is_empty() => continue,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => line.clear(),
            Err(error) => {
                eprintln!("error: standard input cannot be read: {error}");
                return Exit::WorldFailed;
            }
        }
        let written = serde_json::to_writer(&mut *output, &answer(&line, partials))
            .map_err(io::Error::from)
            .and_then(|()| writeln!(output))
            .and_then(|()| output.flush());
        if let Err(error) = written {
            eprintln!("error: standard output cannot be written: {error}");
            return Exit::WorldFailed;
        }
    }
}

fn answer(line: &str, partials: &Partials) -> Answer {
    let question: Question = match serde_json::from_str(line) {
        Ok(question) => question,
        Err(error) => {
            let message = format!("the line is no {{\"template\", \"context\"}}: {error}");
            return Answer::Error(EvalError { code: "BadRequest".to_owned(), message });
        }
    };
    let value = Template::compile(&question.template, partials)
        .map_err(|errors| {
            let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
            EvalError { code: "InvalidTemplate".to_owned(), message: messages.join(" ") }
        })
        .and_then(|template| template.evaluate(&scope(question.context)));
    match value {
        Ok(value) => Answer::Value(value),
        Err(error) => Answer::Error(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_answered_with_a_value_or_an_error() {
        let questions = concat!(
            r#"{"template": "@add(1, 2)"}"#,
            "\n\n",
            r#"{"template": "{{trigger.subject}}!", "context": {"trigger": {"subject": "@{x} {{y}}"}}}"#,
            "\n",
            r#"{"template": "@utcNow('yyyy')", "context": {"now": "2026-01-15T10:30:00Z"}}"#,
            "\n",
            r#"{"template": "@div(1, 0)"}"#,
            "\n",
            r#"{"template": "@nope()"}"#,
            "\nnot json\n",
        );
        let mut out = Vec::new();
        assert_eq!(lines(&mut questions.as_bytes(), &mut out, &Partials::default()), Exit::Done);
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        {"value":3}
        {"value":"@{x} {{y}}!"}
        {"value":"2026"}
        {"error":{"code":"InvalidTemplate","message":"Attempt to divide an integral or decimal value by zero in function 'div'."}}
        {"error":{"code":"InvalidTemplate","message":"The template function 'nope' is not defined or not valid."}}
        {"error":{"code":"BadRequest","message":"the line is no {\"template\", \"context\"}: expected ident at line 1 column 2"}}
        "#);
    }

    #[test]
    fn a_fault_is_underlined() {
        let errors = Template::compile("Hello @{concatt('a')}", &Partials::default()).unwrap_err();
        insta::assert_snapshot!(shown("Hello @{concatt('a')}", &errors[0]), @r"
        error: the template function 'concatt' is not defined or not valid
          | Hello @{concatt('a')}
          |         ^^^^^^^
          = did you mean 'concat'?
        ");
    }
}
