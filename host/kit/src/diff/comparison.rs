//! Where two modules differ.

use std::collections::BTreeSet;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::compare::{Difference, difference};
use openmcp_dns_core::decide::Decision;
use openmcp_dns_core::name::HostName;

use super::verdicts::{ClaimKey, Verdicts};

/// The domain of a cluster on one side; `None` when the policy does not select the cluster.
pub type Domain<'s> = Option<&'s Result<HostName, String>>;

/// Where two modules differ.
#[derive(Debug)]
pub struct Comparison<'s> {
    /// All claims.
    pub total: usize,
    /// Claims that both decide the same.
    pub same: usize,
    /// All clusters.
    pub clusters: usize,
    /// Clusters with another domain.
    pub domains: Vec<(&'s ClusterId, Domain<'s>, Domain<'s>)>,
    /// Claims with another decision.
    pub claims: Vec<(Difference, &'s ClaimKey, Option<&'s Decision>, Option<&'s Decision>)>,
}

impl<'s> Comparison<'s> {
    /// Compares what two modules make of the same landscape.
    #[must_use]
    pub fn of(old: &'s Verdicts, new: &'s Verdicts) -> Self {
        let clusters: BTreeSet<&ClusterId> = old.domains.keys().chain(new.domains.keys()).collect();
        let keys: BTreeSet<&ClaimKey> = old.claims.keys().chain(new.claims.keys()).collect();
        let domains = clusters.iter().filter_map(|cluster| {
            let (old, new) = (old.domains.get(*cluster), new.domains.get(*cluster));
            (old != new).then_some((*cluster, old, new))
        });
        let claims: Vec<_> = keys
            .iter()
            .filter_map(|key| {
                let (old, new) = (old.claims.get(*key), new.claims.get(*key));
                Some((difference(old, new)?, *key, old, new))
            })
            .collect();
        Self {
            total: keys.len(),
            same: keys.len() - claims.len(),
            clusters: clusters.len(),
            domains: domains.collect(),
            claims,
        }
    }

    /// Whether nothing would change.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.domains.is_empty() && self.claims.is_empty()
    }

    /// How many claims differ in this way.
    #[must_use]
    pub fn count(&self, kind: Difference) -> usize {
        self.claims.iter().filter(|(found, ..)| *found == kind).count()
    }
}
