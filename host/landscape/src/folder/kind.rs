//! Which objects of a folder the service reads, and how they are named.

use std::fmt;

use openmcp_dns_core::kinds;

/// Kinds of objects that are read from a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The clusters of the landscape.
    Cluster,
    /// Which module decides.
    DnsPolicy,
    /// What openMCP's gateway service says of the domains of clusters.
    GatewayServiceConfig,
    /// What is watched in every cluster.
    Watched(kinds::Kind),
}

impl Kind {
    fn all() -> impl Iterator<Item = Self> {
        [Self::Cluster, Self::DnsPolicy, Self::GatewayServiceConfig]
            .into_iter()
            .chain(kinds::Kind::watched().map(Self::Watched))
    }

    /// The kind in its Kubernetes spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::DnsPolicy => "DNSPolicy",
            Self::GatewayServiceConfig => "GatewayServiceConfig",
            Self::Watched(kind) => kind.as_str(),
        }
    }

    const fn group(self) -> &'static str {
        match self {
            Self::Cluster => "clusters.openmcp.cloud",
            Self::DnsPolicy => "dns.openmcp.cloud",
            Self::GatewayServiceConfig => "gateway.openmcp.cloud",
            Self::Watched(kind) => kind.group(),
        }
    }

    /// Whether it is read from the folder of the platform cluster only.
    pub(super) const fn is_of_platform(self) -> bool {
        !matches!(self, Self::Watched(_))
    }

    pub(super) const fn is_namespaced(self) -> bool {
        match self {
            Self::Cluster => true,
            Self::DnsPolicy | Self::GatewayServiceConfig => false,
            Self::Watched(kind) => kind.is_namespaced(),
        }
    }
}

/// Names an object within its cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name } = self;
        let kind = kind.as_str();
        if namespace.is_empty() { write!(f, "{kind}/{name}") } else { write!(f, "{kind}/{namespace}/{name}") }
    }
}

/// What a group and kind mean to the service.
pub(super) enum Recognised {
    /// The object is read.
    Read(Kind),
    /// Hardly anything else than a kind that is read can be meant.
    Misspelled(Kind),
    /// A kind that the service never reads.
    Other,
}

pub(super) fn recognise(api_version: &str, kind: &str) -> Recognised {
    // Every version of a group: the fields that are read are the same in all of them.
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let in_group = |known: &Kind| known.group() == group;
    if let Some(known) = Kind::all().filter(in_group).find(|known| known.as_str() == kind) {
        return Recognised::Read(known);
    }
    let alike = |known: &Kind| known.as_str().eq_ignore_ascii_case(kind);
    Kind::all().filter(in_group).find(alike).map_or(Recognised::Other, Recognised::Misspelled)
}
