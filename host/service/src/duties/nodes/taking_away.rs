//! Takes names out of the hosts files of nodes again.

use std::time::Duration;

use k8s_openapi::api::apps::v1::DaemonSet;
use kube::Api;
use kube::api::{Patch, PatchParams};
use openmcp_dns_api::FIELD_MANAGER;
use openmcp_dns_core::chain;
use openmcp_dns_core::deployment::{NODES, NodesStatus, is_ours, nodes_status, taking_away};
use tokio::time::{Instant, sleep};

use super::{applier, daemon_set, forbidden, health, refused};
use crate::apply::is_forbidden;

/// What has become of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// What has written is gone; on these nodes it had not yet taken away what it had written.
    Gone { left: Vec<String> },
    /// It is still at it.
    Waiting(String),
}

/// Has the pods take away what they have written, and then has them gone; at once where the time `is_over`.
pub(super) async fn step(client: &kube::Client, is_over: bool) -> Result<Step, String> {
    let failed = |error: kube::Error| {
        let why = chain(&error);
        if is_forbidden(&error) { forbidden(&why) } else { why }
    };
    let live = daemon_set(client).await.map_err(failed)?.filter(is_ours);
    let mut left = Vec::new();
    if let Some(live) = live {
        if let Some(patch) = taking_away(&live) {
            let daemon_sets = Api::<DaemonSet>::namespaced(client.clone(), NODES);
            let params =
                PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
            daemon_sets.patch(NODES, &params, &Patch::Merge(patch)).await.map_err(failed)?;
            return Ok(Step::Waiting("the nodes are told to take the names away".to_owned()));
        }
        let NodesStatus { wanted, ready, is_done } = nodes_status(&live);
        if !is_done && !is_over {
            return Ok(Step::Waiting(format!("{ready} of {wanted} nodes have taken the names away")));
        }
        if !is_done {
            left = health::late(client).await;
            if left.is_empty() {
                left.push(format!("{} of {wanted} nodes", wanted - ready));
            }
        }
    }
    applier(client).apply(&[]).await.map_err(|error| refused(&error))?;
    Ok(Step::Gone { left })
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
