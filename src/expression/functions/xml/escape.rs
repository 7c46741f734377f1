//! What XML escapes: signs in text, and characters in names.

use std::fmt::Write;

/// XML 1.0, Char.
pub(super) fn is_char(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// XML 1.0, fifth edition: NameStartChar and NameChar, the colon left out as in a local name.
fn is_name_char(letter: char, first: bool) -> bool {
    let start = matches!(letter, 'A'..='Z' | '_' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}'
        | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}'
        | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}');
    let later = matches!(letter, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}');
    start || (!first && later)
}

/// Whether `name` may stand on one side of a name's colon.
pub(super) fn is_local_name(name: &str) -> bool {
    !name.is_empty() && name.char_indices().all(|(at, letter)| is_name_char(letter, at == 0))
}

/// The text with all five of XML's own signs escaped.
pub(super) fn value(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            _ => out.push(letter),
        }
    }
    out
}

/// The text with every escape resolved; an `&` that begins none stays.
pub(super) fn unescaped(text: &str) -> String {
    /// Longer than any reference: `&#x10FFFF;`.
    const LONGEST: usize = 12;
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(LONGEST).position(|byte| byte == b';');
        let letter = end.and_then(|end| Some((entity(&rest[1..end])?, end + 1)));
        let (letter, length) = letter.unwrap_or(('&', 1));
        out.push(letter);
        rest = &rest[length..];
    }
    out + rest
}

/// The character behind the name of a predefined entity or a character reference.
pub(super) fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

/// A local name with what XML forbids in names written as `_xHHHH_`.
pub(super) fn name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (at, letter) in name.char_indices() {
        let escaped = letter == '_' && encoded_letter(&name[at..]).is_some();
        if !escaped && is_name_char(letter, at == 0) {
            out.push(letter);
        } else {
            out.push_str("_x");
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "{unit:04X}");
            }
            out.push('_');
        }
    }
    out
}

/// A name with every `_xHHHH_` resolved.
pub(super) fn unescaped_name(name: &str) -> String {
    let mut rest = name;
    let mut out = String::with_capacity(name.len());
    while let Some(at) = rest.find('_') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (letter, length) = encoded_letter(rest).unwrap_or(('_', 1));
        out.push(letter);
        rest = &rest[length..];
    }
    out + rest
}

/// The letter behind an `_xHHHH_` at the start of `text`, and that mark's length.
fn encoded_letter(text: &str) -> Option<(char, usize)> {
    let inside = text.strip_prefix("_x").or_else(|| text.strip_prefix("_X"))?;
    let end = inside.bytes().take(9).position(|byte| byte == b'_').filter(|end| matches!(end, 4 | 8))?;
    let units: Option<Vec<u16>> =
        (0..end).step_by(4).map(|at| u16::from_str_radix(inside.get(at..at + 4)?, 16).ok()).collect();
    let letter = char::decode_utf16(units?).next()?.ok()?;
    Some((letter, end + 3))
}
