//! Writes the changes that a plan has, and takes all of them back.

use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use openmcp_dns_core::chain;
use openmcp_dns_core::deployment::Reference;
use openmcp_dns_core::forwarding::{Action, Change, KindOf, Refusal, removal};
use openmcp_dns_core::name::HostName;
use thiserror::Error;

use super::layout::{api, code, read};
use openmcp_dns_api::FIELD_MANAGER;

/// Why a cluster's DNS is as it was.
#[derive(Debug, Error)]
pub enum ForwardError {
    /// Something is not understood, or is somebody else's.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The API server refuses the change.
    #[error("unable to write {object}{}", hint(.source))]
    Write {
        /// What was to be changed.
        object: Reference,
        /// Why it was not.
        #[source]
        source: kube::Error,
    },
    /// The API server refuses to show something, or does not answer.
    #[error("unable to read the cluster's DNS configuration")]
    Read(#[source] kube::Error),
}

impl ForwardError {
    /// Whether somebody else was faster: what was read is out of date.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Write { source, .. } if code(source) == 409)
    }
}

/// The next step where rights are missing.
fn hint(error: &kube::Error) -> &'static str {
    match code(error) {
        403 => {
            " (apply deploy/cluster-access.yaml to the cluster, and add the object's name there if it is another one)"
        }
        _ => "",
    }
}

/// Takes back whatever forwards `zone` and is ours.
///
/// # Errors
/// When the configuration is left as it is although something of ours may stand in it.
pub async fn remove(client: &kube::Client, zone: &HostName) -> Result<(), ForwardError> {
    for change in traces(client, zone).await? {
        write(client, change).await?;
    }
    Ok(())
}

/// Whether anything of ours forwards `zone`.
///
/// # Errors
/// When that cannot be known.
pub async fn is_forwarded(client: &kube::Client, zone: &HostName) -> Result<bool, ForwardError> {
    Ok(!traces(client, zone).await?.is_empty())
}

async fn traces(client: &kube::Client, zone: &HostName) -> Result<Vec<Change>, ForwardError> {
    let facts = read(client).await.map_err(ForwardError::Read)?;
    Ok(removal(&facts, zone)?)
}

/// Makes one change, and only if nobody else has changed the object in the meantime.
pub(super) async fn write(client: &kube::Client, change: Change) -> Result<(), ForwardError> {
    let Change { object, action } = change;
    let Some(kind) = KindOf::of(&object) else { return Ok(()) };
    let api = api(client, kind);
    let field_manager = Some(FIELD_MANAGER.to_owned());
    let written = match action {
        Action::Create(created) => match serde_json::from_value(created) {
            Ok(created) => {
                let params = PostParams { field_manager, ..PostParams::default() };
                api.create(&params, &created).await.map(drop)
            }
            Err(error) => Err(kube::Error::SerdeError(error)),
        },
        Action::Merge(patch) => {
            let params = PatchParams { field_manager, ..PatchParams::default() };
            api.patch(&object.name, &params, &Patch::Merge(patch)).await.map(drop)
        }
        Action::Delete { resource_version } => {
            let preconditions = Preconditions { resource_version: Some(resource_version), uid: None };
            let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
            api.delete(&object.name, &params).await.map(drop)
        }
    };
    written.map_err(|source| {
        tracing::debug!(%object, error = chain(&source), "unable to change the cluster's DNS");
        ForwardError::Write { object, source }
    })
}
