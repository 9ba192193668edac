//! Session: hands what the files hold to the service, and tells what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::conflict::Conflict;
use openmcp_dns_core::index::State;
use openmcp_dns_core::kinds::{self, Watched};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::objects::Change;
use tokio::sync::mpsc;

use openmcp_dns_kit::LoadedPolicy;
use openmcp_dns_landscape::folder::{
    Files, How, Kind, Object, ObjectChange, ObjectId, PLATFORM, Scan, landscape,
};
use openmcp_dns_landscape::{Landscape, Problem, Problems};

use super::causes::Causes;
use super::event::{Cause, Event};
use super::picture::ProblemPicture;
use super::rules::{self, Given};
use super::service::Service;
use super::view::Value;
use openmcp_dns_api::{Cluster, DNSPolicy};
use openmcp_dns_service::probe::{Probed, Verdict};
use openmcp_dns_service::record::{HeldDeletion, NoDomain, Report, WatchState};

/// A claim: cluster, object and host name as the object has it.
pub(super) type ClaimKey = (ClusterId, String, String);

/// How a name was answered last, with what the store held then.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) values: BTreeSet<Value>,
    pub(super) probed: Probed,
}

/// What the service has been told of a cluster.
#[derive(Debug)]
enum Standing {
    /// It stands under the policy.
    Governed {
        /// The resource as the service knows it.
        cluster: Box<Cluster>,
        /// Whether the service knows its objects.
        listed: bool,
    },
    /// No policy selects it.
    Ungoverned,
    /// Its records are being withdrawn.
    Releasing,
}

/// A running demo.
pub struct Session {
    pub(super) folder: PathBuf,
    pub(super) service: Service,
    pub(super) rules: LoadedPolicy,
    pub(super) files: Files,
    pub(super) landscape: Landscape,
    pub(super) problems: Problems,
    pub(super) claims: BTreeMap<ClaimKey, State>,
    pub(super) conflicts: BTreeMap<ClaimKey, Conflict>,
    pub(super) domains: BTreeMap<ClusterId, Result<HostName, NoDomain>>,
    pub(super) shown: BTreeMap<HostName, Shown>,
    given: Given,
    /// The policy that the rules were last tried with.
    policy: Option<DNSPolicy>,
    policy_problem: Option<(String, Problem)>,
    standing: BTreeMap<ClusterId, Standing>,
    held: BTreeMap<ClusterId, HeldDeletion>,
    causes: Causes,
    release: mpsc::UnboundedSender<ClusterId>,
    released: mpsc::UnboundedReceiver<ClusterId>,
}

/// Something for the session to work on.
pub(super) enum Happening {
    Report(Report),
    Probed(Probed),
    Released(ClusterId),
    /// It is time to look for changes that led to nothing.
    Deadline,
}

impl Session {
    /// Starts with the files as they were read, under rules that have been loaded for them.
    pub fn new(
        folder: PathBuf,
        service: Service,
        rules: LoadedPolicy,
        given: Given,
        policy: Option<DNSPolicy>,
    ) -> Self {
        let (release, released) = mpsc::unbounded_channel();
        Self {
            folder,
            service,
            rules,
            files: Files::default(),
            landscape: Landscape::default(),
            problems: Problems::new(),
            claims: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            domains: BTreeMap::new(),
            shown: BTreeMap::new(),
            given,
            policy,
            policy_problem: None,
            standing: BTreeMap::new(),
            held: BTreeMap::new(),
            causes: Causes::default(),
            release,
            released,
        }
    }

    // === from the files to the service ===

    /// Takes in what stands in the folder now; `since` is when a change was first noticed.
    pub async fn take_in(&mut self, scan: Scan, since: Instant) -> Vec<Event> {
        let changes = self.files.update(scan);
        self.landscape = landscape(&self.files);
        if !changes.is_empty() {
            self.causes.begin(since);
        }
        let rules_changed = self.update_rules();
        self.explain(&changes, rules_changed);
        self.reconcile(&changes, rules_changed).await;
        self.new_problems(None)
    }

    /// The folder itself cannot be read: everything stays.
    pub fn blind(&mut self, error: &std::io::Error) -> Vec<Event> {
        let message = format!("unable to read the folder: {error}");
        let hint = "what was published stays; put the folder back, or start the demo anew";
        self.new_problems(Some(Problem::error(None, message, hint)))
    }

    /// Goes over to the policy in the files, if it can be used; gives whether the rules are other ones.
    fn update_rules(&mut self) -> bool {
        let in_files = self.landscape.policy();
        let wanted = self.given.policy.as_ref().or(in_files);
        if wanted == self.policy.as_ref() {
            return false;
        }
        let file = in_files.and_then(|policy| self.file_of(policy)).unwrap_or(PLATFORM).to_owned();
        // A question to a module takes up to its deadline.
        let rules = tokio::task::block_in_place(|| rules::changed(&self.rules, &self.given, wanted));
        self.policy = wanted.cloned();
        match rules {
            Ok(rules) => {
                self.rules = rules;
                self.policy_problem = None;
                true
            }
            Err(error) => {
                let message =
                    format!("{}; the policy of before stays in force", openmcp_dns_core::chain(&error));
                self.policy_problem = Some((file, Problem::error(None, message, error.hint())));
                false
            }
        }
    }

    fn file_of(&self, policy: &DNSPolicy) -> Option<&str> {
        let name = policy.metadata.name.clone()?;
        let id = ObjectId { kind: Kind::DnsPolicy, namespace: String::new(), name };
        Some(&self.files.objects().get(&(PLATFORM.to_owned(), id))?.file)
    }

    fn explain(&mut self, changes: &[ObjectChange], rules_changed: bool) {
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
                Kind::DnsPolicy if !rules_changed => {}
                Kind::DnsPolicy => {
                    for member in &self.landscape.clusters {
                        self.causes.folder_changed(&member.id.name, &cause);
                    }
                }
            }
        }
    }

    /// Tells the service which clusters there are, and what changed in them.
    async fn reconcile(&mut self, changes: &[ObjectChange], rules_changed: bool) {
        let present: BTreeSet<&ClusterId> = self.landscape.clusters.iter().map(|member| &member.id).collect();
        for (id, standing) in self.standing.iter_mut().filter(|(id, _)| !present.contains(id)) {
            if !matches!(standing, Standing::Releasing) {
                self.service.release(id, &self.rules.zone, self.release.clone()).await;
                *standing = Standing::Releasing;
            }
        }
        for member in &self.landscape.clusters {
            let id = &member.id;
            let folder = &id.name;
            let selected = self.rules.selects(&member.cluster);
            let mut listed = false;
            match self.standing.get(id) {
                // Comes back when that is done.
                Some(Standing::Releasing) => continue,
                Some(Standing::Governed { .. }) if !selected => self.service.ungovern(id).await,
                Some(Standing::Governed { cluster, listed: known }) => {
                    listed = *known;
                    if rules_changed || **cluster != member.cluster {
                        self.service.govern(id, self.rules.cluster_policy(id, &member.cluster)).await;
                    }
                }
                _ if selected => {
                    self.service.govern(id, self.rules.cluster_policy(id, &member.cluster)).await
                }
                _ => {}
            }
            if !selected {
                self.standing.insert(id.clone(), Standing::Ungoverned);
                continue;
            }
            if listed {
                for change in changes.iter().filter(|change| change.folder == *folder) {
                    if let Some(observed) = observed(change) {
                        self.service.observe(id, observed).await;
                    }
                }
            } else if self.files.folders().contains(folder) {
                for kind in kinds::Kind::ALL {
                    let objects = self.objects_of(folder, kind);
                    self.service.observe(id, Change::Replaced(kind, objects)).await;
                }
                listed = true;
            }
            let cluster = Box::new(member.cluster.clone());
            self.standing.insert(id.clone(), Standing::Governed { cluster, listed });
        }
    }

    fn objects_of(&self, folder: &str, kind: kinds::Kind) -> Vec<Watched> {
        let objects = self.files.objects().iter().filter(|((other, _), _)| other == folder);
        objects
            .filter_map(|(_, placed)| match &placed.manifest.object {
                Object::Watched(object) if object.kind == kind => Some(object.clone()),
                _ => None,
            })
            .collect()
    }

    /// Problems that were not there before, and places that have none any more.
    fn new_problems(&mut self, of_the_folder: Option<Problem>) -> Vec<Event> {
        let mut problems = self.landscape.problems.clone();
        if let Some((place, problem)) = &self.policy_problem {
            problems.entry(place.clone()).or_default().push(problem.clone());
        }
        if let Some(problem) = of_the_folder {
            problems.entry(self.folder.display().to_string()).or_default().push(problem);
        }
        let before = std::mem::replace(&mut self.problems, problems);
        let mut events = Vec::new();
        for (place, problems) in &self.problems {
            let old = before.get(place).map_or(&[][..], Vec::as_slice);
            for problem in problems.iter().filter(|problem| !old.contains(problem)) {
                events.push(Event::Problem(ProblemPicture { file: place.clone(), problem: problem.clone() }));
            }
        }
        let solved = before.into_keys().filter(|place| !self.problems.contains_key(place));
        events.extend(solved.map(|file| Event::Solved { file }));
        events
    }

    // === from the service to people ===

    /// Waits for the next thing to work on. May be cancelled without loss.
    pub(super) async fn next(&mut self) -> Happening {
        let deadline = self.causes.next_deadline();
        let deadline = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Reports explain what the probes find out.
            biased;
            Some(report) = self.service.reports.recv() => Happening::Report(report),
            Some(probed) = self.service.probed.recv() => Happening::Probed(probed),
            Some(cluster) = self.released.recv() => Happening::Released(cluster),
            () = deadline => Happening::Deadline,
        }
    }

    /// Works on it, and gives what is to be told.
    pub(super) async fn work(&mut self, happening: Happening) -> Vec<Event> {
        match happening {
            Happening::Report(report) => self.report(report).await.into_iter().collect(),
            Happening::Probed(probed) => self.probed(probed).into_iter().collect(),
            Happening::Released(cluster) => {
                self.standing.remove(&cluster);
                self.domains.remove(&cluster);
                self.claims.retain(|(other, _, _), _| *other != cluster);
                self.conflicts.retain(|(other, _, _), _| *other != cluster);
                // Perhaps it has come back meanwhile.
                self.reconcile(&[], false).await;
                Vec::new()
            }
            Happening::Deadline => {
                let causes = self.causes.unaffected(Instant::now());
                if causes.is_empty() { Vec::new() } else { vec![Event::Unaffected { causes }] }
            }
        }
    }

    async fn report(&mut self, report: Report) -> Option<Event> {
        match report {
            Report::Claim { cluster, source, uid: _, host_name, state } => {
                let key = (cluster, source.to_string(), host_name);
                let published = state == State::Published;
                self.claims.insert(key.clone(), state.clone());
                if published {
                    return None;
                }
                let (cluster, source, _) = &key;
                self.causes.of([(cluster.name.as_str(), source.as_str())].into_iter());
                let cluster = cluster.name.clone();
                Some(Event::Claim { cluster, claim: self.claim_picture(&key, &state) })
            }
            Report::Conflict { uid: _, conflict } => {
                let (cluster, source) = &conflict.loser;
                let key = (cluster.clone(), source.to_string(), conflict.name.to_string());
                self.causes.of([(cluster.name.as_str(), key.1.as_str())].into_iter());
                let event = Event::Claim {
                    cluster: cluster.name.clone(),
                    claim: self.conflict_picture(&key, &conflict),
                };
                self.conflicts.insert(key, conflict);
                Some(event)
            }
            Report::Domain(cluster, domain) => {
                let before = self.domains.insert(cluster.clone(), domain.clone());
                if before.as_ref() == Some(&domain) {
                    return None;
                }
                let cluster = cluster.name;
                self.causes.of([(cluster.as_str(), "")].into_iter());
                Some(match domain {
                    Ok(domain) => Event::Domain { cluster, domain: Some(domain.to_string()), message: None },
                    Err(why) => Event::Domain { cluster, domain: None, message: Some(why.to_string()) },
                })
            }
            Report::Recorded { .. } | Report::Held { .. } => None,
            Report::Touched(cluster) => self.held(cluster).await,
        }
    }

    /// Whether a deletion of the cluster is held that was not before.
    async fn held(&mut self, id: ClusterId) -> Option<Event> {
        let held = self.service.summary(&id).await.held;
        let before = match &held {
            Some(held) => self.held.insert(id.clone(), held.clone()),
            None => self.held.remove(&id),
        };
        let held = held.filter(|held| before.as_ref() != Some(held))?;
        self.causes.settle();
        let hold_seconds = self.rules.spec().deletion_guard.hold_seconds;
        Some(Event::Held { cluster: id.name, names: held.names, hold_seconds })
    }

    fn probed(&mut self, probed: Probed) -> Option<Event> {
        let name = probed.expectation.name.clone();
        let values = self.service.view.at(&name);
        if !super::answer::expects(&probed.expectation, &values) {
            // The store has changed meanwhile, and the next probe is on its way.
            return None;
        }
        let before = self.shown.remove(&name);
        let gone = values.is_empty() && probed.verdict == Verdict::Match;
        let same = match &before {
            Some(before) => before.values == values && before.probed.verdict == probed.verdict,
            None => gone,
        };
        let event = (!same).then(|| {
            let before = before.map(|shown| shown.values).unwrap_or_default();
            let sources =
                before.union(&values).map(|value| (value.cluster.name.as_str(), value.source.as_str()));
            let cause = self.causes.of(sources);
            Event::Answered(super::answer::answered(&probed, &before, &values, cause))
        });
        if !gone {
            self.shown.insert(name, Shown { values, probed });
        }
        event
    }

    // === start ===

    /// Works until everything that the files ask for is recorded and probed; gives whether that was
    /// so within the time.
    pub async fn settle(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut settled = false;
        while !settled && Instant::now() < deadline {
            // The last report of a round has nothing behind it, so look again a little later.
            if let Ok(happening) = tokio::time::timeout(Duration::from_millis(5), self.next()).await {
                self.work(happening).await;
            } else {
                settled = self.is_settled().await;
            }
        }
        self.causes.forget();
        settled
    }

    async fn is_settled(&self) -> bool {
        for (id, standing) in &self.standing {
            let Standing::Governed { listed: true, .. } = standing else { continue };
            let summary = self.service.summary(id).await;
            let in_sync =
                kinds::Kind::ALL.iter().all(|kind| summary.watches.get(kind) == Some(&WatchState::InSync));
            let told = |(cluster, _, _): &&ClaimKey| cluster == id;
            let claims = summary.published + summary.denied + summary.unresolved + summary.undecided;
            if !in_sync
                || summary.pending > 0
                || self.claims.keys().filter(told).count() != claims
                || self.conflicts.keys().filter(told).count() != summary.conflicts
            {
                return false;
            }
        }
        let probed = |(name, values): (&HostName, &BTreeSet<Value>)| {
            self.shown.get(name).is_some_and(|shown| shown.values == *values)
        };
        self.service.view.all().iter().all(probed)
    }

    /// Whether something could not be read, so that it is not known what it asks for.
    pub fn has_errors(&self) -> bool {
        self.problems.values().flatten().any(|problem| problem.is_error)
    }

    /// Ends all parts.
    pub async fn stop(self) {
        self.service.stop().await;
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
