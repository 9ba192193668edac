//! Host names with their targets, written down as they are: by an agent, or in a DNSEndpoint of external-dns.

use serde::Deserialize;

use super::annotations::collector;
use super::meta::{Meta, or_default};
use crate::resolve::{Resolution, UnresolvedReason};

/// `spec` with endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EndpointsSpec {
    /// All of them.
    #[serde(deserialize_with = "or_default")]
    pub endpoints: Vec<Endpoint>,
}

/// A host name with its targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoint {
    /// The host name.
    #[serde(rename = "dnsName", deserialize_with = "or_default")]
    pub dns_name: String,
    /// Addresses and host names.
    #[serde(deserialize_with = "or_default")]
    pub targets: Vec<String>,
    /// `A`, `AAAA` or `CNAME`; the targets say which. Others are not published.
    #[serde(deserialize_with = "or_default")]
    pub record_type: Box<str>,
    /// How long answers may be kept, in seconds; 0 means that nobody has said so.
    #[serde(rename = "recordTTL", deserialize_with = "or_default")]
    pub record_ttl: i64,
}

/// The host names with their targets.
pub(super) fn resolve(meta: &Meta, spec: &EndpointsSpec) -> Resolution {
    let mut collector = collector(meta);
    for Endpoint { dns_name, targets, record_type, record_ttl } in &spec.endpoints {
        let host_name = dns_name.to_ascii_lowercase();
        if !matches!(&**record_type, "" | "A" | "AAAA" | "CNAME") {
            collector.unresolved(&host_name, UnresolvedReason::UnsupportedType(record_type.to_string()));
        } else if targets.is_empty() {
            collector.unresolved(&host_name, UnresolvedReason::NoTargets);
        } else {
            let targets = targets.iter().map(|target| target.trim_end_matches('.').to_owned());
            collector.want_for(host_name, targets, u32::try_from(*record_ttl).ok().filter(|ttl| *ttl > 0));
        }
    }
    collector.finish()
}
