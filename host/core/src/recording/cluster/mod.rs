//! The machine of one cluster: what its objects claim, what its modules say, and what it gives up.

mod again;
mod budget;
mod candidate;
mod claims;
mod counting;
mod decisions;
mod findings;
mod look;
mod policy;
mod routes;
mod summary;
mod untold;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use again::Again;
use counting::Told;
use decisions::ToldDecisions;
use findings::ChangedNamespaces;
use routes::ChangedRoutes;

use super::candidate::Candidate;
use super::memo::Memo;
use super::messages::{ClusterCommand, NoDomain, Observation, Report, WatchState, Watches};
use super::names::{Deletions, Member};
use super::question::{Answer, Decisions, Job, Role, Ticket};
use super::zone::Wish;
use crate::cluster::{ClusterId, SourceRef};
use crate::cluster_policy::{ClusterModule, ClusterPolicy};
use crate::conflict::Conflict;
use crate::decide::AllowedNames;
use crate::deletion_guard::{DeletionGuard, Reason};
use crate::details::{AskedClaim, NameCounts};
use crate::index::{Index, Offers};
use crate::kinds::{Kind, SourceRules};
use crate::mirror::{Mirror, Stored, StoredName};
use crate::name::HostName;
use crate::objects::Objects;
use crate::policy::PolicyFailure;
use crate::skydns::Owner;

/// One cluster.
///
/// Nothing in it depends on another cluster: what clusters share comes as a [`ClusterInput::Domain`]
/// of the zone, and what it wants published goes out as offers.
pub(super) struct ClusterRecords {
    id: ClusterId,
    policy: Option<ClusterPolicy>,
    incoming: Option<Incoming>,
    /// What the policy says, before other clusters are looked at.
    wanted_domain: Option<Result<HostName, PolicyFailure>>,
    domain: Option<Result<Arc<AllowedNames>, NoDomain>>,
    objects: Objects,
    index: Index,
    watches: Watches,
    /// Objects that the module has been asked about.
    waiting: BTreeMap<SourceRef, Waiting>,
    /// Objects whose module is asked again after a while.
    again: Again<SourceRef>,
    /// The same for the domain.
    domain_again: Again<()>,
    /// Objects with something to tell when all that they depend on is known.
    untold: BTreeSet<SourceRef>,
    /// Kinds of which all objects have been known once since the cluster is watched, or that are not served.
    listed: BTreeSet<Kind>,
    /// What modules were told of how many names are published.
    told: Told,
    changed_routes: ChangedRoutes,
    changed_namespaces: ChangedNamespaces,
    /// What was told of decisions; `None` where nobody keeps a log of them.
    told_decisions: Option<ToldDecisions>,
    candidate: Option<Candidate>,
    guard: DeletionGuard,
    /// The zone of the policy, or of the last one.
    zone: Option<HostName>,
    /// Zones of earlier policies, whose records are withdrawn.
    left_zones: BTreeSet<HostName>,
    /// Whose records are withdrawn. Set when the `Cluster` is being deleted.
    released: Option<Vec<Owner>>,
}

/// A policy that comes into force when its module has decided on all claims of the cluster, and the
/// zone on its domain.
struct Incoming {
    policy: ClusterPolicy,
    /// Of the job that asks.
    ticket: Ticket,
    /// What the module has decided; the zone has been asked for this domain.
    decided: Option<(Result<HostName, PolicyFailure>, Decisions)>,
}

/// An object that the module has been asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    /// Of the job that asks; the answer to an older one is not taken.
    ticket: Ticket,
    /// Whether that follows from a new list or a new module, so from what no watch has shown.
    inferred: bool,
}

/// What one cluster is told.
pub(super) enum ClusterInput {
    Command(ClusterCommand),
    Observation(Observation),
    Answer(Answer),
    /// The zone gives the cluster its domain, or none.
    Domain(Result<HostName, NoDomain>),
    /// The store has been read for the first time.
    StoreKnown,
    Tick,
}

/// What follows for others.
pub(super) enum ClusterEffect {
    Ask(Job),
    Cancel(Role),
    Tell(Report),
    /// An object shall be published so from now on.
    Offer {
        source: SourceRef,
        offers: Offers,
        reason: Reason,
    },
    /// What the store holds at these names may have to go now.
    LookAgain(BTreeSet<HostName>),
    /// What the store holds of this owner, and nobody asks for, may have to go.
    Review {
        owner: Owner,
        reason: Reason,
    },
    /// The cluster wants this domain.
    Wish(Wish),
    /// The cluster wants no domain; its own is free.
    NoWish,
}

/// What a cluster's machine works with.
pub(super) struct Surroundings<'a> {
    /// What the store holds.
    pub(super) store: &'a Mirror,
    /// Up to which revision that has been seen.
    pub(super) revision: i64,
    pub(super) memo: &'a mut Memo,
    /// The last one that was given out.
    pub(super) tickets: &'a mut Ticket,
    pub(super) now: Instant,
    /// How many claims have been looked at.
    pub(super) claims: usize,
    pub(super) effects: Vec<ClusterEffect>,
}

impl Surroundings<'_> {
    /// A ticket that no job has yet.
    fn ticket(&mut self) -> Ticket {
        *self.tickets += 1;
        *self.tickets
    }

    fn tell(&mut self, report: Report) {
        self.effects.push(ClusterEffect::Tell(report));
    }
}

impl ClusterRecords {
    pub(super) fn new(id: ClusterId, tells_decisions: bool) -> Self {
        Self {
            id,
            policy: None,
            incoming: None,
            wanted_domain: None,
            domain: None,
            objects: Objects::default(),
            index: Index::default(),
            watches: Watches::new(),
            waiting: BTreeMap::new(),
            again: Again::default(),
            domain_again: Again::default(),
            untold: BTreeSet::new(),
            listed: BTreeSet::new(),
            told: Told::default(),
            changed_routes: ChangedRoutes::default(),
            changed_namespaces: ChangedNamespaces::default(),
            told_decisions: tells_decisions.then(ToldDecisions::default),
            candidate: None,
            guard: DeletionGuard::default(),
            zone: None,
            left_zones: BTreeSet::new(),
            released: None,
        }
    }

    pub(super) fn handle(&mut self, input: ClusterInput, around: &mut Surroundings<'_>) {
        let with_other_entries = self.with_other_entries(&input);
        let told_routes = self.tells_routes();
        self.take_in(input, around);
        for source in with_other_entries {
            self.route_changed(&source);
        }
        if self.tells_routes() != told_routes {
            self.all_routes_changed();
        }
        self.follow_reports();
    }

    fn take_in(&mut self, input: ClusterInput, around: &mut Surroundings<'_>) {
        match input {
            ClusterInput::Command(ClusterCommand::Govern(policy)) => self.govern(*policy, around),
            ClusterInput::Command(ClusterCommand::LeaveZones(zones)) => {
                for zone in zones {
                    self.leave_zone(zone, around);
                }
            }
            ClusterInput::Command(ClusterCommand::Ungovern) => self.ungovern(around),
            ClusterInput::Command(ClusterCommand::Release { zone }) => self.release(zone, around),
            ClusterInput::Command(ClusterCommand::Confirm(token)) => self.confirmed(token, around),
            ClusterInput::Observation(observation) => self.observe(observation, around),
            ClusterInput::Answer(answer) => match answer.role {
                Role::Active => self.answered(answer, around),
                Role::Incoming => self.decided(answer, around),
                Role::Candidate => self.compared(answer, around),
            },
            ClusterInput::Domain(domain) => self.take_domain(domain, around),
            ClusterInput::StoreKnown => self.review(around),
            ClusterInput::Tick => {
                if let Some(policy) = &self.policy {
                    let due = self.guard.due(policy.hold, around.now);
                    around.effects.push(ClusterEffect::LookAgain(due));
                }
                self.ask_again(around);
            }
        }
    }

    /// When something is to be done though nothing arrives.
    pub(super) fn due(&self) -> Option<Instant> {
        let held = self.policy.as_ref().and_then(|policy| self.guard.next_due(policy.hold));
        [held, self.again.due(), self.domain_again.due()].into_iter().flatten().min()
    }

    /// What those who plan names have to know of the cluster.
    pub(super) fn member(&self) -> Member {
        // All is known of what nobody looks at.
        let is_known = |state: &WatchState| matches!(state, WatchState::InSync | WatchState::LeftToAgent);
        let in_sync = self.watches.iter().filter(|(_, state)| is_known(state));
        let absent = self.watches.iter().filter(|(_, state)| **state == WatchState::Absent);
        let limits = self.policy.as_ref().map(|policy| policy.limits).unwrap_or_default();
        Member {
            zone: self.zone.clone(),
            left_zones: self.left_zones.clone(),
            is_governed: self.policy.is_some(),
            released_from: self.released.iter().flatten().map(|owner| owner.zone.clone()).collect(),
            in_sync: in_sync.map(|(kind, _)| *kind).collect(),
            absent: absent.map(|(kind, _)| *kind).collect(),
            listed: self.listed.clone(),
            networks: self.policy.as_ref().map(|policy| Arc::clone(&policy.networks)),
            precedence: self.policy.as_ref().map(|policy| policy.precedence.clone()),
            changes_per_second: limits.changes_per_second,
        }
    }

    /// Everyone as whom the cluster may have records: under its policy, and under those that it left.
    fn owners(&self) -> impl Iterator<Item = Owner> {
        let zones = self.zone.iter().chain(&self.left_zones);
        zones.map(|zone| Owner { zone: zone.clone(), cluster: self.id.clone() })
    }

    fn published_names(&self, store: &Mirror) -> usize {
        self.owners().map(|owner| store.count_of(&owner)).sum()
    }

    /// Looks at what would be deleted of the cluster; gives the names that have to wait.
    pub(super) fn holds(&mut self, deletions: &Deletions, around: &Surroundings<'_>) -> BTreeSet<HostName> {
        let Some(policy) = self.policy.as_ref().filter(|_| self.released.is_none()) else {
            return BTreeSet::new();
        };
        let (limits, published) = (policy.deletion_limits, self.published_names(around.store));
        let held = deletions.iter().map(|(reason, names)| {
            self.guard.hold(names, published, *reason, limits, around.revision, around.now)
        });
        held.flatten().collect()
    }

    /// Somebody confirms the held deletion with this token. One that fits nothing was used, or is mistyped.
    fn confirmed(&mut self, token: String, around: &mut Surroundings<'_>) {
        let names = self.guard.confirm(&token, around.now);
        if names.is_empty() {
            return;
        }
        around.tell(Report::Confirmed { cluster: self.id.clone(), token, names: names.len() });
        around.effects.push(ClusterEffect::LookAgain(names));
    }

    /// What is told when another deletion is held than before.
    pub(super) fn held_change(&mut self, store: &Mirror) -> Option<Report> {
        if !self.guard.take_change() {
            return None;
        }
        // A store that was restored may be without what was to be deleted.
        let has = |name: &HostName| {
            let stored = store.at(name).into_iter().flat_map(StoredName::iter);
            stored.filter_map(Stored::owner).any(|owner| owner.cluster == self.id)
        };
        self.guard.retain_held(has);
        let published = self.published_names(store);
        Some(Report::Held { cluster: self.id.clone(), held: self.guard.held(), published })
    }

    /// Forgets the zones in which nothing of the cluster is left.
    pub(super) fn forget_left_zones(&mut self, has_left: impl Fn(&Owner) -> bool) {
        let cluster = &self.id;
        self.left_zones.retain(|zone| !has_left(&Owner { zone: zone.clone(), cluster: cluster.clone() }));
    }

    /// The cluster's values at a name were deleted, or are wanted again.
    pub(super) fn forget_held(&mut self, name: &HostName) {
        self.guard.forget(name);
    }

    /// What is told of an object that gives way.
    pub(super) fn conflict(&self, conflict: Conflict) -> Report {
        let uid = self.objects.uid(&conflict.loser.1).unwrap_or_default().to_owned();
        Report::Conflict { uid, conflict }
    }

    /// Whether the cluster is released, and has left the store for good.
    pub(super) fn is_gone(&self, has_left: impl Fn(&Owner) -> bool) -> bool {
        self.released.as_ref().is_some_and(|owners| owners.iter().all(has_left))
    }

    /// Who decides, and where the cluster may publish; `None` while that is not known, and when it leaves.
    pub(super) fn deciding(&self) -> Option<(ClusterModule, Arc<AllowedNames>)> {
        let policy = self.policy.as_ref().filter(|_| self.released.is_none())?;
        let allowed = self.domain.as_ref()?.as_ref().ok()?;
        Some((policy.module.clone(), Arc::clone(allowed)))
    }

    /// The policies whose modules are asked, and in which role.
    pub(super) fn modules(&self) -> impl Iterator<Item = (&str, Role)> {
        let active = self.policy.as_ref();
        let candidate = active.filter(|policy| policy.candidate.is_some());
        [
            (self.incoming.as_ref().map(|incoming| &incoming.policy), Role::Incoming),
            (active, Role::Active),
            (candidate, Role::Candidate),
        ]
        .into_iter()
        .filter_map(|(policy, role)| Some((policy?.policy_name.as_str(), role)))
    }

    fn touch(&self, around: &mut Surroundings<'_>) {
        around.tell(Report::Touched(self.id.clone()));
    }

    /// What the objects ask for, with all that a module is told of it; and how many names are published, if it asks for that.
    fn asked<'s>(
        &mut self,
        sources: impl IntoIterator<Item = &'s SourceRef>,
        module: &ClusterModule,
        rules: &SourceRules,
        around: &Surroundings<'_>,
    ) -> (Vec<AskedClaim>, Option<NameCounts>) {
        let mut asked = Vec::new();
        let (details, stored) = (module.policy.details(), self.stored_counts(module, around));
        for source in sources {
            let resolution = self.objects.resolve(source, rules).unwrap_or_default();
            let wanted = self.within_budget(source, resolution);
            let Some(labels) = self.labels(source) else { continue };
            let counting = self.counting(source, module, stored.as_ref(), around);
            let details = self.objects.details(source, rules, details);
            let surplus = wanted.surplus.map(|(host_name, _)| host_name);
            let claims = wanted.resolution.wanted.into_iter();
            let claims = claims.filter(|claim| surplus.as_ref() != Some(&claim.host_name));
            let told = &mut self.told;
            asked.extend(claims.map(|claim| AskedClaim {
                source: source.clone(),
                labels: labels.clone(),
                details: details.as_ref().map(|details| details.of(&claim.host_name)),
                published_names: counting.as_ref().and_then(|counting| {
                    counting.told(source, &claim.host_name, &Decisions::default(), told)
                }),
                claim,
            }));
        }
        let counts = self.name_counts(module, &asked, stored);
        (asked, counts)
    }
}
