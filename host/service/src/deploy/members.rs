//! Has the members of etcd come and go, and makes their files small.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;
use openmcp_dns_core::deployment::{ETCD, ListedMember, MemberAction, MemberSize, defragment_next};
use openmcp_dns_store::{Membership, StoreError};

/// All members, by the number of their pod; `None` while etcd does not answer, or one of them is none of ours.
pub async fn list(etcd: &dyn Membership, peer_urls: &[String]) -> Option<Vec<ListedMember>> {
    let members = match etcd.list().await {
        Ok(members) => members,
        Err(error) => {
            tracing::debug!(error = openmcp_dns_core::chain(&error), "unable to list the members of etcd");
            return None;
        }
    };
    let one = |member: openmcp_dns_store::Member| {
        let pod = peer_urls.iter().position(|url| member.peer_urls.contains(url))?;
        Some(ListedMember {
            id: member.id,
            pod: u8::try_from(pod).ok()?,
            is_learner: member.is_learner,
            has_begun: member.has_begun,
            is_healthy: member.status.is_some(),
        })
    };
    members.into_iter().map(one).collect()
}

/// Asks etcd for a change of its members.
///
/// # Errors
/// When it refuses, as it does while a learner lacks records, or does not answer.
pub async fn carry_out(
    etcd: &dyn Membership,
    action: MemberAction,
    peer_urls: &[String],
) -> Result<(), StoreError> {
    match action {
        MemberAction::Add(pod) => match peer_urls.get(usize::from(pod)) {
            Some(url) => etcd.add_learner(url).await,
            None => Ok(()),
        },
        MemberAction::Promote(id) => etcd.promote(id).await,
        MemberAction::Remove(id) => etcd.remove(id).await,
        // The members stay as they are.
        MemberAction::Remake(_) => Ok(()),
    }
}

/// Has the pod of a member made anew.
pub(super) async fn remake(platform: &kube::Client, namespace: &str, pod: u8) {
    let name = format!("{ETCD}-{pod}");
    let pods = Api::<Pod>::namespaced(platform.clone(), namespace);
    match pods.delete(&name, &DeleteParams::default()).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.is_not_found() => {}
        Err(error) => {
            tracing::warn!(
                name,
                error = openmcp_dns_core::chain(&error),
                "unable to have a pod of etcd made anew"
            );
        }
    }
}

/// Has one member give back the space that it does not use, where that is worth it. Gives whether one did.
///
/// # Errors
/// When etcd refuses, or does not answer.
pub async fn defragment(etcd: &dyn Membership) -> Result<bool, StoreError> {
    let members = etcd.list().await?;
    let size = |member: &openmcp_dns_store::Member| {
        let status = member.status?;
        let (is_leader, bytes, used_bytes) = (status.is_leader, status.bytes, status.used_bytes);
        Some(MemberSize { id: member.id, is_leader, bytes, used_bytes })
    };
    // While one does not answer, no other one is to be silent.
    let sizes: Option<Vec<MemberSize>> = members.iter().map(size).collect();
    let Some(id) = sizes.as_deref().and_then(defragment_next) else { return Ok(false) };
    tracing::info!(member = format!("{id:x}"), "a member of etcd gives back the space that it does not use");
    etcd.defragment(id).await.map(|()| true)
}
