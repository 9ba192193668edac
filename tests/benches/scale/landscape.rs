//! Clusters with as many names as wanted, and a module that costs nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use openmcp_dns_core::cluster::{ClusterFacts, ClusterId, SourceRef};
use openmcp_dns_core::cluster_policy::{ClusterModule, ClusterPolicy};
use openmcp_dns_core::deletion_guard::DeletionLimits;
use openmcp_dns_core::kinds::{Kind, Watched};
use openmcp_dns_core::limits::Limits;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::plan::{Change, NamePlan};
use openmcp_dns_core::policy::{CheckedClaim, Context, Policy, PolicyFailure, ProposedRecordSet, Verdict};
use openmcp_dns_core::record::{RecordType, RecordValue};
use openmcp_dns_core::skydns::{Entry, Owner, Prefix, Source, key_for, value_id};
use serde_json::json;

const ZONE: &str = "openmcp.cluster";

/// Below this, every cluster may publish.
const SHARED: &str = "everywhere.openmcp.cluster";

/// The TTL of the first module.
pub(crate) const TTL_SECONDS: u32 = 60;

/// How much there is.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) names: usize,
    pub(crate) clusters: usize,
}

impl Size {
    pub(crate) const fn names_per_cluster(self) -> usize {
        self.names / self.clusters
    }

    pub(crate) fn clusters(self) -> impl Iterator<Item = ClusterId> {
        (0..self.clusters).map(cluster)
    }
}

pub(crate) fn cluster(number: usize) -> ClusterId {
    ClusterId::new("openmcp-system", format!("workload{number:04}"))
}

fn object_name(number: usize) -> String {
    format!("service-{number:05}")
}

fn host_name(cluster: &ClusterId, object: &str) -> String {
    format!("{object}.{}.{ZONE}", cluster.name)
}

fn address(number: usize, edition: u8) -> String {
    format!("10.{edition}.{}.{}", number / 250 % 250, number % 250 + 1)
}

/// Allows everything and records it as it is claimed: what is measured is not the module.
struct Records {
    ttl_seconds: u32,
}

impl Policy for Records {
    fn domain_filter(&self, context: &Context) -> Result<String, PolicyFailure> {
        Ok(format!("{}.{}", context.cluster.id.name, context.base_domain))
    }

    fn validate_hostname(
        &self,
        _: &Context,
        _: &HostName,
        _: &CheckedClaim,
    ) -> Result<Verdict, PolicyFailure> {
        Ok(Verdict::Allow)
    }

    fn name_records(
        &self,
        _: &Context,
        _: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
        Ok(vec![ProposedRecordSet {
            name: claim.host_name.to_string(),
            record_type: RecordType::A,
            ttl_seconds: self.ttl_seconds,
            values: claim.targets.clone(),
        }])
    }
}

/// One policy for all clusters, with a module of this digest that records with this TTL.
pub(crate) fn policy(cluster: &ClusterId, digest: &str, ttl_seconds: u32) -> anyhow::Result<ClusterPolicy> {
    let module = ClusterModule {
        policy: Arc::new(Records { ttl_seconds }),
        module_digest: digest.into(),
        guards: Arc::default(),
        context: Arc::new(Context {
            base_domain: ZONE.parse()?,
            cluster: ClusterFacts { id: cluster.clone(), purposes: Vec::new(), labels: BTreeMap::new() },
            configuration: "{}".to_owned(),
            shared_names: Vec::new(),
            shared_suffixes: vec![SHARED.parse()?],
        }),
        wildcards: false,
        ttl: openmcp_dns_core::ttl::TtlBounds::default(),
        srv_records: false,
    };
    Ok(ClusterPolicy {
        policy_name: "landscape".to_owned(),
        module,
        candidate: None,
        sources: Arc::default(),
        limits: Limits::default(),
        networks: Arc::default(),
        precedence: openmcp_dns_core::precedence::Precedence::default(),
        route_status: false,
        open_reports: false,
        deletion_limits: DeletionLimits::default(),
        hold: Duration::from_secs(600),
        created_unix_seconds: 0,
    })
}

/// An Ingress as clusters have them, with one host; the address depends on the edition.
pub(crate) fn ingress(cluster: &ClusterId, number: usize, edition: u8) -> anyhow::Result<Watched> {
    let name = object_name(number);
    let hosts = [host_name(cluster, &name)];
    object(&name, &hosts, &address(number, edition))
}

/// An Ingress whose name each cluster has.
pub(crate) fn shared_ingress(number: usize, edition: u8) -> anyhow::Result<Watched> {
    let name = object_name(number);
    object(&name, &[format!("{name}.{SHARED}")], &address(number, edition))
}

/// An Ingress with many hosts.
pub(crate) fn large_ingress(cluster: &ClusterId, hosts: usize, edition: u8) -> anyhow::Result<Watched> {
    let hosts: Vec<String> = (0..hosts).map(|host| host_name(cluster, &format!("host-{host:05}"))).collect();
    object("large", &hosts, &address(0, edition))
}

fn object(name: &str, hosts: &[String], address: &str) -> anyhow::Result<Watched> {
    let rules: Vec<_> = hosts.iter().map(|host| json!({ "host": host })).collect();
    let ingress = json!({
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": format!("9a3f6c1e-7d52-4b8e-9c0a-{name:0>12.12}"),
            "labels": { "app.kubernetes.io/name": name },
        },
        "spec": { "rules": rules },
        "status": { "loadBalancer": { "ingress": [{ "ip": address }] } },
    });
    Watched::from_json(Kind::Ingress, ingress).context("an Ingress cannot be read")
}

/// The name of an Ingress of [`ingress`].
pub(crate) fn name_of(cluster: &ClusterId, number: usize) -> anyhow::Result<HostName> {
    Ok(host_name(cluster, &object_name(number)).parse()?)
}

/// What the store will hold of a cluster, as plans for an empty one.
pub(crate) fn plans(cluster: &ClusterId, names: usize) -> anyhow::Result<Vec<NamePlan>> {
    let owner = Owner { zone: ZONE.parse()?, cluster: cluster.clone() };
    let plan = |number: usize| {
        let name = name_of(cluster, number)?;
        let source = SourceRef::new(Kind::Ingress, "default", object_name(number));
        let value = RecordValue::parse(RecordType::A, &address(number, 0)).context("no address")?;
        let key = key_for(&Prefix::default(), &name, &value_id(&owner, &value));
        let json = Entry::new(&name, &value, TTL_SECONDS, &owner, Source::Object(&source)).encode();
        let change = Change { key, expected_mod_revision: 0, value: Some(json) };
        Ok(NamePlan { name, changes: vec![change], withdrawn_from: Default::default() })
    };
    (0..names).map(plan).collect()
}
