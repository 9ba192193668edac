//! The openMCP `AccessRequest`, by which a platform service gets into a cluster, with the fields that are used.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, ResourceExt as _};
use openmcp_dns_core::cluster::ClusterId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Finalizer that openMCP's library sets on what it asks for, and takes away when it has deleted it.
pub const ACCESS_REQUEST_FINALIZER: &str = "clusters.openmcp.cloud/clusteraccess";

/// Label that says who asks.
pub const OPENMCP_MANAGED_BY_LABEL: &str = "openmcp.cloud/managed-by";

/// Label that says for what.
pub const OPENMCP_MANAGED_PURPOSE_LABEL: &str = "openmcp.cloud/managed-purpose";

/// What is asked for. openMCP defines the kind.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[kube(
    group = "clusters.openmcp.cloud",
    version = "v1alpha1",
    kind = "AccessRequest",
    namespaced,
    status = "AccessRequestStatus",
    schema = "disabled",
    derive = "PartialEq",
    derive = "Default"
)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessRequestSpec {
    /// The cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_ref: Option<ClusterReference>,
    /// What may be done there, with a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Value>,
}

/// Names a `Cluster`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ClusterReference {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// What has become of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessRequestStatus {
    /// `Pending`, `Granted` or `Denied`; nothing at first.
    pub phase: String,
    /// Generation that the status describes.
    pub observed_generation: i64,
    /// The Secret with the kubeconfig, in the namespace of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretReference>,
    /// Details.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// Names a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct SecretReference {
    /// Its name.
    pub name: String,
}

/// Why nothing is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotGranted {
    /// It will not be, unless a person does something; otherwise it may be soon.
    pub is_denied: bool,
    /// For people.
    pub message: String,
}

impl AccessRequest {
    /// The cluster that it is for; the provider fills that in where somebody has asked otherwise.
    #[must_use]
    pub fn cluster(&self) -> Option<ClusterId> {
        let reference = self.spec.cluster_ref.as_ref()?;
        Some(ClusterId::new(&reference.namespace, &reference.name))
    }

    /// The Secret with the kubeconfig, or why there is none. What was granted to an older generation counts no more.
    ///
    /// # Errors
    /// When nothing is granted.
    pub fn granted(&self) -> Result<&str, NotGranted> {
        let status = self.status.clone().unwrap_or_default();
        let name = format!("AccessRequest {}/{}", self.namespace().unwrap_or_default(), self.name_any());
        let pending = |message| Err(NotGranted { is_denied: false, message });
        if self.metadata.deletion_timestamp.is_some() {
            return pending(format!("{name} is being deleted"));
        }
        let is_current = Some(status.observed_generation) == self.metadata.generation;
        let secret = self.status.as_ref().and_then(|status| status.secret_ref.as_ref());
        match (status.phase.as_str(), secret) {
            ("Granted", Some(secret)) if is_current => Ok(&secret.name),
            ("Denied", _) if is_current => {
                let why: Vec<&str> = status
                    .conditions
                    .iter()
                    .filter(|condition| condition.status != "True" && !condition.message.is_empty())
                    .map(|condition| condition.message.as_str())
                    .collect();
                let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join("; ")) };
                Err(NotGranted {
                    is_denied: true,
                    message: format!(
                        "{name} is denied{why}: ask the cluster's provider, or give a Secret with a kubeconfig"
                    ),
                })
            }
            ("", _) => {
                pending(format!("{name} has not been looked at yet: is there a provider for the cluster?"))
            }
            ("Granted", _) if !is_current => {
                pending(format!("{name} has been changed, and not been granted anew yet"))
            }
            (phase, _) => pending(format!("{name} has not been granted yet, its phase is {phase}")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use serde_json::json;

    use super::*;

    fn request(generation: i64, status: &Value) -> AccessRequest {
        serde_json::from_value(json!({
            "apiVersion": "clusters.openmcp.cloud/v1alpha1",
            "kind": "AccessRequest",
            "metadata": {"name": "r", "namespace": "n", "generation": generation},
            "spec": {"clusterRef": {"name": "w1", "namespace": "n"}},
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn only_what_was_granted_to_the_present_generation_counts() {
        let granted = json!({"phase": "Granted", "observedGeneration": 2, "secretRef": {"name": "s"}});
        assert_eq!(request(2, &granted).granted(), Ok("s"));
        let why_not = |generation, status: &Value| {
            let NotGranted { is_denied, message } = request(generation, status).granted().unwrap_err();
            format!("{}: {message}", if is_denied { "denied" } else { "pending" })
        };
        let is = |said: String, kind: &str, text: &str| {
            assert!(said.starts_with(kind) && said.contains(text), "{said}")
        };
        is(why_not(3, &granted), "pending", "n/r has been changed");
        let pending = json!({"phase": "Pending", "observedGeneration": 2});
        is(why_not(2, &pending), "pending", "its phase is Pending");
        let denied = json!({"phase": "Denied", "observedGeneration": 2, "conditions": [{"type": "Granted",
            "status": "False", "reason": "No", "message": "no tenants", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
        is(why_not(2, &denied), "denied", "is denied (no tenants)");
        is(why_not(1, &Value::Null), "pending", "not been looked at");
    }
}
