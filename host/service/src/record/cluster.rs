//! What the coordinator knows of one cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use openmcp_dns_core::cluster::SourceRef;
use openmcp_dns_core::cluster_policy::ClusterPolicy;
use openmcp_dns_core::decide::AllowedNames;
use openmcp_dns_core::kinds::{Kind, Role};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::objects::Objects;
use openmcp_dns_core::policy::PolicyFailure;
use openmcp_dns_core::skydns::Owner;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::decider::Subject;
use super::shadow::Shadow;

/// The cluster's domain, or why it has none.
pub(super) type Domain = Result<Arc<AllowedNames>, super::summary::NoDomain>;

/// A governance that comes into force when its module has decided on all claims of the cluster.
pub(super) struct Next {
    pub(super) governance: ClusterPolicy,
    /// Of the job that asks.
    pub(super) ticket: u64,
    pub(super) _ends_job: DropGuard,
}

/// One cluster.
#[derive(Default)]
pub(super) struct Cluster {
    pub(super) governance: Option<ClusterPolicy>,
    pub(super) next: Option<Next>,
    /// What the policy says, before other clusters are looked at.
    pub(super) wanted_domain: Option<Result<HostName, PolicyFailure>>,
    pub(super) domain: Option<Domain>,
    pub(super) objects: Objects,
    pub(super) watches: BTreeMap<Kind, WatchState>,
    /// Objects that the module has been asked about.
    pub(super) waiting: BTreeMap<SourceRef, Waiting>,
    /// Ends the questions that are under way.
    pub(super) asking: CancellationToken,
    pub(super) shadow: Option<Shadow>,
    /// Set when the `Cluster` is being deleted: all its records are withdrawn.
    pub(super) release: Option<oneshot::Sender<()>>,
    /// Whose records are withdrawn.
    pub(super) released: Option<Owner>,
}

/// An object that the module has been asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Of the job that asks; the answer to an older one is not taken.
    pub(super) ticket: u64,
    /// See `Withdrawal::inferred`.
    pub(super) inferred: bool,
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
    /// Nobody waits any longer for what the module was asked.
    pub(super) fn stop_asking(&mut self) {
        self.waiting.clear();
        std::mem::take(&mut self.asking).cancel();
    }

    /// What the object asks for, with all that a module is told of it.
    pub(super) fn subjects(&self, source: &SourceRef) -> impl Iterator<Item = Subject> {
        let labels = self.objects.labels(source).cloned().unwrap_or_default();
        let source = source.clone();
        let wanted = self.objects.resolve(&source).unwrap_or_default().wanted;
        wanted.into_iter().map(move |wanted| Subject {
            source: source.clone(),
            labels: labels.clone(),
            wanted,
        })
    }

    pub(super) fn is_in_sync(&self, kind: Kind) -> bool {
        self.watches.get(&kind) == Some(&WatchState::InSync)
    }

    /// Whether enough is known to withdraw a value that this source object is said to have led to.
    pub(super) fn may_withdraw(&self, source: Option<&str>) -> bool {
        if self.release.is_some() {
            return true;
        }
        let kind = source.and_then(|source| source.split('/').next()).and_then(Kind::parse);
        let needed = match kind.filter(|kind| kind.role() == Role::Source) {
            Some(kind) => kind.needs().collect(),
            None => Kind::ALL.to_vec(),
        };
        self.governance.is_some() && needed.iter().all(|kind| self.is_in_sync(*kind))
    }
}
