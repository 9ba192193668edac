//! Clusters and the objects in them, as every stage names them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kinds::Kind;

/// Name of a `Cluster` object on the platform cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterId {
    /// Namespace of the `Cluster` object.
    pub namespace: String,
    /// Name of the `Cluster` object.
    pub name: String,
}

/// Stands in the place of a namespace where the service itself publishes. It is no DNS label, so that no namespace of
/// Kubernetes has the name.
const SERVICE_NAMESPACE: &str = "_service";

impl ClusterId {
    /// The service itself, which publishes like a cluster.
    #[must_use]
    pub fn service() -> Self {
        Self::new(SERVICE_NAMESPACE, "dns")
    }

    /// Whether it is the service itself, and no cluster.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.namespace == SERVICE_NAMESPACE
    }

    /// Names a cluster.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What a policy may know of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClusterFacts {
    /// Which cluster.
    pub id: ClusterId,
    /// `spec.purposes`.
    pub purposes: Vec<String>,
    /// Labels of the `Cluster` object.
    pub labels: BTreeMap<String, String>,
}

/// An object that claims host names, within its cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceRef {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl SourceRef {
    /// Whether this is its text form.
    #[must_use]
    pub fn is_written(&self, text: &str) -> bool {
        let mut parts = text.splitn(3, '/');
        parts.next() == Some(self.kind.as_str())
            && parts.next() == Some(&self.namespace)
            && parts.next() == Some(&self.name)
    }
}

impl fmt::Display for SourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
    }
}
