//! Looks after one cluster, until it is no longer ours.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::{Api, ResourceExt as _};
use openmcp_dns_core::chain;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::cluster_policy::ClusterPolicy;
use openmcp_dns_core::name::HostName;
use tokio::sync::{Notify, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::leaving::Leaving;
use super::operations::Heard;
use super::step::{Step, step};
use super::{Desired, finalizer};
use crate::counts::ClusterCounts;
use crate::duties::{self, Context, Duties, Findings};
use crate::journal::Occurrence;
use crate::record::{Command, MAX_PROBLEMS, ReportsStanding, Summary};
use crate::report::statuses::Object;
use crate::settings::Settings;
use crate::tasks::Tasks;
use openmcp_dns_api::Cluster;
use openmcp_dns_api::conditions::{Finding, Reason};

/// How long to wait before trying again what the platform's API server refused.
pub(super) const RETRY: Duration = Duration::from_secs(5);
/// Changes within this time lead to one look at the cluster.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// How often to look without a change: probes go on, and their results are part of the status.
pub(super) const RESYNC: Duration = Duration::from_secs(15);

/// What a controller does next.
pub(super) enum Next {
    /// Looks again after this time, or earlier when something changes.
    Again(Duration),
    /// Nothing more: the cluster is no longer ours.
    Ended,
    /// Nothing more: another controller takes its place, which knows nothing.
    Anew,
}

/// Looks after one cluster.
pub(super) struct ClusterController {
    pub(super) id: ClusterId,
    pub(super) settings: Arc<Settings>,
    desired: watch::Receiver<Desired>,
    wake: Arc<Notify>,
    pub(super) connection: Connection,
    pub(super) duties: Duties,
    /// Whether it has been heard that the cluster is to be looked at anew.
    pub(super) heard: Heard,
    /// Whether the recorder was told of a policy for the cluster.
    governed: bool,
    /// Which object, in which version, our finalizer was set on. The watch shows it a moment later.
    held: Option<(Option<String>, Option<String>)>,
    pub(super) leaving: Option<Leaving>,
    /// Zones of earlier policies, from which not all has been taken back.
    pub(super) left_zones: BTreeSet<HostName>,
    /// Those that stand in the status, where a restart finds them; `None` before it was looked at.
    pub(super) noted_zones: Option<BTreeSet<HostName>>,
    /// The zone of the last policy, as its `ClusterDNS` has it.
    pub(super) zone: Option<HostName>,
    /// The reverse zones that its DNS forwards, as its `ClusterDNS` has them.
    pub(super) reverse_zones: BTreeSet<HostName>,
    beside: Beside,
    /// The findings that the journal has.
    pub(super) noted: Findings,
    /// The reason of the Event on the `Cluster` that was told last.
    pub(super) announced: Option<Reason>,
    /// For who asks.
    pub(super) tells: Tells,
}

/// What those say who work beside a controller.
pub(super) struct Beside {
    /// Why routes cannot be told anything.
    pub(super) route_trouble: watch::Receiver<Option<String>>,
    /// How it stands with the reports on namespaces.
    pub(super) reports_standing: watch::Receiver<ReportsStanding>,
}

/// What a controller tells those who look at it.
#[derive(Clone)]
pub(super) struct Tells {
    /// How to get into the cluster.
    pub(super) client: watch::Sender<Option<kube::Client>>,
    /// What is there, for the status of the policy.
    pub(super) counts: watch::Sender<ClusterCounts>,
    /// Since when it has been looking at the cluster; `None` while it waits.
    pub(super) looking: watch::Sender<Option<Instant>>,
}

impl ClusterController {
    /// `wake` has it look again; `tasks` does what goes on beside it, until `cancel`.
    pub(super) fn new(
        id: ClusterId,
        settings: Arc<Settings>,
        (tasks, cancel): (&Tasks, &CancellationToken),
        desired: watch::Receiver<Desired>,
        wake: &Arc<Notify>,
        tells: Tells,
        beside: Beside,
    ) -> Self {
        let client = tells.client.clone();
        Self {
            connection: Connection::new(id.clone(), Arc::clone(&settings), tasks.clone(), client),
            duties: duties::all(&settings, wake, tasks, cancel),
            wake: Arc::clone(wake),
            id,
            settings,
            desired,
            heard: Heard::default(),
            governed: false,
            held: None,
            leaving: None,
            left_zones: BTreeSet::new(),
            noted_zones: None,
            zone: None,
            reverse_zones: BTreeSet::new(),
            beside,
            noted: Findings::new(),
            announced: None,
            tells,
        }
    }

    /// The same, which follows another one.
    pub(super) fn after(self, heard: Heard) -> Self {
        Self { heard, ..self }
    }

    /// Gives what the next one knows from the beginning; `None` when there is nothing more to do.
    pub(super) async fn run(mut self) -> Option<Heard> {
        loop {
            self.tells.looking.send_replace(Some(Instant::now()));
            let next = self.look().await;
            self.tells.looking.send_replace(None);
            let pause = match next {
                Next::Again(pause) => pause,
                Next::Ended => return None,
                Next::Anew => return Some(self.heard),
            };
            let stands_by = !self.settings.leadership.is_leading();
            tokio::select! {
                () = self.settings.leadership.leading(), if stands_by => {}
                // An error says that nobody will ever want anything else; that is no reason to stop.
                Ok(()) = self.desired.changed() => {}
                () = self.wake.notified() => {}
                () = self.connection.changed() => {}
                Ok(()) = self.beside.route_trouble.changed() => {}
                Ok(()) = self.beside.reports_standing.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
            tokio::time::sleep(DEBOUNCE).await;
        }
    }

    /// Looks at what should be, and does what is missing.
    async fn look(&mut self) -> Next {
        let desired = self.desired.borrow_and_update().clone();
        if !self.settings.leadership.is_leading() {
            return self.stand_by(&desired).await;
        }
        if let Some(next) = self.begin_anew(&desired.cluster).await {
            return next;
        }
        // Whatever is said below must not forget them.
        if let Err(error) = self.read_left_zones(&desired.cluster).await {
            tracing::warn!(cluster = %self.id, error = chain(&error), "unable to read ClusterDNS");
            return Next::Again(RETRY);
        }
        match step(&desired, self.leaving.is_some(), self.governed) {
            Step::Ignore => self.ignore(),
            Step::Fulfil(policy) => self.fulfil(&desired, policy).await,
            Step::Wait(why) => self.wait(&desired.cluster, why).await,
            Step::Rest => self.rest(&desired.cluster).await,
            Step::TakeBack => self.take_back(&desired).await,
            Step::End => self.end(),
        }
    }

    async fn fulfil(&mut self, desired: &Desired, policy: &ClusterPolicy) -> Next {
        let cluster = &desired.cluster;
        // Before anything else: what is done below has to be undone one day.
        if let Err(error) = self.hold(cluster).await {
            tracing::warn!(cluster = %self.id, error = chain(&error), "unable to set the finalizer");
            return Next::Again(RETRY);
        }
        // After the finalizer: who asks for access gives it back before that goes.
        self.settings.inventory.want(&self.id);
        let zone = &policy.module.context.base_domain;
        if let Err(error) = self.note_zones(cluster, zone, policy.networks.zones().collect()).await {
            tracing::warn!(cluster = %self.id, error = chain(&error), "unable to note the zones of the cluster");
            return Next::Again(RETRY);
        }
        self.zone = Some(zone.clone());
        let govern = Command::Govern(self.id.clone(), Box::new(policy.clone()));
        if self.settings.commands.send(govern).await.is_err() {
            return Next::Ended;
        }
        self.governed = true;
        if self.leave_zones().await.is_none() {
            return Next::Ended;
        }
        // Observations take another way to the recorder: an answer says that it knows the cluster.
        if !self.connection.is_open() && self.summary().await.is_none() {
            return Next::Ended;
        }
        self.connection.open(desired.access.as_ref()).await;
        let Some(mut summary) = self.summary().await else { return Next::Ended };
        self.connection.switch(summary.is_in_sync()).await;
        let refused = self.settings.agents.problems(&self.id).await;
        summary.problems.extend(refused);
        summary.problems.truncate(MAX_PROBLEMS);
        summary.route_trouble.clone_from(&self.beside.route_trouble.borrow_and_update());
        summary.reports.clone_from(&self.beside.reports_standing.borrow_and_update());
        let context = Context {
            id: &self.id,
            cluster,
            zone,
            gateway: desired.gateway.as_ref(),
            reverse_zones: &self.reverse_zones,
            summary: &summary,
            has_agent: self.settings.agents.is_wanted(&self.id) == Some(true),
            way: self.connection.way(),
        };
        let findings = self.duties.fulfil(&context).await;
        let mut left = std::mem::take(&mut self.left_zones);
        for zone in left.clone() {
            if self.duties.leave(&context, &zone).await {
                left.remove(&zone);
            }
        }
        self.left_zones = left;
        let again =
            if findings.values().any(|finding| finding.status != Some(true)) { RETRY } else { RESYNC };
        self.tell_status(cluster, &summary, findings);
        Next::Again(again)
    }

    /// Sets our finalizer on the object in hand: somebody may have removed it, and a Cluster that was deleted
    /// and made anew never had it.
    async fn hold(&mut self, cluster: &Cluster) -> kube::Result<()> {
        let in_hand = Some((cluster.uid(), cluster.resource_version()));
        if !finalizer::is_held(cluster) && self.held != in_hand {
            finalizer::hold(&self.api(), cluster).await?;
            self.held = in_hand;
        }
        Ok(())
    }

    /// Whether our finalizer was set in this life of the service.
    pub(super) const fn is_new(&self) -> bool {
        self.held.is_some()
    }

    /// Does nothing to the cluster, its object or its status, and knows all that a leader knows of it.
    async fn stand_by(&mut self, desired: &Desired) -> Next {
        match step(desired, self.leaving.is_some(), self.governed) {
            Step::Fulfil(policy) => {
                let govern = Command::Govern(self.id.clone(), Box::new(policy.clone()));
                if self.settings.commands.send(govern).await.is_err() {
                    return Next::Ended;
                }
                self.governed = true;
                // As when it is fulfilled: observations take another way.
                if !self.connection.is_open() && self.summary().await.is_none() {
                    return Next::Ended;
                }
                self.connection.open(desired.access.as_ref()).await;
                // The status of the policy is written at once by who begins to lead.
                let Some(summary) = self.summary().await else { return Next::Ended };
                self.tell_counts(&summary);
            }
            Step::Ignore => self.connection.close(),
            Step::Wait(_) => {}
            // What is taken back is not wanted again by us.
            Step::Rest | Step::TakeBack => {
                if self.ungovern().await.is_none() {
                    return Next::Ended;
                }
            }
            Step::End => return self.end(),
        }
        Next::Again(RESYNC)
    }

    /// The recorder forgets the policy, and the watches end; `None` when the recorder has ended.
    async fn ungovern(&mut self) -> Option<()> {
        if std::mem::take(&mut self.governed) {
            self.settings.commands.send(Command::Ungovern(self.id.clone())).await.ok()?;
        }
        self.connection.close();
        Some(())
    }

    /// See [`Step::Rest`].
    async fn rest(&mut self, cluster: &Arc<Cluster>) -> Next {
        if self.ungovern().await.is_none() {
            return Next::Ended;
        }
        let finding = Finding::bad(
            Reason::NoPolicy,
            "no DNSPolicy in force selects the cluster; what is published stays until one does, or the Cluster is deleted",
        );
        self.tell_same(cluster, &Summary::default(), &finding);
        Next::Again(RESYNC)
    }

    /// See [`Step::Wait`].
    async fn wait(&mut self, cluster: &Arc<Cluster>, why: &str) -> Next {
        let Some(summary) = self.summary().await else { return Next::Ended };
        self.tell_same(cluster, &summary, &Finding::unknown(Reason::InProgress, why));
        Next::Again(RETRY)
    }

    /// Says the same of every duty.
    fn tell_same(&mut self, cluster: &Arc<Cluster>, summary: &Summary, finding: &Finding) {
        let findings = self.duties.names().map(|duty| (duty, finding.clone())).collect();
        self.tell_status(cluster, summary, findings);
    }

    /// Nothing of us is left: the cluster is forgotten.
    pub(super) fn end(&mut self) -> Next {
        self.connection.close();
        self.settings.statuses.forget(&self.object());
        self.tells.counts.send_replace(ClusterCounts::default());
        self.settings.journal.note(Occurrence::Released(self.id.clone()));
        Next::Ended
    }

    /// Whose status it is.
    pub(super) fn object(&self) -> Object {
        (self.id.namespace.clone(), self.id.name.clone())
    }

    pub(super) fn api(&self) -> Api<Cluster> {
        Api::namespaced(self.settings.platform.clone(), &self.id.namespace)
    }

    /// What the recorder knows of the cluster; `None` when it has ended.
    pub(super) async fn summary(&self) -> Option<Summary> {
        let (sender, answer) = oneshot::channel();
        self.settings.commands.send(Command::Summarise(self.id.clone(), sender)).await.ok()?;
        answer.await.ok()
    }
}
