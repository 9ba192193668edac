//! Reach: whether a target means the same host for everybody who asks.
//!
//! A record is read on every cluster of the landscape. What one cluster alone understands, such as its loopback
//! address or the name of one of its Services, leads to another host there, or to none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::name::HostName;

/// Last labels of names that each host or cluster resolves by itself: `localhost` (RFC 6761 section 6.3),
/// `local` (RFC 6762; `cluster.local` too), what installers name a host without a domain, and `svc`, which is
/// no top-level domain but the end of a Service's name on the search path of a pod.
const LOCAL_DOMAINS: [&str; 4] = ["localhost", "local", "localdomain", "svc"];

/// Whether an address means another host, or none, for everybody who asks, in whatever notation.
pub(crate) fn is_local_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_local_v4(v4),
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
                || is_compatible(v6)
                || embedded(v6).is_some_and(is_local_v4)
        }
    }
}

/// Whether a name is resolved by each host or cluster for itself: one label, which every search path ends in
/// its own way, or a name below one of [`LOCAL_DOMAINS`].
pub(crate) fn is_local_name(name: &HostName) -> bool {
    let last = name.labels().next_back().unwrap_or_default();
    name.labels().count() == 1 || LOCAL_DOMAINS.contains(&last)
}

/// Whether the last label is a number, in decimal or with `0x`: no host name then (RFC 1123 section 2.1), but
/// what many programs read as an IPv4 address with a part too large, too few parts, or in octal.
pub(crate) fn is_numeric(name: &HostName) -> bool {
    let last = name.labels().next_back().unwrap_or_default();
    match last.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// All of 0.0.0.0/8 is the sender's own network (RFC 1122 section 3.2.1.3).
fn is_local_v4(address: Ipv4Addr) -> bool {
    address.octets()[0] == 0
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_multicast()
}

/// `::a.b.c.d`: withdrawn, and routed by nobody (RFC 4291 section 2.5.5.1).
fn is_compatible(address: Ipv6Addr) -> bool {
    address.segments()[..6] == [0; 6]
}

/// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291 section 2.5.5.2), translated (RFC 2765
/// section 2.1), by the well-known prefix of NAT64 (RFC 6052 section 2.1) or by 6to4 (RFC 3056 section 2).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, _, _, _, _, _] => (high, low),
        _ => return None,
    };
    Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_of_a_local_address_is_known() {
        for local in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.20.10",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:a9fe:140a",
            "::ffff:0:127.0.0.1",
            "::127.0.0.1",
            "::10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::169.254.0.1",
            "2002:7f00:1::1",
        ] {
            assert!(is_local_address(local.parse().unwrap()), "{local}");
        }
        for everywhere in ["10.0.0.1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::192.0.2.1", "2002:c000:204::1"]
        {
            assert!(!is_local_address(everywhere.parse().unwrap()), "{everywhere}");
        }
    }

    #[test]
    fn a_name_that_each_cluster_resolves_for_itself_is_known() {
        for (local, name) in [
            (true, "echo.echo.svc.cluster.local"),
            (true, "echo.echo.svc"),
            (true, "echo"),
            (true, "localhost"),
            (true, "app.localhost"),
            (true, "printer.local"),
            (true, "localhost.localdomain"),
            (false, "lb.example.com"),
            (false, "lb.svc.example.com"),
            (false, "internal-lb.eu-west-1.elb.amazonaws.com"),
            (false, "local.example.com"),
        ] {
            assert_eq!(is_local_name(&name.parse().unwrap()), local, "{name}");
        }
    }

    #[test]
    fn a_name_with_a_number_at_its_end_is_known() {
        for (numeric, name) in [
            (true, "10.0.0.256"),
            (true, "010.000.000.007"),
            (true, "10.1"),
            (true, "127.0.0.0x1"),
            (true, "2130706433"),
            (false, "10.0.0.example"),
            (false, "lb.3com"),
        ] {
            assert_eq!(is_numeric(&name.parse().unwrap()), numeric, "{name}");
        }
    }
}
