//! Modules that do as they are told, and objects to ask them about.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::{ClusterFacts, ClusterId};
use crate::cluster_policy::{ClusterModule, ClusterPolicy};
use crate::deletion_guard::DeletionLimits;
use crate::details::Detail;
use crate::kinds::{Kind, Watched};
use crate::limits::Limits;
use crate::name::HostName;
use crate::objects::Change;
use crate::policy::{
    CheckedClaim, Context, Denial, FailureKind, Policy, PolicyFailure, ProposedRecordSet, Verdict,
};
use crate::precedence::{Place, Precedence};
use crate::record::RecordType;
use crate::reverse::Networks;

pub(super) const ZONE: &str = "openmcp.cluster";
/// Granted to every cluster.
pub(super) const SHARED: &str = "shop.openmcp.cluster";
pub(super) const HOLD: Duration = Duration::from_secs(600);

/// A module that does as it is told: records what is claimed, unless it starts with `denies`.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) denies: Option<&'static str>,
    /// Label of the domain; else the cluster's name.
    pub(super) domain: Option<&'static str>,
    /// How many names a namespace may have.
    pub(super) at_most: Option<u32>,
    pub(super) fails: bool,
    /// How it fails; a trap where it is not set.
    pub(super) failure: Option<FailureKind>,
    /// Another zone than [`ZONE`].
    pub(super) zone: Option<&'static str>,
    pub(super) limits: Limits,
    /// Whose addresses lead back to host names.
    pub(super) networks: &'static [&'static str],
    pub(super) is_evacuated: bool,
    /// Its place in the order of the clusters that have the shared name.
    pub(super) place: Option<usize>,
    /// How long a cluster waits there before it takes over.
    pub(super) failback_delay: Duration,
}

impl Rules {
    pub(super) fn denying(prefix: &'static str) -> Self {
        Self { denies: Some(prefix), ..Self::default() }
    }

    pub(super) fn module(&self, cluster: &str) -> ClusterModule {
        ClusterModule {
            policy: Arc::new(self.clone()),
            module_digest: format!(
                "{:?}",
                Self {
                    is_evacuated: false,
                    place: None,
                    failback_delay: Duration::ZERO,
                    networks: &[],
                    ..self.clone()
                }
            )
            .into(),
            guards: Arc::default(),
            context: Arc::new(Context {
                base_domain: self.zone.unwrap_or(ZONE).parse().unwrap(),
                cluster: ClusterFacts { id: id(cluster), purposes: Vec::new(), labels: BTreeMap::new() },
                configuration: "{}".to_owned(),
                shared_names: vec![SHARED.parse().unwrap()],
                shared_suffixes: Vec::new(),
            }),
            wildcards: false,
            ttl: crate::ttl::TtlBounds::default(),
            srv_records: false,
        }
    }

    fn networks(&self) -> Arc<Networks> {
        let texts: Vec<String> = self.networks.iter().map(ToString::to_string).collect();
        let (networks, errors) = Networks::listed(&texts);
        assert!(errors.is_empty(), "{errors:?}");
        Arc::new(networks)
    }

    /// As a policy for a cluster that is older the smaller its name.
    pub(super) fn policy(&self, cluster: &str) -> ClusterPolicy {
        ClusterPolicy {
            policy_name: "policy".to_owned(),
            module: self.module(cluster),
            candidate: None,
            sources: Arc::default(),
            limits: self.limits,
            networks: self.networks(),
            precedence: Precedence {
                is_evacuated: self.is_evacuated,
                places: Arc::new(
                    self.place
                        .map(|number| {
                            (SHARED.parse().unwrap(), Place { number, failback_delay: self.failback_delay })
                        })
                        .into_iter()
                        .collect(),
                ),
            },
            route_status: true,
            open_reports: true,
            deletion_limits: DeletionLimits { share_percent: 30, free_names: 2 },
            hold: HOLD,
            created_unix_seconds: 0,
        }
    }
}

impl Policy for Rules {
    fn details(&self) -> &[Detail] {
        if self.at_most.is_some() { &[Detail::PublishedNames] } else { &[] }
    }

    fn domain_filter(&self, context: &Context) -> Result<String, PolicyFailure> {
        Ok(format!("{}.{}", self.domain.unwrap_or(&context.cluster.id.name), context.base_domain))
    }

    fn validate_hostname(
        &self,
        _: &Context,
        _: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Verdict, PolicyFailure> {
        if self.fails {
            return Err(PolicyFailure::new(self.failure.unwrap_or(FailureKind::Trap), ""));
        }
        let is_full = self.at_most.is_some_and(|most| claim.published_names.in_namespace >= most);
        let is_evil = self.denies.is_some_and(|prefix| claim.host_name.as_str().starts_with(prefix));
        let denied = is_full || is_evil;
        let denial = || Denial::new("prefix", "");
        Ok(if denied { Verdict::Deny(denial()) } else { Verdict::Allow })
    }

    fn name_records(
        &self,
        _: &Context,
        _: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
        let is_address = claim.targets[0].parse::<std::net::IpAddr>().is_ok();
        Ok(vec![ProposedRecordSet {
            name: claim.host_name.to_string(),
            record_type: if is_address { RecordType::A } else { RecordType::Cname },
            ttl_seconds: 60,
            values: claim.targets.clone(),
        }])
    }
}

pub(super) fn id(cluster: &str) -> ClusterId {
    ClusterId::new("default", cluster)
}

/// An Ingress of this name with one host and one address or host name to point to.
pub(super) fn ingress(name: &str, host: &str, target: &str) -> Watched {
    let field = if target.parse::<std::net::IpAddr>().is_ok() { "ip" } else { "hostname" };
    let ingress = serde_json::json!({
        "metadata": { "name": name, "namespace": "default", "uid": name },
        "spec": { "rules": [{ "host": host }] },
        "status": { "loadBalancer": { "ingress": [{ field: target }] } },
    });
    Watched::from_json(Kind::Ingress, ingress).unwrap()
}

/// A Gateway with this address.
pub(super) fn gateway(address: &str) -> Watched {
    let gateway = serde_json::json!({
        "metadata": { "name": "gateway", "namespace": "default", "uid": "g" },
        "spec": { "listeners": [{ "name": "http", "port": 80, "protocol": "HTTP" }] },
        "status": { "addresses": [{ "value": address }] },
    });
    Watched::from_json(Kind::Gateway, gateway).unwrap()
}

/// An accepted route of this name through the Gateway, with one host.
pub(super) fn route(name: &str, host: &str) -> Watched {
    let parent = serde_json::json!({ "name": "gateway" });
    let route = serde_json::json!({
        "metadata": { "name": name, "namespace": "default", "uid": name },
        "spec": { "hostnames": [host], "parentRefs": [parent] },
        "status": { "parents": [{
            "parentRef": parent,
            "conditions": [{ "type": "Accepted", "status": "True" }],
        }] },
    });
    Watched::from_json(Kind::HttpRoute, route).unwrap()
}

/// A Gateway, and routes of these names through it, each with its name as the first label of its host;
/// by kind, all that there is.
pub(super) fn routed(cluster: &str, names: &[&str]) -> Vec<Change> {
    let route = |name: &&str| route(name, &format!("{name}.{cluster}.{ZONE}"));
    let objects = |kind| match kind {
        Kind::Gateway => vec![gateway("10.0.0.2")],
        Kind::HttpRoute => names.iter().map(route).collect(),
        _ => Vec::new(),
    };
    Kind::ALL.into_iter().map(|kind| Change::Replaced(kind, objects(kind))).collect()
}
