//! `ClusterDNS`: what the service did for one cluster. Written by the service only.

#![allow(clippy::duplicated_attributes, reason = "each printed column has a type, and many have the same")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forward::Forwarding;
use super::phase::Phase;
use super::schemas;

/// Stands beside its `Cluster`, under the same name. There is nothing to configure: look at the status.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "dns.openmcp.cloud",
    version = "v1alpha1",
    kind = "ClusterDNS",
    plural = "clusterdnses",
    shortname = "cdns",
    namespaced,
    status = "ClusterDNSStatus",
    derive = "PartialEq",
    derive = "Default",
    label("openmcp.cloud/cluster", "platform"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Domain", type_ = "string", json_path = ".status.domain"),
    printcolumn(
        name = "Reachable",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Reachable\")].status"
    ),
    printcolumn(
        name = "Forwarded",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Forwarded\")].status"
    ),
    printcolumn(
        name = "Recorded",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Recorded\")].status"
    ),
    printcolumn(
        name = "Probed",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Probed\")].status"
    ),
    printcolumn(name = "Published", type_ = "integer", json_path = ".status.published"),
    printcolumn(name = "Denied", type_ = "integer", json_path = ".status.denied")
)]
pub struct ClusterDNSSpec {}

/// What the service did for the cluster.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterDNSStatus {
    /// Generation of the `Cluster` that the status describes.
    #[serde(default)]
    pub observed_generation: i64,
    /// The state in one word: `Ready` (all conditions are true), `Progressing` or `Terminating`.
    #[serde(default)]
    pub phase: Phase,
    /// The cluster's domain; empty while it has none.
    #[serde(default)]
    pub domain: String,
    /// The zone that the cluster's records lie in and its DNS forwards; it stays when no policy selects the cluster any more.
    #[serde(default)]
    pub zone: String,
    /// The DNSPolicy that holds for the cluster; empty while there is none.
    #[serde(default)]
    pub policy: String,
    /// `Ready` (all others are true), and one condition per duty: Reachable, Forwarded, Annotated, Recorded, Agent, NodesForwarded,
    /// Probed.
    #[serde(default)]
    #[schemars(schema_with = "schemas::conditions")]
    pub conditions: Vec<Condition>,
    /// How many claims are published.
    #[serde(default)]
    pub published: i64,
    /// How many claims are denied.
    #[serde(default)]
    pub denied: i64,
    /// How many claims point nowhere yet.
    #[serde(default)]
    pub unresolved: i64,
    /// How many claims the policy module failed on.
    #[serde(default)]
    pub undecided: i64,
    /// How many claims give way to another.
    #[serde(default)]
    pub conflicts: i64,
    /// Some of the claims that are not published, and why; at most 20.
    #[serde(default)]
    pub problems: Vec<ClaimProblem>,
    /// While a deletion is held: how many names it would withdraw, and the word that confirms it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_deletion: Option<HeldDeletion>,
    /// Zones of earlier policies, and reverse zones of networks that are listed no more, from which the cluster's records and
    /// forward block are being taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_zones: Vec<String>,
    /// Reverse zones of the policy's networks, which the cluster's DNS is made to forward, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reverse_zones: Vec<String>,
    /// How the cluster's DNS is made to forward the zone; nothing while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarding: Option<Forwarding>,
    /// Address of the cluster's own DNS as the platform reaches it; empty when it is not known.
    #[serde(default)]
    pub cluster_dns_address: String,
}

/// A claim that is not published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimProblem {
    /// The object, for example `HTTPRoute/default/example-route`.
    pub source: String,
    /// The host name as the object has it.
    pub host_name: String,
    /// For machines, for example `outside-domain`.
    pub code: String,
    /// For people.
    pub message: String,
}

/// A deletion that waits for a confirmation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct HeldDeletion {
    /// How many names would be withdrawn.
    pub names: i64,
    /// Put this into the annotation `dns.openmcp.cloud/confirm-deletion` of this object to let the
    /// deletion go on at once. It changes when the plan changes.
    pub token: String,
}
