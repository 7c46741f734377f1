//! Text as .NET sees it: positions and lengths count UTF-16 units.

use crate::expression::value::fold;

/// The number of UTF-16 units.
pub(super) fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// The units from `start` to `end`, which must be in order and within the text. Half a pair becomes U+FFFD.
pub(super) fn cut(text: &str, start: usize, end: usize) -> String {
    if text.is_ascii() {
        return text.get(start..end).unwrap_or_default().to_owned();
    }
    let units: Vec<u16> = text.encode_utf16().skip(start).take(end.saturating_sub(start)).collect();
    String::from_utf16_lossy(&units)
}

/// The units with their case taken away.
pub(super) fn folded(text: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(text.len());
    for letter in text.chars().map(fold) {
        units.extend_from_slice(letter.encode_utf16(&mut [0; 2]));
    }
    units
}

/// Where `needle` first stands in `text` at or after `from`.
pub(super) fn find(text: &[u16], needle: &[u16], from: usize) -> Option<usize> {
    if needle.is_empty() {
        return (from <= text.len()).then_some(from);
    }
    text.get(from..)?.windows(needle.len()).position(|window| window == needle).map(|at| at + from)
}

/// Where `needle` last stands in `text`.
pub(super) fn find_last(text: &[u16], needle: &[u16]) -> Option<usize> {
    if needle.is_empty() {
        return Some(text.len());
    }
    text.windows(needle.len()).rposition(|window| window == needle)
}
