//! A form as the page shows it: its fields, what was entered before, and what is wrong with it.

use serde::Serialize;

use super::request::segment;
use crate::{
    playbook::{Field, FieldType, FormTrigger},
    trigger::form::{FieldFault, grouped},
};

/// The name under which a page sends its submission id; no field id has a full stop.
pub const SUBMISSION_NAME: &str = "larum.submission";

/// What the template `portal/form` is given.
#[derive(Debug, Serialize)]
pub struct FormPage {
    title: String,
    heading: String,
    action: String,
    submission_name: &'static str,
    submission: String,
    /// A sentence on what is wrong with the submission; `None` for a fresh page.
    summary: Option<String>,
    faults: Vec<FaultLink>,
    fields: Vec<FieldView>,
}

/// A fault in the summary, with the place to go to.
#[derive(Debug, Serialize)]
struct FaultLink {
    target: Option<String>,
    name: String,
    message: String,
}

/// A field; exactly one of `group`, `checkbox`, `select`, `long` holds, or none for a single line.
#[derive(Debug, Serialize)]
struct FieldView {
    id: String,
    label: String,
    required: bool,
    hint: Option<String>,
    error: Option<String>,
    described_by: Option<String>,
    group: bool,
    checkbox: bool,
    select: bool,
    long: bool,
    number: bool,
    input: &'static str,
    autocomplete: &'static str,
    value: String,
    checked: bool,
    options: Vec<OptionView>,
}

#[derive(Debug, Serialize)]
struct OptionView {
    id: String,
    value: String,
    selected: bool,
}

impl FormPage {
    /// The page of `form`, with `entered` as it was sent before and `summary` and `faults` on what is wrong with it.
    #[must_use]
    pub fn new(
        form: &FormTrigger,
        submission: String,
        entered: &[(String, String)],
        summary: Option<String>,
        faults: &[FieldFault],
    ) -> Self {
        Self {
            title: if summary.is_some() { format!("Error: {}", form.title) } else { form.title.clone() },
            heading: form.title.clone(),
            action: format!("/forms/{}", segment(&form.path)),
            submission_name: SUBMISSION_NAME,
            submission,
            summary,
            faults: faults.iter().map(|fault| link(form, fault)).collect(),
            fields: form.fields.iter().map(|field| view(field, entered, faults)).collect(),
        }
    }
}

fn is_group(field: &Field) -> bool {
    field.kind == FieldType::Choice && field.multiple
}

/// The element a link to the field leads to: its input, or the first of its options.
fn target(field: &Field) -> String {
    if is_group(field) { option_id(field, 0) } else { format!("field-{}", field.id) }
}

fn option_id(field: &Field, place: usize) -> String {
    format!("field-{}-{place}", field.id)
}

fn link(form: &FormTrigger, fault: &FieldFault) -> FaultLink {
    let field = form.fields.iter().find(|field| field.id == fault.field);
    FaultLink {
        target: field.map(target),
        name: fault.label.clone().unwrap_or_else(|| fault.field.clone()),
        message: fault.message.clone(),
    }
}

fn view(field: &Field, entered: &[(String, String)], faults: &[FieldFault]) -> FieldView {
    let values: Vec<&str> = entered
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(&field.id))
        .map(|(_, value)| value.as_str())
        .collect();
    let error = faults.iter().find(|fault| fault.field == field.id).map(|fault| fault.message.clone());
    let hint = hint(field);
    let described: Vec<String> = [("hint", hint.is_some()), ("error", error.is_some())]
        .into_iter()
        .filter(|(_, there)| *there)
        .map(|(what, _)| format!("{what}-{}", field.id))
        .collect();
    let select = field.kind == FieldType::Choice && !field.multiple;
    let (input, autocomplete) = match field.kind {
        FieldType::Email => ("email", "email"),
        FieldType::Url => ("url", "off"),
        FieldType::Date => ("date", "off"),
        FieldType::Number => ("number", "off"),
        FieldType::Text | FieldType::LongText | FieldType::Choice | FieldType::Checkbox => ("text", "off"),
    };
    FieldView {
        id: field.id.clone(),
        label: field.label.clone(),
        required: field.required,
        hint,
        error,
        described_by: (!described.is_empty()).then(|| described.join(" ")),
        group: is_group(field),
        checkbox: field.kind == FieldType::Checkbox,
        select,
        long: field.kind == FieldType::LongText,
        number: field.kind == FieldType::Number,
        input,
        autocomplete,
        value: values.first().copied().unwrap_or_default().to_owned(),
        checked: values.first() == Some(&"true"),
        options: field
            .options
            .iter()
            .enumerate()
            .map(|(place, option)| OptionView {
                id: option_id(field, place),
                value: option.clone(),
                selected: values.contains(&option.as_str()),
            })
            .collect(),
    }
}

fn hint(field: &Field) -> Option<String> {
    let rule = match field.kind {
        FieldType::Choice if field.multiple => Some("Tick all that apply."),
        FieldType::Url => Some("It starts with https:// or http://."),
        _ => None,
    };
    let length = field.max_length.map(|most| format!("At most {} characters.", grouped(most as u64)));
    match (rule, length) {
        (Some(rule), Some(length)) => Some(format!("{rule} {length}")),
        (rule, length) => rule.map(str::to_owned).or(length),
    }
}
