//! Session: brings what the files say to the service, and tells what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::objects::Change;
use openmcp_dns_landscape::folder::{Files, How, Kind, Object, ObjectChange, Scan, landscape};
use openmcp_dns_landscape::{Landscape, Problem, Problems};
use openmcp_dns_service::journal::Occurrence;
use openmcp_dns_service::probe::Probed;
use openmcp_dns_service::record::NoDomain;
use tokio::sync::{broadcast, mpsc, watch};

use super::causes::Causes;
use super::dns::Dns;
use super::event::{Cause, Event};
use super::given::Given;
use super::overview::{ClaimState, ConditionOverview};
use super::policies::{ModuleFiles, policies, zones};
use super::servers::{Refused, Servers};
use super::statuses::Statuses;
use super::view::Value;

/// A claim: cluster, object and host name as the object has it.
pub(super) type ClaimKey = (ClusterId, String, String);

/// What has become of a claim, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) state: ClaimState,
    /// Code and message; `None` when it is published.
    pub(super) why: Option<(String, String)>,
}

/// How a name was answered last, with what the store held then.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) values: BTreeSet<Value>,
    pub(super) probed: Probed,
}

/// A running demo.
pub(super) struct Session {
    pub(super) folder: PathBuf,
    given: Given,
    modules: ModuleFiles,
    pub(super) files: Files,
    pub(super) landscape: Landscape,
    pub(super) servers: Servers,
    pub(super) refused: Refused,
    pub(super) dns: Dns,
    pub(super) problems: Problems,
    /// What is wrong with policies, by their names, and where they stand.
    pub(super) policy_problems: BTreeMap<String, (String, Problem)>,
    pub(super) causes: Causes,
    pub(super) claims: BTreeMap<ClaimKey, Claim>,
    pub(super) conflicts: BTreeMap<ClaimKey, Claim>,
    pub(super) domains: BTreeMap<ClusterId, Result<HostName, NoDomain>>,
    pub(super) shown: BTreeMap<HostName, Shown>,
    pub(super) statuses: Statuses,
    /// Conditions of clusters that were told of, by cluster and type.
    pub(super) told: BTreeMap<(ClusterId, String), ConditionOverview>,
    journal: mpsc::UnboundedReceiver<Happening>,
    platform: watch::Receiver<()>,
    /// When the platform's API server was looked at last.
    looked: Instant,
}

/// How long to wait between two looks at the platform's API server. In a large landscape, the status of some
/// cluster changes all the time.
const PAUSE: Duration = Duration::from_millis(50);

/// Something for the session to work on.
pub(super) enum Happening {
    Occurrence(Arc<Occurrence>),
    /// More has happened than could be kept.
    Missed,
    /// Something in the platform's API server is another.
    Platform,
    /// It is time to look for changes that led to nothing.
    Deadline,
}

/// Keeps what the journal says until the session comes to it: the journal itself keeps only some thousands, and a
/// session that is writing a large landscape comes late.
pub(super) async fn keep(
    mut journal: broadcast::Receiver<Arc<Occurrence>>,
    happenings: mpsc::UnboundedSender<Happening>,
) {
    loop {
        let happening = match journal.recv().await {
            Ok(occurrence) => Happening::Occurrence(occurrence),
            Err(broadcast::error::RecvError::Lagged(_)) => Happening::Missed,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if happenings.send(happening).is_err() {
            return;
        }
    }
}

/// How far the service has come with what the files ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Claims of which it is known what becomes of them.
    pub(super) decided: usize,
    /// Names in the store.
    pub(super) recorded: usize,
    /// Names that were asked for.
    pub(super) probed: usize,
}

impl Session {
    /// Begins without files.
    pub(super) fn new(
        folder: PathBuf,
        given: Given,
        modules: ModuleFiles,
        dns: Dns,
        journal: mpsc::UnboundedReceiver<Happening>,
    ) -> Self {
        let servers = Servers::new();
        Self {
            folder,
            given,
            modules,
            files: Files::default(),
            landscape: Landscape::default(),
            refused: Vec::new(),
            dns,
            problems: Problems::new(),
            policy_problems: BTreeMap::new(),
            causes: Causes::default(),
            claims: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            domains: BTreeMap::new(),
            shown: BTreeMap::new(),
            statuses: Statuses::default(),
            told: BTreeMap::new(),
            journal,
            platform: servers.platform.changes(),
            looked: Instant::now(),
            servers,
        }
    }

    /// Takes in what stands in the folder now; `since` is when a change was first noticed, and these files
    /// are still being written.
    pub(super) fn take_in(
        &mut self,
        scan: Scan,
        since: Instant,
        being_written: BTreeSet<PathBuf>,
    ) -> Vec<Event> {
        let changes = self.files.update(scan);
        self.landscape = landscape(&self.files);
        self.modules.leave(being_written);
        self.sync();
        let modules = self.modules.changed();
        if !changes.is_empty() || !modules.is_empty() {
            self.causes.begin(since);
        }
        self.explain(&changes);
        for module in modules {
            let file = module.strip_prefix(&self.folder).unwrap_or(&module).display().to_string();
            self.all_changed(&Cause { object: "policy module".to_owned(), file, how: How::Changed.as_str() });
        }
        self.new_problems(None)
    }

    /// Writes into the API servers what the files say.
    fn sync(&mut self) {
        let Self { folder, given, modules, files, landscape, servers, dns, .. } = self;
        self.refused = servers.sync(landscape, files, |in_folder| {
            let policies = policies(in_folder, given, folder, modules);
            // Before the service can publish anything there.
            dns.serve(&zones(&policies));
            policies
        });
    }

    /// The folder itself cannot be read: everything stays.
    pub(super) fn blind(&mut self, error: &std::io::Error) -> Vec<Event> {
        let message = format!("unable to read the folder: {error}");
        let hint = "what was published stays; put the folder back, or start the demo anew";
        self.new_problems(Some(Problem::error(None, message, hint)))
    }

    fn explain(&mut self, changes: &[ObjectChange]) {
        for change in changes {
            let ObjectChange { folder, id, file, how, object: _ } = change;
            let cause = Cause { object: id.to_string(), file: file.clone(), how: how.as_str() };
            match id.kind {
                Kind::Watched(_) => {
                    if let Some(observed) = observed(change) {
                        self.causes.object_changed(folder, observed, &cause);
                    }
                }
                Kind::Cluster => self.causes.folder_changed(&id.name, &cause),
                Kind::DnsPolicy | Kind::GatewayServiceConfig => self.all_changed(&cause),
            }
        }
    }

    /// Something that concerns all clusters has changed.
    fn all_changed(&mut self, cause: &Cause) {
        for member in &self.landscape.clusters {
            self.causes.folder_changed(&member.id.name, cause);
        }
    }

    /// Waits for the next thing to work on. May be cancelled without loss.
    pub(super) async fn next(&mut self) -> Happening {
        let deadline = self.causes.next_deadline();
        let deadline = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let (mut platform, looked) = (self.platform.clone(), self.looked);
        let platform = async {
            // The server lives as long as the session.
            let _ = platform.changed().await;
            tokio::time::sleep_until((looked + PAUSE).into()).await;
        };
        tokio::select! {
            // What was decided explains what the probes find out, and both what the status says.
            biased;
            occurrence = self.journal.recv() => match occurrence {
                Some(happening) => happening,
                // The service has ended, which ends the demo elsewhere.
                None => std::future::pending().await,
            },
            () = platform => Happening::Platform,
            () = deadline => Happening::Deadline,
        }
    }

    /// Works on it, and gives what is to be told.
    pub(super) fn work(&mut self, happening: &Happening) -> Vec<Event> {
        match happening {
            Happening::Occurrence(occurrence) => self.occurred(occurrence).into_iter().collect(),
            Happening::Missed => {
                self.take_from_state();
                vec![Event::Redrawn(Box::new(self.overview(true)))]
            }
            Happening::Platform => {
                self.platform.mark_unchanged();
                self.looked = Instant::now();
                if self.servers.is_waiting() {
                    self.sync();
                }
                let mut events = self.look_at_statuses();
                events.extend(self.new_problems(None));
                events
            }
            Happening::Deadline => {
                let causes = self.causes.unaffected(Instant::now());
                if causes.is_empty() { Vec::new() } else { vec![Event::Unaffected { causes }] }
            }
        }
    }

    /// How far the service has come.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            decided: self.claims.len() + self.conflicts.len(),
            recorded: self.dns.view.names(),
            probed: self.shown.len(),
        }
    }

    /// Whether everything that the files ask for is recorded and probed.
    pub(super) fn is_settled(&self) -> bool {
        let members = self.landscape.clusters.iter().map(|member| (&member.id, &member.cluster));
        let count = |claims: &BTreeMap<ClaimKey, Claim>| {
            let mut counts: BTreeMap<ClusterId, i64> = BTreeMap::new();
            for (cluster, _, _) in claims.keys() {
                if let Some(count) = counts.get_mut(cluster) {
                    *count += 1;
                } else {
                    counts.insert(cluster.clone(), 1);
                }
            }
            counts
        };
        let (told, told_conflicts) = (count(&self.claims), count(&self.conflicts));
        let of =
            |counts: &BTreeMap<ClusterId, i64>, cluster| counts.get(cluster).copied().unwrap_or_default();
        self.statuses.is_settled(members)
            && self.statuses.clusters.iter().all(|(cluster, status)| {
                let claims = status.published + status.denied + status.unresolved + status.undecided;
                of(&told, cluster) == claims && of(&told_conflicts, cluster) == status.conflicts
            })
            && self
                .dns
                .view
                .all()
                .iter()
                .all(|(name, values)| self.shown.get(name).is_some_and(|shown| shown.values == *values))
    }
}

/// A change as a watch would report it; `None` for the objects of the platform that are not watched
/// in clusters.
fn observed(change: &ObjectChange) -> Option<Change> {
    match (&change.object, change.id.kind) {
        (Some(Object::Watched(object)), _) => Some(Change::Set(object.clone())),
        (None, Kind::Watched(kind)) if change.how == How::Removed => {
            Some(Change::Removed(kind, (change.id.namespace.clone(), change.id.name.clone())))
        }
        _ => None,
    }
}
