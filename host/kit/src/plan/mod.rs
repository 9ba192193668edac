//! What a change of manifests or of a policy would change in DNS, before anything does.
//!
//! ```text
//! before ──┬─► claims ──decisions──► Index ──► names ──conflicts──► values ──┐
//! after  ──┴─► claims ──decisions──► the same Index, redecided ─────► values ─┴──► Plan
//! ```
//! It is decided twice in the way of the service, by the same code: what is likely to pass leaves published what was,
//! and a deletion of too much is held.

mod published;

use std::collections::BTreeSet;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::deletion_guard::{Deletion, Reason};
use openmcp_dns_core::name::HostName;
use openmcp_dns_landscape::Landscape;
use schemars::JsonSchema;
use serde::Serialize;

use crate::loaded_policy::LoadedPolicy;
use published::{Published, StandingName};

/// A landscape with the policy that holds there.
#[derive(Clone, Copy, Debug)]
pub struct Side<'s> {
    /// The policy.
    pub policy: &'s LoadedPolicy,
    /// The landscape.
    pub landscape: &'s Landscape,
}

/// What would change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Names that would come, go, or get other records; sorted.
    pub names: Vec<NameChange>,
    /// Claims that would come to nothing, and do not now, or for another reason; sorted.
    pub not_published: Vec<NotPublished>,
    /// Clusters of which so much would be deleted that it waits for a confirmation.
    pub held: Vec<Held>,
}

/// How a name would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NameChange {
    /// The name.
    pub name: HostName,
    /// What stands there; empty for a name that comes.
    pub before: Vec<String>,
    /// What would; empty for a name that goes.
    pub after: Vec<String>,
    /// The cluster that comes first takes over when it has asked for the name for so long without interruption; `None` where
    /// nobody waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes_over_after_seconds: Option<u64>,
}

/// A claim that would not be published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotPublished {
    /// The host name as the object has it.
    pub host_name: String,
    /// The cluster.
    pub cluster: String,
    /// The object.
    pub object: String,
    /// For machines.
    pub code: String,
    /// For people.
    pub message: String,
    /// Whether what is published stays all the same.
    pub stays: bool,
}

/// A deletion that would wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Held {
    /// The cluster.
    pub cluster: String,
    /// How many of its names would go.
    pub deleted: usize,
    /// How many it has.
    pub published: usize,
}

impl Plan {
    /// What would change from one side to the other.
    #[must_use]
    pub fn of(before: Side<'_>, after: Side<'_>) -> Self {
        let mut published = Published::default();
        published.decide(before);
        let old = published.names(&published::Names::new());
        let told = published.not_published();
        published.decide(after);
        let new = published.names(&old);
        let mut not_published = published.not_published();
        not_published.extend(new.iter().flat_map(|(name, standing)| standing.gave_way(name)));
        let told: BTreeSet<NotPublished> =
            told.into_iter().chain(old.iter().flat_map(|(name, standing)| standing.gave_way(name))).collect();
        let all: BTreeSet<&HostName> = old.keys().chain(new.keys()).collect();
        let lines = |standing: Option<&StandingName>| standing.map(StandingName::lines).unwrap_or_default();
        let names = all.iter().map(|name| NameChange {
            name: (*name).clone(),
            before: lines(old.get(*name)),
            after: lines(new.get(*name)),
            takes_over_after_seconds: new.get(*name).and_then(StandingName::takes_over_after_seconds),
        });
        let reason = if same_rules(before.policy, after.policy) { Reason::Seen } else { Reason::Decided };
        let held = after.landscape.clusters.iter().filter_map(|member| {
            let has = |names: &published::Names| -> BTreeSet<HostName> {
                names.iter().filter(|(_, at)| at.has(&member.id)).map(|(name, _)| name.clone()).collect()
            };
            let had = has(&old);
            let deletion = Deletion {
                published: had.len(),
                deleted: had.difference(&has(&new)).filter(|name| !gives_way(&new, name, &member.id)).count(),
                reason,
            };
            let limits = after.policy.cluster_policy(&member.id, &member.cluster).deletion_limits;
            limits.holds(deletion).then(|| Held {
                cluster: member.id.to_string(),
                deleted: deletion.deleted,
                published: deletion.published,
            })
        });
        let held = held.collect();
        Self {
            names: names.filter(|change| change.before != change.after).collect(),
            not_published: BTreeSet::from_iter(not_published).difference(&told).cloned().collect(),
            held,
        }
    }

    /// Whether nothing would change.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty() && self.not_published.is_empty()
    }

    /// How many names would come, go, and get other records.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        let come = self.names.iter().filter(|change| change.before.is_empty()).count();
        let go = self.names.iter().filter(|change| change.after.is_empty()).count();
        (come, go, self.names.len() - come - go)
    }
}

/// Whoever gives way still wants the name, and the name stays.
fn gives_way(names: &published::Names, name: &HostName, cluster: &ClusterId) -> bool {
    names.get(name).is_some_and(|standing| standing.gives_way(cluster))
}

/// Whether two policies decide alike, so that what goes does so because its objects do.
fn same_rules(before: &LoadedPolicy, after: &LoadedPolicy) -> bool {
    before.decides_like(after)
}

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;
