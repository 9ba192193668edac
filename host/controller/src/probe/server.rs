//! Addresses of DNS servers, as people write them.

use std::net::{IpAddr, SocketAddr};

/// The port of DNS (RFC 1035 section 4.2).
const DNS_PORT: u16 = 53;

/// Reads the address of a DNS server: an IP address, with or without a port.
///
/// # Errors
/// Says what the text must be.
pub fn parse_server(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let bare = || bare.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS_PORT));
    text.parse::<SocketAddr>()
        .or_else(|_| bare())
        .map_err(|_| format!("{text:?} is no address of a DNS server; write IP or IP:port ([IPv6]:port)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_port_of_dns_unless_it_names_another() {
        for (text, expected) in [
            ("10.0.0.5", "10.0.0.5:53"),
            ("10.0.0.5:5353", "10.0.0.5:5353"),
            ("::1", "[::1]:53"),
            ("[::1]", "[::1]:53"),
            (" [::1]:5353 ", "[::1]:5353"),
        ] {
            assert_eq!(parse_server(text).unwrap().to_string(), expected);
        }
        for bad in ["", "dns.example", "10.0.0.5:", "10.0.0.5:99999", "::1:x"] {
            assert!(parse_server(bad).is_err(), "{bad}");
        }
    }
}
