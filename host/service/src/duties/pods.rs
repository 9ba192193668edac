//! Why a pod in a cluster does not run.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

/// What keeps a pod from running: an image that cannot be had, a container that ends again and again, no node. `whose` pod it
/// is: `the agent`.
pub(super) fn trouble(pod: &Pod, whose: &str) -> Option<String> {
    let status = pod.status.as_ref()?;
    let unschedulable = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    if let Some(condition) = unschedulable {
        let why = condition.message.as_deref().unwrap_or_default();
        return Some(format!("no node takes the pod of {whose}: {why}"));
    }
    status.container_statuses.iter().flatten().find_map(|status| of_container(status, whose))
}

fn of_container(status: &ContainerStatus, whose: &str) -> Option<String> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().filter(|reason| *reason != "ContainerCreating")?;
    let ended = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    let detail = ended.map_or_else(
        || waiting.message.clone().unwrap_or_default(),
        |ended| format!("it ended with exit code {} ({} restarts)", ended.exit_code, status.restart_count),
    );
    Some(format!("{whose} does not run: {reason}: {detail}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
                Some("no node takes the pod of the agent: 0/1 nodes"),
            ),
        ] {
            assert_eq!(trouble(&pod, "the agent").as_deref(), expected);
        }
    }
}
