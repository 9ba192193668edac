//! A policy whose module is admitted, and what it means for one cluster.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt as _;
use openmcp_dns_core::cluster::{ClusterFacts, ClusterId};
use openmcp_dns_core::cluster_policy::{ClusterModule, ClusterPolicy};
use openmcp_dns_core::deletion_guard::DeletionLimits;
use openmcp_dns_core::guards::GuardId;
use openmcp_dns_core::limits::Limits;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{Context, Policy};
use openmcp_dns_core::precedence::{Place, Precedence};
use openmcp_dns_core::reverse::Networks;
use openmcp_dns_core::srv_records::WithSrvRecords;
use openmcp_dns_core::ttl::TtlBounds;

use openmcp_dns_api::dns_policy::{self, DeletionGuard, Serve, SharedName, SharedSuffix};
use openmcp_dns_api::selector::ClusterIdentity;
use openmcp_dns_api::sources::Sources;
use openmcp_dns_api::{Cluster, DNSPolicySpec, is_evacuated};

/// A policy whose module is admitted: what is the same for all its clusters.
pub struct ActivePolicy<'p> {
    /// Name of the DNSPolicy.
    pub name: String,
    /// What it says.
    pub spec: &'p DNSPolicySpec,
    /// Its base domain.
    pub zone: HostName,
    /// The module that decides.
    pub module: ActiveModule,
    /// A module that is compared with it, and decides nothing.
    pub candidate: Option<ActiveModule>,
    /// Whether the DNS server in use can serve wildcards.
    pub wildcards: bool,
}

/// A module that was admitted, with the configuration that it has accepted.
pub struct ActiveModule {
    /// Asks it, behind its guards.
    pub policy: Arc<dyn Policy>,
    /// Its SHA-256, as hexadecimal digits.
    pub digest: Arc<str>,
    /// Which guards those are.
    pub guards: Arc<[GuardId]>,
    /// Its configuration, as JSON text.
    pub configuration: String,
}

impl ActivePolicy<'_> {
    /// What the policy means for a cluster that it selects.
    #[must_use]
    pub fn for_cluster(&self, id: &ClusterId, cluster: &Cluster) -> ClusterPolicy {
        let Self { name, spec, zone, module, candidate, wildcards } = self;
        let granted = |granted: Vec<Granted<'_>>| {
            let to_cluster = |granted: Granted<'_>| {
                let is_meant = granted.clusters.iter().any(|identity| identity.names(id));
                granted.name.ok().filter(|_| is_meant)
            };
            let names: BTreeSet<HostName> = granted.into_iter().filter_map(to_cluster).collect();
            names.into_iter().collect::<Vec<_>>()
        };
        let shared_names = granted(shared_names(spec, zone));
        let shared_suffixes = granted(shared_suffixes(spec, zone));
        let facts = ClusterFacts {
            id: id.clone(),
            purposes: cluster.spec.purposes.clone(),
            labels: cluster.labels().clone(),
        };
        let for_cluster = |module: &ActiveModule| {
            let ActiveModule { policy, digest, guards, configuration } = module;
            let context = Context {
                base_domain: zone.clone(),
                cluster: facts.clone(),
                configuration: configuration.clone(),
                shared_names: shared_names.clone(),
                shared_suffixes: shared_suffixes.clone(),
            };
            ClusterModule {
                policy: WithSrvRecords::if_wanted(spec.records.srv, Arc::clone(policy)),
                module_digest: Arc::clone(digest),
                guards: Arc::clone(guards),
                context: Arc::new(context),
                wildcards: *wildcards,
                ttl: TtlBounds { min_seconds: spec.ttl.min_seconds, max_seconds: spec.ttl.max_seconds },
                srv_records: spec.records.srv,
            }
        };
        let DeletionGuard { max_percent, free_names, hold_seconds } = spec.deletion_guard;
        let dns_policy::Limits {
            names_per_cluster,
            host_names_per_object,
            questions_per_second,
            changes_per_second,
        } = spec.limits;
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        ClusterPolicy {
            policy_name: name.clone(),
            module: for_cluster(module),
            candidate: candidate.as_ref().map(for_cluster),
            sources: Arc::new(spec.sources.as_ref().map(Sources::rules).unwrap_or_default()),
            limits: Limits {
                names_per_cluster: count(names_per_cluster),
                host_names_per_object: count(host_names_per_object),
                questions_per_second,
                changes_per_second,
            },
            networks: Arc::new(networks(spec).0),
            precedence: precedence(spec, zone, id, cluster),
            route_status: spec.report.route_status,
            open_reports: spec.report.open_reports,
            deletion_limits: DeletionLimits { share_percent: max_percent, free_names: count(free_names) },
            hold: Duration::from_secs(hold_seconds.into()),
            created_unix_seconds: cluster.creation_timestamp().map_or(0, |time| time.0.as_second()),
        }
    }
}

/// How a cluster stands at names that others publish as well.
fn precedence(spec: &DNSPolicySpec, zone: &HostName, id: &ClusterId, cluster: &Cluster) -> Precedence {
    let with_order = spec.shared_names.iter().filter(|shared| shared.serve == Serve::First);
    let places = with_order.filter_map(|SharedName { name, clusters, serve: _, failback_delay_seconds }| {
        let number = clusters.iter().position(|identity| identity.names(id))?;
        let failback_delay = Duration::from_secs((*failback_delay_seconds).into());
        let place = Place { number, failback_delay };
        Some((granted("spec.sharedNames", name, zone).ok()?, place))
    });
    Precedence { is_evacuated: is_evacuated(cluster), places: Arc::new(places.collect()) }
}

/// The networks of a policy, and what is wrong with those that are left out.
pub fn networks(spec: &DNSPolicySpec) -> (Networks, Vec<String>) {
    let (networks, errors) = Networks::listed(&spec.records.ptr.networks);
    let said = |(text, error)| format!("spec.records.ptr.networks: {text:?}: {error}");
    (networks, errors.into_iter().map(said).collect())
}

/// A name, or the end of names, that a policy grants to clusters.
pub(super) struct Granted<'s> {
    clusters: &'s [ClusterIdentity],
    /// What is granted, or what is wrong with it.
    pub(super) name: Result<HostName, String>,
}

/// The shared names of a policy.
pub(super) fn shared_names<'s>(spec: &'s DNSPolicySpec, zone: &HostName) -> Vec<Granted<'s>> {
    let granted = |SharedName { name, clusters, serve: _, failback_delay_seconds: _ }: &'s SharedName| {
        Granted { clusters, name: granted("spec.sharedNames", name, zone) }
    };
    spec.shared_names.iter().map(granted).collect()
}

/// The shared suffixes of a policy.
pub(super) fn shared_suffixes<'s>(spec: &'s DNSPolicySpec, zone: &HostName) -> Vec<Granted<'s>> {
    let granted = |SharedSuffix { suffix, clusters }: &'s SharedSuffix| {
        let name = granted("spec.sharedSuffixes", suffix, zone).and_then(|suffix| {
            let is_plain = !suffix.is_wildcard();
            is_plain.then(|| suffix.clone()).ok_or_else(|| {
                format!("spec.sharedSuffixes: {suffix} is a wildcard: name the domain, all names below it are meant")
            })
        });
        Granted { clusters, name }
    };
    spec.shared_suffixes.iter().map(granted).collect()
}

fn granted(field: &str, text: &str, zone: &HostName) -> Result<HostName, String> {
    match text.parse::<HostName>() {
        Err(error) => Err(format!("{field}: {text:?}: {error}")),
        Ok(name) if !name.is_below(zone) => Err(format!("{field}: {name} does not lie below {zone}")),
        Ok(name) => Ok(name),
    }
}

/// A module's configuration as JSON text.
pub fn configuration(configuration: Option<&serde_json::Value>) -> String {
    configuration.map_or_else(|| "{}".to_owned(), serde_json::Value::to_string)
}
