//! How an agent stands.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::Api;
use kube::api::ListParams;
use openmcp_dns_core::deployment::{AGENT, AGENT_COMPONENT, COMPONENT_LABEL};

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
        Ok(pods.items.iter().find_map(trouble).map_or(Self::Starting, Self::Trouble))
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

/// What keeps a pod from running: an image that cannot be had, a container that ends again and again, no node.
fn trouble(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let unschedulable = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    if let Some(condition) = unschedulable {
        let why = condition.message.as_deref().unwrap_or_default();
        return Some(format!("no node takes the agent's pod: {why}"));
    }
    status.container_statuses.iter().flatten().find_map(of_container)
}

fn of_container(status: &ContainerStatus) -> Option<String> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().filter(|reason| *reason != "ContainerCreating")?;
    let ended = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    let detail = ended.map_or_else(
        || waiting.message.clone().unwrap_or_default(),
        |ended| format!("it ended with exit code {} ({} restarts)", ended.exit_code, status.restart_count),
    );
    Some(format!("the agent does not run: {reason}: {detail}"))
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

    #[test]
    fn a_pod_that_does_not_run_says_why() {
        let pod =
            |status: serde_json::Value| -> Pod { serde_json::from_value(json!({"status": status})).unwrap() };
        let container = |state: serde_json::Value, last: serde_json::Value| {
            pod(
                json!({"containerStatuses": [{"name": "external-dns", "image": "i", "imageID": "", "ready": false,
                "restartCount": 3, "state": state, "lastState": last}]}),
            )
        };
        for (pod, expected) in [
            (container(json!({"running": {}}), json!({})), None),
            (container(json!({"waiting": {"reason": "ContainerCreating"}}), json!({})), None),
            (
                container(
                    json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}),
                    json!({}),
                ),
                Some("the agent does not run: ImagePullBackOff: no such image"),
            ),
            (
                container(
                    json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}),
                    json!({"terminated": {"exitCode": 1}}),
                ),
                Some("the agent does not run: CrashLoopBackOff: it ended with exit code 1 (3 restarts)"),
            ),
            (
                pod(
                    json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]}),
                ),
                Some("no node takes the agent's pod: 0/1 nodes"),
            ),
        ] {
            assert_eq!(trouble(&pod).as_deref(), expected);
        }
    }
}
