//! Events, where their reader looks: on routes and Ingresses, in their cluster; on the `ClusterDNS` of a cluster with an
//! agent, which nobody else may have a look into; and on the `Cluster` how it stands with it all in all.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Api, Resource};
use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::index::State;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};

use super::event_series;
use crate::journal::Occurrence;
use crate::leadership::Leadership;
use crate::record::{Report, explain, not_published};
use openmcp_dns_api::conditions::Reason;
use openmcp_dns_api::{Cluster, ClusterDNS};

/// Events that wait to be written for one cluster. More are dropped: after a restart, or when a
/// module fails, every claim may have one, and the status has the counts.
const QUEUE: usize = 512;

/// What to tell somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub about: About,
    /// For machines.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

/// What a notice is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// An object in a cluster: its author is told.
    Object {
        /// Which one.
        source: SourceRef,
        /// Its unique identifier.
        uid: String,
    },
    /// The `Cluster`.
    Cluster,
    /// The `ClusterDNS` of the cluster.
    ClusterDns,
}

impl Notice {
    /// What to tell of an occurrence, and of which cluster; `None` where there is nothing to do for anybody.
    #[must_use]
    pub fn of(occurrence: &Occurrence) -> Option<(&ClusterId, Self)> {
        match occurrence {
            Occurrence::Recording(report) => Self::of_report(report),
            Occurrence::Refused { cluster, refusal } => {
                let message = format!("refused to the agent of the cluster: {refusal}");
                Some((cluster, Self { about: About::ClusterDns, reason: Reason::AgentRefused, message }))
            }
            Occurrence::Turned { cluster, reason, message } => {
                let message = message.clone();
                Some((cluster, Self { about: About::Cluster, reason: *reason, message }))
            }
            Occurrence::Probed(_)
            | Occurrence::Condition { .. }
            | Occurrence::Released(_)
            | Occurrence::Module { .. } => None,
        }
    }

    fn of_report(report: &Report) -> Option<(&ClusterId, Self)> {
        let (cluster, source, uid, (reason, message)) = match report {
            Report::Claim { cluster, source, uid, host_name, state } => {
                (cluster, source, uid, explained(host_name, state)?)
            }
            Report::Conflict { uid, conflict } => {
                let (cluster, source) = &conflict.loser;
                (cluster, source, uid, (Reason::HostNameConflict, conflict.told()))
            }
            Report::Decided(_)
            | Report::Domain(..)
            | Report::Recorded { .. }
            | Report::Held { .. }
            | Report::Confirmed { .. }
            | Report::Routes(_)
            | Report::Findings(_)
            | Report::Touched(_) => return None,
        };
        // What an agent asks for is no object: the gate has refused it, or it stands in the status of the cluster.
        let about = About::Object { source: source.clone(), uid: uid.clone() };
        source.kind.is_watched().then_some((cluster, Self { about, reason, message }))
    }
}

/// Why a host name is not published; `None` where its author can do nothing.
fn explained(host_name: &str, state: &State) -> Option<(Reason, String)> {
    let reason = match state {
        State::Denied(_) => Reason::HostNameDenied,
        State::Undecided(_) => Reason::PolicyFailed,
        State::Unresolved(reason) if !reason.is_transient() => Reason::HostNameUnresolved,
        State::Published | State::Unresolved(_) | State::Asked => return None,
    };
    let (code, why) = explain(state)?;
    Some((reason, not_published(host_name, &code, &why)))
}

/// Writes an Event at once; for who has nobody who would do it later.
///
/// # Errors
/// When the API server refuses.
pub async fn tell(
    client: &kube::Client,
    regarding: &ObjectReference,
    reason: Reason,
    message: &str,
) -> kube::Result<()> {
    event_series::publish(client.clone(), regarding, reason, message).await
}

/// The queue of one cluster's notices.
pub fn queue() -> (mpsc::Sender<Notice>, mpsc::Receiver<Notice>) {
    mpsc::channel(QUEUE)
}

/// Writes notices of one cluster as Events.
pub struct Writer {
    /// The cluster.
    pub cluster: ClusterId,
    /// Where its `ClusterDNS` is.
    pub platform: kube::Client,
    /// The way into the cluster, if there is one.
    pub client: watch::Receiver<Option<kube::Client>>,
    /// Who leads writes them.
    pub leadership: Leadership,
}

impl Writer {
    /// Writes until nobody sends any more. Notices for a cluster that cannot be reached are dropped, and all while we do
    /// not lead.
    pub async fn write(&self, notices: &mut mpsc::Receiver<Notice>) {
        while let Some(notice) = notices.recv().await {
            if !self.leadership.is_leading() {
                continue;
            }
            if let Err(error) = self.publish(&notice).await {
                let (cluster, about, message) =
                    (&self.cluster, &notice.about, openmcp_dns_core::chain(&error));
                tracing::warn!(%cluster, ?about, %message, "unable to write an Event");
            }
        }
    }

    async fn publish(&self, notice: &Notice) -> kube::Result<()> {
        let (client, regarding) = match &notice.about {
            About::Object { source, uid } => {
                let client = self.client.borrow().clone();
                (client, Some(of_object(source, uid)))
            }
            About::Cluster => (Some(self.platform.clone()), self.on_platform::<Cluster>().await?),
            About::ClusterDns => (Some(self.platform.clone()), self.on_platform::<ClusterDNS>().await?),
        };
        let Some((client, regarding)) = client.zip(regarding) else { return Ok(()) };
        event_series::publish(client, &regarding, notice.reason, &notice.message).await
    }

    /// The object of the cluster's name on the platform; `None` while there is none.
    async fn on_platform<K>(&self) -> kube::Result<Option<ObjectReference>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let all = Api::<K>::namespaced(self.platform.clone(), &self.cluster.namespace);
        let found = all.get_metadata_opt(&self.cluster.name).await?;
        Ok(found.map(|found| ObjectReference {
            api_version: Some(K::api_version(&()).into_owned()),
            kind: Some(K::kind(&()).into_owned()),
            namespace: found.metadata.namespace,
            name: found.metadata.name,
            uid: found.metadata.uid,
            ..ObjectReference::default()
        }))
    }
}

fn of_object(source: &SourceRef, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some(source.kind.api_version()),
        kind: Some(source.kind.to_string()),
        namespace: Some(source.namespace.clone()),
        name: Some(source.name.clone()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    }
}
