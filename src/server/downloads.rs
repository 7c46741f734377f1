//! Sending attachments without letting them fill the memory: a mail is decoded as there is a turn, and what is sent counts
//! until its client has it.

use std::{sync::Arc, time::Duration};

use axum::{body::Bytes, http::StatusCode};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{problem::Problem, request::BUSY_RETRY};
use crate::limits::{ATTACHMENTS_IN_FLIGHT_BYTES, DOWNLOAD_WAIT, MAILS_DECODED};

const KIB: usize = 1024;

/// The room for downloads.
#[derive(Debug)]
pub struct Downloads {
    /// One permit a KiB.
    room: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    patience: Duration,
}

impl Default for Downloads {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(ATTACHMENTS_IN_FLIGHT_BYTES / KIB)),
            turns: Arc::new(Semaphore::new(MAILS_DECODED)),
            patience: DOWNLOAD_WAIT,
        }
    }
}

/// A download's share of the room.
#[derive(Debug)]
pub struct Room(OwnedSemaphorePermit);

impl Downloads {
    /// Room for so many bytes. It is taken before the turn, which always comes free again soon.
    ///
    /// # Errors
    /// 503 when none came free.
    pub async fn room(&self, bytes: u64) -> Result<Room, Box<Problem>> {
        let most = ATTACHMENTS_IN_FLIGHT_BYTES / KIB;
        let permits = usize::try_from(bytes.div_ceil(1024)).unwrap_or(most).min(most);
        self.acquire(&self.room, u32::try_from(permits).unwrap_or(u32::MAX)).await.map(Room)
    }

    /// A turn to decode a mail.
    ///
    /// # Errors
    /// 503 when none came free.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit, Box<Problem>> {
        self.acquire(&self.turns, 1).await
    }

    async fn acquire(&self, from: &Arc<Semaphore>, permits: u32) -> Result<OwnedSemaphorePermit, Box<Problem>> {
        let free = timeout(self.patience, from.clone().acquire_many_owned(permits)).await;
        free.ok().and_then(Result::ok).ok_or_else(|| {
            let message =
                "So many attachments are being sent that there was no room for this one. Ask again in a while.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Not now", message)
                .retry_after(BUSY_RETRY)
        })
    }
}

impl Room {
    /// These bytes, which give their room back when nobody has them any more.
    #[must_use]
    pub fn keep(self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Kept { bytes, _room: self.0 })
    }
}

struct Kept {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_being_sent_takes_room_until_its_client_has_it() {
        let downloads = Downloads { patience: Duration::from_millis(20), ..Downloads::default() };
        let large = downloads.room(u64::MAX).await.unwrap().keep(vec![1; 10]);
        let piece = large.slice(2..4);
        drop(large);
        let refused = downloads.room(1).await.unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.retry_after), (503, Some(BUSY_RETRY)));
        drop(piece);
        assert!(downloads.room(1).await.is_ok());
    }
}
