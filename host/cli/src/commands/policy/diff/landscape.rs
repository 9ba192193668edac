//! The landscape on which two modules are compared, wherever it was read.

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::kinds::Watched;
use openmcp_dns_core::objects::{Change, Objects};

use openmcp_dns_api::{Cluster, DNSPolicy};

/// The clusters of a landscape with what runs on them.
pub(super) struct Landscape {
    /// The policy that holds; `None` for the defaults.
    pub(super) policy: Option<DNSPolicy>,
    /// Whether the DNS server in use can serve wildcards.
    pub(super) wildcards: bool,
    /// The clusters in the order of their names.
    pub(super) clusters: Vec<Member>,
}

/// A cluster of the landscape.
pub(super) struct Member {
    /// Which cluster.
    pub(super) id: ClusterId,
    /// The resource.
    pub(super) cluster: Cluster,
    /// What runs on it, or why that is not known.
    pub(super) objects: Result<Objects, String>,
}

/// The objects of one cluster, from a list of them.
pub(super) fn objects(all: impl IntoIterator<Item = Watched>) -> Objects {
    let mut objects = Objects::default();
    for object in all {
        objects.apply(Change::Set(object));
    }
    objects
}

impl Landscape {
    /// Clusters of which only the domain can be compared, and why.
    pub(super) fn unknown(&self) -> impl Iterator<Item = (&ClusterId, &str)> {
        self.clusters.iter().filter_map(|member| Some((&member.id, member.objects.as_ref().err()?.as_str())))
    }
}
