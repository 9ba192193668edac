//! Counts of all clusters, for the status of their policies.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use openmcp_dns_core::cluster::ClusterId;

use crate::record::{Comparison, Differing, MAX_DIFFERENCES};

/// Counts of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Name of the DNSPolicy.
    pub policy: String,
    /// Claims that are published.
    pub published: i64,
    /// Claims that are denied.
    pub denied: i64,
    /// How the policy's candidate would decide; `None` where there is none.
    pub comparison: Option<Comparison>,
}

/// Counts of all clusters. Clones are the same counts.
#[derive(Clone, Debug, Default)]
pub struct Tallies(Arc<Mutex<BTreeMap<ClusterId, Tally>>>);

/// Sum over the clusters of one policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many clusters.
    pub clusters: i64,
    /// Claims that are published.
    pub published: i64,
    /// Claims that are denied.
    pub denied: i64,
    /// Clusters for which the policy's candidate has not been asked about everything.
    pub incomplete: usize,
    /// Claims that were decided by the policy's candidate as well.
    pub compared: usize,
    /// Decisions that would be others.
    pub differing: usize,
    /// The first of them.
    pub first: Vec<(ClusterId, Differing)>,
}

impl Sum {
    fn add(&mut self, cluster: &ClusterId, tally: &Tally) {
        let Tally { policy: _, published, denied, comparison } = tally;
        self.clusters += 1;
        self.published += published;
        self.denied += denied;
        let Some(Comparison { complete, compared, differing, first }) = comparison else {
            self.incomplete += 1;
            return;
        };
        self.incomplete += usize::from(!complete);
        self.compared += compared;
        self.differing += differing;
        let room = MAX_DIFFERENCES.saturating_sub(self.first.len());
        self.first.extend(first.iter().take(room).map(|differing| (cluster.clone(), differing.clone())));
    }
}

impl Tallies {
    /// Sets a cluster's counts.
    pub fn set(&self, cluster: &ClusterId, tally: Tally) {
        self.lock().insert(cluster.clone(), tally);
    }

    /// Forgets a cluster.
    pub fn remove(&self, cluster: &ClusterId) {
        self.lock().remove(cluster);
    }

    /// Adds up the clusters of one policy.
    #[must_use]
    pub fn sum(&self, policy: &str) -> Sum {
        let mut sum = Sum::default();
        for (cluster, tally) in self.lock().iter().filter(|(_, tally)| tally.policy == policy) {
            sum.add(cluster, tally);
        }
        sum
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ClusterId, Tally>> {
        // Every change is one insert or remove, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
