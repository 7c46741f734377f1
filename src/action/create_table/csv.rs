//! A table in CSV (RFC 4180), every line ended by CR LF.

use std::borrow::Cow;

use super::TooLong;

/// `guard` puts a `'` before cells that a spreadsheet would take for formulas.
pub(super) fn write<'v>(
    head: &[Cow<'_, str>],
    rows: impl Iterator<Item = Vec<Cow<'v, str>>>,
    guard: bool,
) -> Result<String, TooLong> {
    let mut out = String::new();
    if !head.is_empty() {
        line(&mut out, head, guard);
    }
    for row in rows {
        line(&mut out, &row, guard);
        TooLong::check(&out)?;
    }
    Ok(out)
}

fn line(out: &mut String, row: &[Cow<'_, str>], guard: bool) {
    for (index, text) in row.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        cell(out, text, guard);
    }
    out.push_str("\r\n");
}

fn cell(out: &mut String, text: &str, guard: bool) {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    let mark = if guard && is_formula { "'" } else { "" };
    if text.contains([',', '"', '\r', '\n']) {
        out.push('"');
        out.push_str(mark);
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(mark);
        out.push_str(text);
    }
}
