//! Where a request comes from: the peer of its connection, or whom a proxy that is trusted says.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::HeaderMap;
use ipnet::IpNet;
use stoa_kit::{Code, Error, Result};

/// The proxies that are believed, and how they speak.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    trusted: Vec<IpNet>,
    header: Header,
}

/// The header in which proxies say for whom they ask. One is chosen, for the other may come
/// through them as a stranger wrote it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Header {
    /// `X-Forwarded-For: client, proxy`.
    #[default]
    XForwardedFor,
    /// `Forwarded: for=client, for=proxy` (RFC 7239).
    Forwarded,
}

impl Proxies {
    /// Proxies at addresses and in networks, separated by commas, and the header they write.
    ///
    /// # Errors
    /// `config.invalid` for what is no network, and for another header.
    pub fn parse(trusted: &str, header: &str) -> Result<Self> {
        let texts = trusted.split(',').map(str::trim).filter(|text| !text.is_empty());
        let network = |text: &str| {
            let address = IpAddr::from_str(text).map(IpNet::from);
            address.or_else(|_| text.parse()).map_err(|_| {
                let message = format!("trusted_proxies: `{text}` is no address and no network");
                Error::new(Code::InvalidArgument, "config.invalid", message)
                    .help("Write them as `10.0.0.0/8, 192.0.2.7`.")
            })
        };
        let header = match header.to_ascii_lowercase().as_str() {
            "x-forwarded-for" => Header::XForwardedFor,
            "forwarded" => Header::Forwarded,
            _ => {
                let message = format!("forwarded_header: there is no `{header}`");
                return Err(Error::new(Code::InvalidArgument, "config.invalid", message)
                    .help("Write `x-forwarded-for` or `forwarded`."));
            }
        };
        Ok(Self { trusted: texts.map(network).collect::<Result<_>>()?, header })
    }

    /// Whether somebody may say for whom they ask.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// The client's address. What is said is read from the right, where the proxy next to us
    /// wrote it, for as long as it was written by somebody who is trusted: what stands further
    /// left a stranger may have made up.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        for said in self.said(headers).into_iter().rev() {
            if !self.trusts(client) {
                break;
            }
            // A proxy that does not tell answers for its clients itself.
            let Some(address) = said else { break };
            client = address.to_canonical();
        }
        client
    }

    /// Whether a request comes from this machine, and from nobody behind it.
    pub(crate) fn is_local(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
        peer.to_canonical().is_loopback()
            && self.trusted.is_empty()
            && !forwarded.iter().any(|name| headers.contains_key(*name))
    }

    /// The addresses that the header names, from left to right; nothing for one that is hidden.
    fn said(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let (name, read): (_, fn(&str) -> Option<IpAddr>) = match self.header {
            Header::XForwardedFor => ("x-forwarded-for", node),
            Header::Forwarded => ("forwarded", element),
        };
        let values = headers.get_all(name).iter();
        values
            // Each by itself: what a stranger wrote must not hide what a proxy added to it.
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(|text| read(std::str::from_utf8(text).ok()?.trim()))
            .collect()
    }
}

/// An element of `Forwarded`: `for="[2001:db8::1]:4711";proto=https`.
fn element(text: &str) -> Option<IpAddr> {
    let mut pairs = text.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    node(value.trim().trim_matches('"'))
}

/// An address with or without a port, one of IPv6 with or without brackets.
fn node(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let socket = SocketAddr::from_str(text).map(|socket| socket.ip());
    socket.or_else(|_| bare.parse()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &str, header: &str, peer: &str, values: &[&str]) -> String {
        let proxies = Proxies::parse(trusted, header).unwrap();
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                http::HeaderName::from_bytes(header.as_bytes()).unwrap(),
                http::HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_who_is_trusted_says_for_whom_they_ask() {
        let x = "x-forwarded-for";
        for (trusted, peer, values, expected) in [
            ("", "10.0.0.1", &["203.0.113.9"][..], "10.0.0.1"),
            ("10.0.0.0/8", "192.0.2.1", &["203.0.113.9"], "192.0.2.1"),
            ("10.0.0.0/8", "10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.0/8", "10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", &["203.0.113.9:80"], "203.0.113.9"),
            // What stands left of the first stranger was written by them.
            ("10.0.0.0/8", "10.0.0.1", &["127.0.0.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.0/8", "10.0.0.1", &["127.0.0.1", "203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", "10.0.0.1", &["203.0.113.9, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", "10.0.0.1", &["203.0.113.9, nonsense"], "10.0.0.1"),
            ("10.0.0.1", "10.0.0.1", &["203.0.113.9,"], "10.0.0.1"),
            ("10.0.0.1", "10.0.0.1", &["é, 203.0.113.9"], "203.0.113.9"),
        ] {
            assert_eq!(client(trusted, x, peer, values), expected, "{trusted} {values:?}");
        }
        for (value, expected) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("For=\"[2001:db8::17]:4711\";proto=https;by=10.0.0.1", "2001:db8::17"),
            ("for=192.0.2.1, for=203.0.113.9;host=x", "203.0.113.9"),
            ("for=203.0.113.9, for=unknown", "10.0.0.1"),
            ("for=203.0.113.9, for=_hidden", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", "forwarded", "10.0.0.1", &[value]), expected, "{value}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for (trusted, header) in [("10.0.0.0/33", "forwarded"), ("proxy", "forwarded"), ("", "via")]
        {
            let error = Proxies::parse(trusted, header).unwrap_err();
            assert_eq!(error.reason(), "config.invalid");
        }
    }
}
