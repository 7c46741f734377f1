//! Timestamps in text: ISO 8601, what mail headers have, and the usual English forms.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

use super::{Timestamp, in_range};

const DATES: [&str; 9] = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%m/%d/%Y",
    "%A, %B %d, %Y",
    "%a, %d %b %Y",
    "%B %d, %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%d %b %Y",
];
const TIMES: [&str; 6] = ["%H:%M:%S%.f", "%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%I %p"];

/// The timestamp that `text` stands for. One with an offset is moved to UTC; one without a zone stays without.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) || text.len() > 64 {
        return None;
    }
    let timestamp = zoned(text).or_else(|| local(text).map(|time| Timestamp { time, utc: false }))?;
    in_range(timestamp.time).then_some(timestamp)
}

fn zoned(text: &str) -> Option<Timestamp> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(Timestamp { time: time.naive_utc(), utc: true });
    }
    let without =
        text.strip_suffix(['Z', 'z']).or_else(|| text.strip_suffix("GMT")).or_else(|| text.strip_suffix("UTC"));
    if let Some(time) = without.and_then(|text| local(text.trim_end())) {
        return Some(Timestamp { time, utc: true });
    }
    // An offset is the last sign after a time: `10:00+02:00`, `10:00 +0200`.
    let colon = text.find(':')?;
    let at = text.rfind(['+', '-']).filter(|at| *at > colon)?;
    let offset = text[at + 1..].replace(':', "");
    let (hours, minutes) = match offset.len() {
        2 => (offset.parse::<i64>().ok()?, 0),
        4 => (offset.get(..2)?.parse().ok()?, offset.get(2..)?.parse::<i64>().ok()?),
        _ => return None,
    };
    let offset = chrono::TimeDelta::try_minutes(hours * 60 + minutes)?;
    let time = local(text[..at].trim_end())?;
    let time =
        if text[at..].starts_with('-') { time.checked_add_signed(offset) } else { time.checked_sub_signed(offset) };
    Some(Timestamp { time: time?, utc: true })
}

fn local(text: &str) -> Option<NaiveDateTime> {
    for date in DATES {
        let Ok((date, rest)) = NaiveDate::parse_and_remainder(text, date) else { continue };
        let rest = rest.strip_prefix(['T', 't']).unwrap_or(rest).trim_start_matches([' ', ',']);
        if rest.is_empty() {
            return Some(date.and_time(NaiveTime::MIN));
        }
        let time = TIMES.iter().find_map(|time| match *time {
            // chrono needs minutes to make a time.
            "%I %p" => NaiveTime::parse_from_str(&rest.replacen(' ', ":00 ", 1), "%I:%M %p").ok(),
            time => NaiveTime::parse_from_str(rest, time).ok(),
        });
        if let Some(time) = time {
            return Some(date.and_time(time));
        }
    }
    None
}
