//! The clock, injected wherever time matters, so that tests choose the hour and the machine never reads it.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

/// Tells the time and waits for it. Shared as `Arc<dyn Clock>`.
#[async_trait::async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The present instant, in UTC.
    fn now(&self) -> DateTime<Utc>;

    /// Returns once [`Clock::now`] has reached `until`; at once when it already has.
    async fn sleep_until(&self, until: DateTime<Utc>);
}

/// The machine's own clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

#[async_trait::async_trait]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    async fn sleep_until(&self, until: DateTime<Utc>) {
        // A wall clock can be set back while we sleep, so the wait is cut into minutes and checked again.
        while let Ok(left) = (until - Utc::now()).to_std() {
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(std::time::Duration::from_secs(60))).await;
        }
    }
}

/// A clock that stands still until it is told to move, for tests and for `larum eval`.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<Mutex<DateTime<Utc>>>,
    moved: watch::Sender<()>,
}

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now: Arc::new(Mutex::new(now)), moved: watch::Sender::new(()) }
    }

    /// Moves the clock to `now` and wakes whoever slept until then.
    pub fn set(&self, now: DateTime<Utc>) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
        self.moved.send_replace(());
    }

    /// Moves the clock forward by `by`.
    pub fn advance(&self, by: chrono::Duration) {
        self.set(self.now() + by);
    }
}

#[async_trait::async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep_until(&self, until: DateTime<Utc>) {
        let mut moved = self.moved.subscribe();
        while self.now() < until {
            if moved.changed().await.is_err() {
                return;
            }
        }
    }
}
