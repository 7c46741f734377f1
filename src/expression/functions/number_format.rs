//! Numbers written by .NET's format strings, standard (`N2`) and custom (`#,##0.00`).

use serde_json::Number;

use super::culture::Culture;
use crate::{expression::value, limits};

/// Digits after the point that a format may ask for; .NET has the same bound for what it promises to be exact.
const MOST_DIGITS: usize = 99;

/// `number` by `format`, or `None` when there is no such format for it.
pub(super) fn format(number: &Number, format: &str, culture: Culture) -> Option<String> {
    if format.is_empty() {
        return standard(number, 'G', None, culture);
    }
    if format.len() > limits::FORMAT_BYTES {
        return None;
    }
    let mut letters = format.chars();
    match (letters.next(), letters.as_str()) {
        (Some(letter), digits) if letter.is_ascii_alphabetic() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let precision =
                if digits.is_empty() { None } else { Some(digits.parse().ok().filter(|p| *p <= MOST_DIGITS)?) };
            standard(number, letter, precision, culture)
        }
        _ => custom(number, format, culture),
    }
}

fn standard(number: &Number, letter: char, precision: Option<usize>, culture: Culture) -> Option<String> {
    let float = number.as_f64()?;
    let negative = float < 0.0;
    let sign = if negative { "-" } else { "" };
    let plain = |digits: usize| fixed(number, digits);
    Some(match letter.to_ascii_uppercase() {
        'C' => {
            let amount = grouped(&plain(precision.unwrap_or(culture.currency_digits)), culture);
            let space = if culture.currency_space { "\u{a0}" } else { "" };
            let currency = culture.currency;
            if culture.currency_first {
                format!("{sign}{currency}{space}{amount}")
            } else {
                format!("{sign}{amount}{space}{currency}")
            }
        }
        'D' => {
            let whole = number.as_i64()?;
            format!("{sign}{:0>1$}", whole.unsigned_abs(), precision.unwrap_or(1))
        }
        'E' => {
            let text = format!("{:.*e}", precision.unwrap_or(6), float.abs());
            let (mantissa, exponent) = text.split_once('e')?;
            let exponent: i32 = exponent.parse().ok()?;
            let mark = if exponent < 0 { '-' } else { '+' };
            format!("{sign}{}{letter}{mark}{:03}", mantissa.replace('.', culture.decimal), exponent.abs())
        }
        'F' => format!("{sign}{}", plain(precision.unwrap_or(2)).replace('.', culture.decimal)),
        'G' | 'R' => {
            let text = match precision.filter(|precision| *precision > 0) {
                Some(digits) => {
                    value::number_text(&Number::from_f64(format!("{:.*e}", digits - 1, float).parse().ok()?)?)
                }
                None => value::number_text(number),
            };
            text.replace('.', culture.decimal)
        }
        'N' => format!("{sign}{}", grouped(&plain(precision.unwrap_or(2)), culture)),
        'P' => {
            let scaled = Number::from_f64(float * 100.0)?;
            let space = if culture.percent_space { "\u{a0}" } else { "" };
            format!("{sign}{}{space}%", grouped(&fixed(&scaled, precision.unwrap_or(2)), culture))
        }
        'X' => {
            let whole = number.as_i64()?;
            let width = precision.unwrap_or(1);
            if letter == 'X' { format!("{whole:0>width$X}") } else { format!("{whole:0>width$x}") }
        }
        _ => return None,
    })
}

/// The magnitude with `digits` after the point; a tie of the exact value goes to the even digit.
fn fixed(number: &Number, digits: usize) -> String {
    match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) if digits == 0 => whole.unsigned_abs().to_string(),
        (Some(whole), _) => format!("{}.{:0<digits$}", whole.unsigned_abs(), ""),
        (None, Some(float)) => format!("{:.digits$}", float.abs()),
        (None, None) => number.to_string(),
    }
}

/// Separates the digits before the point into the culture's groups and writes the culture's point.
fn grouped(plain: &str, culture: Culture) -> String {
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let mut out = String::new();
    for (at, digit) in whole.char_indices() {
        out.push(digit);
        if ends_group(whole.len() - at - 1, culture) {
            out.push_str(culture.group);
        }
    }
    if !fraction.is_empty() {
        out.push_str(culture.decimal);
        out.push_str(fraction);
    }
    out
}

/// Whether a separator stands before the last `left` digits.
fn ends_group(left: usize, culture: Culture) -> bool {
    let mut sizes = culture.grouping.iter().filter_map(|size| usize::try_from(*size).ok()).filter(|size| *size > 0);
    let mut size = sizes.next().unwrap_or(3);
    let mut end = size;
    while end < left {
        size = sizes.next().unwrap_or(size);
        end += size;
    }
    left > 0 && end == left
}

/// What one section of a custom format asks for.
#[derive(Default)]
struct Section {
    /// The pieces in order.
    pieces: Vec<Piece>,
    /// Digit places before and after the point, and how many of the places are `0`.
    whole: usize,
    fraction: usize,
    zeros_whole: usize,
    zeros_fraction: usize,
    grouping: bool,
    /// Powers of ten that `%`, `‰` and trailing commas scale by.
    scale: i32,
    /// `E+00`: whether a plus is written, and the digits.
    exponent: Option<(bool, usize, char)>,
}

enum Piece {
    Literal(String),
    /// A digit place; true for `0`.
    Digit,
    Point,
    Exponent,
}

fn custom(number: &Number, format: &str, culture: Culture) -> Option<String> {
    let float = number.as_f64()?;
    let sections = sections(format);
    let (text, signed) = match sections.as_slice() {
        [only] => (*only, true),
        [_, negative, ..] if float < 0.0 && !negative.is_empty() => (*negative, false),
        [_, _, zero, ..] if float == 0.0 && !zero.is_empty() => (*zero, false),
        [positive, ..] => (*positive, true),
        [] => return None,
    };
    let section = section(text);
    let (digits, mut exponent) = decimal_digits(number)?;
    exponent += section.scale;
    let (whole, fraction, shift) = place(&digits, exponent, &section);
    let is_zero = whole.bytes().chain(fraction.bytes()).all(|digit| digit == b'0');
    let mut out = String::new();
    if signed && float < 0.0 && !is_zero {
        out.push('-');
    }
    write(&section, &whole, &fraction, shift, culture, &mut out);
    Some(out)
}

/// Cuts at every `;` outside of quotes.
fn sections(format: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut quote = None;
    let mut escaped = false;
    for (at, letter) in format.char_indices() {
        match (letter, quote) {
            _ if escaped => escaped = false,
            ('\\', _) => escaped = true,
            (letter, Some(open)) if letter == open => quote = None,
            ('\'' | '"', None) => quote = Some(letter),
            (';', None) => {
                found.push(&format[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&format[start..]);
    found
}

fn section(text: &str) -> Section {
    let mut section = Section::default();
    let mut point = false;
    let mut commas = 0;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '0' | '#' => {
                section.grouping |= commas > 0 && !point && section.whole > 0;
                commas = 0;
                let zero = letter == '0';
                if point {
                    section.fraction += 1;
                    if zero {
                        section.zeros_fraction = section.fraction;
                    }
                } else {
                    section.whole += 1;
                    // From the first zero on, every place before the point is written.
                    section.zeros_whole += usize::from(zero || section.zeros_whole > 0);
                }
                section.pieces.push(Piece::Digit);
            }
            '.' if !point => {
                point = true;
                section.scale -= 3 * commas;
                commas = 0;
                section.pieces.push(Piece::Point);
            }
            '.' => {}
            ',' => commas += i32::from(!point),
            '%' => {
                section.scale += 2;
                section.pieces.push(Piece::Literal("%".to_owned()));
            }
            '‰' => {
                section.scale += 3;
                section.pieces.push(Piece::Literal("‰".to_owned()));
            }
            'E' | 'e' if matches!(letters.peek(), Some('0' | '+' | '-')) => {
                let plus = letters.next_if(|next| matches!(next, '+' | '-')) == Some('+');
                let mut digits = 0;
                while letters.next_if_eq(&'0').is_some() {
                    digits += 1;
                }
                section.exponent = Some((plus, digits.max(1), letter));
                section.pieces.push(Piece::Exponent);
            }
            '\\' => section.pieces.extend(letters.next().map(|next| Piece::Literal(next.to_string()))),
            '\'' | '"' => {
                let quoted: String = letters.by_ref().take_while(|next| *next != letter).collect();
                section.pieces.push(Piece::Literal(quoted));
            }
            other => section.pieces.push(Piece::Literal(other.to_string())),
        }
    }
    section.scale -= 3 * commas;
    section
}

/// The significant digits and the power of ten of the place before the first: `0.DIGITS × 10^exponent`.
fn decimal_digits(number: &Number) -> Option<(String, i32)> {
    if let Some(whole) = number.as_i64() {
        let digits = whole.unsigned_abs().to_string();
        let places = i32::try_from(digits.len()).ok()?;
        return Some((digits, places));
    }
    // .NET looks at 15 significant digits here, so that 1.005 is a tie.
    let text = format!("{:.14e}", number.as_f64()?.abs());
    let (mantissa, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    Some((mantissa.replace('.', ""), exponent + 1))
}

/// The digits before and after the point, rounded to the section's places, a tie away from zero; and the exponent that
/// scientific notation has taken out.
fn place(digits: &str, exponent: i32, section: &Section) -> (String, String, i32) {
    let zero = digits.bytes().all(|digit| digit == b'0');
    let whole_places = i32::try_from(section.whole.max(1)).unwrap_or(i32::MAX);
    let mut shift = if section.exponent.is_some() && !zero { exponent - whole_places } else { 0 };
    let mut point = exponent - shift;
    let mut kept = rounded(digits, i64::from(point) + i64::try_from(section.fraction).unwrap_or_default());
    if kept.1 {
        // 9.99 became 10.0: one more digit.
        point += 1;
        if section.exponent.is_some() {
            shift += 1;
            point -= 1;
            kept.0.pop();
        }
    }
    let digits = kept.0;
    let (whole, fraction) = match usize::try_from(point) {
        Ok(point) if point <= digits.len() => (digits[..point].to_owned(), digits[point..].to_owned()),
        Ok(point) => (format!("{digits:0<point$}"), String::new()),
        Err(_) => {
            let zeros = usize::try_from(point.unsigned_abs()).unwrap_or_default().min(section.fraction);
            let fraction: String = "0".repeat(zeros) + &digits;
            (String::new(), fraction.chars().take(section.fraction).collect())
        }
    };
    (whole.trim_start_matches('0').to_owned(), fraction, shift)
}

/// Keeps `count` digits, a tie away from zero; the flag says that a digit was gained in front.
fn rounded(digits: &str, count: i64) -> (String, bool) {
    let Ok(count) = usize::try_from(count) else { return (String::new(), false) };
    if count >= digits.len() {
        return (digits.to_owned(), false);
    }
    let mut kept: Vec<u8> = digits.as_bytes()[..count].to_vec();
    if digits.as_bytes()[count] < b'5' {
        return (String::from_utf8(kept).unwrap_or_default(), false);
    }
    for digit in kept.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return (String::from_utf8(kept).unwrap_or_default(), false);
        }
        *digit = b'0';
    }
    kept.insert(0, b'1');
    (String::from_utf8(kept).unwrap_or_default(), true)
}

fn write(section: &Section, whole: &str, fraction: &str, shift: i32, culture: Culture, out: &mut String) {
    let whole = format!("{whole:0>0$}", section.zeros_whole);
    let fraction = format!("{:0<1$}", fraction.trim_end_matches('0'), section.zeros_fraction);
    let mut digits = whole.chars();
    let mut fraction = fraction.chars();
    let mut places = section.whole;
    let mut after_point = false;
    // Writes digits until only `left` of them are to come: the first place takes all that have no place of their own.
    let mut until = |left: usize, out: &mut String| {
        while digits.as_str().len() > left {
            out.extend(digits.next());
            if section.grouping && ends_group(digits.as_str().len(), culture) {
                out.push_str(culture.group);
            }
        }
    };
    for piece in &section.pieces {
        match piece {
            Piece::Literal(text) => out.push_str(text),
            Piece::Point => {
                until(0, out);
                after_point = true;
                if !fraction.as_str().is_empty() {
                    out.push_str(culture.decimal);
                }
            }
            Piece::Digit if after_point => out.extend(fraction.next()),
            Piece::Digit => {
                places -= 1;
                until(places, out);
            }
            Piece::Exponent => {
                if let Some((plus, digits, letter)) = section.exponent {
                    let sign = match (shift < 0, plus) {
                        (true, _) => "-",
                        (false, true) => "+",
                        (false, false) => "",
                    };
                    out.push_str(&format!("{letter}{sign}{:0>digits$}", shift.abs()));
                }
            }
        }
    }
}
