//! The controllers of all clusters, and how to reach each of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openmcp_dns_core::cluster::ClusterId;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Mutex, Notify, mpsc, watch};

use super::Desired;
use super::controller::{Beside, ClusterController, Tells};
use super::operations::Heard;
use super::restart::again_after_panics;
use crate::counts::{ClusterCounts, PolicyCounts};
use crate::journal::Occurrence;
use crate::open_reports::ReportWriter;
use crate::record::{Report, ReportsStanding};
use crate::report::events::{self, Notice, Writer};
use crate::route_status::RouteStatusWriter;
use crate::settings::Settings;

/// How to reach a controller.
struct Handle {
    desired: watch::Sender<Desired>,
    /// Something about the cluster has changed. Keeps a wake-up that comes while the controller works.
    wake: Arc<Notify>,
    notices: mpsc::Sender<Notice>,
    /// Something else is to be said of routes.
    routes: Arc<Notify>,
    /// Something else is found in namespaces.
    findings: Arc<Notify>,
    counts: watch::Receiver<ClusterCounts>,
    looking: watch::Receiver<Option<Instant>>,
}

/// A controller that has been looking at its cluster for so long will never end: all of its requests have
/// limits, and take less together whatever the cluster does.
const STUCK: Duration = Duration::from_secs(15 * 60);

/// The controllers of all clusters.
#[derive(Default)]
pub(crate) struct Clusters(BTreeMap<ClusterId, Handle>);

impl Clusters {
    /// Has those look again whom an occurrence concerns, and the author of an object told. Whoever was
    /// concerned by what has been missed is not known, so all look again.
    pub(crate) fn hear(&self, heard: Result<Arc<Occurrence>, RecvError>) {
        let occurrence = match heard {
            Ok(occurrence) => occurrence,
            Err(RecvError::Lagged(missed)) => {
                tracing::debug!(
                    missed,
                    "occurrences were missed: all clusters are looked at, Events are lost"
                );
                for handle in self.0.values() {
                    handle.wake.notify_one();
                    handle.routes.notify_one();
                    handle.findings.notify_one();
                }
                return;
            }
            // Nothing happens any more.
            Err(RecvError::Closed) => return,
        };
        match &*occurrence {
            Occurrence::Recording(
                Report::Domain(cluster, _) | Report::Held { cluster, .. } | Report::Touched(cluster),
            ) => self.wake(cluster),
            Occurrence::Probed(probed) => {
                for cluster in &probed.expectation.clusters {
                    self.wake(cluster);
                    self.wake_routes(cluster);
                }
            }
            Occurrence::Recording(Report::Routes(cluster)) => self.wake_routes(cluster),
            Occurrence::Recording(Report::Findings(cluster)) => {
                if let Some(handle) = self.0.get(cluster) {
                    handle.findings.notify_one();
                }
            }
            Occurrence::Recording(
                Report::Claim { .. }
                | Report::Decided(_)
                | Report::Conflict { .. }
                | Report::Recorded { .. }
                | Report::Confirmed { .. },
            )
            | Occurrence::Condition { .. }
            | Occurrence::Turned { .. }
            | Occurrence::Released(_)
            | Occurrence::Refused { .. }
            | Occurrence::Module { .. } => {}
        }
        if let Some((cluster, notice)) = Notice::of(&occurrence) {
            self.tell(cluster, notice);
        }
    }

    fn wake(&self, cluster: &ClusterId) {
        if let Some(handle) = self.0.get(cluster) {
            handle.wake.notify_one();
        }
    }

    fn wake_routes(&self, cluster: &ClusterId) {
        if let Some(handle) = self.0.get(cluster) {
            handle.routes.notify_one();
        }
    }

    /// Has the author of an object told something. Drops the notice when too many wait.
    fn tell(&self, cluster: &ClusterId, notice: Notice) {
        if let Some(handle) = self.0.get(cluster)
            && handle.notices.try_send(notice).is_err()
        {
            tracing::debug!(%cluster, "an Event is dropped: too many wait");
        }
    }

    /// Adds up the clusters of each policy.
    pub(crate) fn counts(&self) -> BTreeMap<String, PolicyCounts> {
        let mut sums: BTreeMap<String, PolicyCounts> = BTreeMap::new();
        for (cluster, handle) in &self.0 {
            let counts = handle.counts.borrow();
            sums.entry(counts.policy.clone()).or_default().add(cluster, &counts);
        }
        sums
    }

    /// Whether each controller has told something that can be counted.
    pub(crate) fn are_counted(&self) -> bool {
        // An end is told, too.
        self.0.values().all(|handle| handle.counts.has_changed().unwrap_or(true))
    }

    /// Those whose controller gives no sign of life.
    pub(crate) fn stuck(&self, now: Instant) -> Vec<&ClusterId> {
        let is_stuck = |handle: &Handle| {
            handle.looking.borrow().is_some_and(|since| now.saturating_duration_since(since) > STUCK)
        };
        self.0.iter().filter(|(_, handle)| is_stuck(handle)).map(|(cluster, _)| cluster).collect()
    }

    /// Tells a cluster's controller what should be; gives whether there is one.
    pub(crate) fn update(&self, cluster: &ClusterId, desired: &Desired) -> bool {
        let Some(handle) = self.0.get(cluster) else { return false };
        handle.desired.send_replace(desired.clone());
        true
    }

    /// Starts a controller; `ended` is told when it has nothing more to do.
    pub(crate) fn start(
        &mut self,
        id: ClusterId,
        desired: Desired,
        settings: &Arc<Settings>,
        ended: mpsc::Sender<ClusterId>,
    ) {
        let (desired, desired_receiver) = watch::channel(desired);
        let (notices, notices_receiver) = events::queue();
        let (client, client_receiver) = watch::channel(None);
        let (counts, counts_receiver) = watch::channel(ClusterCounts::default());
        let (looking, looking_receiver) = watch::channel(None);
        let (wake, tells) = (Arc::<Notify>::default(), Tells { client, counts, looking });
        let (routes, findings) = (Arc::<Notify>::default(), Arc::<Notify>::default());
        let handle = Handle {
            desired,
            wake: Arc::clone(&wake),
            notices,
            routes: Arc::clone(&routes),
            findings: Arc::clone(&findings),
            counts: counts_receiver,
            looking: looking_receiver,
        };
        self.0.insert(id.clone(), handle);
        let (cancel, all) = (settings.cancel.clone(), settings.tasks.clone());
        let life = Life {
            id: id.clone(),
            settings: Arc::clone(settings),
            desired: desired_receiver,
            wake,
            routes,
            findings,
            tells,
            notices: Arc::new(Mutex::new(notices_receiver)),
            client: client_receiver,
        };
        all.spawn(async move {
            cancel.run_until_cancelled(again_after_panics(&id, || life.clone().live())).await;
            // Nobody may be listening any more.
            let _ = ended.send(id).await;
        });
    }

    /// Forgets a controller that has ended.
    pub(crate) fn remove(&mut self, cluster: &ClusterId) {
        self.0.remove(cluster);
    }
}

/// What a controller is made of, once and whenever it has failed.
#[derive(Clone)]
struct Life {
    id: ClusterId,
    settings: Arc<Settings>,
    desired: watch::Receiver<Desired>,
    wake: Arc<Notify>,
    routes: Arc<Notify>,
    findings: Arc<Notify>,
    tells: Tells,
    notices: Arc<Mutex<mpsc::Receiver<Notice>>>,
    client: watch::Receiver<Option<kube::Client>>,
}

impl Life {
    /// Ends when there is nothing more to do for the cluster; panics when anything does that is done for it.
    async fn live(self) {
        let mut next = Some(Heard::default());
        while let Some(heard) = next {
            next = self.clone().until_anew(heard).await;
        }
    }

    /// The life of one controller; gives what the next one knows from the beginning.
    async fn until_anew(self, heard: Heard) -> Option<Heard> {
        let Self { id, settings, desired, wake, routes, findings, tells, notices, client } = self;
        // What goes on beside it ends with it.
        let cancel = settings.cancel.child_token();
        let _ends = cancel.clone().drop_guard();
        let (tasks, mut panics) = settings.tasks.group();
        let events = Writer {
            cluster: id.clone(),
            platform: settings.platform.clone(),
            client: client.clone(),
            leadership: settings.leadership.clone(),
        };
        let (trouble, route_trouble) = watch::channel(None);
        let (standing, reports_standing) = watch::channel(ReportsStanding::default());
        let reports = ReportWriter {
            cluster: id.clone(),
            client: client.clone(),
            leadership: settings.leadership.clone(),
            commands: settings.commands.clone(),
            news: findings,
            standing,
        };
        let routes = RouteStatusWriter {
            cluster: id.clone(),
            client,
            leadership: settings.leadership.clone(),
            commands: settings.commands.clone(),
            prober: settings.prober.clone(),
            servers: settings.servers.clone(),
            news: routes,
            trouble,
        };
        let beside = Beside { route_trouble, reports_standing };
        let work = (&tasks, &cancel);
        let controller = ClusterController::new(id, settings, work, desired, &wake, tells, beside);
        let mut notices = notices.lock().await;
        tokio::select! {
            heard = controller.after(heard).run() => heard,
            // Ends only with the controller: it listens to both.
            () = events.write(&mut notices) => None,
            () = routes.run() => None,
            () = reports.run() => None,
            () = panics.passed_on() => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use openmcp_dns_core::cluster::SourceRef;
    use openmcp_dns_core::conflict::Conflict;
    use openmcp_dns_core::kinds::Kind;
    use tokio::sync::broadcast;

    use super::*;
    use crate::clusters::Governed;
    use crate::report::events::About;
    use openmcp_dns_api::Cluster;
    use openmcp_dns_api::conditions::Reason;

    /// What a controller has of its handle.
    struct Controller {
        wake: Arc<Notify>,
        routes: Arc<Notify>,
        findings: Arc<Notify>,
        notices: mpsc::Receiver<Notice>,
        counts: watch::Sender<ClusterCounts>,
        looking: watch::Sender<Option<Instant>>,
    }

    impl Controller {
        fn is_woken(&self) -> bool {
            self.wake.notified().now_or_never().is_some()
        }
    }

    fn id(name: &str) -> ClusterId {
        ClusterId::new("s", name)
    }

    fn add(clusters: &mut Clusters, name: &str) -> Controller {
        let cluster = Arc::new(Cluster::new(name, Default::default()));
        let desired = Desired { cluster, present: true, governed: Governed::No, access: None, gateway: None };
        let (desired, _) = watch::channel(desired);
        let (sender, notices) = events::queue();
        let (counts, receiver) = watch::channel(ClusterCounts::default());
        let (looking, looks) = watch::channel(None);
        let wake = Arc::new(Notify::new());
        let routes = Arc::new(Notify::new());
        let findings = Arc::new(Notify::new());
        let handle = Handle {
            desired,
            wake: Arc::clone(&wake),
            notices: sender,
            routes: Arc::clone(&routes),
            findings: Arc::clone(&findings),
            counts: receiver,
            looking: looks,
        };
        clusters.0.insert(id(name), handle);
        Controller { wake, routes, findings, notices, counts, looking }
    }

    fn conflict() -> Occurrence {
        let source = |name: &str| SourceRef::new(Kind::HttpRoute, "n", name);
        let conflict = Conflict {
            name: "shop.openmcp.cluster".parse().unwrap(),
            loser: (id("w1"), source("younger")),
            message: "the older one has it".to_owned(),
            winner: None,
        };
        Occurrence::Recording(Report::Conflict { uid: "u".to_owned(), conflict })
    }

    #[test]
    fn those_look_again_whom_an_occurrence_concerns_also_when_it_came_while_they_worked() {
        let mut clusters = Clusters::default();
        let (first, second) = (add(&mut clusters, "w1"), add(&mut clusters, "w2"));
        clusters.hear(Ok(Arc::new(Occurrence::Recording(Report::Touched(id("w1"))))));
        clusters.hear(Ok(Arc::new(Occurrence::Recording(Report::Touched(id("unknown"))))));
        assert!(first.is_woken() && !second.is_woken());
        assert!(!first.is_woken(), "once");
        // What a controller says itself is no reason to look again.
        clusters.hear(Ok(Arc::new(Occurrence::Released(id("w1")))));
        assert!(!first.is_woken());
        // Nor is what is to be said of routes, which somebody else does.
        clusters.hear(Ok(Arc::new(Occurrence::Recording(Report::Routes(id("w1"))))));
        assert!(!first.is_woken());
        assert!(first.routes.notified().now_or_never().is_some());
        assert!(second.routes.notified().now_or_never().is_none());
        clusters.hear(Ok(Arc::new(Occurrence::Recording(Report::Findings(id("w1"))))));
        assert!(!first.is_woken() && first.routes.notified().now_or_never().is_none());
        assert!(first.findings.notified().now_or_never().is_some());
    }

    #[tokio::test]
    async fn after_occurrences_were_missed_all_look_again() {
        let mut clusters = Clusters::default();
        let all = ["w1", "w2", "w3"].map(|name| add(&mut clusters, name));
        let (sender, mut occurrences) = broadcast::channel(2);
        for _ in 0..5 {
            sender.send(Arc::new(Occurrence::Recording(Report::Touched(id("w1"))))).unwrap();
        }
        clusters.hear(occurrences.recv().await);
        assert!(all.iter().all(Controller::is_woken));
        clusters.hear(occurrences.recv().await);
        assert!(all[0].is_woken() && !all[1].is_woken(), "what comes then is heard as ever");
    }

    #[test]
    fn the_author_is_told_in_the_cluster_of_the_object_and_what_is_too_much_is_dropped() {
        let mut clusters = Clusters::default();
        let (mut loser, mut winner) = (add(&mut clusters, "w1"), add(&mut clusters, "w2"));
        let occurrence = Arc::new(conflict());
        for _ in 0..10_000 {
            clusters.hear(Ok(Arc::clone(&occurrence)));
        }
        let notice = loser.notices.try_recv().unwrap();
        assert_eq!(notice.reason, Reason::HostNameConflict);
        let younger = SourceRef::new(Kind::HttpRoute, "n", "younger");
        assert_eq!(notice.about, About::Object { source: younger, uid: "u".to_owned() });
        assert_eq!(notice.message, "shop.openmcp.cluster: the older one has it");
        assert!((1..10_000).contains(&loser.notices.len()), "{}", loser.notices.len());
        assert!(winner.notices.try_recv().is_err());
    }

    #[test]
    fn a_controller_that_looks_at_its_cluster_for_ever_is_named_as_stuck() {
        let mut clusters = Clusters::default();
        let (first, _second) = (add(&mut clusters, "w1"), add(&mut clusters, "w2"));
        let began = Instant::now();
        first.looking.send_replace(Some(began));
        assert!(clusters.stuck(began + STUCK).is_empty());
        let later = began + STUCK + Duration::from_secs(1);
        assert_eq!(clusters.stuck(later), [&id("w1")]);
        first.looking.send_replace(None);
        assert!(clusters.stuck(later).is_empty());
    }

    #[test]
    fn the_counts_of_a_policy_are_those_of_its_clusters_as_they_said_last() {
        let mut clusters = Clusters::default();
        let all = ["w1", "w2", "w3", "w4"].map(|name| add(&mut clusters, name));
        let counts = |policy: &str, published| ClusterCounts {
            policy: policy.to_owned(),
            published,
            ..ClusterCounts::default()
        };
        all[0].counts.send_replace(counts("p", 1));
        all[0].counts.send_replace(counts("p", 3));
        all[1].counts.send_replace(counts("p", 4));
        all[2].counts.send_replace(counts("q", 5));
        assert!(!clusters.are_counted(), "the last has not said anything");
        all[3].counts.send_replace(ClusterCounts::default());
        assert!(clusters.are_counted());
        let sums = clusters.counts();
        assert_eq!((sums["p"].clusters, sums["p"].published), (2, 7));
        assert_eq!((sums["q"].clusters, sums["q"].published), (1, 5));
        clusters.remove(&id("w2"));
        assert_eq!(clusters.counts()["p"].published, 3);
    }
}
