//! Networks: what one subscriber usually has, and so what limits are counted by.

use std::net::{IpAddr, SocketAddr};

/// The network of an address as text: an IPv4 address, or the /64 of an IPv6 address, for whoever
/// has one of those has all of it. A port is dropped, and what is no address stays as it is.
pub fn network(address: &str) -> String {
    let socket = address.parse::<SocketAddr>().map(|socket| socket.ip());
    socket.or_else(|_| address.parse()).map_or_else(|_| address.to_owned(), network_of)
}

/// The network of an address.
pub fn network_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_subscriber_are_of_one_network() {
        for (address, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:4711", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
            ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
            ("", ""),
        ] {
            assert_eq!(network(address), expected, "{address}");
        }
    }
}
