//! Where requests may go, as the configuration of a node says it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use stoa_kit::outbound::{Hosts, origin};
use stoa_kit::{Code, Error, Result};

/// Where requests may go. Unless it says more, that is to public addresses, over TLS, and to no host
/// that a user names.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    /// Hosts that addresses may name which users enter.
    pub hosts: Hosts,
    /// Networks that are not public and may be reached all the same.
    pub networks: Vec<IpNet>,
    /// Hosts that may be spoken to in the clear.
    pub plain: Hosts,
    /// Certificates that are trusted beside the public ones, as PEM.
    pub roots: String,
}

/// What is not public of IPv4 (the IANA's registry of special purposes).
const SPECIAL_4: [Ipv4Net; 17] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 31, 196, 0], 24),
    v4([192, 52, 193, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([192, 175, 48, 0], 24),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    // Multicast, what is reserved, and the broadcast.
    v4([224, 0, 0, 0], 3),
];
/// What is public of IPv6: the unicast that was given out.
const GLOBAL_6: Ipv6Net = v6([0x2000, 0], 3);
/// What is not public of that: protocols of the IETF with Teredo, documentation, and 6to4, which has
/// an address of IPv4 inside.
const SPECIAL_6: [Ipv6Net; 4] =
    [v6([0x2001, 0], 23), v6([0x2001, 0xdb8], 32), v6([0x2002, 0], 16), v6([0x3fff, 0], 20)];
/// Stands before addresses of IPv4 where a network translates (RFC 6052).
const NAT64: Ipv6Net = v6([0x64, 0xff9b], 96);

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b]: [u16; 2], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

impl Egress {
    /// Whether a request may go to an address, before anybody asks where that is.
    pub(crate) fn check(&self, address: &Uri, given: bool) -> Result<()> {
        if given && !self.hosts.contain(address) {
            let what = format!("this node sends nothing to {}", origin(address));
            return Err(Error::new(Code::FailedPrecondition, "http.refused_host", what)
                .help("Name the host in `outbound_hosts`, if users may send there."));
        }
        if address.scheme_str() != Some("https") && !self.plain.contain(address) {
            let what = format!("this node sends nothing in the clear to {}", origin(address));
            return Err(Error::new(Code::FailedPrecondition, "http.not_secure", what)
                .help("Use https, or name the host in `outbound_plain`."));
        }
        Ok(())
    }

    /// Whether users may have a request sent to a host although it is not public: whoever runs the
    /// node named just this one. A wildcard was not meant to let a name of theirs lead inside.
    pub(crate) fn may_be_private(&self, address: &Uri, given: bool) -> bool {
        !given || self.hosts.name(address)
    }

    /// Whether a connection may be made to an address of the network.
    pub(crate) fn may_reach(&self, address: IpAddr, private: bool) -> bool {
        // One of IPv4 that is written as one of IPv6 ends up where it says.
        let address = address.to_canonical();
        let named = private && self.networks.iter().any(|network| network.contains(&address));
        match address {
            IpAddr::V6(six) if NAT64.contains(&six) => {
                let [.., a, b, c, d] = six.octets();
                named && self.may_reach(Ipv4Addr::new(a, b, c, d).into(), private)
            }
            _ => named || is_public(address),
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => !SPECIAL_4.iter().any(|network| network.contains(&four)),
        IpAddr::V6(six) => {
            GLOBAL_6.contains(&six) && !SPECIAL_6.iter().any(|network| network.contains(&six))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_reach(networks: &[&str], address: &str) -> bool {
        let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        let (egress, address) =
            (Egress { networks, ..Egress::default() }, address.parse().unwrap());
        let public = egress.may_reach(address, false);
        assert!(
            !public || is_public(address.to_canonical()),
            "networks are for hosts that are named"
        );
        egress.may_reach(address, true)
    }

    #[test]
    fn only_what_is_public_is_reached() {
        for public in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "2001:200::1",
        ] {
            assert!(may_reach(&[], public), "{public}");
        }
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            // As of IPv6, and inside of it.
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::8.8.8.8",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::7f00:1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!may_reach(&[], special), "{special}");
        }
    }

    #[test]
    fn what_is_not_public_is_reached_where_its_network_is_named() {
        assert!(
            may_reach(&["10.1.0.0/16"], "10.1.2.3") && !may_reach(&["10.1.0.0/16"], "10.2.0.1")
        );
        assert!(may_reach(&["127.0.0.1/32"], "::ffff:127.0.0.1"));
        assert!(may_reach(&["::1/128"], "::1") && !may_reach(&["::1/128"], "127.0.0.1"));
        assert!(may_reach(&["64:ff9b::/96"], "64:ff9b::8.8.8.8"));
        assert!(!may_reach(&["64:ff9b::/96"], "64:ff9b::127.0.0.1"));
        assert!(may_reach(&["64:ff9b::/96", "127.0.0.0/8"], "64:ff9b::127.0.0.1"));
    }
}
