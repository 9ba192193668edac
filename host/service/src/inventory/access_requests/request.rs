//! What is asked for, and how it is asked and given back.

use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use openmcp_dns_api::{
    ACCESS_REQUEST_FINALIZER, AccessRequest, OPENMCP_MANAGED_BY_LABEL, OPENMCP_MANAGED_PURPOSE_LABEL,
};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::deployment::covers;
use openmcp_dns_core::openmcp_names::{access_request, label_value};
use serde_json::{Value, json};

use super::existing::take_back;

/// What openMCP's own DNS service calls the part of it that asks: what that one has left behind is taken over.
pub(super) const CONTROLLER: &str = "DNSCluster";

/// The rights that are asked for: one list for those who give a kubeconfig and for those who grant a request.
const RIGHTS: &str = include_str!("../../../../../deploy/cluster-access.yaml");

/// Asks in the name of a platform service.
#[derive(Clone)]
pub(super) struct Requester {
    platform: kube::Client,
    /// The value of [`OPENMCP_MANAGED_BY_LABEL`].
    managed_by: String,
    token: Value,
}

impl Requester {
    /// Of the platform service of this name.
    pub(super) fn new(platform: kube::Client, provider_name: &str) -> Self {
        let managed_by = label_value(&format!("{provider_name}.{CONTROLLER}"));
        Self { platform, managed_by, token: json!({"permissions": permissions()}) }
    }

    /// Selects the requests.
    pub(super) fn selector(&self) -> String {
        format!("{OPENMCP_MANAGED_BY_LABEL}={}", self.managed_by)
    }

    /// Whether a request asks for what would be asked for now, and for nothing else. One that goes is not touched any more.
    pub(super) fn is_as_wanted(&self, request: &AccessRequest) -> bool {
        let asks = request.spec.token.as_ref().is_some_and(|token| {
            let is_none = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
            covers(token, &self.token) && is_none(&token["roleRefs"])
        });
        asks || request.metadata.deletion_timestamp.is_some()
    }

    fn api(&self, cluster: &ClusterId) -> Api<AccessRequest> {
        Api::namespaced(self.platform.clone(), &cluster.namespace)
    }

    /// Asks for access, or for other rights than before. Gives whether there was anything to ask for.
    pub(super) async fn ask(&self, cluster: &ClusterId) -> kube::Result<bool> {
        let (api, name) = (self.api(cluster), access_request(CONTROLLER, &cluster.name));
        match api.get_opt(&name).await? {
            None => api.create(&PostParams::default(), &self.request(cluster, name)?).await.map(|_| true),
            Some(request) if self.is_as_wanted(&request) => Ok(false),
            Some(_) => {
                // Also the role `cluster-admin` goes, which openMCP's own service asks for.
                let token = json!({"permissions": self.token["permissions"], "roleRefs": null});
                let patch = json!({"spec": {"token": token}});
                api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await.map(|_| true)
            }
        }
    }

    fn request(&self, cluster: &ClusterId, name: String) -> kube::Result<AccessRequest> {
        let object = json!({
            "apiVersion": "clusters.openmcp.cloud/v1alpha1",
            "kind": "AccessRequest",
            "metadata": {
                "name": name,
                "namespace": cluster.namespace,
                "labels": {
                    OPENMCP_MANAGED_BY_LABEL: self.managed_by,
                    OPENMCP_MANAGED_PURPOSE_LABEL: label_value(&cluster.name),
                },
                "finalizers": [ACCESS_REQUEST_FINALIZER],
            },
            "spec": {
                "clusterRef": {"name": cluster.name, "namespace": cluster.namespace},
                "token": self.token,
            },
        });
        serde_json::from_value(object).map_err(kube::Error::SerdeError)
    }

    /// Gives the access back. Gives whether the request is gone.
    pub(super) async fn give_back(&self, cluster: &ClusterId) -> kube::Result<bool> {
        let is_ours = |request: &AccessRequest| {
            request.labels().get(OPENMCP_MANAGED_BY_LABEL) == Some(&self.managed_by)
        };
        take_back(&self.platform, cluster, is_ours).await
    }
}

/// The rights, as a request has them: those for the whole cluster, then those in a namespace.
fn permissions() -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(RIGHTS).unwrap_or_default();
    let permission = |role: &Value| match role["metadata"]["namespace"].as_str() {
        None => json!({"rules": role["rules"]}),
        Some(namespace) => {
            json!({"namespace": namespace, "disableAutomaticNamespaceCreation": true, "rules": role["rules"]})
        }
    };
    documents.iter().map(permission).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rights_are_those_of_the_file_for_the_cluster_and_for_its_dns() {
        let all = permissions();
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(all[0]["namespace"].is_null() && all[1]["namespace"] == "kube-system");
        for permission in &all {
            let rules = permission["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
            assert!(!rules.is_empty());
            assert!(rules.iter().all(|rule| !rule.to_string().contains('*')), "{permission}");
        }
    }
}
