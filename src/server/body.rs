//! Reading a request's body without letting it fill the memory or hold the connection for ever.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderMap, StatusCode, header},
};
use futures::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::problem::Problem;
use crate::limits::{BODIES_IN_FLIGHT_BYTES, BODY_IN_ROW_BYTES, DISCARDED_BODY_BYTES, REQUEST_BODY};

const KIB: usize = 1024;

/// Reads bodies; small ones at once, large ones as there is room for them.
#[derive(Debug, Clone)]
pub struct Bodies {
    /// One permit a KiB.
    room: Arc<Semaphore>,
}

impl Default for Bodies {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(BODIES_IN_FLIGHT_BYTES / KIB)) }
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
    /// 413 for a larger one, 408 for a slower one, 400 for one that breaks off.
    pub async fn read(&self, body: Body, headers: &HeaderMap, most: usize) -> Result<Held, Box<Problem>> {
        let declared = HttpBody::size_hint(&body).exact().and_then(|bytes| usize::try_from(bytes).ok());
        if declared.is_some_and(|bytes| bytes > most) {
            // A client that waits for leave to send is told at once; any other is heard out, for it reads no answer before.
            if !headers.contains_key(header::EXPECT) && declared.is_some_and(|bytes| bytes <= DISCARDED_BODY_BYTES) {
                let _ = timeout(REQUEST_BODY, collect(body, most)).await;
            }
            return Err(too_large(most));
        }
        let read = async {
            let room = match declared {
                Some(bytes) if bytes <= BODY_IN_ROW_BYTES => None,
                declared => {
                    let permits = u32::try_from(declared.unwrap_or(most).div_ceil(KIB)).unwrap_or(u32::MAX);
                    self.room.clone().acquire_many_owned(permits).await.ok()
                }
            };
            Ok(Held { bytes: collect(body, most).await?, _room: room })
        };
        timeout(REQUEST_BODY, read).await.unwrap_or_else(|_| {
            let message = format!("The rest of the request did not arrive within {} seconds.", REQUEST_BODY.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "This took too long", message))
        })
    }
}

/// Gathers a body up to the limit and reads on, up to a larger one, without keeping it.
async fn collect(body: Body, most: usize) -> Result<Bytes, Box<Problem>> {
    let mut chunks = body.into_data_stream();
    let mut first = Bytes::new();
    let mut gathered: Vec<u8> = Vec::new();
    let mut length = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            let message = "The request broke off before its end.";
            Problem::new(StatusCode::BAD_REQUEST, "BadRequest", "This request is not complete", message)
        })?;
        length += chunk.len();
        if length > DISCARDED_BODY_BYTES {
            break;
        }
        if length > most {
            gathered = Vec::new();
        } else if length == chunk.len() {
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
    Ok(if gathered.is_empty() { first } else { gathered.into() })
}

fn too_large(most: usize) -> Box<Problem> {
    let message = format!("The body may have at most {} MB.", most / KIB / KIB);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", "This is too large", message)
}
