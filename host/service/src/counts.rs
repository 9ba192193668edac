//! Counts of the clusters of a policy, for its status.

use openmcp_dns_core::cluster::ClusterId;

use openmcp_dns_core::compare::{Comparison, Differing, MAX_DIFFERENCES};

/// Counts of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterCounts {
    /// Name of the DNSPolicy; empty where there is none.
    pub policy: String,
    /// Whether everything was read and decided that is counted.
    pub is_settled: bool,
    /// Claims that are published.
    pub published: i64,
    /// Claims that are denied.
    pub denied: i64,
    /// How the policy's candidate would decide; `None` where there is none.
    pub comparison: Option<Comparison>,
}

/// Sums over the clusters of one policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyCounts {
    /// How many clusters.
    pub clusters: i64,
    /// Of them, those that have not been counted to the end.
    pub unsettled: usize,
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

impl PolicyCounts {
    /// Adds the counts of one of the policy's clusters.
    pub fn add(&mut self, cluster: &ClusterId, counts: &ClusterCounts) {
        let ClusterCounts { policy: _, is_settled, published, denied, comparison } = counts;
        self.clusters += 1;
        self.unsettled += usize::from(!is_settled);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn differing(number: usize) -> Differing {
        Differing {
            source: None,
            host_name: format!("n{number}.openmcp.cluster"),
            change: "newly denied",
            active: String::new(),
            candidate: String::new(),
        }
    }

    fn counts(published: i64, comparison: Option<Comparison>) -> ClusterCounts {
        ClusterCounts { policy: "p".to_owned(), is_settled: true, published, denied: 1, comparison }
    }

    #[test]
    fn a_candidate_is_compared_completely_only_where_every_cluster_is() {
        let compared = |complete| Some(Comparison { complete, compared: 10, ..Comparison::default() });
        let mut sum = PolicyCounts::default();
        for (name, comparison) in [("w1", compared(true)), ("w2", compared(false)), ("w3", None)] {
            sum.add(&ClusterId::new("s", name), &counts(4, comparison));
        }
        assert_eq!((sum.clusters, sum.published, sum.denied), (3, 12, 3));
        assert_eq!((sum.incomplete, sum.compared), (2, 20));
    }

    #[test]
    fn of_many_differences_all_are_counted_and_the_first_are_shown() {
        let half = MAX_DIFFERENCES / 2 + 1;
        let comparison = Comparison {
            complete: true,
            compared: 1000,
            differing: 700,
            first: (0..half).map(differing).collect(),
        };
        let mut sum = PolicyCounts::default();
        for name in ["w1", "w2"] {
            sum.add(&ClusterId::new("s", name), &counts(0, Some(comparison.clone())));
        }
        assert_eq!((sum.differing, sum.first.len()), (1400, MAX_DIFFERENCES));
        let of_second = sum.first.iter().filter(|(cluster, _)| cluster.name == "w2").count();
        assert_eq!(of_second, MAX_DIFFERENCES - half);
    }
}
