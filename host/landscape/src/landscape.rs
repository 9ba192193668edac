//! The landscape, wherever it was read.

use openmcp_dns_api::{Cluster, DNSPolicy};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::objects::Objects;

use crate::problem::Problems;

/// The clusters of a landscape with what runs on them, and the policies.
#[derive(Debug, Default)]
pub struct Landscape {
    /// The clusters, in the order that their source gives them.
    pub clusters: Vec<Member>,
    /// The policies by name; none means that the defaults hold.
    pub policies: Vec<DNSPolicy>,
    /// What is wrong with it, by file or folder.
    pub problems: Problems,
}

/// A cluster of the landscape.
#[derive(Debug)]
pub struct Member {
    /// Which cluster.
    pub id: ClusterId,
    /// The resource.
    pub cluster: Cluster,
    /// What runs on it, or why that is not known.
    pub objects: Result<Objects, String>,
}

impl Landscape {
    /// The policy that holds where one is looked at: the first by name; `None` for the defaults.
    #[must_use]
    pub fn policy(&self) -> Option<&DNSPolicy> {
        self.policies.first()
    }

    /// Clusters of which only the resource is known, and why.
    pub fn unknown(&self) -> impl Iterator<Item = (&ClusterId, &str)> {
        self.clusters.iter().filter_map(|member| Some((&member.id, member.objects.as_ref().err()?.as_str())))
    }
}
