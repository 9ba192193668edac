//! Makes for one cluster what the director wants.
//!
//! A worker looks at what should be and what is, does what is missing, and waits for a change. It
//! keeps nothing that it could not find out again, so a restart continues where it stopped.

mod clean_up;
mod connection;
mod duties;
mod registry;

use openmcp_dns_core::cluster_policy::ClusterPolicy;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::name::HostName;
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::forward::Verified;
use crate::inventory::{Access, Inventory};
use crate::metrics::{Metrics, Readiness};
use crate::observe::Observation;
use crate::probe::Probes;
use crate::record::{Input, Summary};
use crate::report::cluster_dns;
use crate::report::findings::{Findings, status};
use crate::report::tally::{Tallies, Tally};
use clean_up::Leaving;
use connection::Connection;
use openmcp_dns_api::conditions::{Duty, Finding, Reason};
use openmcp_dns_api::{Cluster, ClusterDNSStatus, FIELD_MANAGER, FINALIZER};
use openmcp_dns_core::chain;
use registry::Inbox;

pub use registry::Clusters;

/// How long to wait before trying again what the platform's API server refused.
const RETRY: Duration = Duration::from_secs(5);
/// Changes within this time lead to one look at the cluster.
const SETTLE: Duration = Duration::from_millis(100);
/// How often to look without a change: probes go on, and their results are part of the status.
const RESYNC: Duration = Duration::from_secs(15);

/// What all workers share.
pub struct Settings {
    /// The platform cluster.
    pub platform: kube::Client,
    /// Where the clusters' access comes from.
    pub inventory: Arc<dyn Inventory>,
    /// Addresses of the central DNS server, as the clusters reach them.
    pub upstreams: Vec<SocketAddr>,
    /// Inputs of the coordinator.
    pub inputs: mpsc::Sender<Input>,
    /// Where watches report.
    pub observations: mpsc::Sender<(ClusterId, Observation)>,
    /// What the central DNS server answers.
    pub probes: Probes,
    /// Counts of all clusters.
    pub tallies: Tallies,
    /// What is measured.
    pub metrics: Metrics,
    /// Set when all lists have been read.
    pub readiness: Readiness,
    /// Tasks that are waited for at the end.
    pub tasks: TaskTracker,
    /// Ends everything.
    pub cancel: CancellationToken,
}

/// What should be for one cluster.
#[derive(Clone)]
pub(super) struct Desired {
    pub(super) cluster: Arc<Cluster>,
    /// `false` when the `Cluster` is gone.
    pub(super) present: bool,
    pub(super) governed: Governed,
    /// `None`: there is none.
    pub(super) access: Option<Access>,
}

/// Under which policy a cluster stands.
#[derive(Clone)]
pub(super) enum Governed {
    /// No policy selects it.
    No,
    /// One does, but it cannot decide yet.
    NotYet(String),
    /// One does.
    By(Box<ClusterPolicy>),
}

/// What a worker does next.
enum Next {
    /// Looks again after this time, or earlier when something changes.
    Again(Duration),
    /// Nothing more: the cluster is no longer ours.
    Ended,
}

struct ClusterController {
    id: ClusterId,
    settings: Arc<Settings>,
    desired: watch::Receiver<Desired>,
    inbox: Arc<Inbox>,
    /// The client for Events; they are written beside the worker.
    client: watch::Sender<Option<kube::Client>>,
    connection: Option<Connection>,
    governed: bool,
    holds_finalizer: bool,
    leaving: Option<Leaving>,
    question: watch::Sender<Option<(SocketAddr, HostName)>>,
    verified: watch::Receiver<Verified>,
    /// Since when the cluster's DNS answers something else than it should.
    otherwise_since: Option<Instant>,
    /// What stands in the status; `None` before it was looked at.
    written: Option<ClusterDNSStatus>,
}

impl ClusterController {
    async fn run(mut self) {
        loop {
            let next = self.look().await;
            let Next::Again(pause) = next else { return };
            let connection = self.connection.as_mut();
            tokio::select! {
                // An error says that nobody will ever want anything else; that is no reason to stop.
                Ok(()) = self.desired.changed() => {}
                () = self.inbox.touched() => {}
                () = Connection::changed(connection) => {}
                () = tokio::time::sleep(pause) => {}
            }
            tokio::time::sleep(SETTLE).await;
        }
    }

    /// Looks at what should be, and does what is missing.
    async fn look(&mut self) -> Next {
        let desired = self.desired.borrow_and_update().clone();
        if self.leaving.is_some() || !desired.present || desired.cluster.metadata.deletion_timestamp.is_some()
        {
            return self.clean_up(desired).await;
        }
        let governance = match &desired.governed {
            Governed::No => return self.ungoverned(&desired.cluster).await,
            Governed::NotYet(why) => return self.not_yet(&desired.cluster, why).await,
            Governed::By(governance) => governance.clone(),
        };
        // Before anything else: what is done below has to be undone one day.
        if let Err(error) = self.hold(&desired.cluster).await {
            tracing::warn!(cluster = %self.id, error = chain(&error), "unable to set the finalizer");
            return Next::Again(RETRY);
        }
        let zone = governance.module.context.base_domain.clone();
        if self.settings.inputs.send(Input::Govern(self.id.clone(), governance)).await.is_err() {
            return Next::Ended;
        }
        self.governed = true;
        // Observations take another way to the coordinator: an answer says that it knows the cluster.
        if self.connection.is_none() && self.summary().await.is_none() {
            return Next::Ended;
        }
        self.connect(desired.access.as_ref()).await;
        let Some(summary) = self.summary().await else { return Next::Ended };
        let findings = self.fulfil(&desired.cluster, &zone, &summary).await;
        let again =
            if findings.values().any(|finding| finding.status != Some(true)) { RETRY } else { RESYNC };
        self.write_status(&desired.cluster, &summary, &findings).await;
        Next::Again(again)
    }

    /// No policy selects the cluster: its watches end. What is published stays, because a policy
    /// that was deleted by mistake must not take a landscape's names with it.
    async fn ungoverned(&mut self, cluster: &Cluster) -> Next {
        if std::mem::take(&mut self.governed)
            && self.settings.inputs.send(Input::Ungovern(self.id.clone())).await.is_err()
        {
            return Next::Ended;
        }
        self.disconnect();
        let finding = Finding::bad(
            Reason::NoPolicy,
            "no DNSPolicy selects the cluster; what is published stays until one does, or the Cluster is deleted",
        );
        let findings = Duty::ALL.into_iter().map(|duty| (duty, finding.clone())).collect();
        self.write_status(cluster, &Summary::default(), &findings).await;
        Next::Again(RESYNC)
    }

    /// A policy selects the cluster, but cannot decide: all stays as it is, and status says why.
    async fn not_yet(&mut self, cluster: &Cluster, why: &str) -> Next {
        let Some(summary) = self.summary().await else { return Next::Ended };
        let finding = Finding::unknown(Reason::InProgress, why);
        let findings = Duty::ALL.into_iter().map(|duty| (duty, finding.clone())).collect();
        self.write_status(cluster, &summary, &findings).await;
        Next::Again(RETRY)
    }

    /// Sets our finalizer.
    async fn hold(&mut self, cluster: &Cluster) -> kube::Result<()> {
        if self.holds_finalizer || cluster.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
            self.holds_finalizer = true;
            return Ok(());
        }
        let mut finalizers = cluster.finalizers().to_vec();
        finalizers.push(FINALIZER.to_owned());
        self.set_finalizers(cluster, &finalizers).await?;
        self.holds_finalizer = true;
        Ok(())
    }

    /// Fails with a conflict when somebody else has changed the `Cluster`, so that no finalizer of
    /// others is lost.
    async fn set_finalizers(&self, cluster: &Cluster, finalizers: &[String]) -> kube::Result<()> {
        let patch = Patch::Merge(json!({
            "metadata": { "resourceVersion": cluster.resource_version(), "finalizers": finalizers },
        }));
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        self.clusters().patch_metadata(&self.id.name, &params, &patch).await.map(drop)
    }

    fn clusters(&self) -> Api<Cluster> {
        Api::namespaced(self.settings.platform.clone(), &self.id.namespace)
    }

    /// What the coordinator knows of the cluster; `None` when it has ended.
    async fn summary(&self) -> Option<Summary> {
        let (sender, answer) = oneshot::channel();
        self.settings.inputs.send(Input::Summarise(self.id.clone(), sender)).await.ok()?;
        answer.await.ok()
    }

    async fn write_status(&mut self, cluster: &Cluster, summary: &Summary, findings: &Findings) {
        let platform = &self.settings.platform;
        if self.written.is_none() {
            match cluster_dns::read(platform, cluster).await {
                Ok(found) => self.written = Some(found.unwrap_or_default()),
                Err(error) => {
                    tracing::warn!(cluster = %self.id, error = chain(&error), "unable to read ClusterDNS");
                    return;
                }
            }
        }
        let written = self.written.as_ref();
        let previous = written.map(|status| status.conditions.as_slice()).unwrap_or_default();
        let address =
            self.question.borrow().as_ref().map(|(server, _)| server.to_string()).unwrap_or_default();
        let generation = cluster.metadata.generation.unwrap_or_default();
        let now = status(summary, findings, generation, address, previous);
        self.settings.tallies.set(
            &self.id,
            Tally {
                policy: now.policy.clone(),
                published: now.published,
                denied: now.denied,
                comparison: summary.comparison.clone(),
            },
        );
        for (duty, finding) in findings {
            let ClusterId { namespace, name } = &self.id;
            self.settings.metrics.condition(namespace, name, duty.as_str(), finding.status);
        }
        if written == Some(&now) {
            return;
        }
        match cluster_dns::write(platform, cluster, &now).await {
            Ok(()) => self.written = Some(now),
            Err(error) => {
                tracing::warn!(cluster = %self.id, error = chain(&error), "unable to write ClusterDNS");
            }
        }
    }
}
