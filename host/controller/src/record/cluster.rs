//! What the coordinator knows of one cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use openmcp_dns_core::brake::BrakeLimits;
use openmcp_dns_core::decide::Territory;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::objects::{Objects, WatchedKind};
use openmcp_dns_core::policy::{Context, Policy, PolicyFailure};
use openmcp_dns_core::skydns::Owner;
use tokio::sync::oneshot;

/// Under which policy a cluster stands.
#[derive(Clone)]
pub struct Governance {
    /// Name of the DNSPolicy.
    pub policy_name: String,
    /// The module that decides.
    pub policy: Arc<dyn Policy>,
    /// SHA-256 of the module, as hexadecimal digits.
    pub module_digest: Arc<str>,
    /// What the module is told besides the claim.
    pub context: Arc<Context>,
    /// Whether the DNS server in use can serve wildcards.
    pub wildcards: bool,
    /// When a deletion is held.
    pub brake: BrakeLimits,
    /// After how long without a change a held deletion goes on.
    pub hold: Duration,
    /// When the `Cluster` was created; of two clusters that want one domain, the older has it.
    pub created: Timestamp,
}

impl Governance {
    pub(super) fn owner(&self) -> Owner {
        Owner { landscape: self.context.base_domain.clone(), cluster: self.context.cluster.id.clone() }
    }

    /// Whether decisions under `other` may be different ones.
    pub(super) fn decides_like(&self, other: &Self) -> bool {
        self.module_digest == other.module_digest
            && self.context == other.context
            && self.wildcards == other.wildcards
            && self.created == other.created
    }
}

/// The cluster's domain, or why it has none.
pub(super) type Domain = Result<Arc<Territory>, super::summary::NoDomain>;

/// One cluster.
#[derive(Default)]
pub(super) struct Cluster {
    pub(super) governance: Option<Governance>,
    /// What the policy says, before other clusters are looked at.
    pub(super) wanted_domain: Option<Result<HostName, PolicyFailure>>,
    pub(super) domain: Option<Domain>,
    pub(super) objects: Objects,
    pub(super) watches: BTreeMap<WatchedKind, WatchState>,
    /// Set when the `Cluster` is being deleted: all its records are withdrawn.
    pub(super) release: Option<oneshot::Sender<()>>,
    /// Whose records are withdrawn.
    pub(super) released: Option<Owner>,
}

/// State of one watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchState {
    /// All objects are known.
    InSync,
    /// The cluster does not serve the kind.
    NotServed,
    /// The watch has trouble; what was known before stays.
    Trouble(String),
}

impl Cluster {
    pub(super) fn is_in_sync(&self, kind: WatchedKind) -> bool {
        self.watches.get(&kind) == Some(&WatchState::InSync)
    }

    /// Whether enough is known to withdraw a value that this source object is said to have led to.
    pub(super) fn may_withdraw(&self, source: Option<&str>) -> bool {
        use WatchedKind::{Gateway, HttpRoute, Ingress, Namespace};
        if self.release.is_some() {
            return true;
        }
        let needed: &[WatchedKind] = match source.and_then(|source| source.split('/').next()) {
            Some("HTTPRoute") => &[Gateway, HttpRoute, Namespace],
            Some("Ingress") => &[Ingress],
            _ => &WatchedKind::ALL,
        };
        self.governance.is_some() && needed.iter().all(|kind| self.is_in_sync(*kind))
    }
}
