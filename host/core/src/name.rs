//! Host names as the service publishes them, and the names of their SRV records.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest host name in its text form without the trailing dot (RFC 1035 section 2.3.4).
pub const MAX_NAME_BYTES: usize = 253;

/// Longest label (RFC 1035 section 2.3.4).
pub const MAX_LABEL_BYTES: usize = 63;

/// A host name: RFC 1123 labels in lower case, joined by dots, without a trailing dot, possibly
/// with a leading `*.`. [`HostName::of_record`] also takes an SRV name: a host name with
/// `_service._protocol.` in front (RFC 2782), at which nothing but SRV records stand.
///
/// A value of this type has been checked, so it can become an etcd key or a DNS message without
/// a second look: it holds no `/`, no empty label and no label or name that is too long. A clone shares
/// its text: a name stands in several tables, and there may be a million of them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(Arc<str>);

/// Why a text is no host name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing is left after the trailing dot is removed.
    #[error("a host name must not be empty")]
    Empty,
    /// Longer than [`MAX_NAME_BYTES`].
    #[error("the host name has {0} bytes, at most {MAX_NAME_BYTES} are possible")]
    TooLong(usize),
    /// Two dots in a row, or a leading dot.
    #[error("the host name has an empty label")]
    EmptyLabel,
    /// A label is longer than [`MAX_LABEL_BYTES`].
    #[error("label {label:?} has {} bytes, at most {MAX_LABEL_BYTES} are possible", label.len())]
    LabelTooLong {
        /// The label.
        label: String,
    },
    /// A label holds something else than letters, digits and inner hyphens.
    #[error("label {label:?} is not of letters, digits and inner hyphens (RFC 1123)")]
    InvalidLabel {
        /// The label.
        label: String,
    },
    /// The text is an address.
    #[error("{0} is an address, not a host name")]
    Address(String),
}

impl HostName {
    /// The name in lower case, without a trailing dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As the text is parsed, or as an SRV name. No object can ask for one of those: it comes with the host's own name.
    ///
    /// # Errors
    /// When it is neither.
    pub fn of_record(text: &str) -> Result<Self, NameError> {
        let Some((service, host)) = split_srv(text) else { return text.parse() };
        for label in service.split('.') {
            check_label(label.strip_prefix('_').unwrap_or(label))?;
            if label.len() > MAX_LABEL_BYTES {
                return Err(NameError::LabelTooLong { label: label.to_owned() });
            }
        }
        let host: Self = host.parse()?;
        if host.is_wildcard() {
            return Err(NameError::InvalidLabel { label: "*".to_owned() });
        }
        let length = service.len() + 1 + host.0.len();
        if length > MAX_NAME_BYTES {
            return Err(NameError::TooLong(length));
        }
        Ok(Self(format!("{}.{host}", service.to_ascii_lowercase()).into()))
    }

    /// Whether it is an SRV name.
    #[must_use]
    pub fn is_srv(&self) -> bool {
        self.0.starts_with('_')
    }

    /// The host name, which is this one unless it is an SRV name.
    #[must_use]
    pub fn host(&self) -> Cow<'_, Self> {
        match split_srv(&self.0) {
            // It was checked with what stands in front.
            Some((_, host)) => Cow::Owned(Self(host.into())),
            None => Cow::Borrowed(self),
        }
    }

    /// The name at which the PTR record of an address stands: its octets (RFC 1035 section 3.5) or nibbles (RFC 3596
    /// section 2.5), the last one first.
    #[must_use]
    pub fn of_address(address: IpAddr) -> Self {
        let digits = reverse_digits(address);
        Self(of_digits(digits.iter().rev(), address).into())
    }

    /// The address, if this is the reverse name of one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        let address = if let Some(labels) = self.0.strip_suffix(V4_SUFFIX) {
            let octets: Vec<&str> = labels.split('.').rev().collect();
            // The parser of addresses takes no other form: no fewer parts, and no zero in front.
            IpAddr::V4(octets.join(".").parse().ok()?)
        } else {
            let labels: Vec<&str> = self.0.strip_suffix(V6_SUFFIX)?.split('.').rev().collect();
            let is_nibble = |label: &&str| label.len() == 1;
            if labels.len() != NIBBLES || !labels.iter().all(is_nibble) {
                return None;
            }
            IpAddr::V6(u128::from_str_radix(&labels.concat(), 16).ok()?.into())
        };
        Some(address)
    }

    /// The labels from left to right; a wildcard's first label is `*`.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }

    /// Whether the first label is `*`.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// Whether the name is `zone` itself or lies below it.
    #[must_use]
    pub fn is_within(&self, zone: &HostName) -> bool {
        self == zone || self.is_below(zone)
    }

    /// Whether the name lies below `zone`, and is not `zone` itself.
    #[must_use]
    pub fn is_below(&self, zone: &HostName) -> bool {
        self.0.strip_suffix(&*zone.0).is_some_and(|head| head.ends_with('.'))
    }

    /// The name with one more label or several in front.
    ///
    /// # Errors
    /// When the result is no host name.
    pub fn prefixed(&self, labels: &str) -> Result<Self, NameError> {
        format!("{labels}.{}", self.0).parse()
    }
}

/// What reverse names of IPv4 addresses end in.
const V4_SUFFIX: &str = ".in-addr.arpa";

/// What reverse names of IPv6 addresses end in.
const V6_SUFFIX: &str = ".ip6.arpa";

/// How many labels an IPv6 address has there.
const NIBBLES: usize = 32;

/// The labels that an address has in its reverse name, its first one first.
pub(crate) fn reverse_digits(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().iter().flat_map(|octet| [octet >> 4, octet & 15]).collect(),
    }
}

/// The text of a reverse name of these labels, in the order in which they stand there.
pub(crate) fn of_digits<'d>(digits: impl Iterator<Item = &'d u8>, family: IpAddr) -> String {
    let labels: Vec<String> = match family {
        IpAddr::V4(_) => digits.map(u8::to_string).collect(),
        IpAddr::V6(_) => digits.map(|nibble| format!("{nibble:x}")).collect(),
    };
    labels.join(".") + if family.is_ipv4() { V4_SUFFIX } else { V6_SUFFIX }
}

/// The two parts of an SRV name: the service, and the host name.
fn split_srv(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix('_')?;
    let (_, protocol) = rest.split_once('.')?;
    let (_, host) = protocol.strip_prefix('_')?.split_once('.')?;
    Some((text.strip_suffix(host)?.strip_suffix('.')?, host))
}

impl FromStr for HostName {
    type Err = NameError;

    /// Takes a name in any case, with or without one trailing dot.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > MAX_NAME_BYTES {
            return Err(NameError::TooLong(text.len()));
        }
        if text.parse::<std::net::IpAddr>().is_ok() {
            return Err(NameError::Address(text.to_owned()));
        }
        let unwild = text.strip_prefix("*.").unwrap_or(text);
        for label in unwild.split('.') {
            check_label(label)?;
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }
}

/// Checks one label against RFC 1123 section 2.1.
///
/// # Errors
/// Says what is wrong with the label.
pub fn check_label(label: &str) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError::EmptyLabel);
    }
    if label.len() > MAX_LABEL_BYTES {
        return Err(NameError::LabelTooLong { label: label.to_owned() });
    }
    let inner_ok = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !inner_ok || label.starts_with('-') || label.ends_with('-') {
        return Err(NameError::InvalidLabel { label: label.to_owned() });
    }
    Ok(())
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for HostName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::of_record(&text)
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HostName {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_lower_cased_and_lose_their_trailing_dot() {
        assert_eq!(name("Svc-1.Openmcp.CLUSTER.").as_str(), "svc-1.openmcp.cluster");
    }

    #[test]
    fn an_srv_name_is_a_name_only_where_records_are_meant() {
        let service = HostName::of_record("_TLS._tcp.Svc.openmcp.cluster.").unwrap();
        assert_eq!(service.as_str(), "_tls._tcp.svc.openmcp.cluster");
        assert!(service.is_srv() && service.is_within(&name("svc.openmcp.cluster")));
        assert_eq!(*service.host(), name("svc.openmcp.cluster"));
        assert_eq!(*HostName::of_record("svc.openmcp.cluster").unwrap().host(), name("svc.openmcp.cluster"));
        assert!("_tls._tcp.svc.openmcp.cluster".parse::<HostName>().is_err());
        let (long, longer) = ("a".repeat(62), "a".repeat(63));
        assert!(HostName::of_record(&format!("_{long}._tcp.svc.openmcp.cluster")).is_ok());
        for bad in [
            "_tls.svc.openmcp.cluster".to_owned(),
            "_tls._tcp".to_owned(),
            "_tls._tcp.".to_owned(),
            "_._tcp.svc.openmcp.cluster".to_owned(),
            "_-._tcp.svc.openmcp.cluster".to_owned(),
            "__tls._tcp.svc.openmcp.cluster".to_owned(),
            "_a._b._c.svc.openmcp.cluster".to_owned(),
            "_tls._tcp.*.openmcp.cluster".to_owned(),
            "_tls._tcp.10.0.0.1".to_owned(),
            format!("_{longer}._tcp.svc.openmcp.cluster"),
            format!("_tls._tcp.{}", [longer.as_str(); 4].join(".").split_off(4)),
        ] {
            assert!(HostName::of_record(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_has_one_reverse_name_and_no_other_name_stands_for_it() {
        for (address, expected) in [
            ("172.18.200.10", "10.200.18.172.in-addr.arpa"),
            ("0.0.0.0", "0.0.0.0.in-addr.arpa"),
            // The example of RFC 3596.
            (
                "4321:0:1:2:3:4:567:89ab",
                "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa",
            ),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(HostName::of_address(address).as_str(), expected);
            assert_eq!(name(expected).address(), Some(address));
        }
        for other in [
            "200.18.172.in-addr.arpa",
            "010.200.18.172.in-addr.arpa",
            "256.200.18.172.in-addr.arpa",
            "1.10.200.18.172.in-addr.arpa",
            "10.200.18.172.in-addr.arpa.openmcp.cluster",
            "dns.200.18.172.in-addr.arpa",
            "0.0.0.1.2.3.4.ip6.arpa",
            "0b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa",
            "g.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa",
            "in-addr.arpa",
        ] {
            assert_eq!(name(other).address(), None, "{other}");
        }
    }

    #[test]
    fn a_wildcard_is_only_possible_as_the_first_label() {
        assert!(name("*.apps.openmcp.cluster").is_wildcard());
        for bad in ["a.*.cluster", "*", "*a.cluster", "**.cluster"] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_host_name_is_refused_with_its_reason() {
        let label_too_long = format!("{}.cluster", "a".repeat(64));
        let name_too_long = vec!["a".repeat(63); 4].join(".");
        for (text, reason) in [
            ("", "must not be empty"),
            (".", "must not be empty"),
            ("a..b", "empty label"),
            (".a", "empty label"),
            ("a..", "empty label"),
            ("-a.b", "inner hyphens"),
            ("a_b.c", "inner hyphens"),
            ("a/b.c", "inner hyphens"),
            ("bücher.cluster", "inner hyphens"),
            ("172.18.201.1", "is an address"),
            (label_too_long.as_str(), "has 64 bytes"),
            (name_too_long.as_str(), "has 255 bytes"),
        ] {
            let error = text.parse::<HostName>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_name_is_within_its_zone_but_not_within_one_that_only_ends_alike() {
        let zone = name("workload01.openmcp.cluster");
        assert!(zone.is_within(&zone) && !zone.is_below(&zone));
        assert!(name("svc.workload01.openmcp.cluster").is_below(&zone));
        assert!(!name("svc.badworkload01.openmcp.cluster").is_within(&zone));
        assert!(!name("openmcp.cluster").is_within(&zone));
    }
}
