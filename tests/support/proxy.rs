//! A TCP proxy that can be told to go deaf, as a firewall does that forgets a connection: nothing arrives any more, and
//! nobody is told.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub struct Proxy {
    pub port: u16,
    deaf: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Forwards a free port to `to` on this machine.
    pub async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (deaf, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (silence, count) = (Arc::clone(&deaf), Arc::clone(&accepted));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
                // A connection that was made while the proxy heard goes deaf with it and stays so.
                let (client_in, client_out) = client.into_split();
                let (server_in, server_out) = server.into_split();
                let lost = Arc::new(AtomicBool::new(false));
                tokio::spawn(pump(client_in, server_out, Arc::clone(&silence), Arc::clone(&lost)));
                tokio::spawn(pump(server_in, client_out, Arc::clone(&silence), lost));
            }
        });
        Self { port, deaf, accepted, task }
    }

    /// From now on nothing is forwarded on the connections there are.
    pub fn go_deaf(&self) {
        self.deaf.store(true, Ordering::SeqCst);
    }

    /// New connections work again; those that went deaf never do.
    pub fn hear(&self) {
        self.deaf.store(false, Ordering::SeqCst);
    }

    /// How many connections came so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    deaf: Arc<AtomicBool>,
    lost: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        if deaf.load(Ordering::SeqCst) {
            lost.store(true, Ordering::SeqCst);
        }
        if lost.load(Ordering::SeqCst) {
            continue;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    if lost.load(Ordering::SeqCst) {
        // Neither side is told that the other left.
        std::future::pending::<()>().await;
    }
}
