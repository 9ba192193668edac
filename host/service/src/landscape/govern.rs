//! How a policy governs a cluster.

use openmcp_dns_core::cluster_policy::{ClusterModule, ClusterPolicy};
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt as _;
use openmcp_dns_core::cluster::{ClusterFacts, ClusterId};
use openmcp_dns_core::deletion_guard::DeletionLimits;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{Context, Policy};

use super::select;

use openmcp_dns_api::dns_policy::{DeletionGuard, SharedName};
use openmcp_dns_api::{Cluster, DNSPolicySpec};

/// What is the same for all clusters of a policy.
pub struct Terms<'t> {
    /// Name of the DNSPolicy.
    pub policy_name: String,
    /// What it says.
    pub spec: &'t DNSPolicySpec,
    /// Its base domain.
    pub zone: HostName,
    /// The module that decides.
    pub policy: Arc<dyn Policy>,
    /// SHA-256 of the module, as hexadecimal digits.
    pub module_digest: Arc<str>,
    /// Configuration that the module has accepted, as JSON text.
    pub configuration: String,
    /// Whether the DNS server in use can serve wildcards.
    pub wildcards: bool,
}

/// How a cluster is governed.
pub fn govern(terms: Terms<'_>, id: &ClusterId, cluster: &Cluster) -> ClusterPolicy {
    let Terms { policy_name, spec, zone, policy, module_digest, configuration, wildcards } = terms;
    let mut shared_names: Vec<HostName> = shared_names(spec, &zone)
        .filter(|(shared, _)| shared.clusters.iter().any(|identity| select::is(identity, id)))
        .filter_map(|(_, name)| name.ok())
        .collect();
    shared_names.sort_unstable();
    shared_names.dedup();
    let facts = ClusterFacts {
        id: id.clone(),
        purposes: cluster.spec.purposes.clone(),
        labels: cluster.labels().clone(),
    };
    let DeletionGuard { max_percent, free_names, hold_seconds } = spec.deletion_guard;
    ClusterPolicy {
        policy_name,
        module: ClusterModule {
            policy,
            module_digest,
            context: Arc::new(Context { base_domain: zone, cluster: facts, configuration, shared_names }),
            wildcards,
        },
        candidate: None,
        deletion_limits: DeletionLimits {
            share_percent: max_percent,
            free_names: usize::try_from(free_names).unwrap_or(usize::MAX),
        },
        hold: Duration::from_secs(hold_seconds.into()),
        created_unix_seconds: cluster.creation_timestamp().map_or(0, |time| time.0.as_second()),
    }
}

/// Each shared name of a policy, or what is wrong with it.
pub fn shared_names<'s>(
    spec: &'s DNSPolicySpec,
    zone: &'s HostName,
) -> impl Iterator<Item = (&'s SharedName, Result<HostName, String>)> {
    spec.shared_names.iter().map(move |shared| {
        let text = &shared.name;
        let name = match text.parse::<HostName>() {
            Err(error) => Err(format!("spec.sharedNames: {text:?}: {error}")),
            Ok(name) if !name.is_below(zone) => {
                Err(format!("spec.sharedNames: {name} does not lie below {zone}"))
            }
            Ok(name) => Ok(name),
        };
        (shared, name)
    })
}

/// The module's configuration as JSON text.
pub fn configuration(spec: &DNSPolicySpec) -> String {
    spec.configuration.as_ref().map_or_else(|| "{}".to_owned(), serde_json::Value::to_string)
}
