//! What a time on the wall stands for, with a stated rule for the hours that summer time skips and repeats.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

/// The instant a local time stands for: of one that comes twice the first, of one that clocks skip the first instant after
/// the gap. Instants never decrease as local times increase.
pub(super) fn instant_of(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    let instant = match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(instant) | MappedLocalTime::Ambiguous(instant, _) => instant,
        MappedLocalTime::None => GapInfo::new(&local, &zone)?.end?,
    };
    Some(instant.to_utc())
}
