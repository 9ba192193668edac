//! Addresses as people write them.

use std::net::{IpAddr, SocketAddr};

/// Port of DNS (RFC 1035 section 4.2).
pub const DNS_PORT: u16 = 53;

/// Reads the address of a DNS server: an IP address with or without a port, IPv6 with or without brackets.
///
/// # Errors
/// Says what the text lacks.
pub fn parse_server(text: &str) -> Result<SocketAddr, String> {
    parse(text, DNS_PORT)
}

/// Reads an address to listen on; without a port, a free one is taken.
///
/// # Errors
/// Says what the text lacks.
pub fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    parse(text, 0)
}

fn parse(text: &str, default_port: u16) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let bare = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, default_port));
    }
    Err(format!(
        "{text:?} is not an IP address with or without a port, for example 127.0.0.1:53, 127.0.0.1, [::1]:53 or ::1"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_with_and_without_a_port_in_both_families() {
        for (text, expected) in [
            ("127.0.0.1", "127.0.0.1:53"),
            ("127.0.0.1:5353", "127.0.0.1:5353"),
            ("::1", "[::1]:53"),
            ("[::1]", "[::1]:53"),
            ("[::1]:5353", "[::1]:5353"),
            (" fd00::53 ", "[fd00::53]:53"),
        ] {
            assert_eq!(parse_server(text).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(parse_listen("127.0.0.1").unwrap().port(), 0);
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in ["", "localhost", "127.0.0.1:", "127.0.0.1:99999", "[::1", "::1]:53", "1.2.3"] {
            assert!(parse_server(text).unwrap_err().contains("for example"), "{text}");
        }
    }
}
