//! Time zones by either of their names: IANA's (`Europe/Berlin`) or Windows' (`W. Europe Standard Time`).

use chrono::{NaiveDateTime, Offset, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use windows_timezones::WindowsTimezone;

use super::{DateError, Timestamp};
use crate::diagnostic;

/// Zones that Windows still lists and CLDR's mapping leaves out.
const OBSOLETE: [(&str, Tz); 2] =
    [("Kamchatka Standard Time", Tz::Asia__Kamchatka), ("Mid-Atlantic Standard Time", Tz::Etc__GMTPlus2)];

/// The time zone called `name`, by IANA (`Europe/Berlin`) or by Windows (`W. Europe Standard Time`), ignoring case.
#[must_use]
pub fn time_zone(name: &str) -> Option<Tz> {
    if let Ok(zone) = name.parse::<Tz>() {
        return Some(zone);
    }
    if let Ok(zone) = name.parse::<WindowsTimezone>() {
        return Some(zone.into());
    }
    names().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, zone)| zone)
}

/// The name of a time zone near to `name`: by spelling, or by its city alone.
#[must_use]
pub fn nearest_time_zone(name: &str) -> Option<&'static str> {
    /// Longer than any zone's name.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let city = |name: &str| name.rsplit('/').next().unwrap_or_default().replace(' ', "_");
    let wanted = city(name);
    diagnostic::nearest(name, names().map(|(known, _)| known))
        .or_else(|| names().map(|(known, _)| known).find(|known| city(known).eq_ignore_ascii_case(&wanted)))
}

fn names() -> impl Iterator<Item = (&'static str, Tz)> {
    let iana = TZ_VARIANTS.iter().map(|zone| (zone.name(), *zone));
    let windows = TZ_VARIANTS.iter().filter_map(|zone| {
        let name = WindowsTimezone::try_from(*zone).ok()?;
        Some((name.name(), Tz::from(name)))
    });
    iana.chain(windows).chain(OBSOLETE)
}

pub(super) fn named(name: &str) -> Result<Tz, DateError> {
    time_zone(name).ok_or_else(|| DateError::UnknownZone { name: name.to_owned(), near: nearest_time_zone(name) })
}

/// The instant of a time that is `zone`'s where it does not say so itself.
///
/// A time that the clocks skip is an error, and one that they show twice is the later, as in .NET.
pub(super) fn to_utc(timestamp: Timestamp, zone: Tz) -> Result<Timestamp, DateError> {
    if timestamp.utc {
        return Ok(timestamp);
    }
    let skipped = || DateError::Skipped { time: timestamp.time, zone };
    let time = zone.from_local_datetime(&timestamp.time).latest().ok_or_else(skipped)?.naive_utc();
    in_years(time).map(|time| Timestamp { time, utc: true })
}

/// What the clocks of `zone` show at an instant. A time without a zone counts as UTC.
pub(super) fn from_utc(timestamp: Timestamp, zone: Tz) -> Result<Timestamp, DateError> {
    let offset = zone.offset_from_utc_datetime(&timestamp.time).fix();
    let time = timestamp.time.checked_add_offset(offset).ok_or(DateError::OutOfRange)?;
    in_years(time).map(|time| Timestamp { time, utc: matches!(zone, Tz::UTC | Tz::Etc__UTC) })
}

fn in_years(time: NaiveDateTime) -> Result<NaiveDateTime, DateError> {
    if super::in_range(time) { Ok(time) } else { Err(DateError::OutOfRange) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may end here")]

    use super::*;

    #[test]
    fn zones_have_iana_and_windows_names_in_any_case() {
        let zone = |name| time_zone(name).map(chrono_tz::Tz::name);
        assert_eq!(zone("Europe/Berlin"), Some("Europe/Berlin"));
        assert_eq!(zone("europe/berlin"), Some("Europe/Berlin"));
        assert_eq!(zone("W. Europe Standard Time"), Some("Europe/Berlin"));
        assert_eq!(zone("w. europe standard time"), Some("Europe/Berlin"));
        assert_eq!(zone("Pacific Standard Time"), Some("America/Los_Angeles"));
        assert_eq!(zone("UTC"), Some("UTC"));
        assert_eq!(zone("UTC+12"), Some("Etc/GMT-12"));
        assert_eq!(zone("Kamchatka Standard Time"), Some("Asia/Kamchatka"));
        assert_eq!(zone("Berlin"), None);
        assert_eq!(zone(""), None);
    }

    #[test]
    fn an_unknown_zone_has_a_near_name() {
        assert_eq!(nearest_time_zone("Europe/Berln"), Some("Europe/Berlin"));
        assert_eq!(nearest_time_zone("Berlin"), Some("Europe/Berlin"));
        assert_eq!(nearest_time_zone("New York"), Some("America/New_York"));
        assert_eq!(nearest_time_zone("W. Europe Standard Tme"), Some("W. Europe Standard Time"));
        assert_eq!(nearest_time_zone("nowhere at all"), None);
    }
}
