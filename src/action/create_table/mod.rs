//! `create_table`: a list as an HTML or CSV table, Logic Apps' Create HTML table and Create CSV table.

mod csv;
mod html;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ActionType, Nature, Outcome, Returns, input};
use crate::{expression, limits, playbook::ActionSpec};

const NAME: &str = "create_table";

/// Makes a table of a list, for a mail or a file. `actions.ID` is the table's text. Without `columns` there is a column
/// for every key that any element has, in the order in which they first come. In HTML what stands in a cell is escaped,
/// so that nothing in it acts as markup. In CSV the lines end in CR LF, and cells with a comma, a quote or a line end are
/// quoted (RFC 4180).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Inputs {
    /// The list. Without `columns` its elements must be maps. An empty list makes a table without a head.
    from: Vec<Value>,
    /// `HTML` or `CSV`.
    #[schemars(with = "Format")]
    format: String,
    /// The columns from left to right. They are evaluated once for each element, which `item` then is.
    #[serde(default)]
    #[schemars(with = "Option<Vec<Column>>")]
    #[expect(dead_code, reason = "the machine takes it out and evaluates it for each element")]
    columns: Option<Value>,
    /// In CSV, whether a cell that a spreadsheet would take for a formula, because it begins with `=`, `+`, `-`, `@`, a
    /// tab or a carriage return, gets a `'` in front. Mails and forms are written by strangers: turn it on where a
    /// person opens the file. Default `false`, as in Logic Apps.
    #[serde(default)]
    guard_formulas: bool,
}

/// The formats, for the schema; the input itself is read ignoring case.
#[derive(JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "the schema is made from it")]
enum Format {
    Html,
    Csv,
}

/// One column.
#[derive(Debug, Deserialize, JsonSchema)]
struct Column {
    /// What stands at the top.
    header: String,
    /// What stands in the cell, such as `@item()?['name']`.
    #[serde(default)]
    value: Value,
}

pub(super) const ACTION: ActionType = ActionType {
    spec: ActionSpec {
        per_item: Some("columns"),
        sought_as: &["createcsvtable", "createhtmltable", "csvtable", "htmltable", "table"],
        ..ActionSpec::new(NAME, || schemars::schema_for!(Inputs))
    },
    nature: Nature::PerItem(execute),
    returns: Returns::Body,
};

fn execute(input: &Value, columns: Vec<Value>) -> Outcome {
    match table(input, columns) {
        Ok(body) => Outcome::succeeded(json!({"body": body})),
        Err(outcome) => *outcome,
    }
}

fn table(input: &Value, columns: Vec<Value>) -> Result<String, Box<Outcome>> {
    let inputs = input::read::<Inputs>(NAME, input)?;
    // Without `columns`, or where they come out as null, there is null for each element.
    let columns = if columns.iter().all(Value::is_null) { Vec::new() } else { columns };
    let columns: Result<Vec<Vec<Column>>, _> = columns.into_iter().map(Deserialize::deserialize).collect();
    let columns = columns.map_err(|_| bad("`columns` must be a list of maps with `header`, a text, and `value`"))?;
    // The first element says the headers.
    if let Some(first) = columns.first() {
        let head: Vec<Cow<'_, str>> = first.iter().map(|column| column.header.as_str().into()).collect();
        let rows = columns.iter().map(|row| row.iter().map(|column| expression::text(&column.value)).collect());
        return write(&inputs, &head, rows);
    }
    let items: Option<Vec<&Map<String, Value>>> = inputs.from.iter().map(Value::as_object).collect();
    let items = items.ok_or_else(|| bad("without `columns` the elements of `from` must be maps"))?;
    // Finds a key at once and keeps the order in which the keys came.
    let mut keys: Map<String, Value> = Map::new();
    for key in items.iter().flat_map(|item| item.keys()) {
        if !keys.contains_key(key) {
            keys.insert(key.clone(), Value::Null);
        }
    }
    let head: Vec<Cow<'_, str>> = keys.keys().map(|key| key.as_str().into()).collect();
    let cell =
        |item: &Map<String, Value>, key: &str| item.get(key).map(expression::text).unwrap_or_default().into_owned();
    let rows = items.iter().map(|item| head.iter().map(|key| cell(item, key).into()).collect());
    write(&inputs, &head, rows)
}

fn write<'v>(
    inputs: &Inputs,
    head: &[Cow<'_, str>],
    rows: impl Iterator<Item = Vec<Cow<'v, str>>>,
) -> Result<String, Box<Outcome>> {
    let written = match inputs.format.as_str() {
        format if format.eq_ignore_ascii_case("html") => html::write(head, rows),
        format if format.eq_ignore_ascii_case("csv") => csv::write(head, rows, inputs.guard_formulas),
        _ => return Err(bad("`format` must be HTML or CSV")),
    };
    written.map_err(|TooLong| bad(&format!("the table has more than {} characters", limits::STRING_RESULT_CHARS)))
}

/// A table that has more characters than a text may have: every element may bring columns of its own.
struct TooLong;

impl TooLong {
    fn check(written: &str) -> Result<(), Self> {
        if written.len() > limits::STRING_RESULT_CHARS { Err(Self) } else { Ok(()) }
    }
}

fn bad(what: &str) -> Box<Outcome> {
    Box::new(Outcome::failed("BadRequest", format!("the inputs of `{NAME}` cannot be used: {what}")))
}

#[cfg(test)]
mod tests;
