//! After a start: every run an earlier process left goes on.

use super::{Begin, Engine, resubmit};
use crate::{
    action::{EffectKind, Outcome},
    store::StoreError,
};

/// Runs asked for at once.
const PAGE: usize = 1_000;

impl Engine {
    /// Hands every open run to the driver, except those that only wait for a time to come: the timers wake them. Runs that
    /// wait for room begin as far as there is some. Returns how many were handed over.
    ///
    /// # Errors
    /// When the store cannot list them.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        let services = &self.shared.services;
        self.shared.promote_all().await?;
        let mut recovered = 0;
        let mut after = None;
        loop {
            let page = services.store.open_runs(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(recovered) };
            after = Some(last.run);
            let now = services.clock.now();
            for open in page {
                if open.waiting_until.is_none_or(|until| until <= now) {
                    self.begin(Begin::Stored(open.run));
                    recovered += 1;
                }
            }
        }
    }
}

/// What becomes of an attempt that was journalled and has no outcome: Larum died in between.
pub(super) enum Orphan {
    /// It did not happen, or may safely happen again.
    Repeat,
    /// It may have happened, and twice would be wrong.
    Unknown(Box<Outcome>),
}

impl Orphan {
    pub(super) fn of(kind: EffectKind) -> Self {
        match kind {
            EffectKind::Local | EffectKind::Identified | EffectKind::Bare { repeat_when_unknown: true } => Self::Repeat,
            EffectKind::Bare { repeat_when_unknown: false } => Self::Unknown(Box::new(Outcome::failed(
                resubmit::UNKNOWN,
                "Larum stopped before the answer came. Whether the action took effect is unknown, so it is not repeated.",
            ))),
        }
    }
}
