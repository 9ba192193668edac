//! Counts of all clusters, for the status of their policies.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use openmcp_dns_core::cluster::ClusterId;

/// Counts of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Name of the DNSPolicy.
    pub policy: String,
    /// Claims that are published.
    pub published: i64,
    /// Claims that are denied.
    pub denied: i64,
}

/// Counts of all clusters. Clones are the same counts.
#[derive(Clone, Debug, Default)]
pub struct Tallies(Arc<Mutex<BTreeMap<ClusterId, Tally>>>);

/// Sum over the clusters of one policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many clusters.
    pub clusters: i64,
    /// Claims that are published.
    pub published: i64,
    /// Claims that are denied.
    pub denied: i64,
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
        self.lock().values().filter(|tally| tally.policy == policy).fold(Sum::default(), |sum, tally| Sum {
            clusters: sum.clusters + 1,
            published: sum.published + tally.published,
            denied: sum.denied + tally.denied,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ClusterId, Tally>> {
        // Every change is one insert or remove, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
