//! Durations as an author writes them: ISO 8601 (`PT7.5S`, `P1D`) or short (`90s`, `5m`, `2h`, `7d`).
//!
//! Written here because the ISO 8601 crates take years and months, which have no fixed length, or a whole date library with them.

use std::time::Duration;

const SECOND: f64 = 1.0;
const MINUTE: f64 = 60.0;
const HOUR: f64 = 3_600.0;
const DAY: f64 = 86_400.0;

/// What can be written, for messages.
pub const FORMS: &str = "a duration is written like 90s, 5m, 2h, 7d or as ISO 8601, such as PT1H30M";

/// Reads a duration; `None` when it is none. Years and months are refused: they have no fixed length.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let seconds = match text.strip_prefix(['P', 'p']) {
        Some(iso) => parse_iso(iso)?,
        None => parse_short(text)?,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// `90s`
fn parse_short(text: &str) -> Option<f64> {
    let unit = match text.chars().next_back()? {
        's' => SECOND,
        'm' => MINUTE,
        'h' => HOUR,
        'd' => DAY,
        _ => return None,
    };
    Some(number(&text[..text.len() - 1], false)? * unit)
}

/// What follows the `P`: `1W`, or days, then `T` and hours, minutes, seconds, in this order, only the last with a fraction.
fn parse_iso(text: &str) -> Option<f64> {
    let (date, time) = match text.split_once(['T', 't']) {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    if let Some(weeks) = date.strip_suffix(['W', 'w']) {
        return if time.is_empty() { Some(number(weeks, true)? * 7.0 * DAY) } else { None };
    }
    let days = parts(date, &[('D', DAY)], time.is_empty())?;
    let clock = parts(time, &[('H', HOUR), ('M', MINUTE), ('S', SECOND)], true)?;
    if date.is_empty() && time.is_empty() { None } else { Some(days + clock) }
}

/// The sum of numbers with units, each unit at most once and in order.
fn parts(mut text: &str, units: &[(char, f64)], fraction: bool) -> Option<f64> {
    let mut sum = 0.0;
    let mut units = units.iter();
    while !text.is_empty() {
        let at = text.find(|c: char| c.is_ascii_alphabetic())?;
        let letter = text[at..].chars().next()?.to_ascii_uppercase();
        let (_, length) = units.find(|(unit, _)| *unit == letter)?;
        let rest = &text[at + 1..];
        sum += number(&text[..at], fraction && rest.is_empty())? * length;
        text = rest;
    }
    Some(sum)
}

/// Digits, with a fraction where one is allowed.
fn number(text: &str, fraction: bool) -> Option<f64> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let valid = match text.split_once(['.', ',']) {
        Some((whole, rest)) => fraction && digits(whole) && digits(rest),
        None => digits(text),
    };
    if valid { text.replace(',', ".").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_both_forms() {
        let cases = [
            ("90s", 90.0),
            ("5m", 300.0),
            ("2h", 7_200.0),
            ("7d", 604_800.0),
            ("PT5S", 5.0),
            ("PT7.5S", 7.5),
            ("PT7,5S", 7.5),
            ("P1D", 86_400.0),
            ("P2W", 1_209_600.0),
            ("P1DT2H3M4S", 93_784.0),
            ("PT1H30M", 5_400.0),
            ("pt1h", 3_600.0),
            ("PT0S", 0.0),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        let cases = [
            "",
            "5",
            "s",
            "5 m",
            "-5m",
            "1.5h",
            "5M",
            "P",
            "PT",
            "P1",
            "P1Y",
            "P1M",
            "P1H",
            "PT1D",
            "PT1.5H3M",
            "PT3M1H",
            "P1WT1H",
            "PT1S1S",
            "99999999999999999999d",
            "5é",
        ];
        for text in cases {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
