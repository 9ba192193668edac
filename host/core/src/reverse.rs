//! Networks whose addresses lead back to host names, and the reverse zones in which that is answered.
//!
//! ```text
//! 172.18.200.0/23 ──zones──► 200.18.172.in-addr.arpa, 201.18.172.in-addr.arpa
//! ```
//! DNS splits reverse names between octets (RFC 1035 section 3.5) or nibbles (RFC 3596 section 2.5) only: a network that
//! ends between them is several zones.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

use crate::name::{HostName, of_digits, reverse_digits};
use crate::reach::is_local_address;

/// Most zones that all networks of a policy may come to: each of them is a block in the DNS of every cluster.
pub const MAX_ZONES: usize = 16;

/// The widest networks, as lengths of their prefixes. Whoever had all of IPv4 would take the reverse names of the
/// clusters' own pods and Services, and those of the internet.
const WIDEST: (u8, u8) = (8, 16);

/// A network: an address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// With nothing but zeros after the prefix.
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no network that can be listed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// Not of the form `address/prefix`.
    #[error("it is not ADDRESS/PREFIX, for example 172.18.200.0/24 or fd00:1::/64")]
    Form,
    /// It has bits beyond the prefix.
    #[error("it has bits set after its prefix: {0} is meant, or a longer prefix")]
    HostBits(Network),
    /// An IPv4 network as IPv6 has it.
    #[error("it is an IPv4 network in IPv6 notation: write it as IPv4")]
    Mapped,
    /// Wider than /8 (IPv4) or /16 (IPv6).
    #[error("it is too wide: a prefix of at least {0} bits is possible")]
    TooWide(u8),
    /// Records do not lead there.
    #[error("no record leads there: it is a loopback, link-local, multicast or unspecified network")]
    Local,
    /// It and another one have addresses in common.
    #[error("it overlaps with {0}, which is listed before")]
    Overlap(Network),
    /// See [`MAX_ZONES`].
    #[error(
        "it is {0} reverse zones, and a policy may have {MAX_ZONES} in all: take one whose prefix ends between octets (IPv4) or \
         nibbles (IPv6)"
    )]
    TooManyZones(usize),
}

impl Network {
    /// How many bits an address of the family has, and how many stand in one label of a reverse name.
    const fn bits(self) -> (u8, u8) {
        if self.address.is_ipv4() { (32, 8) } else { (128, 4) }
    }

    /// The addresses with the bits after the prefix cut off.
    fn cut(address: IpAddr, prefix: u8) -> Self {
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
        };
        Self { address, prefix }
    }

    /// Reads a network wherever somebody else has written one: of any width, and whatever stands after its prefix.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u8 = prefix.parse().ok().filter(|_| is_number)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= most).then(|| Self::cut(address, prefix))
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && Self::cut(address, self.prefix) == self
    }

    /// Whether some address lies in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let (wider, narrower) = if self.prefix <= other.prefix { (self, other) } else { (other, self) };
        wider.contains(narrower.address)
    }

    /// How many reverse zones it is: one where its prefix ends between octets or nibbles.
    #[must_use]
    pub const fn count_of_zones(self) -> usize {
        let (_, step) = self.bits();
        1 << (self.prefix.next_multiple_of(step) - self.prefix)
    }

    /// The reverse zones, in order of their addresses.
    pub fn zones(self) -> impl Iterator<Item = HostName> {
        let (_, step) = self.bits();
        let labels = usize::from(self.prefix.div_ceil(step));
        let digits = reverse_digits(self.address);
        // What stands behind the prefix in the last label counts up.
        let more = (0u8..=u8::MAX).take(self.count_of_zones());
        more.filter_map(move |more| {
            let mut of_zone = digits.get(..labels)?.to_vec();
            *of_zone.last_mut()? += more;
            of_digits(of_zone.iter().rev(), self.address).parse().ok()
        })
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// Takes a network that may be listed.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let network = Self::read(text).ok_or(NetworkError::Form)?;
        let written = text.split('/').next().and_then(|address| address.parse().ok());
        if written != Some(network.address) {
            return Err(NetworkError::HostBits(network));
        }
        if network.address.to_canonical() != network.address {
            return Err(NetworkError::Mapped);
        }
        let widest = if network.address.is_ipv4() { WIDEST.0 } else { WIDEST.1 };
        if network.prefix < widest {
            return Err(NetworkError::TooWide(widest));
        }
        if is_local_address(network.address) {
            return Err(NetworkError::Local);
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The networks that a policy lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// Takes those that can be listed beside those before them; says of each other one why not.
    #[must_use]
    pub fn listed(texts: &[String]) -> (Self, Vec<(String, NetworkError)>) {
        let (mut networks, mut errors): (Vec<Network>, Vec<_>) = Default::default();
        let mut zones = 0;
        for text in texts {
            let listed = text.parse().and_then(|network: Network| {
                if let Some(other) = networks.iter().find(|other| other.overlaps(network)) {
                    return Err(NetworkError::Overlap(*other));
                }
                let more = network.count_of_zones();
                if zones + more > MAX_ZONES {
                    return Err(NetworkError::TooManyZones(more));
                }
                zones += more;
                Ok(network)
            });
            match listed {
                Ok(network) => networks.push(network),
                Err(error) => errors.push((text.clone(), error)),
            }
        }
        (Self(networks), errors)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address lies in one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// All reverse zones.
    pub fn zones(&self) -> impl Iterator<Item = HostName> {
        self.0.iter().flat_map(|network| network.zones())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn zones(text: &str) -> Vec<String> {
        network(text).zones().map(|zone| zone.to_string()).collect()
    }

    #[test]
    fn a_network_that_ends_between_labels_is_one_zone_and_another_one_is_several() {
        assert_eq!(zones("172.18.200.0/24"), ["200.18.172.in-addr.arpa"]);
        assert_eq!(zones("10.0.0.0/8"), ["10.in-addr.arpa"]);
        assert_eq!(zones("172.18.200.10/32"), ["10.200.18.172.in-addr.arpa"]);
        assert_eq!(zones("172.18.200.0/23"), ["200.18.172.in-addr.arpa", "201.18.172.in-addr.arpa"]);
        assert_eq!(zones("172.16.0.0/12").len(), 16);
        assert_eq!(zones("fd00:1::/64"), ["0.0.0.0.0.0.0.0.1.0.0.0.0.0.d.f.ip6.arpa"]);
        assert_eq!(
            zones("fd00:1::/63"),
            ["0.0.0.0.0.0.0.0.1.0.0.0.0.0.d.f.ip6.arpa", "1.0.0.0.0.0.0.0.1.0.0.0.0.0.d.f.ip6.arpa"]
        );
    }

    #[test]
    fn what_is_no_network_that_can_be_listed_is_refused_with_the_reason() {
        for (text, reason) in [
            ("172.18.200.0", "not ADDRESS/PREFIX"),
            ("172.18.200/24", "not ADDRESS/PREFIX"),
            ("172.18.200.0/33", "not ADDRESS/PREFIX"),
            ("172.18.200.0/+8", "not ADDRESS/PREFIX"),
            ("fd00::/129", "not ADDRESS/PREFIX"),
            ("", "not ADDRESS/PREFIX"),
            ("172.18.200.5/24", "172.18.200.0/24 is meant"),
            ("::ffff:172.18.200.0/120", "write it as IPv4"),
            ("0.0.0.0/0", "at least 8 bits"),
            ("173.0.0.0/7", "bits set"),
            ("::/0", "at least 16 bits"),
            ("127.0.0.0/8", "no record leads there"),
            ("fe80::/64", "no record leads there"),
        ] {
            let error = text.parse::<Network>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn networks_beside_each_other_are_taken_and_others_named() {
        let texts = [
            "172.18.200.0/24",
            "172.18.200.0/24",
            "172.18.0.0/16",
            "172.18.200.128/25",
            "172.18.201.0/25",
            "fd00:1::/64",
            "nonsense",
        ];
        let (networks, errors) = Networks::listed(&texts.map(str::to_owned));
        let listed: Vec<String> = networks.0.iter().map(ToString::to_string).collect();
        assert_eq!(listed, ["172.18.200.0/24", "fd00:1::/64"]);
        let errors: Vec<String> =
            errors.into_iter().map(|(text, error)| format!("{text}: {error}")).collect();
        for (error, expected) in errors.iter().zip([
            "172.18.200.0/24: it overlaps with 172.18.200.0/24",
            "172.18.0.0/16: it overlaps with 172.18.200.0/24",
            "172.18.200.128/25: it overlaps with 172.18.200.0/24",
            "172.18.201.0/25: it is 128 reverse zones",
            "nonsense: it is not ADDRESS/PREFIX",
        ]) {
            assert!(error.starts_with(expected), "{error}");
        }
        assert_eq!(errors.len(), 5);
        assert!(networks.contains("172.18.200.7".parse().unwrap()));
        assert!(!networks.contains("172.18.201.7".parse().unwrap()));
        assert_eq!(networks.zones().count(), 2);
    }

    #[test]
    fn all_networks_of_a_policy_come_to_so_many_zones_at_most() {
        let texts: Vec<String> = (0..20).map(|octet| format!("10.{octet}.0.0/16")).collect();
        let (networks, errors) = Networks::listed(&texts);
        assert_eq!((networks.zones().count(), errors.len()), (MAX_ZONES, 4));
    }

    proptest! {
        #[test]
        fn an_address_lies_in_a_network_where_its_reverse_name_lies_in_one_of_its_zones(
            base in any::<u32>(), prefix in 8u8..=32, other in any::<u32>(), is_near in any::<bool>(),
        ) {
            let network = Network::cut(IpAddr::V4(base.into()), prefix);
            let near = base ^ (other & u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0));
            let address = IpAddr::V4(if is_near { near } else { other }.into());
            let name = HostName::of_address(address);
            let lies = network.zones().any(|zone| name.is_within(&zone));
            prop_assert_eq!(network.contains(address), lies);
            prop_assert_eq!(network.zones().count(), network.count_of_zones());
        }
    }
}
