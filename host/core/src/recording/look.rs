//! What is shown of claims to whoever looks at them, some at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::messages::NoDomain;
use crate::cluster::{ClusterId, SourceRef};
use crate::deletion_guard::HeldDeletion;
use crate::index::State;
use crate::kinds::Attachment;
use crate::name::HostName;
use crate::record::RecordSet;
use crate::resolve::Resolution;
use crate::route_status::NameStanding;

/// A look at claims, in order of cluster, object and host name.
///
/// What it costs is bounded by `visits`, however many claims there are: whoever wants more looks again from
/// [`Seen::next`]. Only who gives way is looked through as a whole: no more than a cluster may have names.
#[derive(Clone, Debug)]
pub struct Look {
    /// Those after this one; `None` for the first.
    pub after: Option<Place>,
    /// Which of them.
    pub which: Which,
    /// Only those that are not published, or give way.
    pub only_problems: bool,
    /// So many are shown at most.
    pub most: usize,
    /// So many are looked at at most, shown or not.
    pub visits: usize,
}

/// Which claims are looked for.
#[derive(Clone, Debug)]
pub enum Which {
    /// All.
    All,
    /// Those with each of these texts, in small letters, in their host name, object or cluster, however these are written.
    With(Vec<String>),
    /// Those that ask for something written so, or for one of these names, and those that publish there.
    At {
        /// The host name as the object has it.
        text: String,
        /// Names.
        names: BTreeSet<HostName>,
    },
}

/// Where a claim stands in the order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The cluster.
    pub cluster: ClusterId,
    /// The object.
    pub source: SourceRef,
    /// The host name as the object has it.
    pub host_name: String,
}

/// What a look has shown.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The claims.
    pub claims: Vec<SeenClaim>,
    /// Where to look further; `None` when there is no more.
    pub next: Option<Place>,
    /// Whether the store has been read: before that, nothing is recorded.
    pub store_is_known: bool,
    /// How many were looked at.
    pub(super) visited: usize,
}

/// A claim, and what has become of it.
#[derive(Clone, Debug)]
pub struct SeenClaim {
    /// Whose it is.
    pub place: Place,
    /// What was decided.
    pub state: State,
    /// What is to be published.
    pub record_sets: Arc<[RecordSet]>,
    /// How that stands at each name.
    pub published: Vec<(HostName, NameStanding)>,
}

/// How a claim came about.
#[derive(Clone, Debug)]
pub struct Way {
    /// What has become of it.
    pub seen: SeenClaim,
    /// How the object stands to the listeners that it wants to attach to.
    pub attachments: Vec<Attachment>,
    /// All that the object asks for, and where it leads.
    pub resolution: Resolution,
    /// The DNSPolicy that holds for the cluster; `None` while none does.
    pub policy: Option<String>,
    /// The cluster's domain, or why it has none; `None` while that is not known.
    pub domain: Option<Result<HostName, NoDomain>>,
}

/// A deletion that is held.
#[derive(Clone, Debug)]
pub struct Held {
    /// Whose names.
    pub cluster: ClusterId,
    /// What confirms it.
    pub deletion: HeldDeletion,
    /// The first of the names.
    pub names: Vec<HostName>,
}

impl Look {
    /// Whether a look is to go on.
    pub(super) const fn goes_on(&self, seen: &Seen) -> bool {
        seen.claims.len() < self.most && seen.visited < self.visits
    }
}

impl Which {
    pub(super) fn is_met(
        &self,
        cluster: &ClusterId,
        source: &SourceRef,
        host_name: &str,
        sets: &[RecordSet],
    ) -> bool {
        match self {
            Self::All => true,
            Self::With(texts) => {
                // As they are shown, so that what is copied is found.
                let shown = format!("{host_name}\n{source}\n{cluster}").to_lowercase();
                texts.iter().all(|text| shown.contains(text.as_str()))
            }
            Self::At { text, names } => {
                host_name == text
                    || sets.iter().any(|set| names.contains(&set.name))
                    || host_name.parse().is_ok_and(|name: HostName| names.contains(&name))
            }
        }
    }
}
