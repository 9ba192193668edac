//! The form of a file of vectors.

use std::collections::BTreeMap;

use openmcp_dns_core::cluster::{ClusterFacts, ClusterId, SourceRef};
use openmcp_dns_core::details::{self, Details};
use openmcp_dns_core::kinds::Kind;
use openmcp_dns_core::labels::Labels;
use openmcp_dns_core::name::HostName;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{ClaimOf, Expected, Vector};

const BASE_DOMAIN: &str = "openmcp.cluster";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    // These hold for every vector that says nothing else.
    base_domain: Option<HostName>,
    #[serde(default)]
    cluster: Cluster,
    configuration: Option<serde_json::Value>,
    vectors: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    name: String,
    base_domain: Option<HostName>,
    cluster: Option<Cluster>,
    configuration: Option<serde_json::Value>,
    #[serde(default)]
    shared_names: Vec<HostName>,
    #[serde(default)]
    shared_suffixes: Vec<HostName>,
    claim: Option<Claim>,
    #[serde(default)]
    expect: Expect,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Cluster {
    name: String,
    #[serde(default = "default_namespace")]
    namespace: String,
    #[serde(default)]
    purposes: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Claim {
    host_name: String,
    #[serde(default = "default_kind", deserialize_with = "source_kind")]
    kind: Kind,
    #[serde(default = "default_namespace")]
    namespace: String,
    #[serde(default = "default_object")]
    object: String,
    #[serde(default)]
    labels: Labels,
    #[serde(default = "default_targets")]
    targets: Vec<String>,
    #[serde(default)]
    namespace_labels: Labels,
    #[serde(default)]
    annotations: Labels,
    #[serde(default)]
    listeners: Vec<Listener>,
    #[serde(default)]
    backends: Vec<Backend>,
    #[serde(default)]
    published_names: PublishedNames,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Listener {
    gateway: Gateway,
    name: String,
    port: u16,
    protocol: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Gateway {
    #[serde(default = "default_namespace")]
    namespace: String,
    name: String,
    class: String,
    #[serde(default)]
    labels: Labels,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Backend {
    #[serde(default)]
    group: String,
    #[serde(default = "default_backend_kind")]
    kind: String,
    #[serde(default = "default_namespace")]
    namespace: String,
    name: String,
    port: Option<u16>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PublishedNames {
    #[serde(default)]
    in_namespace: u32,
    #[serde(default)]
    in_cluster: u32,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expect {
    configuration_error: Option<String>,
    domain: Option<String>,
    domain_error: Option<String>,
    denial: Option<Denial>,
    records: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Denial {
    code: String,
    #[serde(default)]
    message: String,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            name: "workload01".to_owned(),
            namespace: default_namespace(),
            purposes: vec!["workload".to_owned()],
            labels: BTreeMap::new(),
        }
    }
}

fn default_namespace() -> String {
    "default".to_owned()
}

fn default_object() -> String {
    "shop".to_owned()
}

fn default_backend_kind() -> String {
    "Service".to_owned()
}

fn default_kind() -> Kind {
    Kind::HttpRoute
}

/// Reads a kind of objects that claim host names.
fn source_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    let kind = String::deserialize(deserializer)?;
    Kind::sources().find(|source| source.as_str() == kind).ok_or_else(|| {
        let sources: Vec<&str> = Kind::sources().map(Kind::as_str).collect();
        D::Error::custom(format!("unknown kind {kind:?}, expected one of {}", sources.join(", ")))
    })
}

fn default_targets() -> Vec<String> {
    vec!["10.0.0.1".to_owned()]
}

/// Reads vectors.
pub(super) fn parse(yaml: &str) -> Result<Vec<Vector>, String> {
    let file: File = serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?;
    if file.vectors.is_empty() {
        return Err("there are no vectors".to_owned());
    }
    let File { base_domain, cluster, configuration, vectors } = file;
    let base_domain = match base_domain {
        Some(given) => given,
        None => BASE_DOMAIN.parse::<HostName>().map_err(|error| error.to_string())?,
    };
    vectors.into_iter().map(|entry| vector(entry, &base_domain, &cluster, configuration.as_ref())).collect()
}

/// Reads a claim.
pub(super) fn parse_claim(yaml: &str) -> Result<ClaimOf, String> {
    serde_saphyr::from_str(yaml).map(claim).map_err(|error| error.to_string())
}

fn vector(
    entry: Entry,
    base_domain: &HostName,
    cluster: &Cluster,
    configuration: Option<&serde_json::Value>,
) -> Result<Vector, String> {
    let Entry { name, base_domain: own_base, cluster: own_cluster, configuration: own, .. } = entry;
    let Cluster { name: cluster_name, namespace, purposes, labels } =
        own_cluster.unwrap_or_else(|| cluster.clone());
    let expected = expected(entry.expect).map_err(|why| format!("{name}: {why}"))?;
    let claim = entry.claim.map(claim);
    if claim.is_none() && matches!(expected, Expected::Denial { .. } | Expected::Records(_)) {
        return Err(format!("{name}: it expects an answer to a claim, but has none"));
    }
    let mut shared_names = entry.shared_names;
    shared_names.sort();
    let mut shared_suffixes = entry.shared_suffixes;
    shared_suffixes.sort();
    Ok(Vector {
        name,
        base_domain: own_base.unwrap_or_else(|| base_domain.clone()),
        cluster: ClusterFacts { id: ClusterId::new(namespace, cluster_name), purposes, labels },
        configuration: own.as_ref().or(configuration).map(serde_json::Value::to_string),
        shared_names,
        shared_suffixes,
        claim,
        expected,
    })
}

fn claim(claim: Claim) -> ClaimOf {
    let Claim { host_name, kind, namespace, object, labels, mut targets, .. } = claim;
    targets.sort();
    let mut backends: Vec<details::Backend> = claim.backends.into_iter().map(backend).collect();
    backends.sort_unstable();
    let PublishedNames { in_namespace, in_cluster } = claim.published_names;
    ClaimOf {
        host_name,
        source: SourceRef::new(kind, namespace, object),
        labels,
        targets,
        details: Details {
            namespace_labels: claim.namespace_labels,
            annotations: claim.annotations,
            listeners: claim.listeners.into_iter().map(listener).collect(),
            backends,
        },
        published_names: details::PublishedNames { in_namespace, in_cluster },
    }
}

fn listener(listener: Listener) -> details::ServingListener {
    let Listener { gateway: Gateway { namespace, name: gateway, class, labels }, name, port, protocol } =
        listener;
    let gateway = details::ServingGateway { namespace, name: gateway, class, labels };
    details::ServingListener { gateway, name, port, protocol }
}

fn backend(backend: Backend) -> details::Backend {
    let Backend { group, kind, namespace, name, port } = backend;
    details::Backend { group, kind, namespace, name, port }
}

fn expected(expect: Expect) -> Result<Expected, String> {
    let Expect { configuration_error, domain, domain_error, denial, records } = expect;
    let mut all = Vec::new();
    all.extend(configuration_error.map(Expected::ConfigurationError));
    all.extend(domain.map(Expected::Domain));
    all.extend(domain_error.map(Expected::DomainError));
    all.extend(denial.map(|Denial { code, message }| Expected::Denial { code, message }));
    all.extend(records.map(|mut lines| {
        lines.sort();
        Expected::Records(lines)
    }));
    match (all.pop(), all.is_empty()) {
        (None, _) => Ok(Expected::Any),
        (Some(one), true) => Ok(one),
        (Some(_), false) => Err("it expects several things, write a vector for each".to_owned()),
    }
}
