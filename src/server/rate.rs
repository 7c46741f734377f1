//! How often one client may post: a sliding window of a minute, in bounded memory.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

use crate::limits::FORM_CLIENTS;

const WINDOW_MILLIS: i64 = 60_000;

/// Counts posts by client; a client's rate is the present minute's count and the share of the last minute's that still
/// lies within sixty seconds.
#[derive(Debug)]
pub struct RateLimit {
    /// Posts a minute; 0 means no limit.
    most: u32,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// The number of the minute that `present` counts.
    minute: i64,
    present: HashMap<IpAddr, u32>,
    last: HashMap<IpAddr, u32>,
}

impl RateLimit {
    /// A limit of `most` posts a minute and client; 0 means none.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self { most, counts: Mutex::default() }
    }

    /// Counts a post of `client`, unless it has made too many.
    ///
    /// # Errors
    /// The seconds after which it may post again.
    pub fn count(&self, client: IpAddr, now: DateTime<Utc>) -> Result<(), u64> {
        if self.most == 0 {
            return Ok(());
        }
        let minute = now.timestamp_millis().div_euclid(WINDOW_MILLIS);
        let passed = now.timestamp_millis().rem_euclid(WINDOW_MILLIS);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.minute != minute {
            // A clock that jumps, in either direction, forgets; it never locks anybody out.
            let present = std::mem::take(&mut counts.present);
            counts.last = if counts.minute + 1 == minute { present } else { HashMap::new() };
            counts.minute = minute;
        }
        let last = i64::from(counts.last.get(&client).copied().unwrap_or(0));
        let present = i64::from(counts.present.get(&client).copied().unwrap_or(0));
        let most = i64::from(self.most);
        let weighted = present * WINDOW_MILLIS + last * (WINDOW_MILLIS - passed);
        if weighted + WINDOW_MILLIS > most * WINDOW_MILLIS {
            return Err(wait_seconds(last, present, most, passed));
        }
        if counts.present.len() >= FORM_CLIENTS && !counts.present.contains_key(&client) {
            // So many addresses at once are an attack, and the oldest counts are the least use.
            counts.last = std::mem::take(&mut counts.present);
        }
        *counts.present.entry(client).or_insert(0) += 1;
        Ok(())
    }
}

/// The whole seconds until the weighted count has room for one more.
fn wait_seconds(last: i64, present: i64, most: i64, passed: i64) -> u64 {
    let room_at = |count: i64, room: i64| (WINDOW_MILLIS * (count - room).max(0)).div_euclid(count.max(1)) + 1;
    let millis = if present < most {
        // The last minute's share shrinks within this one.
        room_at(last, most - present - 1) - passed
    } else {
        // Only in the next minute, when this one's share shrinks.
        WINDOW_MILLIS - passed + room_at(present, most - 1)
    };
    u64::try_from(millis.max(0)).unwrap_or_default().div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_040 + seconds, 0).unwrap()
    }

    #[test]
    fn a_client_may_post_thirty_times_and_again_when_it_is_told_to() {
        let limit = RateLimit::new(30);
        let client = "192.0.2.1".parse().unwrap();
        for start in [0, 7, 59] {
            let limit = RateLimit::new(30);
            for _ in 0..30 {
                assert_eq!(limit.count(client, at(start)), Ok(()));
            }
            let wait = limit.count(client, at(start)).unwrap_err() as i64;
            assert!((1..=70).contains(&wait), "{wait}");
            assert!(limit.count(client, at(start + wait - 3)).is_err(), "start {start}, wait {wait}");
            assert_eq!(limit.count(client, at(start + wait)), Ok(()), "start {start}, wait {wait}");
        }
        assert_eq!(limit.count("192.0.2.2".parse().unwrap(), at(0)), Ok(()));
    }

    #[test]
    fn a_steady_client_below_the_limit_is_never_refused() {
        let limit = RateLimit::new(30);
        for second in (0..600).step_by(3) {
            let client = "192.0.2.1".parse().unwrap();
            assert_eq!(limit.count(client, at(second)), Ok(()), "{second}");
        }
    }

    #[test]
    fn many_addresses_take_bounded_memory() {
        let limit = RateLimit::new(30);
        for address in 0..(3 * FORM_CLIENTS as u32) {
            assert_eq!(limit.count(IpAddr::V4(address.into()), at(0)), Ok(()));
        }
        let counts = limit.counts.lock().unwrap();
        assert!(counts.present.len() <= FORM_CLIENTS && counts.last.len() <= FORM_CLIENTS);
    }

    #[test]
    fn zero_is_no_limit() {
        let limit = RateLimit::new(0);
        for _ in 0..1000 {
            assert_eq!(limit.count("192.0.2.1".parse().unwrap(), at(0)), Ok(()));
        }
    }
}
