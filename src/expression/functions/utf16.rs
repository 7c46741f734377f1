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

/// Every place where `needle`, which is not empty, stands in `text`, those that overlap too. This is Knuth, Morris and
/// Pratt's search: its time is linear in both, and no crate that is in use finds overlapping places.
pub(super) fn places<'t>(text: &'t [u16], needle: &'t [u16]) -> impl Iterator<Item = usize> + 't {
    // For each part of the needle, the length of the longest beginning that is also its end.
    let mut borders = vec![0; needle.len()];
    let mut matched = 0;
    for at in 1..needle.len() {
        while matched > 0 && needle[at] != needle[matched] {
            matched = borders[matched - 1];
        }
        matched += usize::from(needle[at] == needle[matched]);
        borders[at] = matched;
    }
    let mut matched = 0;
    text.iter().enumerate().filter_map(move |(at, unit)| {
        while matched > 0 && (matched == needle.len() || needle[matched] != *unit) {
            matched = borders[matched - 1];
        }
        matched += usize::from(needle.get(matched) == Some(unit));
        (matched > 0 && matched == needle.len()).then(|| at + 1 - needle.len())
    })
}
