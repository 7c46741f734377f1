//! HTTP clients that resolve first and connect only to addresses they may reach.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use ipnet::IpNet;
use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};

use super::{
    fault::{self, Fault},
    guard,
    tls::{self, Identity},
    token::Tokens,
};
use crate::{config, limits};

/// Finds the addresses of a host's name.
#[async_trait::async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// Every address of `host`.
    ///
    /// # Errors
    /// When the name is unknown or the name server does not answer.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
struct SystemLookup;

#[async_trait::async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// The HTTP clients of this process, and the tokens they carry. There is one client for each list of allowed networks and
/// set of certificates, so that connections kept open are only used again by calls that may reach where they lead.
#[derive(Clone)]
pub struct HttpClients {
    lookup: Arc<dyn Lookup>,
    kept: Arc<Mutex<HashMap<Key, Client>>>,
    pub(super) tokens: Arc<Tokens>,
}

/// What tells clients apart.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    allow: Vec<IpNet>,
    ca_file: Option<PathBuf>,
    identity: Option<[u8; 32]>,
}

impl Default for HttpClients {
    fn default() -> Self {
        Self::with_lookup(Arc::new(SystemLookup))
    }
}

impl HttpClients {
    /// Clients that find addresses with `lookup`.
    #[must_use]
    pub fn with_lookup(lookup: Arc<dyn Lookup>) -> Self {
        Self { lookup, kept: Arc::default(), tokens: Arc::default() }
    }

    /// The client for calls that may reach public addresses and those that `connection` allows, and that show `identity`
    /// when they are asked. It follows no redirect, uses no proxy (which would resolve by itself), and unpacks gzip,
    /// brotli and deflate.
    pub(super) fn client(
        &self,
        connection: Option<&config::Http>,
        identity: Option<&Identity>,
    ) -> Result<Client, Fault> {
        let allow = connection.map_or(&[][..], |connection| &connection.allow_networks);
        let ca_file = connection.and_then(|connection| connection.ca_file.as_deref());
        let key = Key {
            allow: allow.to_vec(),
            ca_file: ca_file.map(Path::to_owned),
            identity: identity.map(|identity| identity.hash),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = kept.get(&key) {
            return Ok(client.clone());
        }
        let client = Client::builder()
            .tls_backend_preconfigured(tls::config(ca_file, identity).map_err(Fault::Certificate)?)
            .dns_resolver(GuardedResolver { lookup: self.lookup.clone(), allow: allow.into() })
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(limits::HTTP_CONNECT)
            .user_agent(concat!("larum/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Fault::Setup(fault::reason(&error)))?;
        if kept.len() >= limits::HTTP_CLIENTS {
            kept.clear();
        }
        kept.insert(key, client.clone());
        Ok(client)
    }
}

/// Resolves a name and keeps the addresses that may be reached, each time anew: what was public a minute ago may be
/// private now.
struct GuardedResolver {
    lookup: Arc<dyn Lookup>,
    allow: Arc<[IpNet]>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, allow) = (self.lookup.clone(), self.allow.clone());
        Box::pin(async move {
            let host = name.as_str();
            let mut refused = None;
            let mut reachable = Vec::new();
            for address in lookup.addresses(host).await? {
                match guard::check(host, address, &allow) {
                    // Port 0: reqwest puts in the URL's.
                    Ok(()) => reachable.push(SocketAddr::new(address, 0)),
                    Err(error) => refused = Some(error),
                }
            }
            match refused {
                Some(error) if reachable.is_empty() => Err(error.into()),
                _ => Ok(Box::new(reachable.into_iter()) as Addrs),
            }
        })
    }
}
