//! How an agent stands.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use openmcp_dns_core::deployment::{AGENT, AGENT_COMPONENT, COMPONENT_LABEL};

use crate::duties::pods::trouble;

/// How an agent stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It runs as it was applied last.
    Well,
    /// Its pod is on its way.
    Starting,
    /// Its pod does not run, and why.
    Trouble(String),
}

impl Health {
    /// Goes by its Deployment, and looks at its pods where that does not suffice.
    pub(super) async fn of(
        client: &kube::Client,
        deployment: Option<&Deployment>,
    ) -> Result<Self, kube::Error> {
        let Some(deployment) = deployment else { return Ok(Self::Starting) };
        if is_rolled_out(deployment) {
            return Ok(Self::Well);
        }
        let selector = format!("{COMPONENT_LABEL}={AGENT_COMPONENT}");
        let pods = Api::<Pod>::namespaced(client.clone(), AGENT);
        let pods = pods.list(&ListParams::default().labels(&selector)).await?;
        Ok(pods.items.iter().find_map(|pod| trouble(pod, "the agent")).map_or(Self::Starting, Self::Trouble))
    }
}

/// Its Deployment.
pub(super) async fn deployment(client: &kube::Client) -> Result<Option<Deployment>, kube::Error> {
    Api::namespaced(client.clone(), AGENT).get_opt(AGENT).await
}

fn is_rolled_out(deployment: &Deployment) -> bool {
    let status = deployment.status.clone().unwrap_or_default();
    let DeploymentStatus { observed_generation, replicas, updated_replicas, available_replicas, .. } = status;
    observed_generation >= deployment.metadata.generation
        && [replicas, updated_replicas, available_replicas].iter().all(|count| *count == Some(1))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_well_when_the_only_pod_is_of_the_last_generation() {
        let deployment = |observed: i64, updated: i32| -> Deployment {
            serde_json::from_value(json!({
                "metadata": {"generation": 2},
                "status": {"observedGeneration": observed, "replicas": 1, "updatedReplicas": updated, "availableReplicas": 1},
            }))
            .unwrap()
        };
        assert!(is_rolled_out(&deployment(2, 1)));
        assert!(!is_rolled_out(&deployment(1, 1)) && !is_rolled_out(&deployment(2, 0)));
        assert!(!is_rolled_out(&Deployment::default()));
    }
}
