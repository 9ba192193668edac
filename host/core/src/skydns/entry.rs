//! Entries: the JSON value of one key.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::owner::{Owner, Ownership};
use super::source::Source;
use crate::name::{HostName, NameError};
use crate::record::{Location, RecordType, RecordValue};

/// What CoreDNS answers for an entry without a TTL, in seconds (`plugin/etcd/etcd.go`).
pub const DEFAULT_TTL_SECONDS: u32 = 300;

/// What CoreDNS answers for an entry without a priority (`plugin/etcd/etcd.go`).
pub const DEFAULT_PRIORITY: u16 = 10;

/// What CoreDNS counts for an entry without a weight (`plugin/backend_lookup.go`).
pub const DEFAULT_WEIGHT: u16 = 100;

/// Longest TTL in seconds; the high bit must be clear (RFC 2181 section 8).
const MAX_TTL_SECONDS: u32 = 0x7fff_ffff;

/// The value of one key, as SkyDNS and CoreDNS define it, with two fields of our own (`owner`,
/// `source`) that CoreDNS ignores.
///
/// An entry holds either `host` or `text`, never both: next to a `text`, CoreDNS does not serve a
/// host name at all (coredns issue 6110). Fields that are not listed here are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// An IPv4 address (A), an IPv6 address (AAAA), or a name (CNAME, or SRV where it has a port).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The text of a TXT record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The port of an SRV record; missing and 0 both mean that there is none. CoreDNS hides an entry with -1 from SRV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// The priority of an SRV record; missing and 0 both mean [`DEFAULT_PRIORITY`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// The weight of an SRV record; missing and 0 both mean [`DEFAULT_WEIGHT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    /// Time to live in seconds; missing and 0 both mean [`DEFAULT_TTL_SECONDS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// Labels that CoreDNS cuts off the target of SRV, MX and NS answers. We set 1 for hosts that are no SRV
    /// records, whose target it makes up, so that the value id at the front of the key's name does not show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targetstrip: Option<i64>,
    /// The name itself. CoreDNS reads the whole subtree below a name and keeps the entries in the
    /// group of the shortest key, so a published parent does not answer with its children.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Text form of the [`Owner`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Text form of the [`Source`] from which the value comes, for example
    /// `HTTPRoute/default/example-route`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// Why the value of a key is no entry that can be served.
#[derive(Debug, Error)]
pub enum EntryError {
    /// Not JSON, or a field has another type than CoreDNS expects.
    #[error("unable to read the value as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Neither `host` nor `text`.
    #[error("the value has neither host nor text")]
    Empty,
    /// A field of an SRV record is no number that it can have.
    #[error("{field} {number} is not in 1 to 65535")]
    Number {
        /// The field.
        field: &'static str,
        /// What it says.
        number: i64,
    },
    /// `host` is neither an address nor a name that a CNAME can point to.
    #[error("host {host:?} is neither an address nor a host name: {source}")]
    Host {
        /// What `host` says.
        host: String,
        /// Why it is no name.
        source: NameError,
    },
}

impl Entry {
    /// The entry that publishes `value` under `name`.
    #[must_use]
    pub fn new(
        name: &HostName,
        value: &RecordValue,
        ttl_seconds: u32,
        owner: &Owner,
        source: Source<'_>,
    ) -> Self {
        Self::of_text(name, value, ttl_seconds, owner, &source.to_string())
    }

    /// As [`Self::new`], with the source as text.
    pub(crate) fn of_text(
        name: &HostName,
        value: &RecordValue,
        ttl_seconds: u32,
        owner: &Owner,
        source: &str,
    ) -> Self {
        let entry = Self {
            ttl: Some(ttl_seconds),
            group: Some(name.to_string()),
            owner: Some(owner.to_string()),
            source: Some(source.to_owned()),
            ..Self::default()
        };
        match value {
            RecordValue::A(_) | RecordValue::Aaaa(_) | RecordValue::Cname(_) => {
                Self { host: Some(value.to_string()), targetstrip: Some(1), ..entry }
            }
            RecordValue::Ptr(host) => Self { host: Some(host.to_string()), ..entry },
            RecordValue::Txt(text) => Self { text: Some(text.clone()), ..entry },
            RecordValue::Srv(location) => {
                let Location { priority, weight, port, target } = &**location;
                Self {
                    host: Some(target.to_string()),
                    port: Some((*port).into()),
                    priority: Some((*priority).into()),
                    weight: Some((*weight).into()),
                    ..entry
                }
            }
        }
    }

    /// The JSON to store. Equal entries give equal bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Strings and numbers only: neither a map key nor a Serialize impl that could fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a stored value, whoever wrote it.
    ///
    /// # Errors
    /// When it is no JSON object, or a known field has the wrong type.
    pub fn decode(json: &[u8]) -> Result<Self, EntryError> {
        Ok(serde_json::from_slice(json)?)
    }

    /// Who wrote the entry, as seen by `zone`.
    #[must_use]
    pub fn ownership(&self, zone: &HostName) -> Ownership {
        Owner::classify(self.owner.as_deref(), zone)
    }

    /// The TTL in seconds, 1 to 2^31-1.
    #[must_use]
    pub fn ttl_seconds(&self) -> u32 {
        match self.ttl {
            None | Some(0) => DEFAULT_TTL_SECONDS,
            Some(ttl) => ttl.min(MAX_TTL_SECONDS),
        }
    }

    /// The type under which the entry is served; the rules are those of CoreDNS's `msg/type.go`.
    ///
    /// # Errors
    /// When the entry has neither `host` nor `text`.
    pub fn record_type(&self) -> Result<RecordType, EntryError> {
        Ok(self.kind()?.0)
    }

    /// The value that the entry publishes.
    ///
    /// The result is what the store says, not what the service would publish: a foreign entry may
    /// hold a loopback address or a text of more than 255 bytes.
    ///
    /// # Errors
    /// When the entry has neither `host` nor `text`, or `host` is no name that DNS can hold.
    pub fn value(&self) -> Result<RecordValue, EntryError> {
        let host = self.host.as_deref().unwrap_or_default();
        Ok(match self.kind()? {
            (_, Some(IpAddr::V4(address))) => RecordValue::A(address),
            (_, Some(IpAddr::V6(address))) => RecordValue::Aaaa(address),
            (RecordType::Txt, None) => RecordValue::Txt(self.text.clone().unwrap_or_default()),
            (RecordType::Srv, None) => RecordValue::Srv(Box::new(Location {
                priority: number("priority", self.priority, DEFAULT_PRIORITY)?,
                weight: number("weight", self.weight, DEFAULT_WEIGHT)?,
                port: number("port", self.port, 0)?,
                target: target(host)?,
            })),
            (_, None) => RecordValue::Cname(target(host)?),
        })
    }

    /// The value that the entry publishes at a name: at a reverse name, a host name is what PTR answers have.
    ///
    /// # Errors
    /// As [`Self::value`].
    pub fn value_at(&self, name: &HostName) -> Result<RecordValue, EntryError> {
        Ok(match self.value()? {
            RecordValue::Cname(host) if name.address().is_some() => RecordValue::Ptr(host),
            other => other,
        })
    }

    /// The type, and the address for A and AAAA.
    fn kind(&self) -> Result<(RecordType, Option<IpAddr>), EntryError> {
        let host = self.host.as_deref().unwrap_or_default();
        let text = self.text.as_deref().unwrap_or_default();
        // Go reads an IPv4-mapped address as an IPv4 address, so `::ffff:10.0.0.1` is an A record.
        match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(address @ IpAddr::V4(_)) => Ok((RecordType::A, Some(address))),
            Ok(address @ IpAddr::V6(_)) => Ok((RecordType::Aaaa, Some(address))),
            Err(_) if !text.is_empty() => Ok((RecordType::Txt, None)),
            Err(_) if host.is_empty() => Err(EntryError::Empty),
            Err(_) if self.port.is_some_and(|port| port > 0) => Ok((RecordType::Srv, None)),
            Err(_) => Ok((RecordType::Cname, None)),
        }
    }
}

/// The name to which an entry leads.
fn target(host: &str) -> Result<HostName, EntryError> {
    let error = |source| EntryError::Host { host: host.to_owned(), source };
    let name: HostName = host.parse().map_err(error)?;
    if name.is_wildcard() {
        return Err(error(NameError::InvalidLabel { label: "*".to_owned() }));
    }
    Ok(name)
}

fn number(field: &'static str, number: Option<i64>, default: u16) -> Result<u16, EntryError> {
    match number {
        None | Some(0) => Ok(default),
        Some(number) => u16::try_from(number).map_err(|_| EntryError::Number { field, number }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{ClusterId, SourceRef};
    use crate::kinds::Kind;

    fn entry(value: &RecordValue) -> Entry {
        let zone: HostName = "openmcp.cluster".parse().unwrap();
        let owner = Owner { zone, cluster: ClusterId::new("clusters", "wl01") };
        let source = SourceRef::new(Kind::HttpRoute, "default", "example-route");
        Entry::new(&"svc.wl01.openmcp.cluster".parse().unwrap(), value, 60, &owner, Source::Object(&source))
    }

    fn json(entry: &Entry) -> String {
        String::from_utf8(entry.encode()).unwrap()
    }

    fn decoded(json: &str) -> Entry {
        Entry::decode(json.as_bytes()).unwrap()
    }

    #[test]
    fn an_address_is_stored_with_everything_that_coredns_needs() {
        assert_eq!(
            json(&entry(&RecordValue::A([172, 18, 201, 1].into()))),
            r#"{"host":"172.18.201.1","ttl":60,"targetstrip":1,"group":"svc.wl01.openmcp.cluster","owner":"openmcp.cluster/clusters/wl01","source":"HTTPRoute/default/example-route"}"#
        );
    }

    #[test]
    fn a_text_is_never_stored_with_a_host() {
        let entry = entry(&RecordValue::Txt("hello \"world\"".to_owned()));
        assert_eq!((entry.host.as_deref(), entry.targetstrip), (None, None));
        assert!(json(&entry).starts_with(r#"{"text":"hello \"world\"","ttl":60,"group""#));
    }

    #[test]
    fn the_place_of_a_service_is_stored_as_coredns_reads_it() {
        let stored = json(&entry(&RecordValue::parse(RecordType::Srv, "10 100 9443 svc.example").unwrap()));
        // With a `targetstrip`, CoreDNS would cut a label off the target.
        assert!(
            stored.starts_with(
                r#"{"host":"svc.example","port":9443,"priority":10,"weight":100,"ttl":60,"group""#
            ),
            "{stored}"
        );
        let by_hand = decoded(r#"{"host":"svc.example","port":443}"#).value().unwrap();
        assert_eq!(by_hand, RecordValue::parse(RecordType::Srv, "10 100 443 svc.example").unwrap());
        for broken in [r#""port":65536"#, r#""port":1,"priority":-1"#, r#""port":1,"weight":70000"#] {
            let read = decoded(&format!(r#"{{"host":"svc.example",{broken}}}"#));
            assert!(matches!(read.value(), Err(EntryError::Number { .. })), "{broken}");
        }
        assert_eq!(decoded(r#"{"host":"10.0.0.1","port":443}"#).record_type().unwrap(), RecordType::A);
        assert_eq!(decoded(r#"{"host":"svc.example","port":-1}"#).record_type().unwrap(), RecordType::Cname);
    }

    #[test]
    fn every_type_round_trips() {
        for value in [
            RecordValue::A([172, 18, 201, 1].into()),
            RecordValue::Aaaa("fd00::1".parse().unwrap()),
            RecordValue::Cname("lb.example.com".parse().unwrap()),
            RecordValue::Txt("10.0.0.1".to_owned()),
            RecordValue::parse(RecordType::Srv, "1 2 65535 lb.example.com").unwrap(),
        ] {
            let read = Entry::decode(&entry(&value).encode()).unwrap();
            assert_eq!(read.value().unwrap(), value);
            assert_eq!(read.record_type().unwrap(), value.record_type());
            let zone = "openmcp.cluster".parse().unwrap();
            assert_eq!(read.ownership(&zone), Ownership::Ours(ClusterId::new("clusters", "wl01")));
        }
    }

    #[test]
    fn a_host_name_at_a_reverse_name_is_that_of_the_address() {
        let host = RecordValue::Ptr("svc.wl01.openmcp.cluster".parse().unwrap());
        let stored = entry(&host);
        assert!(json(&stored).starts_with(r#"{"host":"svc.wl01.openmcp.cluster","ttl":60,"group""#));
        let reverse = HostName::of_address([172, 18, 201, 1].into());
        assert_eq!(stored.value_at(&reverse).unwrap(), host);
        let elsewhere = stored.value_at(&"a.openmcp.cluster".parse().unwrap()).unwrap();
        assert_eq!(elsewhere.record_type(), RecordType::Cname);
        let address = decoded(r#"{"host":"10.0.0.1"}"#).value_at(&reverse).unwrap();
        assert_eq!(address.record_type(), RecordType::A, "CoreDNS leaves it out of PTR answers");
    }

    #[test]
    fn an_entry_of_external_dns_is_read_and_is_foreign() {
        let read = decoded(
            r#"{"host":"10.0.0.1","ttl":0,"targetstrip":1,"owner":"default","port":0,"new":[{"x":1}]}"#,
        );
        assert_eq!(read.value().unwrap(), RecordValue::A([10, 0, 0, 1].into()));
        assert_eq!(read.ttl_seconds(), DEFAULT_TTL_SECONDS);
        let zone = "openmcp.cluster".parse().unwrap();
        assert_eq!(read.ownership(&zone), Ownership::Foreign(Some("default".to_owned())));
    }

    #[test]
    fn a_text_beside_a_host_name_makes_it_text_but_beside_an_address_is_ignored() {
        let beside_name = decoded(r#"{"host":"lb.example.com","text":"heritage"}"#);
        assert_eq!(beside_name.record_type().unwrap(), RecordType::Txt);
        let beside_address = decoded(r#"{"host":"10.0.0.1","text":"heritage"}"#);
        assert_eq!(beside_address.record_type().unwrap(), RecordType::A);
    }

    #[test]
    fn a_mapped_address_is_an_ipv4_address() {
        let read = decoded(r#"{"host":"::ffff:10.0.0.1"}"#);
        assert_eq!(read.value().unwrap(), RecordValue::A([10, 0, 0, 1].into()));
    }

    #[test]
    fn what_cannot_be_served_is_an_error_and_no_panic() {
        for broken in ["", "null", "{", "\"x\"", r#"{"ttl":-1}"#, r#"{"ttl":"60"}"#, r#"{"host":1}"#] {
            assert!(matches!(Entry::decode(broken.as_bytes()), Err(EntryError::Json(_))), "{broken}");
        }
        assert!(matches!(Entry::decode(b"{\"host\":\"\xff\"}"), Err(EntryError::Json(_))));
        for empty in ["{}", "[]", r#"{"host":"","text":""}"#, r#"{"host":null}"#] {
            assert!(matches!(decoded(empty).value(), Err(EntryError::Empty)), "{empty}");
        }
        for host in ["a b", "a/b", "*.a.b", "a..b"] {
            let read = decoded(&format!(r#"{{"host":"{host}"}}"#));
            assert!(matches!(read.value(), Err(EntryError::Host { .. })), "{host}");
        }
    }

    #[test]
    fn a_ttl_never_has_its_high_bit_set() {
        assert_eq!(decoded(r#"{"host":"10.0.0.1","ttl":4294967295}"#).ttl_seconds(), 0x7fff_ffff);
    }
}
