//! What a handler left unread of a request's body. Many clients read no answer before they have sent all, so that an answer
//! such as 401 reaches them only when the rest is read and thrown away.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::header,
};
use futures::StreamExt;
use hyper::body::{Frame, SizeHint};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use crate::limits::{DISCARDED_BODY_BYTES, REQUEST_BODY};

/// Where the rest of a lent body comes back to.
pub struct Unread {
    rest: oneshot::Receiver<(Body, usize)>,
    until: Instant,
    /// The client sends the body only when it is asked to.
    waits: bool,
}

/// Lends the request's body to whoever handles it; `None` when it has none.
pub fn lend(request: Request) -> (Request, Option<Unread>) {
    if request.body().is_end_stream() {
        return (request, None);
    }
    let (back, rest) = oneshot::channel();
    let waits = request.headers().contains_key(header::EXPECT);
    let unread = Unread { rest, until: Instant::now() + REQUEST_BODY, waits };
    let lent = |body| Body::new(Lent { body, read: 0, back: Some(back) });
    (request.map(lent), Some(unread))
}

impl Unread {
    /// Throws away what was not read, up to [`DISCARDED_BODY_BYTES`] of the whole body and within [`REQUEST_BODY`].
    pub async fn discard(mut self) {
        let Ok((body, mut read)) = self.rest.try_recv() else { return };
        let declared = HttpBody::size_hint(&body).lower();
        let is_too_large = declared > (DISCARDED_BODY_BYTES.saturating_sub(read)) as u64;
        // A client that waits for leave to send is told at once.
        if is_too_large || (self.waits && read == 0) {
            return;
        }
        let mut chunks = body.into_data_stream();
        while let Ok(Some(Ok(chunk))) = timeout_at(self.until, chunks.next()).await {
            read += chunk.len();
            if read > DISCARDED_BODY_BYTES {
                return;
            }
        }
    }
}

/// A body that goes back when it is dropped before its end.
struct Lent {
    body: Body,
    /// Bytes so far.
    read: usize,
    back: Option<oneshot::Sender<(Body, usize)>>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => self.read += frame.data_ref().map_or(0, Bytes::len),
            Some(Err(_)) | None => self.back = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(back) = self.back.take()
            && !self.body.is_end_stream()
        {
            // Nobody takes it where the request was given up.
            let _ = back.send((std::mem::take(&mut self.body), self.read));
        }
    }
}
