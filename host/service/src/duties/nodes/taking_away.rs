//! Takes names out of the hosts files of nodes again.

use std::time::Duration;

use k8s_openapi::api::apps::v1::DaemonSet;
use kube::Api;
use kube::api::{Patch, PatchParams};
use openmcp_dns_api::FIELD_MANAGER;
use openmcp_dns_core::chain;
use openmcp_dns_core::deployment::{NODES, NodesStatus, is_ours, nodes_status, taking_away};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{applier, daemon_set, forbidden, health, refused};
use crate::apply::is_forbidden;

/// What has become of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// What has written is gone, or has nothing there; on these nodes it had not yet taken away what it had written.
    Gone { left: Vec<String> },
    /// It is still at it.
    Waiting(String),
}

/// Has the pods take away what they have written, and then has them gone; at once where the time `is_over`.
pub(super) async fn step(client: &kube::Client, is_over: bool) -> Result<Step, String> {
    let live = daemon_set(client).await.map_err(failed)?.filter(is_ours);
    let step = match &live {
        Some(live) => empty(client, live, is_over).await?,
        None => Step::Gone { left: Vec::new() },
    };
    if matches!(step, Step::Gone { .. }) {
        applier(client).apply(&[]).await.map_err(|error| refused(&error))?;
    }
    Ok(step)
}

/// Has the pods of a DaemonSet take away what they have written, and leaves them there. Where the time `is_over`, it is not
/// asked for any more: somebody may put the names into the DaemonSet again each time.
pub(super) async fn empty(client: &kube::Client, live: &Value, is_over: bool) -> Result<Step, String> {
    let NodesStatus { wanted, ready, is_done } = nodes_status(live);
    let mut left = Vec::new();
    match taking_away(live) {
        Some(patch) if !is_over => {
            let daemon_sets = Api::<DaemonSet>::namespaced(client.clone(), NODES);
            let params =
                PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
            daemon_sets.patch(NODES, &params, &Patch::Merge(patch)).await.map_err(failed)?;
            return Ok(Step::Waiting("the nodes are told to take the names away".to_owned()));
        }
        Some(_) => {
            left = health::all(client).await;
            if left.is_empty() && wanted > 0 {
                left.push(format!("{wanted} nodes"));
            }
        }
        None if is_done => {}
        None if !is_over => {
            return Ok(Step::Waiting(format!("{ready} of {wanted} nodes have taken the names away")));
        }
        None => {
            left = health::late(client).await;
            if left.is_empty() {
                left.push(format!("{} of {wanted} nodes", wanted - ready));
            }
        }
    }
    Ok(Step::Gone { left })
}

fn failed(error: kube::Error) -> String {
    let why = chain(&error);
    if is_forbidden(&error) { forbidden(&why) } else { why }
}

/// How often it is looked.
const INTERVAL: Duration = Duration::from_secs(1);

/// Takes the names out of the hosts files of all nodes, and what has written them out of the cluster; gives the nodes that
/// had not done so in this time.
///
/// # Errors
/// When the cluster does not answer, or refuses: says why.
pub async fn remove(client: &kube::Client, patience: Duration) -> Result<Vec<String>, String> {
    let began = Instant::now();
    loop {
        match step(client, began.elapsed() >= patience).await? {
            Step::Gone { left } => return Ok(left),
            Step::Waiting(_) => sleep(INTERVAL).await,
        }
    }
}
