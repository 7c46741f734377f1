//! Timestamps written by .NET's format strings, standard (`D`) and custom (`dddd, d MMMM yyyy`).

use std::fmt::Write;

use chrono::{Datelike, Timelike};

use super::Timestamp;
use crate::{
    expression::functions::culture::{Culture, invariant},
    limits,
};

/// `timestamp` by `format`, or `None` when there is no such format, or no such format for the culture.
pub(super) fn format(timestamp: Timestamp, format: &str, culture: Culture) -> Option<String> {
    if format.len() > limits::FORMAT_BYTES {
        return None;
    }
    let mut letters = format.chars();
    match (letters.next(), letters.next()) {
        (None, _) => standard(timestamp, 'G', culture),
        (Some(letter), None) => standard(timestamp, letter, culture),
        _ => custom(timestamp, format, culture),
    }
}

fn standard(timestamp: Timestamp, letter: char, culture: Culture) -> Option<String> {
    let fixed = |pattern| custom(timestamp, pattern, invariant());
    match letter {
        'o' | 'O' => return fixed("yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK"),
        's' => return fixed("yyyy'-'MM'-'dd'T'HH':'mm':'ss"),
        'u' => return fixed("yyyy'-'MM'-'dd HH':'mm':'ss'Z'"),
        'r' | 'R' => return fixed("ddd, dd MMM yyyy HH':'mm':'ss 'GMT'"),
        _ => {}
    }
    let patterns = culture.patterns?;
    let both = |date: &str, time: &str| format!("{date} {time}");
    let pattern = match letter {
        'd' => patterns.short_date.to_owned(),
        'D' => patterns.long_date.to_owned(),
        't' => patterns.short_time.to_owned(),
        'T' => patterns.long_time.to_owned(),
        'f' => both(patterns.long_date, patterns.short_time),
        'F' | 'U' => both(patterns.long_date, patterns.long_time),
        'g' => both(patterns.short_date, patterns.short_time),
        'G' => both(patterns.short_date, patterns.long_time),
        'm' | 'M' => patterns.month_day.to_owned(),
        'y' | 'Y' => patterns.year_month.to_owned(),
        _ => return None,
    };
    custom(timestamp, &pattern, culture)
}

fn custom(timestamp: Timestamp, format: &str, culture: Culture) -> Option<String> {
    let mut out = String::with_capacity(format.len() + 16);
    let mut rest = format;
    while let Some(letter) = rest.chars().next() {
        let run = rest.chars().take_while(|next| *next == letter).count();
        match letter {
            '\'' | '"' => {
                let (quoted, length) = quoted(rest, letter)?;
                out.push_str(&quoted);
                rest = &rest[length..];
                continue;
            }
            '\\' => {
                let escaped = rest.chars().nth(1)?;
                out.push(escaped);
                rest = &rest[1 + escaped.len_utf8()..];
                continue;
            }
            // `%d` is the custom `d`, not the standard one.
            '%' => {
                rest = &rest[1..];
                if rest.is_empty() || rest.starts_with('%') {
                    return None;
                }
                continue;
            }
            _ => {
                let taken = specifier(timestamp, letter, run, culture, &mut out)?;
                rest = &rest[taken * letter.len_utf8()..];
            }
        }
    }
    Some(out)
}

/// The text in quotes that `text` begins with, and its length with the quotes.
pub(super) fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            letter if letter == quote => return Some((out, at + 1)),
            '\\' => out.push(letters.next()?.1),
            other => out.push(other),
        }
    }
    None
}

/// Writes what a run of one letter stands for; says how many of the letters were used.
fn specifier(timestamp: Timestamp, letter: char, run: usize, culture: Culture, out: &mut String) -> Option<usize> {
    let time = timestamp.time;
    let name = |names: &'static [&'static str], at: u32| names.get(usize::try_from(at).ok()?).copied();
    // Writing to a String cannot fail.
    let mut number = |value: u32, width: usize| {
        let _ = write!(out, "{value:0width$}");
    };
    match (letter, run) {
        ('d', 1 | 2) => number(time.day(), run),
        ('d', 3) => out.push_str(name(culture.short_days, time.weekday().num_days_from_sunday())?),
        ('d', _) => out.push_str(name(culture.days, time.weekday().num_days_from_sunday())?),
        ('M', 1 | 2) => number(time.month(), run),
        ('M', 3) => out.push_str(name(culture.short_months, time.month0())?),
        ('M', _) => out.push_str(name(culture.months, time.month0())?),
        ('y', 1 | 2) => number(time.year().unsigned_abs() % 100, run),
        ('y', _) => number(time.year().unsigned_abs(), run),
        ('h', _) => number(time.hour12().1, run.min(2)),
        ('H', _) => number(time.hour(), run.min(2)),
        ('m', _) => number(time.minute(), run.min(2)),
        ('s', _) => number(time.second(), run.min(2)),
        ('f' | 'F', 1..=7) => fraction(time.nanosecond(), letter, run, out),
        ('f' | 'F', _) => return None,
        ('t', _) => {
            let half = culture.halves.get(usize::from(time.hour12().0)).copied().unwrap_or_default();
            out.extend(half.chars().take(if run == 1 { 1 } else { usize::MAX }));
        }
        // Each K stands for the whole zone.
        ('K', _) => out.extend(std::iter::repeat_n('Z', if timestamp.utc { run } else { 0 })),
        // A zone as an offset: this knows UTC only, and .NET takes a time without a zone for the server's, which is UTC.
        ('z', 1) => out.push_str("+0"),
        ('z', 2) => out.push_str("+00"),
        ('z', _) => out.push_str("+00:00"),
        ('g', _) => out.push_str("A.D."),
        (other, _) => out.extend(std::iter::repeat_n(other, run)),
    }
    Some(run)
}

/// Fractions of a second; `F` leaves trailing zeros out, and the point before them with them.
fn fraction(nanoseconds: u32, letter: char, digits: usize, out: &mut String) {
    // A leap second counts on past a full second of nanoseconds.
    let text = format!("{:09}", nanoseconds % 1_000_000_000);
    let text = &text[..digits];
    if letter == 'f' {
        out.push_str(text);
        return;
    }
    let text = text.trim_end_matches('0');
    if text.is_empty() && out.ends_with('.') {
        out.pop();
    }
    out.push_str(text);
}
