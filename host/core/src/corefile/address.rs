//! Keys of server blocks: `[scheme://]zone[:port]`.

use super::environment;
use crate::name::HostName;
use crate::reverse::Network;

/// Port of plain DNS, which a key without a port gets unless CoreDNS was started with another one.
const DEFAULT_PORT: u16 = 53;

/// Schemes other than plain DNS (`plugin/pkg/transport`). The same zone on another transport is no
/// duplicate.
const OTHER_SCHEMES: [&str; 5] = ["tls://", "https://", "https3://", "quic://", "grpc://"];

/// A key of a server block that is served over plain DNS, normalised as CoreDNS does it
/// (`core/dnsserver/register.go`, `plugin.SplitHostPort`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Lower case without the trailing dot; empty for the root zone.
    pub(super) zone: String,
    /// The port as far as it is written down.
    pub(super) port: Option<u16>,
}

/// What a key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Plain DNS.
    Plain(Address),
    /// Another transport.
    OtherTransport,
    /// Holds an environment variable.
    Variable,
    /// No usable port after the last colon.
    InvalidPort,
}

impl Key {
    pub(super) fn parse(key: &str) -> Self {
        if OTHER_SCHEMES.iter().any(|scheme| key.starts_with(scheme)) {
            return Self::OtherTransport;
        }
        if environment::has_variable(key) {
            return Self::Variable;
        }
        let key = key.strip_prefix("dns://").unwrap_or(key);
        let (zone, port) = match key.rsplit_once(':') {
            Some((_, "")) => return Self::InvalidPort,
            Some((zone, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => match port.parse() {
                Ok(port) if port != 0 => (zone, Some(port)),
                Ok(_) | Err(_) => return Self::InvalidPort,
            },
            // Not a port: CoreDNS keeps the colon in the zone.
            Some(_) | None => (key, None),
        };
        let zone = zone.strip_suffix('.').unwrap_or(zone).to_ascii_lowercase();
        Self::Plain(Address { zone, port })
    }
}

impl Address {
    pub(super) fn serves_root(&self) -> bool {
        self.zone.is_empty()
    }

    pub(super) fn serves(&self, zone: &HostName) -> bool {
        self.zone == zone.as_str() || self.reverse_zones().any(|reverse| reverse == *zone)
    }

    /// CoreDNS takes a network for its reverse zones (`plugin/normalize.go`).
    fn reverse_zones(&self) -> impl Iterator<Item = HostName> {
        Network::read(&self.zone).into_iter().flat_map(Network::zones)
    }

    /// Whether the zone lies below `zone`, so that it takes names away from it.
    pub(super) fn serves_below(&self, zone: &HostName) -> bool {
        self.zone.strip_suffix(zone.as_str()).is_some_and(|head| head.ends_with('.'))
            || self.reverse_zones().any(|reverse| reverse.is_below(zone))
    }

    /// Whether the zone is the root zone or lies above `zone`, so that it answers for `zone` as
    /// long as nobody else does.
    pub(super) fn serves_above(&self, zone: &HostName) -> bool {
        self.serves_root()
            || zone.as_str().strip_suffix(&self.zone).is_some_and(|head| head.ends_with('.'))
            || self.reverse_zones().any(|reverse| zone.is_below(&reverse))
    }

    pub(super) fn same_port(&self, port: Option<u16>) -> bool {
        self.port.unwrap_or(DEFAULT_PORT) == port.unwrap_or(DEFAULT_PORT)
    }
}

/// Whether a key with an environment variable could turn out to serve `zone` on `port`.
pub(super) fn may_serve(key: &str, zone: &HostName, port: Option<u16>) -> bool {
    let key = key.strip_prefix("dns://").unwrap_or(key).to_ascii_lowercase();
    let port = port.unwrap_or(DEFAULT_PORT);
    [String::new(), format!(":{port}")].iter().any(|suffix| {
        ["", "."].iter().any(|dot| environment::may_become(&key, &format!("{zone}{dot}{suffix}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(zone: &str, port: Option<u16>) -> Key {
        Key::Plain(Address { zone: zone.to_owned(), port })
    }

    #[test]
    fn keys_are_normalised_as_coredns_does() {
        for (key, expected) in [
            (".:53", plain("", Some(53))),
            (".", plain("", None)),
            (":53", plain("", Some(53))),
            ("dns://.:8053", plain("", Some(8053))),
            ("OpenMCP.Cluster.:53", plain("openmcp.cluster", Some(53))),
            ("10.0.0.0/24", plain("10.0.0.0/24", None)),
            ("tls://openmcp.cluster", Key::OtherTransport),
            ("https3://openmcp.cluster", Key::OtherTransport),
            ("{$ZONE}:53", Key::Variable),
            ("openmcp.cluster:", Key::InvalidPort),
            ("openmcp.cluster:0", Key::InvalidPort),
            ("openmcp.cluster:65536", Key::InvalidPort),
            ("}", plain("}", None)),
        ] {
            assert_eq!(Key::parse(key), expected, "{key}");
        }
    }

    #[test]
    fn a_network_stands_for_its_reverse_zones() {
        let zone: HostName = "200.18.172.in-addr.arpa".parse().unwrap();
        let relation = |key: &str| {
            let Key::Plain(address) = Key::parse(key) else { panic!("{key}") };
            [address.serves(&zone), address.serves_below(&zone), address.serves_above(&zone)]
        };
        for (key, expected) in [
            ("172.18.200.0/24", [true, false, false]),
            ("172.18.200.9/23:53", [true, false, false]),
            ("172.18.200.128/25", [false, true, false]),
            ("172.18.0.0/16", [false, false, true]),
            ("172.18.201.0/24", [false, false, false]),
            ("18.172.in-addr.arpa", [false, false, true]),
            ("0.0.0.0/0", [false, false, false]),
        ] {
            assert_eq!(relation(key), expected, "{key}");
        }
    }

    #[test]
    fn a_variable_may_hide_our_zone() {
        let zone: HostName = "openmcp.cluster".parse().unwrap();
        assert!(may_serve("{$ZONE}", &zone, Some(53)));
        assert!(may_serve("OPENMCP.{$TLD}", &zone, Some(53)));
        assert!(may_serve("{$ZONE}:53", &zone, None));
        assert!(!may_serve("{$ZONE}:53", &zone, Some(8053)));
        assert!(!may_serve(".:{$PORT}", &zone, Some(53)));
    }
}
