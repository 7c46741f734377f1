//! Which addresses an outgoing call may reach: public ones, and those the connection's `allow_networks` lists.
//!
//! What a mail or a form says may end up in a URL. Without this, whoever writes to Larum could make it read the cloud's
//! metadata service or talk to machines that only the inside can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::Url;

use crate::config;

/// A call was not sent because of where it would have gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {why}; the `allow_networks` of a connection could permit it", self.place())]
pub struct RefusedAddress {
    pub host: String,
    pub address: IpAddr,
    /// What kind of address it is, such as `a private address`.
    pub why: &'static str,
}

impl RefusedAddress {
    fn place(&self) -> String {
        if self.host.parse() == Ok(self.address) {
            format!("{} is", self.address)
        } else {
            format!("{} is at {},", self.host, self.address)
        }
    }
}

/// Whether `address` may be reached, `allow` going before every refusal.
///
/// # Errors
/// [`RefusedAddress`] when it may not.
pub fn check(host: &str, address: IpAddr, allow: &[IpNet]) -> Result<(), RefusedAddress> {
    // ::ffff:127.0.0.1 is 127.0.0.1 by another name (RFC 4291 §2.5.5.2).
    let address = address.to_canonical();
    if allow.iter().any(|network| network.contains(&address)) {
        return Ok(());
    }
    match kind(address) {
        Some(why) => Err(RefusedAddress { host: host.into(), address, why }),
        None => Ok(()),
    }
}

/// The same for a URL that has an address in place of a name. Names are looked at when they are resolved; such an address
/// never is.
///
/// # Errors
/// [`RefusedAddress`] when it may not be reached.
pub(super) fn check_literal(url: &Url, connection: Option<&config::Http>) -> Result<(), RefusedAddress> {
    let address = match url.host() {
        Some(url::Host::Ipv4(address)) => IpAddr::V4(address),
        Some(url::Host::Ipv6(address)) => IpAddr::V6(address),
        Some(url::Host::Domain(_)) | None => return Ok(()),
    };
    let allow = connection.map_or(&[][..], |connection| &connection.allow_networks);
    check(&address.to_canonical().to_string(), address, allow)
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, d: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

/// IANA's special-purpose registry (RFC 6890), multicast, and the metadata addresses that lie outside of it. The first
/// that fits names the kind.
const V4: &[(Ipv4Net, &str)] = &[
    (v4(169, 254, 169, 254, 32), "a cloud's metadata address"),
    (v4(168, 63, 129, 16, 32), "a cloud's metadata address"),
    (v4(100, 100, 100, 200, 32), "a cloud's metadata address"),
    (v4(192, 0, 0, 192, 32), "a cloud's metadata address"),
    (v4(0, 0, 0, 0, 8), "an unspecified address"),
    (v4(10, 0, 0, 0, 8), "a private address"),
    (v4(100, 64, 0, 0, 10), "a carrier's private address"),
    (v4(127, 0, 0, 0, 8), "a loopback address"),
    (v4(169, 254, 0, 0, 16), "a link-local address"),
    (v4(172, 16, 0, 0, 12), "a private address"),
    (v4(192, 0, 0, 0, 24), "a reserved address"),
    (v4(192, 0, 2, 0, 24), "a documentation address"),
    (v4(192, 88, 99, 0, 24), "a relay address"),
    (v4(192, 168, 0, 0, 16), "a private address"),
    (v4(198, 18, 0, 0, 15), "a benchmark address"),
    (v4(198, 51, 100, 0, 24), "a documentation address"),
    (v4(203, 0, 113, 0, 24), "a documentation address"),
    (v4(224, 0, 0, 0, 4), "a multicast address"),
    (v4(255, 255, 255, 255, 32), "the broadcast address"),
    (v4(240, 0, 0, 0, 4), "a reserved address"),
];

/// The same for IPv6. Addresses that carry an IPv4 address are judged by that one as well, see [`embedded`].
const V6: &[(Ipv6Net, &str)] = &[
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), "an unspecified address"),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "a loopback address"),
    (Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254), 128), "a cloud's metadata address"),
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 96), "a reserved address"),
    (v6(0x64, 0xff9b, 1, 0, 48), "a translated private address"),
    (v6(0x100, 0, 0, 0, 64), "a discarded address"),
    (v6(0x2001, 0, 0, 0, 32), "a tunnelled address"),
    (v6(0x2001, 0x0db8, 0, 0, 32), "a documentation address"),
    (v6(0x2001, 0, 0, 0, 23), "a reserved address"),
    (v6(0x3fff, 0, 0, 0, 20), "a documentation address"),
    (v6(0x5f00, 0, 0, 0, 16), "a reserved address"),
    (v6(0xfc00, 0, 0, 0, 7), "a private address"),
    (v6(0xfe80, 0, 0, 0, 10), "a link-local address"),
    (v6(0xfec0, 0, 0, 0, 10), "a private address"),
    (v6(0xff00, 0, 0, 0, 8), "a multicast address"),
];

/// What kind of address it is, `None` for a public one.
fn kind(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => V4.iter().find(|(network, _)| network.contains(&address)).map(|(_, why)| *why),
        IpAddr::V6(address) => {
            let listed = V6.iter().find(|(network, _)| network.contains(&address)).map(|(_, why)| *why);
            listed.or_else(|| kind(IpAddr::V4(embedded(address)?)))
        }
    }
}

/// The IPv4 address that packets to an IPv6 address come out at: NAT64 (RFC 6052), 6to4 (RFC 3056), ISATAP (RFC 5214).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let address_of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(address_of(high, low)),
        [0x2002, high, low, ..] => Some(address_of(high, low)),
        [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] => Some(address_of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_may_be_reached() {
        let mut table = String::new();
        for text in include_str!("../../../tests/data/addresses.txt").lines() {
            let address: IpAddr = text.parse().expect("an address");
            let verdict = check("host", address, &[]).err().map_or("may be reached", |refused| refused.why);
            table += &format!("{text:42} {verdict}\n");
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_listed_network_may_be_reached_and_no_other() {
        let allow = ["127.0.0.0/8", "fd12::/16"].map(|network| network.parse().expect("a network"));
        let allowed = |address: &str| check("host", address.parse().expect("an address"), &allow).is_ok();
        assert!(allowed("127.0.0.1") && allowed("::ffff:127.0.0.1") && allowed("fd12::1"));
        assert!(!allowed("10.0.0.1") && !allowed("::1") && !allowed("fd13::1") && !allowed("169.254.169.254"));
    }
}
