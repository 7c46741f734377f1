//! Numbers in text, as .NET reads them.

use super::culture::Culture;

/// A whole number: white space around it, a sign before it. `10.0` counts, `10.5` does not.
pub(super) fn parse_int(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole);
    }
    let (whole, fraction) = text.split_once('.')?;
    fraction.bytes().all(|digit| digit == b'0').then(|| whole.parse().ok())?
}

/// A float: a sign before or after it, groups of any size, a fraction, an exponent. Not NaN and not infinite.
pub(super) fn parse_float(text: &str, culture: Culture) -> Option<f64> {
    let mut rest = text.trim();
    let mut negative = None;
    if let Some(after) = rest.strip_prefix(['+', '-']) {
        negative = Some(rest.starts_with('-'));
        rest = after;
    }
    if let (None, Some(before)) = (negative, rest.strip_suffix(['+', '-'])) {
        negative = Some(rest.ends_with('-'));
        rest = before;
    }
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once(culture.decimal).unwrap_or((mantissa, ""));
    let whole = ungrouped(whole, culture.group)?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(&whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let number: f64 = format!("{whole}.{fraction}e{exponent}").parse().ok()?;
    let number = if negative == Some(true) { -number } else { number };
    number.is_finite().then_some(number)
}

/// The digits without their separators, which stand after a digit, in any number.
fn ungrouped(whole: &str, group: &str) -> Option<String> {
    let mut out = String::with_capacity(whole.len());
    let mut rest = whole;
    while let Some(letter) = rest.chars().next() {
        // People type an ordinary space where the culture has a narrow one.
        let separator = match rest.strip_prefix(group).filter(|_| !group.is_empty()) {
            None if group.starts_with(['\u{202f}', '\u{a0}']) => rest.strip_prefix([' ', '\u{202f}', '\u{a0}']),
            other => other,
        };
        match separator {
            Some(_) if out.is_empty() => return None,
            Some(after) => rest = after,
            None => {
                out.push(letter);
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    Some(out)
}
