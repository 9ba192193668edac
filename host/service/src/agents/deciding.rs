//! What becomes of what an agent wants to write, before it is written.

use std::sync::Arc;

use openmcp_dns_core::agents::{Edit, KeySpace, Meaning, Refusal};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::cluster_policy::ClusterModule;
use openmcp_dns_core::codes;
use openmcp_dns_core::decide::{AllowedNames, Decision, decide};
use openmcp_dns_core::details::AskedClaim;
use openmcp_dns_core::labels::Labels;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::Denial;
use openmcp_dns_core::resolve::Claim;
use tokio::sync::oneshot;

use super::Means;
use super::agent::{State, source};
use crate::record::Command;

/// A target that an agent wants a name to point to.
type Wanted = (HostName, String);

/// Whether what is new may be written. What is denied is told once, and written without being published when it comes
/// again: external-dns ends at an error and begins anew, and would never come to its other names.
pub(super) async fn check(
    cluster: &ClusterId,
    state: &mut State,
    edits: &[Edit],
    means: &Means,
) -> Result<(), Refusal> {
    if edits.iter().all(|edit| edit.written.is_none()) {
        return Ok(());
    }
    // Who stands under no policy, or leaves, writes nothing at all.
    let (module, allowed) = deciding(cluster, means).await?;
    let is_new = |space: &KeySpace, key: &[u8], value: &[u8]| !space.has(key, value);
    let mut wanted: Vec<Wanted> = Vec::new();
    for Edit { key, written } in edits {
        let Some((pair, meaning)) = written else { continue };
        if !state.space.as_ref().is_some_and(|space| is_new(space, key, &pair.value)) {
            continue;
        }
        match meaning {
            Meaning::Host { name, target } => wanted.push((name.clone(), target.clone())),
            Meaning::Text { name } => text(state, name)?,
            Meaning::Registry { .. } => {}
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let asked = tokio::task::spawn_blocking(move || all(&module, &allowed, wanted));
    let denied =
        asked.await.map_err(|_| Refusal::NotNow("the service failed while it decided".to_owned()))?;
    for ((name, target), denial) in denied {
        state.refused(&name, denial.clone());
        let Denial { code, message, guard: _ } = &denial;
        // What lies outside is never kept: no later decision could publish it.
        let is_outside = [codes::OUTSIDE_DOMAIN, codes::INVALID_HOST_NAME].contains(&code.as_str());
        if is_outside || state.told.is_news(&name, &target) {
            return Err(Refusal::Permission(format!("{name} to {target}: {code}: {message}")));
        }
    }
    Ok(())
}

/// Texts are kept and not published: what a text says of a name, only a policy may.
fn text(state: &mut State, name: &str) -> Result<(), Refusal> {
    let Ok(host_name) = name.parse() else { return Ok(()) };
    if state.told.is_news(&host_name, "TXT") {
        return Err(Refusal::Permission(format!(
            "{name}: texts are not published, only addresses and host names"
        )));
    }
    Ok(())
}

/// Who decides for a cluster, and where it may publish.
async fn deciding(cluster: &ClusterId, means: &Means) -> Result<(ClusterModule, Arc<AllowedNames>), Refusal> {
    let not_now = || Refusal::NotNow("the service is ending".to_owned());
    let (sender, answer) = oneshot::channel();
    let commands = means.commands.upgrade().ok_or_else(not_now)?;
    commands.send(Command::Deciding(cluster.clone(), sender)).await.map_err(|_| not_now())?;
    let deciding = answer.await.map_err(|_| not_now())?;
    deciding.ok_or_else(|| Refusal::NotNow("the cluster has no domain (yet)".to_owned()))
}

/// Asks the module; gives what is denied.
fn all(module: &ClusterModule, allowed: &AllowedNames, wanted: Vec<Wanted>) -> Vec<(Wanted, Denial)> {
    let denied = wanted.into_iter().filter_map(|(name, target)| {
        let claim = Claim { host_name: name.to_string(), targets: vec![target.clone()], ttl_seconds: None };
        // An agent says nothing of the object that the name is from.
        let asked = AskedClaim::new(source(&name), Labels::default(), claim);
        match decide(&*module.policy, &module.context, allowed, &asked) {
            Decision::Deny(denial) => Some(((name, target), denial)),
            // Where a module fails, the recorder asks it again.
            Decision::Publish(_) | Decision::Undecided(_) => None,
        }
    });
    denied.collect()
}
