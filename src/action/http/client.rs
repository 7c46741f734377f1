//! HTTP clients that resolve first and connect only to addresses they may reach.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use ipnet::IpNet;
use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::guard;
use crate::limits;

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

/// The HTTP clients of this process: one for each list of allowed networks, so that connections kept open are only
/// used again by calls that may reach where they lead.
#[derive(Clone)]
pub struct HttpClients {
    lookup: Arc<dyn Lookup>,
    kept: Arc<Mutex<HashMap<Vec<IpNet>, Client>>>,
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
        Self { lookup, kept: Arc::default() }
    }

    /// The client for calls that may reach public addresses and those in `allow`. It follows no redirect, uses no proxy
    /// (which would resolve by itself), and unpacks gzip, brotli and deflate.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn client(&self, allow: &[IpNet]) -> Result<Client, reqwest::Error> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = kept.get(allow) {
            return Ok(client.clone());
        }
        let resolver = GuardedResolver { lookup: self.lookup.clone(), allow: allow.into() };
        let client = Client::builder()
            .tls_backend_preconfigured(tls())
            .dns_resolver(resolver)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(limits::HTTP_CONNECT)
            .user_agent(concat!("larum/", env!("CARGO_PKG_VERSION")))
            .build()?;
        kept.insert(allow.to_vec(), client.clone());
        Ok(client)
    }
}

/// TLS by rustls with ring, certificates verified as the operating system does.
fn tls() -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let versions = || {
        ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|_| unreachable!("ring supports the default versions"))
    };
    let verified = match versions().with_platform_verifier() {
        Ok(verified) => verified,
        Err(error) => {
            // Plain HTTP must still work; every https call will say that the certificate's issuer is unknown.
            tracing::warn!(%error, "no certificate authorities found, https calls will fail; install ca-certificates");
            versions().with_root_certificates(RootCertStore::empty())
        }
    };
    let mut config = verified.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
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
