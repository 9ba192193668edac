//! What is known of a route: what it claims through each of its parents, and what has become of that.

use std::sync::Arc;

use crate::cluster::SourceRef;
use crate::expectation::Expectation;
use crate::index::State;
use crate::kinds::{OwnEntries, ParentRef};
use crate::name::HostName;
use crate::probing::Standing;
use crate::record::Values;

/// A route of which something else is known than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteNews {
    /// Which one.
    pub source: SourceRef,
    /// What is known; `None` when it is gone.
    pub facts: Option<RouteFacts>,
}

/// What is known of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteFacts {
    /// Its unique identifier.
    pub uid: String,
    /// How often its spec has changed.
    pub generation: i64,
    /// The parents through which it claims names; none where nothing is to be said.
    pub parents: Vec<ParentFacts>,
    /// What stands in its status of ours.
    pub own: OwnEntries,
}

impl RouteFacts {
    /// Whether nothing is to be said, and nothing was.
    pub(super) const fn says_nothing(&self) -> bool {
        self.parents.is_empty() && self.own.is_empty()
    }
}

/// What a route claims through one of its parents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentFacts {
    /// The parent, as in the route's spec.
    pub parent: ParentRef,
    /// The claims, in order of their host names.
    pub claims: Vec<ClaimFacts>,
}

/// What has become of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimFacts {
    /// The host name, as the route has it.
    pub host_name: String,
    /// What was decided.
    pub state: State,
    /// The names at which it is published, and how that stands.
    pub published: Vec<(HostName, NameStanding)>,
}

/// How what a route publishes at a name stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameStanding {
    /// It is to be written, or being written.
    Open,
    /// It gives way to another claim, and why.
    GaveWay(String),
    /// The store does not take it, and why.
    Refused(String),
    /// The store holds all that it should; with all values there, also those of others.
    Stored(Values),
}

/// How a name is answered.
#[derive(Clone, Debug)]
pub struct NameAnswer {
    /// What should be answered.
    pub expectation: Arc<Expectation>,
    /// Whether it is.
    pub standing: Standing,
}
