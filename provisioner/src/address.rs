//! Addresses that a name of others must not lead to, and the resolver that refuses them.
//!
//! A host that the administrator wrote is used whatever its address is. A host that a source or a target names (in a link
//! to the next page, say) may be chosen to reach a service of the inner network, or the metadata service of a cloud, from
//! here. Its addresses are checked as they are resolved for the connection itself: a second answer of the name server
//! cannot differ from the checked one.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The part of the network that an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressKind {
    /// The public Internet.
    Public,
    /// This machine.
    Loopback,
    /// A private network (RFC 1918, RFC 4193, RFC 6598).
    Private,
    /// The local link (RFC 3927, RFC 4291), with the metadata services of the clouds at 169.254.169.254.
    LinkLocal,
    /// No host: unspecified, multicast, broadcast, or reserved.
    Reserved,
}

impl AddressKind {
    /// Returns the kind of an address. An IPv4 address within an IPv6 one counts as that IPv4 address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => match embedded_v4(address) {
                Some(address) => Self::of_v4(address),
                None => Self::of_v6(address),
            },
        }
    }

    const fn of_v4(address: Ipv4Addr) -> Self {
        let [first, second, third, _] = address.octets();
        match (first, second, third) {
            (127, ..) => Self::Loopback,
            (10, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => Self::Private,
            (169, 254, _) => Self::LinkLocal,
            // Of this host, protocol assignments, documentation, benchmarks, multicast, and reserved.
            (0 | 224..=255, ..) | (192, 0, 0 | 2) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => {
                Self::Reserved
            }
            _ => Self::Public,
        }
    }

    const fn of_v6(address: Ipv6Addr) -> Self {
        let [first, second, ..] = address.segments();
        match first {
            _ if address.is_loopback() => Self::Loopback,
            // Unique local addresses; Amazon's metadata service at fd00:ec2::254 is among them.
            0xfc00..=0xfdff | 0xfec0..=0xfeff => Self::Private,
            0xfe80..=0xfebf => Self::LinkLocal,
            0x2001 if second == 0x0db8 => Self::Reserved,
            // Only 2000::/3 is assigned to hosts of the Internet.
            0x2000..=0x3fff => Self::Public,
            _ => Self::Reserved,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Public => "a public address",
            Self::Loopback => "this machine",
            Self::Private => "a private network",
            Self::LinkLocal => "the local link, where clouds have their metadata services",
            Self::Reserved => "a reserved address",
        }
    }
}

/// Returns the IPv4 address that an IPv6 address stands for: mapped, compatible, NAT64 (RFC 6052) or 6to4 (RFC 3056).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| {
        let ([one, two], [three, four]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(one, two, three, four))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => of(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => of(high, low),
        [0x2002, high, low, ..] => of(high, low),
        _ => None,
    }
}

/// A host that is not connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "refused to connect to {host}, which the configuration does not name: it is {}; allow-private = true allows it",
    .kind.words()
)]
pub struct RefusedAddress {
    /// The host, as it was named.
    pub host: String,
    /// The kind of its address.
    pub kind: AddressKind,
}

/// Decides which hosts may be connected to, and resolves their names.
#[derive(Clone, Debug)]
pub struct AddressGuard {
    /// The hosts that the administrator wrote, in lower case.
    written: Arc<BTreeSet<String>>,
    allow_private: bool,
}

impl AddressGuard {
    /// Creates a guard for the hosts of these URLs, which the administrator wrote; others need a public address unless
    /// `allow_private` is set.
    pub fn new<'a>(written: impl IntoIterator<Item = &'a Url>, allow_private: bool) -> Self {
        let written = written.into_iter().filter_map(Url::host_str).map(host_key).collect();
        Self { written: Arc::new(written), allow_private }
    }

    /// Checks a URL before a connection to it is made; a name is checked again when it is resolved.
    ///
    /// # Errors
    /// The host is an address that is not public.
    pub fn check(&self, url: &Url) -> Result<(), RefusedAddress> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        self.check_address(url.host_str().unwrap_or_default(), address)
    }

    fn is_written(&self, host: &str) -> bool {
        self.written.contains(&host_key(host))
    }

    fn check_address(&self, host: &str, address: IpAddr) -> Result<(), RefusedAddress> {
        match AddressKind::of(address) {
            AddressKind::Public => Ok(()),
            _ if self.allow_private || self.is_written(host) => Ok(()),
            kind => Err(RefusedAddress { host: host.to_owned(), kind }),
        }
    }

    /// Resolves a host name to addresses that may be connected to. One refused address among several refuses the name:
    /// mixed answers are how a name is made to lead elsewhere.
    async fn resolve_checked(self, host: String) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
        for address in &addresses {
            self.check_address(&host, address.ip())?;
        }
        Ok(addresses)
    }
}

impl Resolve for AddressGuard {
    fn resolve(&self, name: Name) -> Resolving {
        let resolved = self.clone().resolve_checked(name.as_str().to_owned());
        Box::pin(async move { resolved.await.map(|addresses| Box::new(addresses.into_iter()) as Addrs) })
    }
}

/// Whether the host of `url` is this machine, judged by its name or address alone.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Returns a host as it is compared: in lower case, and without the final dot of a name.
fn host_key(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_kind(addresses: &[&str], expected: AddressKind) {
        for address in addresses {
            assert_eq!(AddressKind::of(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn addresses_are_told_apart() {
        check_kind(
            &["8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1"],
            AddressKind::Public,
        );
        check_kind(&["192.169.0.1", "2606:4700::1111", "2002:808:808::"], AddressKind::Public);
        check_kind(
            &["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1", "::127.0.0.1"],
            AddressKind::Loopback,
        );
        check_kind(&["64:ff9b::7f00:1", "2002:7f00:1::"], AddressKind::Loopback);
        check_kind(&["10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1"], AddressKind::Private);
        check_kind(&["100.64.0.1", "fc00::1", "fd00:ec2::254", "::ffff:10.0.0.1"], AddressKind::Private);
        check_kind(&["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"], AddressKind::LinkLocal);
        check_kind(&["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1"], AddressKind::Reserved);
        check_kind(&["192.0.2.1", "198.18.0.1", "2001:db8::1", "203.0.113.9"], AddressKind::Reserved);
    }

    #[track_caller]
    fn check_url(guard: &AddressGuard, url: &str, is_allowed: bool) {
        assert_eq!(guard.check(&url.parse().unwrap()).is_ok(), is_allowed, "{url}");
    }

    #[test]
    fn address_in_a_url_is_refused_unless_it_was_written_or_is_allowed() {
        let written: Url = "https://10.0.0.7:8443/scim".parse().unwrap();
        let guard = AddressGuard::new([&written], false);
        check_url(&guard, "https://10.0.0.7:9/", true);
        check_url(&guard, "https://8.8.8.8/", true);
        check_url(&guard, "https://scim.example.com/", true);
        for url in [
            "https://10.0.0.8/",
            "http://169.254.169.254/latest/meta-data",
            // Other spellings of 127.0.0.1 and 169.254.169.254.
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0251.0376.0251.0376/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[fe80::1]/",
        ] {
            check_url(&guard, url, false);
            check_url(&AddressGuard::new([&written], true), url, true);
        }
    }

    #[tokio::test]
    async fn name_that_resolves_to_this_machine_is_refused_unless_it_was_written_or_is_allowed() {
        let other: Url = "https://scim.example.com/".parse().unwrap();
        let local: Url = "https://LOCALHOST/".parse().unwrap();
        let resolve = async |guard: AddressGuard| guard.resolve_checked("localhost".to_owned()).await;
        let error = resolve(AddressGuard::new([&other], false)).await.unwrap_err();
        let refused = error.downcast_ref::<RefusedAddress>().unwrap();
        assert_eq!((refused.host.as_str(), refused.kind), ("localhost", AddressKind::Loopback));
        assert!(refused.to_string().contains("allow-private"), "{refused}");
        assert!(resolve(AddressGuard::new([&other], true)).await.is_ok());
        assert!(resolve(AddressGuard::new([&local], false)).await.is_ok());
    }
}
