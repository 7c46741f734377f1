//! `retry:`

use std::time::Duration;

use crate::{
    diagnostic::{Faults, codes},
    limits,
    playbook::Retry,
    yaml::{Given, Takes, shape},
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Default,
    None,
    Fixed,
    Exponential,
}

const POLICIES: &[(&str, Policy)] = &[
    ("default", Policy::Default),
    ("none", Policy::None),
    ("fixed", Policy::Fixed),
    ("exponential", Policy::Exponential),
];

crate::shape! {
    /// How often and when a failure that may pass is tried again.
    pub(super) RETRY = "a retry policy";
    /// `default` is exponential with 4 tries, `none` never tries again.
    required "policy": Takes::Choice(|| shape::names(POLICIES));
    /// Of `fixed` and `exponential`: how many tries follow the first one.
    sometimes "count": Takes::Count(1, limits::RETRIES as i64);
    /// Of `fixed` and `exponential`: the wait between tries, from 5 seconds to one day.
    sometimes "interval": Takes::Duration;
    /// Of `exponential`: the shortest wait.
    optional "minimum_interval": Takes::Duration;
    /// Of `exponential`: the longest wait.
    optional "maximum_interval": Takes::Duration;
}

pub(super) fn retry(given: Given<'_>, faults: &mut Faults) -> Option<Retry> {
    let mut fields = given.fields(&RETRY, faults)?;
    let policy = fields.required("policy");
    let count = fields.optional("count");
    let interval = fields.optional("interval");
    let minimum = fields.optional("minimum_interval");
    let maximum = fields.optional("maximum_interval");
    let span = fields.span();
    fields.finish(faults);

    let policy = policy?.choice(POLICIES, faults)?;
    let timed = matches!(policy, Policy::Fixed | Policy::Exponential);
    for (given, fits) in [
        (count, timed),
        (interval, timed),
        (minimum, policy == Policy::Exponential),
        (maximum, policy == Policy::Exponential),
    ] {
        if let Some(given) = given
            && !fits
        {
            let name = POLICIES.iter().find(|(_, other)| *other == policy).map_or("", |(name, _)| name);
            let message = format!("`{}` means nothing for the policy `{name}`", given.key);
            faults.add(codes::EXCLUSIVE_KEYS, given.key_span(), message);
        }
    }
    if !timed {
        return Some(if policy == Policy::None { Retry::None } else { Retry::Default });
    }
    for (key, given) in [("count", count), ("interval", interval)] {
        if given.is_none() {
            faults.add(codes::MISSING_KEY, span.clone(), format!("this retry policy needs `{key}`"));
        }
    }
    let count = count.and_then(|given| given.count(1..=u64::from(limits::RETRIES), faults));
    let interval = interval.and_then(|given| wait(given, faults));
    let minimum_interval = minimum.and_then(|given| wait(given, faults));
    let maximum_interval = maximum.and_then(|given| wait(given, faults));
    if let (Some(low), Some(high), Some(given)) = (minimum_interval, maximum_interval, maximum)
        && low > high
    {
        faults.add(codes::OUT_OF_BOUNDS, given.span(), "`maximum_interval` must not be less than `minimum_interval`");
    }
    let count = count.and_then(|count| u32::try_from(count).ok())?;
    let interval = interval?;
    Some(match policy {
        Policy::Exponential => Retry::Exponential { count, interval, minimum_interval, maximum_interval },
        _ => Retry::Fixed { count, interval },
    })
}

fn wait(given: Given<'_>, faults: &mut Faults) -> Option<Duration> {
    let bounds = limits::RETRY_INTERVAL_MIN..=limits::RETRY_INTERVAL_MAX;
    given.duration(bounds, "between 5 seconds and one day", faults)
}
