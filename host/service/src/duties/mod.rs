//! Duties: what the service does for each cluster.
//!
//! ```text
//! Reachable ─► Annotate ─► Forward ─► Record ─► Agent ─► Nodes ─► Probe    fulfilled, again and again
//!           ◄─          ◄─         ◄─        ◄─       ◄─       ◄─          undone, once, when the Cluster leaves
//! ```
//! A duty is a value that knows what to do, how to say what it found, and how to take it back. A new
//! one is a file here, a name in [`DutyName`], and a row in [`all`].

pub mod agent;
pub mod annotate;
mod domains_agree;
pub mod forward;
pub mod nodes;
mod pods;
mod probe;
mod reachable;
mod record;
mod walk;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::name::HostName;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::api_client::Pulse;
use crate::record::Summary;
use crate::settings::Settings;
use crate::tasks::Tasks;
use openmcp_dns_api::conditions::{DutyName, Finding};
use openmcp_dns_api::{Cluster, ClusterDNSStatus, GatewayDomain};

use agent::ClusterAgent;
use annotate::Annotate;
use forward::{Forward, LayoutView};
use nodes::Nodes;
use probe::Probe;
use reachable::Reachable;
use record::Record;

pub use walk::{Duties, Findings, Retreat};

/// Every duty, in the order in which they are fulfilled. They are undone from the end to the start:
/// first the records, so that nothing is answered for a cluster that leaves; then the way of its DNS to
/// the central one; and last the annotations, one of which says in which zone all that lies.
///
/// What they do beside the controller ends by `cancel`.
pub fn all(settings: &Settings, wake: &Arc<Notify>, tasks: &Tasks, cancel: &CancellationToken) -> Duties {
    let Settings { platform, inventory, enrolment, commands, prober, config, own_image, node_names, .. } =
        settings;
    Duties::new(vec![
        Box::new(Reachable::new(Arc::clone(inventory))),
        Box::new(Annotate::new(platform.clone())),
        Box::new(Forward::start(settings, wake, tasks, cancel)),
        Box::new(Record::new(commands.clone())),
        Box::new(ClusterAgent::start(enrolment.clone(), wake, tasks, cancel)),
        Box::new(Nodes::new(config.clone(), own_image.clone(), node_names.clone())),
        Box::new(Probe::new(prober.clone())),
    ])
}

/// Has the controller look again whenever a duty is told something else.
fn wake_on_change<T: Send + Sync + 'static>(
    mut told: watch::Receiver<T>,
    wake: &Arc<Notify>,
    tasks: &Tasks,
    cancel: &CancellationToken,
) {
    let (wake, end) = (Arc::clone(wake), cancel.clone());
    tasks.spawn(end.run_until_cancelled_owned(async move {
        while told.changed().await.is_ok() {
            wake.notify_one();
        }
    }));
}

/// One duty towards one cluster.
#[async_trait]
pub trait Duty: Send + Sync {
    /// The condition that reports it.
    fn name(&self) -> DutyName;

    /// Does what is missing, and says what was found.
    async fn fulfil(&mut self, context: &Context<'_>) -> Finding;

    /// Takes back what was done in a zone that the cluster has left; gives whether nothing of it is there any more.
    async fn leave(&mut self, _context: &Context<'_>, _zone: &HostName) -> bool {
        true
    }

    /// Takes back what was done, without anything but the `Cluster` to go by: the policy may be gone, and
    /// the cluster too. It is called again until it is over. Where it is not, nothing has to be undone.
    async fn undo(&mut self, _context: &UndoContext<'_>) -> Undone {
        Undone::Done
    }

    /// Whether it is undone only when all duties after it are. The others do not wait for each other: a
    /// store that does not answer must not keep our block in a cluster's configuration.
    fn outlasts_later_duties(&self) -> bool {
        false
    }

    /// Adds to the status what the condition does not say.
    fn tell(&self, _status: &mut ClusterDNSStatus) {}
}

/// What a duty goes by.
pub struct Context<'c> {
    /// The cluster.
    pub id: &'c ClusterId,
    /// Its object.
    pub cluster: &'c Cluster,
    /// The landscape's zone.
    pub zone: &'c HostName,
    /// What openMCP's gateway service says of its domain, where it has to do with the cluster.
    pub gateway: Option<&'c GatewayDomain>,
    /// The reverse zones that its DNS is to forward, too.
    pub reverse_zones: &'c BTreeSet<HostName>,
    /// What is known of its records.
    pub summary: &'c Summary,
    /// Whether an agent is to record it: then there may be no way into it at all.
    pub has_agent: bool,
    /// How to get into it.
    pub way: Way<'c>,
}

/// What a duty goes by when it is undone.
pub struct UndoContext<'c> {
    /// The cluster.
    pub id: &'c ClusterId,
    /// Its object, as it was seen last.
    pub cluster: &'c Cluster,
    /// `false` when the object is gone.
    pub present: bool,
    /// The landscape's zone. Without it, nobody knows any more what is ours.
    pub zone: Option<&'c HostName>,
    /// The reverse zones that its DNS forwards.
    pub reverse_zones: &'c BTreeSet<HostName>,
    /// For how long the cluster has been leaving, and may.
    pub spent: Spent,
    /// Why the store cannot be written to, if it cannot.
    pub store_trouble: Option<&'c str>,
    /// How to get into it.
    pub way: Way<'c>,
}

/// What was spent of a time that is bounded.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// So much.
    pub elapsed: Duration,
    /// Of so much.
    pub bound: Duration,
}

impl Spent {
    /// Whether it is used up.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.elapsed >= self.bound
    }
}

/// How to get into a cluster.
#[derive(Clone, Copy)]
pub enum Way<'c> {
    /// There is no access.
    None,
    /// There is one that is of no use, and why.
    Unusable(&'c Finding),
    /// There is one. The cluster may not answer all the same.
    Open {
        /// Asks its API server.
        client: &'c kube::Client,
        /// Its DNS configuration.
        layout: &'c LayoutView,
        /// Whether its API server answers.
        pulse: &'c watch::Receiver<Pulse>,
    },
}

/// What became of taking back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// Nothing is left.
    Done,
    /// Something is left; another attempt follows. Says why.
    Again(String),
    /// Something may be left, and the `Cluster` is released without it. Says what.
    GivenUp(String),
}

impl Undone {
    /// Whether no other attempt follows.
    const fn is_over(&self) -> bool {
        matches!(self, Self::Done | Self::GivenUp(_))
    }

    /// What became of taking `what` out of a cluster that has been leaving for so long.
    fn of(removed: Result<(), String>, spent: Spent, what: &str) -> Self {
        match removed {
            Ok(()) => Self::Done,
            Err(why) if !spent.is_over() => {
                Self::Again(format!("unable to take {what} back, trying again: {why}"))
            }
            Err(why) => {
                Self::GivenUp(format!("{what} may still be there; the Cluster is released without it: {why}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use openmcp_dns_core::leadership::LeaderKey;
    use tokio::sync::mpsc;

    use super::*;
    use crate::inventory::{Insecure, SecretInventory};
    use crate::journal::Journal;
    use crate::metrics::{Metrics, Readiness};
    use crate::report::statuses::{Budget, Statuses};
    use crate::service_config::ServiceConfig;

    #[test]
    fn a_cluster_that_is_gone_holds_its_release_up_for_a_bounded_time_only() {
        let fails = || Err("there is no access to the cluster".to_owned());
        let spent = |seconds| Spent { elapsed: Duration::from_secs(seconds), bound: Duration::from_secs(60) };
        let before = Undone::of(fails(), spent(59), "the agent");
        assert!(matches!(&before, Undone::Again(why) if why.contains("no access")), "{before:?}");
        let after = Undone::of(fails(), spent(60), "the agent");
        assert!(matches!(&after, Undone::GivenUp(what) if what.contains("may still be there")), "{after:?}");
        assert_eq!(Undone::of(Ok(()), spent(120), "the agent"), Undone::Done);
    }

    #[tokio::test]
    async fn every_condition_of_a_cluster_has_exactly_one_duty() {
        let nowhere = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let platform = kube::Client::try_from(nowhere).unwrap();
        let settings = Settings {
            leadership: crate::leadership::Leadership::alone("test".to_owned()),
            inventory: Arc::new(SecretInventory::new(platform.clone(), Insecure::Refused)),
            statuses: Statuses::new(platform.clone(), Budget::default()),
            platform,
            upstreams: tokio::sync::watch::channel(Vec::new()).1,
            config: ServiceConfig::none(),
            take_back_after: Duration::from_secs(60),
            leaving: crate::settings::LeavingBounds::default(),
            openings: crate::settings::Openings::default(),
            rollout: crate::settings::SharedRollout::default(),
            enrolment: None,
            own_image: "openmcp-dns:test".to_owned(),
            node_names: crate::settings::NodeNames::new(mpsc::channel(1).0),
            zones: tokio::sync::watch::channel(None).0,
            commands: mpsc::channel(1).0,
            agents: crate::agents::Agents::new(crate::agents::Means {
                recorded: watch::channel(Some(BTreeSet::new())).1,
                store: Arc::new(openmcp_dns_store::MemoryStore::default()),
                root: openmcp_dns_core::agents::Root::of(&LeaderKey::of_platform("test")),
                leadership: crate::leadership::Leadership::alone("test".to_owned()),
                commands: mpsc::channel(1).0.downgrade(),
                observations: crate::observe::observations().0,
                journal: Journal::new(Metrics::default()),
            }),
            observations: crate::observe::observations().0,
            prober: None,
            servers: crate::probe::Servers::new(watch::channel(Vec::new()).1),
            journal: Journal::new(Metrics::default()),
            metrics: Metrics::default(),
            readiness: Readiness::default(),
            tasks: Tasks::new().0,
            cancel: CancellationToken::new(),
        };
        let names: Vec<DutyName> =
            all(&settings, &Arc::default(), &settings.tasks, &settings.cancel).names().collect();
        assert_eq!(names.len(), DutyName::ALL.len());
        assert_eq!(BTreeSet::from_iter(names), BTreeSet::from(DutyName::ALL));
    }
}
