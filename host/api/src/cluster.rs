//! The openMCP `Cluster`, with the fields that are read.

use kube::{CustomResource, ResourceExt};
use openmcp_dns_core::cluster::ClusterId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EVACUATE_ANNOTATION;

/// A Kubernetes cluster of the landscape. Defined and written by openMCP; only read here. This
/// schema is a subset of the real one, for landscapes that have no openMCP operator.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "clusters.openmcp.cloud",
    version = "v1alpha1",
    kind = "Cluster",
    namespaced,
    status = "ClusterStatus",
    derive = "PartialEq",
    derive = "Default"
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSpec {
    /// Reference to the cluster provider.
    #[serde(default)]
    pub profile: String,
    /// `Exclusive` or `Shared`.
    #[serde(default)]
    pub tenancy: String,
    /// What the cluster is intended for, for example `workload`.
    #[serde(default)]
    pub purposes: Vec<String>,
}

/// Which cluster a `Cluster`, or the `ClusterDNS` beside it, stands for.
pub fn cluster_id(object: &impl ResourceExt) -> ClusterId {
    ClusterId::new(object.namespace().unwrap_or_default(), object.name_any())
}

/// Whether an operator has taken a cluster out of the names that others publish as well.
#[must_use]
pub fn is_evacuated(cluster: &Cluster) -> bool {
    cluster.annotations().get(EVACUATE_ANNOTATION).is_some_and(|value| value == "true")
}

/// The state of a cluster as its provider reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// `Ready`, `Progressing` or `Terminating`; older providers have others.
    #[serde(default)]
    pub phase: String,
    /// Generation that the status describes.
    #[serde(default)]
    pub observed_generation: i64,
}
