//! Accepting connections, serving them and letting them end.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::{Site, routes::Listener};
use crate::limits::{CONNECTIONS, DRAIN, REQUEST_HEAD_BYTES, REQUEST_HEADERS};

/// The longest pause after a connection could not be accepted; the first is a sixty-fourth of it.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The address at the other end of the connection a request came by.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Serves `site` on `listener` until `shutdown` ends; then accepts nothing more and lets requests under way end, for at
/// most [`DRAIN`].
pub async fn serve(listener: TcpListener, site: Arc<Site>, shutdown: impl Future<Output = ()>) {
    let router = TowerToHyperService::new(site.router(Listener::Main));
    let mut http = http1::Builder::new();
    // Keeps a client that sends a byte a minute from holding a connection, and idle connections from piling up.
    http.timer(TokioTimer::new()).header_read_timeout(REQUEST_HEADERS).max_buf_size(REQUEST_HEAD_BYTES);
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = &mut shutdown => break,
        };
        let Some((stream, peer, place)) = accepted else { break };
        let router = router.clone();
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            router.call(request)
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                // A client that breaks off or is too slow; its own business.
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!(seconds = DRAIN.as_secs(), "requests were still under way when Larum stopped");
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
