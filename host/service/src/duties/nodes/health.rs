//! How what writes on the nodes stands.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Api;
use kube::api::ListParams;
use openmcp_dns_core::deployment::{COMPONENT_LABEL, NODES, NODES_COMPONENT, NodesStatus, nodes_status};
use serde_json::Value;
use tokio::time::Instant;

use crate::apply::is_forbidden;
use crate::duties::pods::trouble;

/// How long pods may take to come, until that is trouble: an image is fetched meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);

/// Most pods that are looked at, and Events.
const MOST: u32 = 500;

/// How what writes on the nodes stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// All of so many nodes have what is wanted.
    Well { nodes: i64 },
    /// Some are on their way.
    Starting(String),
    /// Some have not, and why.
    Trouble(String),
}

/// Since when pods should have come.
#[derive(Debug)]
pub(super) struct Awaited {
    since: Instant,
    /// Whether all were well since then.
    was_well: bool,
}

impl Awaited {
    pub(super) const fn new(now: Instant) -> Self {
        Self { since: now, was_well: true }
    }

    /// Something was written. Who has a name change again and again puts off no trouble by that.
    pub(super) fn written(&mut self, now: Instant) {
        if self.was_well {
            *self = Self { since: now, was_well: false };
        }
    }

    /// So they were found.
    pub(super) fn found(&mut self, health: &Health) {
        self.was_well |= matches!(health, Health::Well { .. });
    }

    pub(super) fn waited(&self, now: Instant) -> Duration {
        now.duration_since(self.since)
    }
}

impl Health {
    /// Goes by the DaemonSet, and looks at its pods where that does not suffice; `waited` since it should have them.
    pub(super) async fn of(
        client: &kube::Client,
        daemon_set: Option<&Value>,
        waited: Duration,
    ) -> Result<Self, kube::Error> {
        let status = daemon_set.map(nodes_status).unwrap_or_default();
        if status.is_done && status.wanted > 0 {
            return Ok(Self::Well { nodes: status.wanted });
        }
        if daemon_set.is_none() {
            return Ok(Self::Starting("their DaemonSet has just been made".to_owned()));
        }
        let pods = pods(client).await?;
        let refusal = if pods.is_empty() { refusal(client).await? } else { None };
        Ok(Self::judge(status, &pods, refusal, waited))
    }

    fn judge(status: NodesStatus, pods: &[Pod], refusal: Option<String>, waited: Duration) -> Self {
        let NodesStatus { wanted, ready, is_done } = status;
        if let Some(why) = pods.iter().find_map(|pod| {
            Some(format!("on node {}: {}", node(pod), trouble(pod, "what writes the names")?))
        }) {
            return Self::Trouble(why);
        }
        if let Some(why) = refusal {
            return Self::Trouble(format!("no pod can be made that writes on the nodes: {why}"));
        }
        if waited < PATIENCE {
            return Self::Starting(format!("{ready} of {wanted} nodes have them"));
        }
        if is_done {
            return Self::Trouble(
                "no node may run what writes the names: there is none, or nodeSelector and tolerations leave none"
                    .to_owned(),
            );
        }
        let late: BTreeSet<&str> = pods.iter().filter(|pod| !is_ready(pod)).map(node).collect();
        let late: Vec<&str> = late.into_iter().take(8).collect();
        Self::Trouble(format!(
            "{ready} of {wanted} nodes have the names, and not: {}. A node is down, or its hosts file cannot be written: \
             kubectl -n {NODES} logs --prefix -l {COMPONENT_LABEL}={NODES_COMPONENT}",
            late.join(", ")
        ))
    }
}

/// The pods.
async fn pods(client: &kube::Client) -> Result<Vec<Pod>, kube::Error> {
    let selector = format!("{COMPONENT_LABEL}={NODES_COMPONENT}");
    let pods = Api::<Pod>::namespaced(client.clone(), NODES);
    let listed = pods.list(&ListParams::default().labels(&selector).limit(MOST)).await;
    match listed {
        Ok(pods) => Ok(pods.items),
        Err(error) if is_forbidden(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The nodes whose pods are not ready.
pub(super) async fn late(client: &kube::Client) -> Vec<String> {
    let pods = pods(client).await.unwrap_or_default();
    nodes(pods.iter().filter(|pod| !is_ready(pod)))
}

/// The nodes of all pods.
pub(super) async fn all(client: &kube::Client) -> Vec<String> {
    nodes(pods(client).await.unwrap_or_default().iter())
}

fn nodes<'p>(pods: impl Iterator<Item = &'p Pod>) -> Vec<String> {
    let nodes: BTreeSet<&str> = pods.map(node).collect();
    nodes.into_iter().map(str::to_owned).collect()
}

/// Why no pod is made, as an Event of the DaemonSet says it: an admission that lets no pod mount files of nodes.
async fn refusal(client: &kube::Client) -> Result<Option<String>, kube::Error> {
    let events = Api::<Event>::namespaced(client.clone(), NODES);
    let listed = match events.list(&ListParams::default().limit(MOST)).await {
        Ok(listed) => listed.items,
        Err(kube::Error::Api(status)) if [403, 404].contains(&status.code) => return Ok(None),
        Err(error) => return Err(error),
    };
    let of_daemon_set = |event: &Event| {
        event.involved_object.kind.as_deref() == Some("DaemonSet")
            && event.reason.as_deref() == Some("FailedCreate")
    };
    let last = listed.into_iter().filter(of_daemon_set).max_by_key(|event| event.last_timestamp.clone());
    Ok(last.and_then(|event| event.message))
}

fn node(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or("(none yet)")
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(node: &str, is_ready: bool) -> Pod {
        let status = if is_ready { "True" } else { "False" };
        serde_json::from_value(json!({
            "spec": {"nodeName": node, "containers": []},
            "status": {"conditions": [{"type": "Ready", "status": status}]},
        }))
        .unwrap()
    }

    #[test]
    fn a_node_that_has_no_names_after_a_while_is_named() {
        let status = NodesStatus { wanted: 2, ready: 1, is_done: false };
        let pods = [pod("n1", true), pod("n2", false)];
        let soon = Health::judge(status, &pods, None, Duration::from_secs(5));
        assert_eq!(soon, Health::Starting("1 of 2 nodes have them".to_owned()));
        let Health::Trouble(why) = Health::judge(status, &pods, None, PATIENCE) else { panic!("no trouble") };
        assert!(why.starts_with("1 of 2 nodes have the names, and not: n2. A node is down"), "{why}");
        let none = NodesStatus { wanted: 0, ready: 0, is_done: true };
        let Health::Trouble(why) = Health::judge(none, &[], None, PATIENCE) else { panic!("no trouble") };
        assert!(why.starts_with("no node may run"), "{why}");
    }

    #[test]
    fn a_name_that_changes_again_and_again_puts_off_no_trouble() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut awaited = Awaited::new(began);
        for seconds in [10, 40, 70, 100, 130] {
            awaited.written(at(seconds));
            awaited.found(&Health::Starting(String::new()));
        }
        assert_eq!(awaited.waited(at(140)), Duration::from_secs(130));
        awaited.found(&Health::Well { nodes: 1 });
        awaited.written(at(150));
        assert_eq!(awaited.waited(at(160)), Duration::from_secs(10));
    }

    #[test]
    fn what_keeps_pods_from_coming_is_said_at_once() {
        let status = NodesStatus { wanted: 1, ready: 0, is_done: false };
        let refusal = Some("pods \"openmcp-dns-nodes-\" is forbidden: violates PodSecurity".to_owned());
        let Health::Trouble(why) = Health::judge(status, &[], refusal, Duration::ZERO) else {
            panic!("no trouble")
        };
        assert!(
            why.contains("no pod can be made that writes on the nodes: pods") && why.contains("PodSecurity"),
            "{why}"
        );
        let mut waiting = pod("n1", false);
        waiting.status.as_mut().unwrap().container_statuses = serde_json::from_value(json!([{
            "name": "node-hosts", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}},
        }]))
        .unwrap();
        let Health::Trouble(why) = Health::judge(status, &[waiting], None, Duration::ZERO) else {
            panic!("no trouble")
        };
        assert_eq!(why, "on node n1: what writes the names does not run: ErrImagePull: not found");
    }
}
