//! Who may ask: the host a request names, the site it comes from, the client behind a proxy, and the headers that keep
//! browsers from being misled.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, uri::Authority};
use ipnet::IpNet;

use super::{problem::Problem, routes::Listener};
use crate::config;

/// Sent with every answer. Pages carry no script and no inline style, so nothing else needs to be allowed. A referrer
/// policy of `no-referrer` would turn the `Origin` of our own forms into `null`.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What is known of Larum's own addresses.
#[derive(Debug)]
pub struct Guard {
    /// What the main address is called, where it has a name.
    name: Option<url::Url>,
    /// Where the main address is reached: its name, or what it listens on.
    main: Option<url::Url>,
    public: Option<url::Url>,
    proxies: Vec<IpNet>,
}

impl Guard {
    /// The guard for a server configured like this.
    #[must_use]
    pub fn new(server: &config::Server) -> Self {
        Self {
            name: server.main_name().cloned(),
            main: server.url().parse().ok(),
            public: server.public_url.clone(),
            proxies: server.trusted_proxies.clone(),
        }
    }

    /// Refuses a request for a host that is neither this machine nor one of Larum's own addresses, so that a foreign name
    /// pointed at us (DNS rebinding) reads nothing. What the main address is called is nothing to the public one.
    ///
    /// # Errors
    /// 400 for more than one host, 421 for another host or none.
    pub fn admit(&self, listener: Listener, uri: &Uri, headers: &HeaderMap) -> Result<(), Box<Problem>> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next();
        if hosts.next().is_some() {
            let message = "The request names more than one Host.";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "BadRequest", "This request is not clear", message));
        }
        let named = match uri.authority() {
            Some(authority) => Some(authority.clone()),
            None => host.and_then(|host| Authority::try_from(host.as_bytes()).ok()),
        };
        if named.is_some_and(|named| is_loopback(named.host()) || self.is_own_host(listener, &named)) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "MisdirectedRequest",
            "This is not the address of this server",
            "This server answers under its own addresses and, on its own machine, under localhost only. \
             Whoever runs it sets them as server.url and server.public_url in larum.yaml.",
        ))
    }

    /// What addresses in the main address's answers begin with: its name, else the scheme and host the client used: those
    /// a trusted proxy says, else the request's own. `scheme` is that of [`config::Server::listen`].
    #[must_use]
    pub fn origin(&self, scheme: &str, peer: IpAddr, uri: &Uri, headers: &HeaderMap) -> String {
        if let Some(name) = &self.name {
            return name.as_str().trim_end_matches('/').to_owned();
        }
        let forwarded = |name| if self.trusts(peer.to_canonical()) { nearest(headers, name) } else { None };
        let scheme = match forwarded(FORWARDED_PROTO) {
            Some(proto) if proto.eq_ignore_ascii_case("https") => "https",
            Some(proto) if proto.eq_ignore_ascii_case("http") => "http",
            _ => scheme,
        };
        if let Some(host) = forwarded(FORWARDED_HOST).and_then(|host| Authority::try_from(host).ok())
            && !host.as_str().contains('@')
        {
            return format!("{scheme}://{host}");
        }
        let host = uri.authority().map(Authority::as_str);
        let host = host.or_else(|| headers.get(header::HOST).and_then(|host| host.to_str().ok()));
        format!("{scheme}://{}", host.unwrap_or_default())
    }

    /// Refuses what a browser sends from another site. A client that names no origin is no browser.
    ///
    /// # Errors
    /// 403 when `Origin` or `Sec-Fetch-Site` names another site.
    pub fn own_site(&self, headers: &HeaderMap) -> Result<(), Box<Problem>> {
        let fetched =
            headers.get_all(FETCH_SITE).iter().all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
        let origins = headers.get_all(header::ORIGIN).iter().all(|origin| self.is_own(origin, headers));
        if fetched && origins {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "ForeignOrigin",
            "This was sent from another site",
            "A form can only be sent from its own page. Open the form here and send it again.",
        ))
    }

    /// The address a request comes from: the peer's, or what trusted proxies say it is.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        // Each proxy appends whom it saw, so the list is read from its end and only as far as we trust the speaker.
        let named = headers.get_all(FORWARDED_FOR).iter().rev().filter_map(|value| value.to_str().ok());
        for address in named.flat_map(|value| value.rsplit(',')) {
            if !self.trusts(client) {
                break;
            }
            match address.trim().parse::<IpAddr>() {
                Ok(address) => client = address.to_canonical(),
                Err(_) => break,
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&address))
    }

    fn is_own_host(&self, listener: Listener, named: &Authority) -> bool {
        let main = self.main.as_ref().filter(|_| listener == Listener::Main);
        main.into_iter().chain(&self.public).any(|own| {
            let host = own.host_str().is_some_and(|host| host.eq_ignore_ascii_case(named.host()));
            // Without a port the client means the scheme's own, which behind a proxy is the proxy's business.
            host && named.port_u16().is_none_or(|port| own.port_or_known_default() == Some(port))
        })
    }

    /// Whether this peer is heard at an entrance that is not encrypted: on another machine only a proxy is, because
    /// everybody else's token would have crossed the network readable.
    #[must_use]
    pub fn hears_plain(&self, entrance: IpAddr, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        entrance.to_canonical().is_loopback() || peer.is_loopback() || self.trusts(peer)
    }

    /// Whether this peer speaks for many: this machine, or a proxy.
    #[must_use]
    pub fn speaks_for_many(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_loopback() || self.trusts(peer)
    }

    fn is_own(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let Some(origin) = origin.to_str().ok().and_then(|origin| url::Url::parse(origin).ok()) else { return false };
        if self.main.iter().chain(&self.public).any(|own| own.origin() == origin.origin()) {
            return true;
        }
        let host = headers.get(header::HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
        host.is_some_and(|host| {
            let port = host.port_u16().or(if origin.scheme() == "https" { Some(443) } else { Some(80) });
            is_loopback(host.host())
                && origin.host_str().is_some_and(|name| name.eq_ignore_ascii_case(host.host()))
                && origin.port_or_known_default() == port
        })
    }
}

/// What the nearest proxy says, where several wrote one behind the other.
fn nearest(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let last = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next().map(str::trim)
}

/// Adds the headers every answer has.
pub fn harden(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Whether `host` (an IPv6 address in brackets) is this machine.
fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// What a limit counts as one client: an IPv4 address, or the /64 network that one IPv6 customer gets.
#[must_use]
pub fn counted_as(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & (u128::MAX << 64)).into()),
    }
}

/// The peer of a connection that did not say.
pub const UNKNOWN_PEER: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(public: Option<&str>, proxies: &[&str]) -> Guard {
        Guard::new(&config::Server {
            public_url: public.map(|url| url.parse().unwrap()),
            trusted_proxies: proxies.iter().map(|network| network.parse().unwrap()).collect(),
            ..config::Server::default()
        })
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_this_machine_and_the_public_address_are_answered() {
        let guard = guard(Some("https://reports.example.com"), &[]);
        let table = [
            ("localhost:8787", true),
            ("LOCALHOST", true),
            ("127.0.0.1", true),
            ("127.9.9.9:1", true),
            ("[::1]:8787", true),
            ("reports.example.com", true),
            ("Reports.Example.com:443", true),
            ("reports.example.com:8787", false),
            ("example.com", false),
            ("localhost.example.com", false),
            ("192.168.1.4:8787", false),
            ("", false),
        ];
        for (host, admitted) in table {
            let got = guard.admit(Listener::Main, &Uri::from_static("/"), &headers(&[("host", host)]));
            assert_eq!(got.is_ok(), admitted, "{host}");
        }
        assert!(guard.admit(Listener::Main, &Uri::from_static("/"), &HeaderMap::new()).is_err());
        let absolute = Uri::from_static("http://evil.example/");
        assert!(guard.admit(Listener::Main, &absolute, &headers(&[("host", "localhost")])).is_err());
    }

    #[test]
    fn each_address_answers_under_its_own_name() {
        let server = |url: &str, public_listen: bool| config::Server {
            listen: "10.0.0.5:8787".parse().unwrap(),
            public_listen: public_listen.then(|| "0.0.0.0:443".parse().unwrap()),
            url: (!url.is_empty()).then(|| url.parse().unwrap()),
            public_url: "https://reports.example.com".parse().ok(),
            ..config::Server::default()
        };
        let (both, unnamed) = (Guard::new(&server("https://soc.example.com", true)), Guard::new(&server("", true)));
        let one = Guard::new(&server("", false));
        // The host; at the main and the public address, and what links in answers begin with at the main one.
        let table = [
            (&both, "soc.example.com", true, false, "https://soc.example.com"),
            (&both, "reports.example.com", true, true, "https://soc.example.com"),
            (&both, "10.0.0.5:8787", false, false, "https://soc.example.com"),
            (&unnamed, "10.0.0.5:8787", true, false, "http://10.0.0.5:8787"),
            (&unnamed, "soc.example.com", false, false, "http://soc.example.com"),
            (&unnamed, "localhost:8787", true, true, "http://localhost:8787"),
            (&one, "reports.example.com", true, true, "https://reports.example.com"),
            (&one, "10.0.0.5:8787", false, false, "https://reports.example.com"),
        ];
        for (guard, host, main, public, origin) in table {
            let (uri, headers) = (Uri::from_static("/"), headers(&[("host", host)]));
            let admitted = [Listener::Main, Listener::Public].map(|at| guard.admit(at, &uri, &headers).is_ok());
            assert_eq!(
                (admitted, &*guard.origin("http", UNKNOWN_PEER, &uri, &headers)),
                ([main, public], origin),
                "{host}"
            );
        }
    }

    #[test]
    fn a_trusted_proxy_says_under_which_address_its_clients_know_this_server() {
        let guard = guard(None, &["10.0.0.0/8"]);
        let named = Guard::new(&config::Server {
            url: "https://soc.example.com".parse().ok(),
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..config::Server::default()
        });
        let (proxy, other) = ("10.0.0.1", "192.0.2.1");
        let table: [(&Guard, &str, &str, &str, &str); 9] = [
            (&guard, proxy, "https", "soc.example.com", "https://soc.example.com"),
            (&guard, "::ffff:10.0.0.1", "HTTPS", "soc.example.com:8443", "https://soc.example.com:8443"),
            (&guard, proxy, "http, https", "a.example, soc.example.com", "https://soc.example.com"),
            (&guard, proxy, "https", "", "https://localhost:8787"),
            (&guard, proxy, "", "soc.example.com", "http://soc.example.com"),
            (&guard, proxy, "gopher", "a/b", "http://localhost:8787"),
            (&guard, proxy, "https", "user@soc.example.com", "https://localhost:8787"),
            (&guard, other, "https", "evil.example", "http://localhost:8787"),
            (&named, proxy, "http", "other.example", "https://soc.example.com"),
        ];
        for (guard, peer, proto, host, expected) in table {
            let given =
                headers(&[("host", "localhost:8787"), ("x-forwarded-proto", proto), ("x-forwarded-host", host)]);
            let origin = guard.origin("http", peer.parse().unwrap(), &Uri::from_static("/"), &given);
            assert_eq!(origin, expected, "{peer} {proto} {host}");
        }
    }

    #[test]
    fn plain_text_from_other_machines_is_heard_from_proxies_only() {
        let guard = guard(None, &["10.0.0.2/32"]);
        let table = [
            ("0.0.0.0", "10.0.0.2", true),
            ("0.0.0.0", "::ffff:10.0.0.2", true),
            ("10.0.0.5", "127.0.0.1", true),
            ("::", "::1", true),
            ("0.0.0.0", "10.0.0.3", false),
            ("10.0.0.5", "192.0.2.1", false),
            ("::", "2001:db8::1", false),
            ("127.0.0.1", "127.0.0.1", true),
        ];
        for (entrance, peer, heard) in table {
            assert_eq!(guard.hears_plain(entrance.parse().unwrap(), peer.parse().unwrap()), heard, "{peer}");
        }
    }

    #[test]
    fn a_form_is_taken_from_its_own_site_only() {
        let guard = guard(Some("https://reports.example.com"), &[]);
        let table: [(&[(&'static str, &str)], bool); 12] = [
            (&[("host", "localhost:8787")], true),
            (&[("host", "localhost:8787"), ("origin", "http://localhost:8787")], true),
            (&[("host", "[::1]:8787"), ("origin", "http://[::1]:8787")], true),
            (&[("host", "127.0.0.1"), ("origin", "http://127.0.0.1")], true),
            (&[("host", "localhost:8787"), ("origin", "http://localhost:9999")], false),
            (&[("host", "localhost:8787"), ("origin", "null")], false),
            (&[("host", "localhost:8787"), ("origin", "https://reports.example.com")], true),
            (&[("host", "reports.example.com"), ("origin", "https://reports.example.com")], true),
            (&[("host", "reports.example.com"), ("origin", "http://reports.example.com")], false),
            (&[("host", "reports.example.com"), ("sec-fetch-site", "same-origin")], true),
            (&[("host", "reports.example.com"), ("sec-fetch-site", "same-site")], false),
            (&[("host", "reports.example.com"), ("sec-fetch-site", "cross-site")], false),
        ];
        for (given, own) in table {
            assert_eq!(guard.own_site(&headers(given)).is_ok(), own, "{given:?}");
        }
    }

    #[test]
    fn a_forwarded_address_counts_only_as_far_as_its_speaker_is_trusted() {
        let guard = guard(None, &["10.0.0.0/8"]);
        let client = |peer: &str, forwarded: &str| {
            guard.client(peer.parse().unwrap(), &headers(&[("x-forwarded-for", forwarded)])).to_string()
        };
        assert_eq!(client("192.0.2.1", "198.51.100.7"), "192.0.2.1");
        assert_eq!(client("10.0.0.1", "198.51.100.7"), "198.51.100.7");
        assert_eq!(client("::ffff:10.0.0.1", "198.51.100.7"), "198.51.100.7");
        assert_eq!(client("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2"), "198.51.100.7");
        assert_eq!(client("10.0.0.1", "198.51.100.7, nonsense"), "10.0.0.1");
    }
}
