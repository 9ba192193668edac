//! Clusters and the objects in them, as every stage names them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::Kind;

/// A name whose parts are shared: they are its fields, and whether two are the same is seen at once where they share.
macro_rules! shared {
    ($name:ident of $parts:ident) => {
        impl Deref for $name {
            type Target = $parts;

            fn deref(&self) -> &$parts {
                &self.0
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

/// Name of a `Cluster` object on the platform cluster. A clone shares its texts: nearly everything that is known of
/// a name says to which cluster it belongs.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(from = "ClusterName", into = "ClusterName")]
pub struct ClusterId(Arc<ClusterName>);

/// The parts of a [`ClusterId`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ClusterName {
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
        ClusterName { namespace: namespace.into(), name: name.into() }.into()
    }
}

impl From<ClusterName> for ClusterId {
    fn from(name: ClusterName) -> Self {
        Self(Arc::new(name))
    }
}

impl From<ClusterId> for ClusterName {
    fn from(id: ClusterId) -> Self {
        Arc::unwrap_or_clone(id.0)
    }
}

shared!(ClusterId of ClusterName);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What a policy may know of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ClusterFacts {
    /// Which cluster.
    pub id: ClusterId,
    /// `spec.purposes`.
    pub purposes: Vec<String>,
    /// Labels of the `Cluster` object.
    pub labels: BTreeMap<String, String>,
}

/// An object that claims host names, within its cluster. A clone shares its texts.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct SourceRef(Arc<SourceName>);

/// The parts of a [`SourceRef`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceName {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

shared!(SourceRef of SourceName);

impl SourceRef {
    /// Names an object.
    pub fn new(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self(Arc::new(SourceName { kind, namespace: namespace.into(), name: name.into() }))
    }

    /// Whether this is its text form.
    #[must_use]
    pub fn is_written(&self, text: &str) -> bool {
        let mut parts = text.splitn(3, '/');
        parts.next() == Some(self.kind.as_str())
            && parts.next() == Some(self.namespace.as_str())
            && parts.next() == Some(self.name.as_str())
    }
}

impl From<SourceRef> for String {
    fn from(source: SourceRef) -> Self {
        source.to_string()
    }
}

impl TryFrom<String> for SourceRef {
    type Error = String;

    /// Reads the text form.
    fn try_from(text: String) -> Result<Self, String> {
        let parts: Vec<&str> = text.splitn(3, '/').collect();
        match parts[..] {
            [kind, namespace, name] => {
                let kind = Kind::parse(kind).ok_or_else(|| format!("{kind:?} is no kind that is known"))?;
                Ok(Self::new(kind, namespace, name))
            }
            _ => Err(format!("{text:?} is not KIND/NAMESPACE/NAME")),
        }
    }
}

impl fmt::Display for SourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
    }
}
