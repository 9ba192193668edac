//! Endpoints: host names with a record type, targets and a time to live.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use openmcp_dns_core::name::HostName;
use openmcp_dns_core::record::RecordType;
use openmcp_dns_core::resolve::Resolution;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The endpoints that came, one for each host name and type.
#[derive(Debug, Default)]
pub(super) struct Endpoints(BTreeMap<(String, String), Endpoint>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Endpoint {
    targets: BTreeSet<String>,
    ttl_seconds: Option<u32>,
}

impl Endpoints {
    /// What one object asks for, beside what others do. A claim that is no host name is told to its author and never
    /// published.
    pub(super) fn add(&mut self, resolution: &Resolution) {
        for claim in &resolution.wanted {
            let Ok(name) = claim.host_name.parse::<HostName>() else { continue };
            for target in &claim.targets {
                let key = (name.to_string(), RecordType::of_target(target).to_string());
                let endpoint = self.0.entry(key).or_default();
                endpoint.targets.insert(target.clone());
                endpoint.ttl_seconds = [endpoint.ttl_seconds, claim.ttl_seconds].into_iter().flatten().min();
            }
        }
    }
}

/// What is expected.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Expected {
    /// These and no others.
    Endpoints(ExpectedEndpoints),
    /// So many.
    Count(ExpectedCount),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedEndpoints {
    endpoints: Vec<ExpectedEndpoint>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ExpectedCount {
    endpoint_count: usize,
}

/// One endpoint. Its properties for providers are those of other DNS servers than ours.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExpectedEndpoint {
    dns_name: String,
    record_type: String,
    targets: BTreeSet<String>,
    /// 0 means that none is set.
    ttl: u32,
    #[serde(default, rename = "resource")]
    _resource: IgnoredAny,
    #[serde(default, rename = "setIdentifier")]
    _set_identifier: IgnoredAny,
    #[serde(default, rename = "providerSpecific")]
    _provider_specific: IgnoredAny,
}

impl Expected {
    /// How the endpoints differ from what is expected; empty where they do not.
    pub(super) fn difference(&self, came: &Endpoints) -> Vec<String> {
        match self {
            Self::Count(ExpectedCount { endpoint_count }) => {
                if *endpoint_count == came.0.len() {
                    return Vec::new();
                }
                let mut lines = vec![format!("- {endpoint_count} endpoints"), format!("+ {}", came.0.len())];
                lines.extend(came.0.iter().map(|(key, endpoint)| line('+', key, endpoint)));
                lines
            }
            Self::Endpoints(ExpectedEndpoints { endpoints }) => {
                let mut expected: BTreeMap<(String, String), Endpoint> = BTreeMap::new();
                for ExpectedEndpoint { dns_name, record_type, targets, ttl, .. } in endpoints {
                    let one = expected.entry((dns_name.clone(), record_type.clone())).or_default();
                    one.targets.extend(targets.iter().cloned());
                    one.ttl_seconds = Some(*ttl).filter(|ttl| *ttl != 0);
                }
                let missing = expected.iter().filter(|(key, endpoint)| came.0.get(*key) != Some(*endpoint));
                let surplus = came.0.iter().filter(|(key, endpoint)| expected.get(*key) != Some(*endpoint));
                let missing = missing.map(|(key, endpoint)| line('-', key, endpoint));
                missing.chain(surplus.map(|(key, endpoint)| line('+', key, endpoint))).collect()
            }
        }
    }
}

fn line(sign: char, (name, record_type): &(String, String), endpoint: &Endpoint) -> String {
    format!("{sign} {name} {record_type}{endpoint}")
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for target in &self.targets {
            write!(f, " {target}")?;
        }
        match self.ttl_seconds {
            Some(ttl) => write!(f, " ttl {ttl}"),
            None => Ok(()),
        }
    }
}
