//! Accepting connections, serving them and letting them end.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use axum::{Router, http::Extensions};
use hyper::{Request, body::Incoming, server::conn::http1, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Site,
    guard::{UNKNOWN_PEER, counted_as},
    routes::Listener,
    shares::{Share, Shares},
    tls::Certificates,
    written::Written,
};
use crate::limits::{ANSWER_UNREAD, CONNECTIONS, DRAIN, REQUEST_HEAD_BYTES, REQUEST_HEADERS, TLS_HANDSHAKE};

/// The longest pause after a connection could not be accepted; the first is a sixty-fourth of it.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The address at the other end of the connection a request came by.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// Who sent a request; [`UNKNOWN_PEER`] where its connection did not say.
    pub fn of(extensions: &Extensions) -> IpAddr {
        extensions.get::<Self>().map_or(UNKNOWN_PEER, |peer| peer.0)
    }
}

/// A way in.
pub struct Entrance {
    pub listener: TcpListener,
    /// Which routes it leads to.
    pub leads_to: Listener,
    /// What connections are encrypted with; `None` when they are not.
    pub certificates: Option<Arc<Certificates>>,
}

impl From<TcpListener> for Entrance {
    /// To everything, not encrypted.
    fn from(listener: TcpListener) -> Self {
        Self { listener, leads_to: Listener::Main, certificates: None }
    }
}

/// Serves `site` until `shutdown` ends; then accepts nothing more and lets requests under way end, for at most [`DRAIN`].
/// Each entrance has room for [`CONNECTIONS`] of its own, so that a crowd at one leaves the other open.
pub async fn serve(entrance: impl Into<Entrance>, site: Arc<Site>, shutdown: impl Future<Output = ()>) {
    let Entrance { listener, leads_to, certificates } = entrance.into();
    let router = TowerToHyperService::new(site.router(leads_to));
    let mut http = http1::Builder::new();
    // Keeps a client that sends a byte a minute from holding a connection, and idle connections from piling up.
    http.timer(TokioTimer::new()).header_read_timeout(REQUEST_HEADERS).max_buf_size(REQUEST_HEAD_BYTES);
    let graceful = GracefulShutdown::new();
    let closing = CancellationToken::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let shares = Shares::default();
    let plain = if certificates.is_none() { listener.local_addr().ok().map(|address| address.ip()) } else { None };
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = &mut shutdown => break,
        };
        let Some((stream, peer, place)) = accepted else { break };
        if plain.is_some_and(|entrance| !site.hears_plain(entrance, peer)) {
            continue;
        }
        let Ok(share) = site.share(&shares, peer) else { continue };
        let conversation =
            Conversation { http: http.clone(), router: router.clone(), peer, watcher: graceful.watcher() };
        let (certificates, closing) = (certificates.clone(), closing.clone());
        tokio::spawn(async move {
            match certificates {
                None => conversation.hold(stream).await,
                Some(certificates) => {
                    let handshake = timeout(TLS_HANDSHAKE, certificates.acceptor().accept(stream));
                    match closing.run_until_cancelled(handshake).await {
                        Some(Ok(Ok(stream))) => conversation.hold(stream).await,
                        // A scanner, a client that does not believe our certificate, or one that speaks plain HTTP.
                        Some(Ok(Err(error))) => tracing::debug!(%error, "a connection was not encrypted"),
                        Some(Err(_)) | None => tracing::debug!("a client did not finish its handshake"),
                    }
                }
            }
            drop((place, share));
        });
    }
    drop(listener);
    closing.cancel();
    if timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!(seconds = DRAIN.as_secs(), "requests were still under way when Larum stopped");
    }
}

impl Site {
    /// Whether this peer is heard at an entrance that is not encrypted.
    fn hears_plain(&self, entrance: IpAddr, peer: IpAddr) -> bool {
        let heard = self.guard.hears_plain(entrance, peer);
        // Logged up to a limit, since scanners come again and again.
        if !heard && self.refusals.count(counted_as(peer.to_canonical()), self.door.clock.now()).is_ok() {
            tracing::warn!(
                %peer,
                "a connection without encryption was closed: it came neither from this machine nor from one of \
                 server.trusted_proxies"
            );
        }
        heard
    }

    /// The peer's share of the connections; `None` where it speaks for many.
    fn share(&self, shares: &Shares, peer: IpAddr) -> Result<Option<Share>, ()> {
        if self.guard.speaks_for_many(peer) {
            return Ok(None);
        }
        let share = shares.take(counted_as(peer.to_canonical()));
        if share.is_none() {
            tracing::debug!(%peer, "a connection was closed: its client holds as many as it may");
        }
        share.map(Some).ok_or(())
    }
}

/// What serves one connection.
struct Conversation {
    http: http1::Builder,
    router: TowerToHyperService<Router>,
    peer: IpAddr,
    watcher: Watcher,
}

impl Conversation {
    async fn hold(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Self { http, router, peer, watcher } = self;
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            router.call(request)
        });
        let stream = Written::new(stream, ANSWER_UNREAD);
        if let Err(error) = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await {
            // A client that breaks off or is too slow; its own business.
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// The next connection with its place among [`CONNECTIONS`]; faults of accepting (no file handles left) pass, so it tries
/// again after a pause.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, IpAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = room.clone().acquire_owned().await.ok()?;
    let mut pause = ACCEPT_PAUSE / 64;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let quick: io::Result<()> = stream.set_nodelay(true);
                if let Err(error) = quick {
                    tracing::debug!(%error, "a connection stays with delayed answers");
                }
                return Some((stream, peer.ip(), place));
            }
            Err(error) => {
                tracing::warn!(%error, pause = ?pause, "a connection could not be accepted; trying again");
                sleep(pause).await;
                pause = (pause * 2).min(ACCEPT_PAUSE);
            }
        }
    }
}
