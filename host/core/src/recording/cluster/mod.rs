//! The machine of one cluster: what its objects claim, what its modules say, and what it gives up.

mod candidate;
mod claims;
mod policy;
mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::candidate::Candidate;
use super::memo::Memo;
use super::messages::{ClusterCommand, NoDomain, Observation, Report, WatchState, Watches};
use super::names::{Deletions, Member};
use super::question::{Answer, AskedClaim, Decisions, Job, Role, Ticket};
use super::zone::Wish;
use crate::cluster::{ClusterId, SourceRef};
use crate::cluster_policy::ClusterPolicy;
use crate::conflict::Conflict;
use crate::decide::AllowedNames;
use crate::deletion_guard::DeletionGuard;
use crate::index::{Index, Offers};
use crate::mirror::Mirror;
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
    candidate: Option<Candidate>,
    guard: DeletionGuard,
    /// Whose records are withdrawn. Set when the `Cluster` is being deleted.
    released: Option<Owner>,
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
    /// See [`crate::deletion_guard::Deletion::inferred`].
    inferred: bool,
}

/// What one cluster is told.
pub(super) enum ClusterInput {
    Command(ClusterCommand),
    Observation(Observation),
    Answer(Answer),
    /// The zone gives the cluster its domain, or none.
    Domain(Result<HostName, NoDomain>),
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
        inferred: bool,
    },
    /// What the store holds at these names may have to go now.
    LookAgain(BTreeSet<HostName>),
    /// What the store holds of this owner, and nobody asks for, may have to go.
    Review {
        owner: Owner,
        inferred: bool,
    },
    /// The cluster wants this domain.
    Wish(Wish),
    /// The cluster wants no domain; its own is free `at_once`, or when another cluster wishes for one.
    NoWish {
        at_once: bool,
    },
}

/// What a cluster's machine works with.
pub(super) struct Surroundings<'a> {
    /// What the store holds.
    pub(super) store: &'a Mirror,
    pub(super) memo: &'a mut Memo,
    /// The last one that was given out.
    pub(super) tickets: &'a mut Ticket,
    pub(super) now: Instant,
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
    pub(super) fn new(id: ClusterId) -> Self {
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
            candidate: None,
            guard: DeletionGuard::default(),
            released: None,
        }
    }

    pub(super) fn handle(&mut self, input: ClusterInput, around: &mut Surroundings<'_>) {
        match input {
            ClusterInput::Command(ClusterCommand::Govern(policy)) => self.govern(*policy, around),
            ClusterInput::Command(ClusterCommand::Ungovern) => self.ungovern(around),
            ClusterInput::Command(ClusterCommand::Release { zone }) => self.release(zone, around),
            ClusterInput::Command(ClusterCommand::Confirm(token)) => {
                around.effects.push(ClusterEffect::LookAgain(self.guard.confirm(&token)));
            }
            ClusterInput::Observation(observation) => self.observe(observation, around),
            ClusterInput::Answer(answer) => match answer.role {
                Role::Active => self.answered(answer, around),
                Role::Incoming => self.decided(answer, around),
                Role::Candidate => self.compared(answer, around),
            },
            ClusterInput::Domain(domain) => self.take_domain(domain, around),
            ClusterInput::Tick => {
                if let Some(policy) = &self.policy {
                    let due = self.guard.due(policy.hold, around.now);
                    around.effects.push(ClusterEffect::LookAgain(due));
                }
            }
        }
    }

    /// What those who plan names have to know of the cluster.
    pub(super) fn member(&self) -> Member {
        let in_sync = self.watches.iter().filter(|(_, state)| **state == WatchState::InSync);
        Member {
            zone: self.policy.as_ref().map(|policy| policy.module.context.base_domain.clone()),
            released_from: self.released.as_ref().map(|owner| owner.zone.clone()),
            in_sync: in_sync.map(|(kind, _)| *kind).collect(),
        }
    }

    /// Looks at what would be deleted of the cluster; gives whether that has to wait.
    pub(super) fn holds(&mut self, deletions: &Deletions, around: &Surroundings<'_>) -> bool {
        let Some(policy) = self.policy.as_ref().filter(|_| self.released.is_none()) else { return false };
        let published = around.store.count_of(&policy.owner());
        let Deletions { names, inferred } = deletions;
        !self.guard.allows(names, published, *inferred, policy.deletion_limits, around.now)
    }

    /// What is told when another deletion is held than before.
    pub(super) fn held_change(&mut self, store: &Mirror) -> Option<Report> {
        if !self.guard.take_change() {
            return None;
        }
        let published = self.policy.as_ref().map_or(0, |policy| store.count_of(&policy.owner()));
        Some(Report::Held { cluster: self.id.clone(), held: self.guard.held(), published })
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

    /// Whether the cluster is released, and the store holds nothing of it any more.
    pub(super) fn is_gone(&self, store: &Mirror) -> bool {
        self.released.as_ref().is_some_and(|owner| store.count_of(owner) == 0)
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

    /// What the objects ask for, with all that a module is told of it.
    fn asked<'s>(&self, sources: impl IntoIterator<Item = &'s SourceRef>) -> Vec<AskedClaim> {
        let mut asked = Vec::new();
        for source in sources {
            let labels = self.objects.labels(source).cloned().unwrap_or_default();
            let claims = self.objects.resolve(source).unwrap_or_default().wanted;
            asked.extend(claims.into_iter().map(|claim| AskedClaim {
                source: source.clone(),
                labels: labels.clone(),
                claim,
            }));
        }
        asked
    }
}
