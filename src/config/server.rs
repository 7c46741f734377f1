//! `server:` in `larum.yaml`: where Larum listens, how that is encrypted, and how much one client may ask.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use ipnet::IpNet;

use super::read::Reader;
use crate::{
    diagnostic::codes,
    limits,
    yaml::{Given, Takes, Value},
};

/// Where Larum listens and what it is called outside.
#[derive(Debug, Clone)]
pub struct Server {
    /// The address of portal, forms and APIs.
    pub listen: SocketAddr,
    /// A second address that serves forms, hooks and approvals only, for the internet.
    pub public_listen: Option<SocketAddr>,
    /// The certificate that both addresses are encrypted with; without it they are not.
    pub tls: Option<ServerTls>,
    /// The URL of `listen` itself, such as `https://soc.example.com`; [`Server::url`] says what it is when not given.
    pub url: Option<url::Url>,
    /// What links to forms, webhooks and approvals begin with, such as `https://reports.example.com`: the URL of
    /// `public_listen`, or of `listen` where there is no other address.
    pub public_url: Option<url::Url>,
    /// Networks whose `X-Forwarded-*` headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether `/metrics` needs no token.
    pub open_metrics: bool,
    /// Form submissions a minute from one client; 0 means no limit. Default 30.
    pub form_posts_per_minute: u32,
    /// Calls of webhooks a minute from one client; 0 means no limit. Default 3,000.
    pub hook_calls_per_minute: u32,
    /// All other requests a minute from one client; 0 means no limit. Default 6,000.
    pub api_calls_per_minute: u32,
}

/// Files of PEM. They are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// The certificate, and after it those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            public_listen: None,
            tls: None,
            url: None,
            public_url: None,
            trusted_proxies: Vec::new(),
            open_metrics: true,
            form_posts_per_minute: limits::FORM_POSTS_PER_MINUTE,
            hook_calls_per_minute: limits::HOOK_CALLS_PER_MINUTE,
            api_calls_per_minute: limits::API_CALLS_PER_MINUTE,
        }
    }
}

impl Server {
    /// What the main address is called: `url`, or `public_url` where there is no `public_listen`.
    #[must_use]
    pub fn main_name(&self) -> Option<&url::Url> {
        let shared = self.public_url.as_ref().filter(|_| self.public_listen.is_none());
        self.url.as_ref().or(shared)
    }

    /// The URL of the main address, without a `/` at its end: its name, else `listen` itself.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_at(self.listen)
    }

    /// The same where `listen` left the port to the system.
    #[must_use]
    pub fn url_at(&self, address: SocketAddr) -> String {
        self.written(self.main_name(), address)
    }

    /// What links to forms, webhooks and approvals begin with, without a `/` at its end.
    #[must_use]
    pub fn link_url(&self) -> String {
        self.link_url_at(self.listen)
    }

    /// The same where `listen` left the port to the system.
    #[must_use]
    pub fn link_url_at(&self, address: SocketAddr) -> String {
        self.written(self.public_url.as_ref().or(self.main_name()), address)
    }

    fn written(&self, name: Option<&url::Url>, mut address: SocketAddr) -> String {
        if let Some(url) = name {
            return url.as_str().trim_end_matches('/').to_owned();
        }
        // Nobody can go to "all addresses"; whoever has no name for this machine is on it.
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() {
                IpAddr::from([127, 0, 0, 1])
            } else {
                IpAddr::from([0u16, 0, 0, 0, 0, 0, 0, 1])
            });
        }
        format!("{}://{address}", if self.tls.is_some() { "https" } else { "http" })
    }
}

crate::shape! {
    /// Where Larum listens, and who is let in.
    pub(super) SERVER = "`server`";
    /// The address and port of the pages and APIs. Default 127.0.0.1:8787.
    optional "listen": Takes::Words;
    /// A second address, which serves only what everybody may reach: forms, webhooks and approvals.
    optional "public_listen": Takes::Words;
    /// The certificate, where Larum encrypts itself.
    optional "tls": Takes::Map(&TLS);
    /// What the main address is called from outside.
    optional "url": Takes::Words;
    /// What links to forms, webhooks and approvals begin with.
    optional "public_url": Takes::Words;
    /// The networks of proxies whose `X-Forwarded-For` is believed.
    optional "trusted_proxies": Takes::OneOrMore(&Takes::Words);
    /// Whether `/metrics` answers without a token. Default: only where nobody but this machine can ask.
    optional "open_metrics": Takes::Flag;
    /// Answers to forms that one address may send in a minute; 0 is no limit.
    optional "form_posts_per_minute": Takes::Count(0, u32::MAX as i64);
    /// Calls of webhooks that one address may make in a minute; 0 is no limit.
    optional "hook_calls_per_minute": Takes::Count(0, u32::MAX as i64);
    /// Calls of the APIs that one address or token may make in a minute; 0 is no limit.
    optional "api_calls_per_minute": Takes::Count(0, u32::MAX as i64);
}

crate::shape! {
    /// The certificate, where Larum encrypts itself.
    TLS = "`tls`";
    /// A PEM file with the certificate and those that vouch for it.
    required "certificate": Takes::Words;
    /// A PEM file with its private key.
    required "key": Takes::Words;
}

/// Reads `server:` over the defaults.
pub(super) fn server(given: Given<'_>, server: &mut Server, reader: &mut Reader<'_>) {
    let Some(mut fields) = given.fields(&SERVER, &mut reader.faults) else { return };
    let listen = fields.optional("listen");
    let public_listen = fields.optional("public_listen");
    let tls = fields.optional("tls");
    let url = fields.optional("url");
    let public_url = fields.optional("public_url");
    let trusted_proxies = fields.optional("trusted_proxies");
    let open_metrics = fields.optional("open_metrics");
    let form_posts = fields.optional("form_posts_per_minute");
    let hook_calls = fields.optional("hook_calls_per_minute");
    let api_calls = fields.optional("api_calls_per_minute");
    fields.finish(&mut reader.faults);

    let main = listen.and_then(|given| address(given, reader));
    let public = public_listen.and_then(|given| address(given, reader));
    server.listen = main.unwrap_or(server.listen);
    server.public_listen = public;
    server.tls = tls.and_then(|given| certificate(given, reader));
    server.url = url.and_then(|given| reader.url(given));
    server.public_url = public_url.and_then(|given| reader.url(given));
    server.trusted_proxies = trusted_proxies.map(|given| reader.networks(given)).unwrap_or_default();
    let limits = [
        (form_posts, &mut server.form_posts_per_minute),
        (hook_calls, &mut server.hook_calls_per_minute),
        (api_calls, &mut server.api_calls_per_minute),
    ];
    for (given, place) in limits {
        if let Some(count) = given.and_then(|given| given.count(0..=u64::from(u32::MAX), &mut reader.faults)) {
            *place = u32::try_from(count).unwrap_or(u32::MAX);
        }
    }
    // Only where nobody but this machine can ask is it safe to answer everybody.
    let named = server.url.is_some() || server.public_url.is_some();
    let private = server.listen.ip().is_loopback() && !named && server.trusted_proxies.is_empty();
    server.open_metrics = open_metrics.and_then(|given| given.flag(&mut reader.faults)).unwrap_or(private);

    if let (Some(given), Some(address)) = (public_listen, public)
        && address == server.listen
        && address.port() != 0
    {
        let help = "give it a port of its own";
        reader.bad(&given, format!("`{address}` is the address of `listen` already"), help);
    }
    let proxied =
        trusted_proxies.is_some_and(|given| !matches!(&given.node.value, Value::List(items) if items.is_empty()));
    if tls.is_none() && !proxied {
        for (given, address) in [(listen, main), (public_listen, public)] {
            if let (Some(given), Some(address)) = (given, address)
                && !address.ip().is_loopback()
            {
                exposed(&given, address, reader);
            }
        }
    }
}

fn address(given: Given<'_>, reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let text = given.words(&mut reader.faults)?;
    let address = text.parse::<SocketAddr>().ok();
    if address.is_none() {
        reader.bad(&given, format!("`{text}` is not an address and a port"), "write it like 127.0.0.1:8787");
    }
    address
}

fn certificate(given: Given<'_>, reader: &mut Reader<'_>) -> Option<ServerTls> {
    let mut fields = given.fields(&TLS, &mut reader.faults)?;
    let certificate = fields.required("certificate");
    let key = fields.required("key");
    fields.finish(&mut reader.faults);
    let certificate = certificate.and_then(|given| reader.path(given));
    let key = key.and_then(|given| reader.path(given));
    Some(ServerTls { certificate: certificate?, key: key? })
}

/// What is sent to this address crosses the network readable: tokens, reports, answers.
fn exposed(given: &Given<'_>, address: SocketAddr, reader: &mut Reader<'_>) {
    let message = format!("`{address}` can be reached from other machines, and nothing encrypts what is sent there");
    let help = "add `tls: {certificate: FILE, key: FILE}`; or name the proxy that encrypts in `trusted_proxies`; or \
                listen on 127.0.0.1";
    reader.faults.add_with(codes::EXPOSED, given.span(), message, Some(help.to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_public_address_and_everything_else_to_the_main_one() {
        let parsed = |url: &str| (!url.is_empty()).then(|| url.parse().unwrap());
        let (main, public) = ("https://soc.example.com", "https://reports.example.com");
        let second = Some("0.0.0.0:8443".parse().unwrap());
        // listen, encrypted, url, public_url, public_listen; what the main address is called and what links begin with.
        let table = [
            ("127.0.0.1:8787", false, "", "", None, "http://127.0.0.1:8787", "http://127.0.0.1:8787"),
            ("0.0.0.0:443", true, "", "", None, "https://127.0.0.1:443", "https://127.0.0.1:443"),
            ("[::]:8787", true, "", "", None, "https://[::1]:8787", "https://[::1]:8787"),
            ("0.0.0.0:80", false, "", "https://reports.example.com/", None, public, public),
            ("0.0.0.0:80", false, main, "", None, main, main),
            ("0.0.0.0:80", false, main, public, None, main, public),
            ("10.0.0.5:8787", true, "", public, second, "https://10.0.0.5:8787", public),
            ("10.0.0.5:8787", true, main, public, second, main, public),
            ("10.0.0.5:8787", true, "", "", second, "https://10.0.0.5:8787", "https://10.0.0.5:8787"),
        ];
        for (listen, encrypted, url, public_url, public_listen, expected, links) in table {
            let server = Server {
                listen: listen.parse().unwrap(),
                public_listen,
                url: parsed(url),
                public_url: parsed(public_url),
                tls: encrypted.then(|| ServerTls { certificate: "c.pem".into(), key: "k.pem".into() }),
                ..Server::default()
            };
            assert_eq!((&*server.url(), &*server.link_url()), (expected, links), "{server:?}");
        }
    }
}
