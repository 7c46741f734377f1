//! How long to wait before an action is tried again.

use std::time::Duration;

use crate::playbook::Retry;

/// Logic Apps' default: four retries, exponential, 7.5 s scaled, between 5 s and 45 s.
const DEFAULT: Retry = Retry::Exponential {
    count: 4,
    interval: Duration::from_millis(7_500),
    minimum_interval: Some(Duration::from_secs(5)),
    maximum_interval: Some(Duration::from_secs(45)),
};

/// Logic Apps' longest interval, where the policy names none.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How long to wait before retry `n` (from 1); `None` when the policy allows no such retry. `asked` is what the other side
/// asked to wait, and wins. `random` chooses within the window.
pub(crate) fn wait(policy: Retry, n: u32, asked: Option<Duration>, random: u64) -> Option<Duration> {
    let (lower, upper) = window(policy, n)?;
    if let Some(asked) = asked {
        return Some(asked);
    }
    let spread = u64::try_from((upper - lower).as_millis()).unwrap_or(u64::MAX);
    Some(lower + Duration::from_millis(random % spread.saturating_add(1)))
}

/// The random window of retry `n`: `[max((n = 1 ? 0 : 2^(n-2))·interval, min), min(2^(n-1)·interval, max)]`.
fn window(policy: Retry, n: u32) -> Option<(Duration, Duration)> {
    match policy {
        Retry::Default => window(DEFAULT, n),
        Retry::None => None,
        Retry::Fixed { count, interval } => (n <= count).then_some((interval, interval)),
        Retry::Exponential { count, interval, minimum_interval, maximum_interval } => {
            if n > count {
                return None;
            }
            let scaled = |exponent: u32| interval.saturating_mul(1u32.checked_shl(exponent).unwrap_or(u32::MAX));
            let longest = maximum_interval.unwrap_or(LONGEST);
            let from = if n == 1 { Duration::ZERO } else { scaled(n - 2) };
            let lower = from.max(minimum_interval.unwrap_or_default()).min(longest);
            Some((lower, scaled(n - 1).min(longest).max(lower)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(policy: Retry) -> Vec<(u128, u128)> {
        (1..=10).map_while(|n| window(policy, n)).map(|(lower, upper)| (lower.as_millis(), upper.as_millis())).collect()
    }

    #[test]
    fn the_windows_are_logic_apps() {
        let seconds = Duration::from_secs;
        assert_eq!(windows(Retry::Default), [(5_000, 7_500), (7_500, 15_000), (15_000, 30_000), (30_000, 45_000)]);
        assert_eq!(windows(Retry::None), []);
        assert_eq!(windows(Retry::Fixed { count: 2, interval: seconds(30) }), [(30_000, 30_000); 2]);
        let open =
            Retry::Exponential { count: 3, interval: seconds(10), minimum_interval: None, maximum_interval: None };
        assert_eq!(windows(open), [(0, 10_000), (10_000, 20_000), (20_000, 40_000)]);
        let capped = Retry::Exponential {
            count: 3,
            interval: seconds(10),
            minimum_interval: Some(seconds(12)),
            maximum_interval: Some(seconds(15)),
        };
        assert_eq!(windows(capped), [(12_000, 12_000), (12_000, 15_000), (15_000, 15_000)]);
    }

    #[test]
    fn a_wait_stays_in_its_window_and_retry_after_wins() {
        for random in [0, 1, 2_500, 2_501, u64::MAX] {
            let wait = wait(Retry::Default, 1, None, random).unwrap_or_default();
            assert!((5_000..=7_500).contains(&wait.as_millis()), "{wait:?}");
        }
        let asked = Some(Duration::from_secs(90));
        assert_eq!(wait(Retry::Default, 1, asked, 7), asked);
        assert_eq!(wait(Retry::Default, 5, asked, 7), None);
        assert_eq!(wait(Retry::None, 1, asked, 7), None);
    }

    #[test]
    fn ninety_retries_overflow_nothing() {
        let policy = Retry::Exponential {
            count: 90,
            interval: Duration::from_secs(86_400),
            minimum_interval: None,
            maximum_interval: None,
        };
        assert_eq!(window(policy, 90), Some((LONGEST, LONGEST)));
    }
}
