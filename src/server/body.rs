//! Reading a request's body without letting it fill the memory or hold the connection for ever.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderMap, StatusCode, header},
};
use futures::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::{problem::Problem, request::BUSY_RETRY};
use crate::limits::{BODIES_IN_FLIGHT_BYTES, BODY_IN_ROW_BYTES, DISCARDED_BODY_BYTES, REQUEST_BODY};

const KIB: usize = 1024;

/// Reads bodies; small ones at once, large ones as there is room for them.
#[derive(Debug, Clone)]
pub struct Bodies {
    /// One permit a KiB.
    room: Arc<Semaphore>,
    /// How long one body may take.
    patience: Duration,
}

impl Default for Bodies {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(BODIES_IN_FLIGHT_BYTES / KIB)), patience: REQUEST_BODY }
    }
}

/// A body in memory, and its share of the room for large ones.
#[derive(Debug)]
pub struct Held {
    pub bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    /// Reads a whole body of at most `most` bytes within [`REQUEST_BODY`].
    ///
    /// # Errors
    /// 413 for a larger one, 408 for a slower one, 400 for one that breaks off, 503 when no room for it came free.
    pub async fn read(&self, body: Body, headers: &HeaderMap, most: usize) -> Result<Held, Box<Problem>> {
        let declared = HttpBody::size_hint(&body).exact().and_then(|bytes| usize::try_from(bytes).ok());
        let until = Instant::now() + self.patience;
        if declared.is_some_and(|bytes| bytes > most) {
            // A client that waits for leave to send is told at once; any other is heard out, for it reads no answer before.
            if !headers.contains_key(header::EXPECT) && declared.is_some_and(|bytes| bytes <= DISCARDED_BODY_BYTES) {
                let _ = self.collect(body, 0, 0, until).await;
            }
            return Err(too_large(most));
        }
        self.collect(body, declared.unwrap_or(most), most, until).await
    }

    /// Gathers a body up to `most` and reads on, up to a larger limit, without keeping it. A body takes room for
    /// `expected` bytes once more than [`BODY_IN_ROW_BYTES`] have come, so that nobody holds room by a promise.
    async fn collect(&self, body: Body, expected: usize, most: usize, until: Instant) -> Result<Held, Box<Problem>> {
        let mut chunks = body.into_data_stream();
        let mut room = None;
        let mut first = Bytes::new();
        let mut gathered: Vec<u8> = Vec::new();
        let mut length = 0;
        while let Some(chunk) = timeout_at(until, chunks.next()).await.map_err(|_| too_slow())? {
            let chunk = chunk.map_err(|_| {
                let message = "The request broke off before its end.";
                Problem::new(StatusCode::BAD_REQUEST, "BadRequest", "This request is not complete", message)
            })?;
            length += chunk.len();
            if length > DISCARDED_BODY_BYTES {
                break;
            }
            if length > most {
                (gathered, room) = (Vec::new(), None);
                continue;
            }
            if length > BODY_IN_ROW_BYTES && room.is_none() {
                let permits = u32::try_from(expected.div_ceil(KIB)).unwrap_or(u32::MAX);
                let free = timeout_at(until, self.room.clone().acquire_many_owned(permits)).await;
                room = Some(free.map_err(|_| no_room())?.map_err(|_| no_room())?);
            }
            if length == chunk.len() {
                // Most bodies are one chunk, which need not be copied.
                first = chunk;
            } else {
                if gathered.is_empty() {
                    gathered.extend_from_slice(&first);
                }
                gathered.extend_from_slice(&chunk);
            }
        }
        if length > most {
            return Err(too_large(most));
        }
        let bytes = if gathered.is_empty() { first } else { gathered.into() };
        Ok(Held { bytes, _room: room })
    }
}

fn too_slow() -> Box<Problem> {
    let message = format!("The rest of the request did not arrive within {} seconds.", REQUEST_BODY.as_secs());
    Problem::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "This took too long", message)
}

fn no_room() -> Box<Problem> {
    let message =
        "So many large requests are being read that there was no room for this one. Send it again in a while.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "This cannot be taken just now", message)
        .retry_after(BUSY_RETRY)
}

fn too_large(most: usize) -> Box<Problem> {
    let message = format!("The body may have at most {} MB.", most / KIB / KIB);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", "This is too large", message)
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    /// What becomes of a body of unknown length in pieces of 16 KiB while there is no room for large ones.
    async fn read(pieces: usize, stalls: bool) -> Result<usize, (u16, Option<u64>)> {
        let bodies = Bodies { room: Arc::new(Semaphore::new(0)), patience: Duration::from_millis(50) };
        let pieces = stream::iter((0..pieces).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 16 * KIB])));
        let body = if stalls { Body::from_stream(pieces.chain(stream::pending())) } else { Body::from_stream(pieces) };
        let read = bodies.read(body, &HeaderMap::new(), 1024 * KIB).await;
        read.map(|held| held.bytes.len()).map_err(|problem| (problem.status.as_u16(), problem.retry_after))
    }

    #[tokio::test]
    async fn a_small_body_needs_no_room_and_a_large_one_is_told_to_come_again() {
        assert_eq!(read(4, false).await, Ok(BODY_IN_ROW_BYTES));
        assert_eq!(read(5, false).await, Err((503, Some(BUSY_RETRY))));
        assert_eq!(read(4, true).await, Err((408, None)));
    }
}
