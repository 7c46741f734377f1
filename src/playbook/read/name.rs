//! What names may look like.

use crate::{
    diagnostic::{Faults, codes},
    limits,
    yaml::Given,
};

/// The name of a playbook, as commands and pages use it.
pub(super) fn playbook<'n>(given: Given<'n>, faults: &mut Faults) -> Option<&'n str> {
    let rule = "letters, digits, `-` and `_`, beginning with a letter or digit";
    checked(
        given,
        rule,
        |first| first.is_ascii_alphanumeric(),
        |c| c.is_ascii_alphanumeric() || "-_".contains(c),
        faults,
    )
}

/// An id: of an action, a form field, a variable, a parameter.
pub(super) fn id<'n>(given: Given<'n>, faults: &mut Faults) -> Option<&'n str> {
    let text = given.words(faults)?;
    is_id(text, faults, &given).then_some(text)
}

/// Whether a map's key is a good id.
pub(super) fn key(given: &Given<'_>, faults: &mut Faults) -> bool {
    valid(given.key, ID_RULE, id_start, id_part, given.key_span(), faults)
}

/// Whether a text that stands inside another is a good id.
pub(super) fn is_plain(text: &str) -> bool {
    text.starts_with(id_start) && text.chars().all(id_part) && text.chars().count() <= limits::ACTION_ID_CHARS
}

/// The path of a form or webhook, one segment of its address.
pub(super) fn path<'n>(given: Given<'n>, faults: &mut Faults) -> Option<&'n str> {
    let rule = "lower-case letters, digits, `-` and `_`, beginning with a letter or digit";
    let small = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    checked(given, rule, small, |c| small(c) || "-_".contains(c), faults)
}

const ID_RULE: &str = "letters, digits, `-` and `_`, beginning with a letter or `_`";

fn id_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn id_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_".contains(c)
}

fn is_id(text: &str, faults: &mut Faults, given: &Given<'_>) -> bool {
    valid(text, ID_RULE, id_start, id_part, given.span(), faults)
}

fn checked<'n>(
    given: Given<'n>,
    rule: &str,
    start: impl Fn(char) -> bool,
    part: impl Fn(char) -> bool,
    faults: &mut Faults,
) -> Option<&'n str> {
    let text = given.words(faults)?;
    valid(text, rule, start, part, given.span(), faults).then_some(text)
}

fn valid(
    text: &str,
    rule: &str,
    start: impl Fn(char) -> bool,
    part: impl Fn(char) -> bool,
    span: std::ops::Range<usize>,
    faults: &mut Faults,
) -> bool {
    if text.chars().count() > limits::ACTION_ID_CHARS {
        let message = format!("a name has at most {} characters", limits::ACTION_ID_CHARS);
        faults.add(codes::BAD_NAME, span, message);
        return false;
    }
    if text.starts_with(start) && text.chars().all(part) {
        return true;
    }
    faults.add_with(
        codes::BAD_NAME,
        span,
        format!("`{text}` is not a name"),
        Some(format!("a name is made of {rule}")),
    );
    false
}
