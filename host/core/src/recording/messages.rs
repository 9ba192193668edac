//! What recording is told, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use super::question::{Answer, Job, Role};
use crate::cluster::{ClusterId, SourceRef};
use crate::cluster_policy::ClusterPolicy;
use crate::conflict::Conflict;
use crate::decision_log::Decided;
use crate::deletion_guard::HeldDeletion;
use crate::expectation::Expectation;
use crate::index::State;
use crate::kinds::Kind;
use crate::mirror::StoreEvent;
use crate::name::HostName;
use crate::objects::Change;
use crate::plan::NamePlan;
use crate::policy::PolicyFailure;
use crate::service_names::ServiceNames;

/// What recording is told.
pub enum Input {
    /// Somebody wants something of a cluster.
    Command(ClusterId, ClusterCommand),
    /// This is all that the service publishes of itself.
    Serve(ServiceNames),
    /// The watches of a cluster have seen something. To be kept back until
    /// [`super::Recording::knows_the_store`]: what stands published stays where a module does not decide.
    Observation(ClusterId, Observation),
    /// A module has answered a job.
    Answer(Answer),
    /// The store has told something.
    Store(StoreEvent),
    /// A transaction has ended.
    Written(Written),
    /// Time has passed.
    Tick,
}

/// What is wanted of a cluster.
pub enum ClusterCommand {
    /// The cluster stands under this policy from now on.
    Govern(Box<ClusterPolicy>),
    /// The cluster has published in these zones, under earlier policies: what it has there goes, as the deletion
    /// guard allows.
    LeaveZones(BTreeSet<HostName>),
    /// No policy selects the cluster any more. Its records stay as they are.
    Ungovern,
    /// The cluster is being deleted: withdraws all its records below the zone.
    Release {
        /// The zone; from the policy or from the annotation on the `Cluster`.
        zone: HostName,
    },
    /// A person confirms the held deletion with this token.
    Confirm(String),
}

/// What the watches of one cluster report.
#[derive(Debug)]
pub enum Observation {
    /// Objects changed. A `Replaced` also says that the watch of the kind is in sync.
    Change(Change),
    /// A kind is not served (any more): nothing is known of its objects.
    NotServed(Kind),
    /// A watch has trouble; it goes on trying.
    Trouble(Kind, String),
    /// An agent says what the cluster asks for: its objects are not watched (any more), and forgotten.
    LeftToAgent,
}

/// The end of a transaction.
#[derive(Debug)]
pub struct Written {
    /// What was to be written.
    pub plan: NamePlan,
    /// What became of it.
    pub result: WriteResult,
}

/// What became of a transaction.
#[derive(Clone, Debug)]
pub enum WriteResult {
    /// Done at this revision.
    Done(i64),
    /// Not done, because somebody else has changed the name: plan anew.
    Conflict,
    /// The store refuses it, and says why.
    Refused(String),
    /// The store does not answer: it is not known whether it was done.
    Unavailable(String),
}

/// What follows from an input.
pub enum Effect {
    /// A module has to be asked.
    Ask(Job),
    /// Nobody waits any longer for the jobs of this role that were asked for the cluster so far.
    Cancel(ClusterId, Role),
    /// A name has to be changed, in one transaction.
    Write(NamePlan),
    /// Something has happened that others want to know.
    Tell(Report),
    /// The store holds nothing of a released cluster any more.
    Released(ClusterId),
}

/// What others are told.
#[derive(Debug)]
pub enum Report {
    /// What an object asks for has another state than before.
    Claim {
        /// The cluster.
        cluster: ClusterId,
        /// The object.
        source: SourceRef,
        /// Its unique identifier.
        uid: String,
        /// The host name as the object has it.
        host_name: String,
        /// The new state.
        state: State,
    },
    /// A claim gives way to another.
    Conflict {
        /// Unique identifier of the object that gives way.
        uid: String,
        /// Who, where and why.
        conflict: Conflict,
    },
    /// A claim is decided on otherwise than before, or was asked about anew; told where somebody keeps a log of that.
    Decided(Box<Decided>),
    /// A cluster's domain has been decided.
    Domain(ClusterId, Result<HostName, NoDomain>),
    /// The store holds what was decided for a name.
    Recorded {
        /// What the DNS server should answer now.
        expectation: Expectation,
        /// The revision of the store that made it so; `None` where it held that already.
        revision: Option<i64>,
    },
    /// The deletion that a cluster's guard holds is another one than before.
    Held {
        /// The cluster.
        cluster: ClusterId,
        /// What is held until it is confirmed; `None` when nothing is any more.
        held: Option<HeldDeletion>,
        /// How many names of the cluster the store holds.
        published: usize,
    },
    /// A person has confirmed a held deletion. The token confirms nothing any more.
    Confirmed {
        /// The cluster.
        cluster: ClusterId,
        /// The token.
        token: String,
        /// How many names go now.
        names: usize,
    },
    /// The state of a cluster has changed; ask for its summary.
    Touched(ClusterId),
    /// Something else is to be said of routes of a cluster; ask for it.
    Routes(ClusterId),
    /// Something else may be to be reported of namespaces of a cluster; ask for it.
    Findings(ClusterId),
}

/// State of one watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchState {
    /// All objects are known.
    InSync,
    /// The cluster does not serve the kind.
    NotServed,
    /// The same, of a kind that a cluster may well be without.
    Absent,
    /// The watch has trouble; what was known before stays.
    Trouble(String),
    /// The kind is not watched: an agent in the cluster says what is asked for.
    LeftToAgent,
}

/// State of each watch that has reported.
pub type Watches = BTreeMap<Kind, WatchState>;

/// Why a cluster has no domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoDomain {
    /// The policy did not give it one.
    Policy(PolicyFailure),
    /// An older cluster has it, or one that overlaps.
    Taken {
        /// The domain.
        domain: HostName,
        /// The older cluster.
        by: ClusterId,
    },
}

impl std::fmt::Display for NoDomain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Policy(failure) => failure.fmt(f),
            Self::Taken { domain, by } => {
                write!(f, "domain {domain} overlaps with that of the older cluster {by}")
            }
        }
    }
}
