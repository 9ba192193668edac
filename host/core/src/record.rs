//! Record sets: what is published under a name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::few::Few;
use crate::name::{HostName, NameError};
use crate::reach::{is_local_address, is_local_name, is_numeric};

/// Longest single string of a TXT record in bytes (RFC 1035 section 3.3.14).
pub const MAX_TEXT_BYTES: usize = 255;

/// The record types the service publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 addresses (RFC 1035).
    A,
    /// IPv6 addresses (RFC 3596).
    Aaaa,
    /// One canonical name (RFC 1035).
    Cname,
    /// Text (RFC 1035).
    Txt,
    /// Where a service of a host is (RFC 2782); at SRV names only.
    Srv,
    /// The host name of an address (RFC 1035 section 3.3.12); at reverse names only, and never of a module.
    Ptr,
}

impl RecordType {
    /// The type of the record that leads to a target: an address, or else a host name.
    #[must_use]
    pub fn of_target(target: &str) -> Self {
        // An IPv4 address in IPv6 notation is the IPv4 address (RFC 4291 section 2.5.5.2).
        match target.parse().map(|address: IpAddr| address.to_canonical()) {
            Ok(IpAddr::V4(_)) => Self::A,
            Ok(IpAddr::V6(_)) => Self::Aaaa,
            Err(_) => Self::Cname,
        }
    }

    /// The type in its presentation form, for example `AAAA`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Txt => "TXT",
            Self::Srv => "SRV",
            Self::Ptr => "PTR",
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One value of a record set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordValue {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A canonical name.
    Cname(HostName),
    /// A text of at most [`MAX_TEXT_BYTES`] bytes.
    Txt(String),
    /// Where a service is; nearly no value is one, so it shall not make the others larger.
    Srv(Box<Location>),
    /// The host name of the address that the reverse name stands for.
    Ptr(HostName),
}

/// Where a service of a host is, and which of several places comes first (RFC 2782).
///
/// 0 is no priority and no weight: CoreDNS's etcd plugin takes it for "not set". It answers weights as shares of 100.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The lowest comes first, 1 to 65535.
    pub priority: u16,
    /// How often it is taken among those of one priority, 1 to 65535.
    pub weight: u16,
    /// 1 to 65535.
    pub port: u16,
    /// The host, which has addresses.
    pub target: HostName,
}

/// Why a text is no value of a record type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ValueError {
    /// Not an IPv4 address.
    #[error("{0:?} is not an IPv4 address")]
    NotIpv4(String),
    /// Not an IPv6 address.
    #[error("{0:?} is not an IPv6 address")]
    NotIpv6(String),
    /// An address that means something else on every host that asks for it.
    #[error(
        "{0} is a loopback, unspecified, multicast or link-local address, which no other cluster can reach"
    )]
    Unreachable(IpAddr),
    /// An IPv4 address written as an IPv6 address, which DNS servers serve as an A record.
    #[error("{0} is the IPv4 address {1} in IPv6 notation: it belongs into an A record")]
    MappedIpv4(Ipv6Addr, Ipv4Addr),
    /// A name that means something else on every host that asks for it.
    #[error("{0} is a name that each cluster resolves for itself, so it leads nowhere from the others")]
    LocalName(HostName),
    /// Neither an address nor a host name: its last label is a number.
    #[error("{0:?} is neither an IP address nor a host name, whose last label would not be a number")]
    Numeric(String),
    /// Not a host name that a CNAME or SRV record can point to.
    #[error("{value:?} is not a host name: {source}")]
    NotHostName {
        /// What was given.
        value: String,
        /// Why it is none.
        source: NameError,
    },
    /// Neither a CNAME nor an SRV record can point to a wildcard.
    #[error("{0:?} is a wildcard, which no record can point to")]
    Wildcard(String),
    /// Not of the form of an SRV record.
    #[error("{0:?} is not PRIORITY WEIGHT PORT HOST, with numbers of 1 to 65535")]
    NotLocation(String),
    /// A text is too long.
    #[error("a text of {0} bytes is too long, at most {MAX_TEXT_BYTES} are possible")]
    TextTooLong(usize),
}

impl RecordValue {
    /// Reads a value of the given type from its text form.
    ///
    /// # Errors
    /// When the text is no such value, or is an address or a name that leads nowhere from other clusters.
    pub fn parse(record_type: RecordType, text: &str) -> Result<Self, ValueError> {
        match record_type {
            RecordType::A => {
                let address = text.parse().map_err(|_| ValueError::NotIpv4(text.to_owned()))?;
                check_reachable(IpAddr::V4(address))?;
                Ok(Self::A(address))
            }
            RecordType::Aaaa => {
                let address: Ipv6Addr = text.parse().map_err(|_| ValueError::NotIpv6(text.to_owned()))?;
                check_reachable(IpAddr::V6(address))?;
                if let Some(v4) = address.to_ipv4_mapped() {
                    return Err(ValueError::MappedIpv4(address, v4));
                }
                Ok(Self::Aaaa(address))
            }
            RecordType::Cname => Ok(Self::Cname(host_name(text)?)),
            RecordType::Srv => Ok(Self::Srv(Box::new(location(text)?))),
            RecordType::Ptr => Ok(Self::Ptr(host_name(text)?)),
            RecordType::Txt if text.len() > MAX_TEXT_BYTES => Err(ValueError::TextTooLong(text.len())),
            RecordType::Txt => Ok(Self::Txt(text.to_owned())),
        }
    }

    /// The type of the value.
    #[must_use]
    pub const fn record_type(&self) -> RecordType {
        match self {
            Self::A(_) => RecordType::A,
            Self::Aaaa(_) => RecordType::Aaaa,
            Self::Cname(_) => RecordType::Cname,
            Self::Txt(_) => RecordType::Txt,
            Self::Srv(_) => RecordType::Srv,
            Self::Ptr(_) => RecordType::Ptr,
        }
    }
}

impl fmt::Display for RecordValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(address) => address.fmt(f),
            Self::Aaaa(address) => address.fmt(f),
            Self::Cname(name) | Self::Ptr(name) => name.fmt(f),
            Self::Txt(text) => write!(f, "{text:?}"),
            Self::Srv(location) => location.fmt(f),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { priority, weight, port, target } = self;
        write!(f, "{priority} {weight} {port} {target}")
    }
}

/// A host name that others can ask for.
fn host_name(text: &str) -> Result<HostName, ValueError> {
    match text.parse::<HostName>() {
        Ok(name) if name.is_wildcard() => Err(ValueError::Wildcard(text.to_owned())),
        Ok(name) if is_numeric(&name) => Err(ValueError::Numeric(text.to_owned())),
        Ok(name) if is_local_name(&name) => Err(ValueError::LocalName(name)),
        Ok(name) => Ok(name),
        Err(source) => Err(ValueError::NotHostName { value: text.to_owned(), source }),
    }
}

fn location(text: &str) -> Result<Location, ValueError> {
    let not = || ValueError::NotLocation(text.to_owned());
    let fields: Vec<&str> = text.split_whitespace().collect();
    let &[priority, weight, port, target] = fields.as_slice() else { return Err(not()) };
    let number = |text: &str| text.parse::<NonZeroU16>().map(NonZeroU16::get).map_err(|_| not());
    Ok(Location {
        priority: number(priority)?,
        weight: number(weight)?,
        port: number(port)?,
        target: host_name(target)?,
    })
}

/// Refuses addresses that mean another host on every cluster that resolves the name.
fn check_reachable(address: IpAddr) -> Result<(), ValueError> {
    if is_local_address(address) {
        return Err(ValueError::Unreachable(address));
    }
    Ok(())
}

/// Values of a name: nearly always there is one.
pub type Values = Few<RecordValue>;

/// All values of one type at one name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordSet {
    /// Where the values are published.
    pub name: HostName,
    /// Time to live in seconds, 1 to 86400.
    pub ttl_seconds: u32,
    /// At least one value; all of the same type.
    pub values: Values,
}

impl RecordSet {
    /// The type of the values; `None` for an empty set.
    #[must_use]
    pub fn record_type(&self) -> Option<RecordType> {
        self.values.iter().next().map(RecordValue::record_type)
    }
}

/// Record sets as lines: name, time to live, type, values. Sorted.
#[must_use]
pub fn lines(sets: &[RecordSet]) -> Vec<String> {
    let mut lines: Vec<String> = sets
        .iter()
        .map(|set| {
            let record_type = set.record_type().map_or("", RecordType::as_str);
            let values: Vec<String> = set.values.iter().map(ToString::to_string).collect();
            format!("{} {} {record_type} {}", set.name, set.ttl_seconds, values.join(" "))
        })
        .collect();
    lines.sort();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_round_trip_through_their_text() {
        for (record_type, text) in [
            (RecordType::A, "172.18.201.1"),
            (RecordType::Aaaa, "fd00::1"),
            (RecordType::Cname, "lb.example.com"),
            (RecordType::Srv, "10 100 9443 lb.example.com"),
        ] {
            let value = RecordValue::parse(record_type, text).unwrap();
            assert_eq!(value.to_string(), text);
            assert_eq!(value.record_type(), record_type);
        }
    }

    #[test]
    fn addresses_that_mean_another_host_elsewhere_are_refused() {
        for text in ["127.0.0.1", "0.0.0.0", "169.254.20.10", "224.0.0.1", "255.255.255.255"] {
            assert!(
                matches!(RecordValue::parse(RecordType::A, text), Err(ValueError::Unreachable(_))),
                "{text}"
            );
        }
        for text in ["::1", "::", "fe80::1", "ff02::1"] {
            assert!(
                matches!(RecordValue::parse(RecordType::Aaaa, text), Err(ValueError::Unreachable(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        assert!(RecordValue::parse(RecordType::A, "fd00::1").is_err());
        assert!(RecordValue::parse(RecordType::Aaaa, "10.0.0.1").is_err());
        assert!(RecordValue::parse(RecordType::Cname, "10.0.0.1").is_err());
        assert!(RecordValue::parse(RecordType::Cname, "*.example.com").is_err());
        assert!(RecordValue::parse(RecordType::Cname, "010.0.0.1").is_err());
        assert!(RecordValue::parse(RecordType::Cname, "echo.echo.svc.cluster.local").is_err());
        assert!(
            matches!(
                RecordValue::parse(RecordType::Aaaa, "::ffff:10.0.0.1"),
                Err(ValueError::MappedIpv4(..))
            ),
            "CoreDNS and the built-in server serve it as A, so it would never be answered as AAAA"
        );
        assert!(RecordValue::parse(RecordType::Txt, &"x".repeat(256)).is_err());
        for location in [
            "",
            "lb.example.com",
            "10 9443 lb.example.com",
            "0 100 9443 lb.example.com",
            "10 0 9443 lb.example.com",
            "10 100 0 lb.example.com",
            "10 100 65536 lb.example.com",
            "10 100 -1 lb.example.com",
            "10 100 9443 10.0.0.1",
            "10 100 9443 *.example.com",
            "10 100 9443 echo.echo.svc.cluster.local",
            "10 100 9443 lb.example.com more",
        ] {
            assert!(RecordValue::parse(RecordType::Srv, location).is_err(), "{location}");
        }
    }
}
