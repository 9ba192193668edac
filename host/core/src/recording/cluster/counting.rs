//! How many names are published, for the modules that ask for it.
//!
//! A claim is told what was published when it was first asked about, and keeps being told that while it is published:
//! what is published later is neither another question about it, nor takes anything from it. A claim that is denied is
//! asked about anew once less is published than it was told. See docs/decisions/0022.

use std::collections::{BTreeMap, BTreeSet};

use super::{ClusterRecords, Surroundings};
use crate::cluster::SourceRef;
use crate::cluster_policy::ClusterModule;
use crate::decide::Decision;
use crate::details::{AskedClaim, Detail, NameCounts, PublishedNames};
use crate::index::State;
use crate::kinds::Kind;
use crate::recording::question::Decisions;
use crate::skydns::Owner;

/// What was told of each claim that was decided on.
#[derive(Debug, Default)]
pub(super) struct Told {
    by_source: BTreeMap<SourceRef, Vec<(Box<str>, PublishedNames)>>,
    /// Names that stood before anybody asked for their number: after a restart, or under an earlier module. Each finds
    /// those that were counted before it, in order of the objects.
    stood: NameCounts,
    /// Claims that were given up, and may come back while the store still holds what came of them: they have no older
    /// right to their names than others.
    given_up: BTreeSet<(SourceRef, Box<str>)>,
}

/// Most claims that are known to be given up. The store holds what came of them for a moment only, so those of before
/// may be forgotten.
const MAX_GIVEN_UP: usize = 1024;

impl Told {
    fn get(&self, source: &SourceRef, host_name: &str) -> Option<PublishedNames> {
        let told = self.by_source.get(source)?;
        told.iter().find(|(other, _)| **other == *host_name).map(|(_, told)| *told)
    }

    /// A claim was decided on by this number.
    pub(super) fn set(&mut self, source: &SourceRef, host_name: &str, published: PublishedNames) {
        if !self.given_up.is_empty() {
            self.given_up.remove(&(source.clone(), host_name.into()));
        }
        let told = match self.by_source.get_mut(source) {
            Some(told) => told,
            None => self.by_source.entry(source.clone()).or_default(),
        };
        match told.iter_mut().find(|(other, _)| **other == *host_name) {
            Some((_, old)) => *old = published,
            None => told.push((host_name.into(), published)),
        }
    }

    /// The place of a name that stands, and of which nobody has asked for the number before.
    fn stands(&mut self, source: &SourceRef, host_name: &str) -> PublishedNames {
        let published = self.stood.found_in(&source.namespace);
        self.stood.add(&source.namespace, 1);
        self.set(source, host_name, published);
        published
    }

    fn is_given_up(&self, source: &SourceRef, host_name: &str) -> bool {
        !self.given_up.is_empty() && self.given_up.contains(&(source.clone(), host_name.into()))
    }

    fn retain(&mut self, source: &SourceRef, is_asked_for: impl Fn(&str) -> bool) {
        if let Some(told) = self.by_source.get_mut(source) {
            let given_up = told.iter().filter(|(host_name, _)| !is_asked_for(host_name));
            let given_up: Vec<_> =
                given_up.map(|(host_name, _)| (source.clone(), host_name.clone())).collect();
            if self.given_up.len() + given_up.len() > MAX_GIVEN_UP {
                self.given_up.clear();
            }
            self.given_up.extend(given_up);
            told.retain(|(host_name, _)| is_asked_for(host_name));
            if told.is_empty() {
                self.by_source.remove(source);
            }
        }
    }
}

/// What the claims of one object are told of published names.
pub(super) struct Counting {
    now: PublishedNames,
    /// Host names at which something stands.
    standing: BTreeSet<String>,
    /// Host names that are denied.
    denied: BTreeSet<String>,
}

impl Counting {
    /// What a claim is told; `None` where that is counted when its module is asked.
    pub(super) fn told(
        &self,
        source: &SourceRef,
        host_name: &str,
        given: &Decisions,
        told: &mut Told,
    ) -> Option<PublishedNames> {
        if let Some(counted) = given.counted(source, host_name) {
            return Some(counted);
        }
        let stands = self.standing.contains(host_name);
        match told.get(source, host_name) {
            None => stands.then(|| told.stands(source, host_name)),
            Some(told) => {
                let stays_denied = self.denied.contains(host_name) && !told.exceeds(self.now);
                (stands || stays_denied || told == self.now).then_some(told)
            }
        }
    }

    /// Whether a claim would be published though more is published than it was told.
    pub(super) fn is_outdated(&self, asked: &AskedClaim, decision: &Decision) -> bool {
        let is_new = !self.standing.contains(&asked.claim.host_name);
        let told = asked.published_names.unwrap_or_default();
        is_new && matches!(decision, Decision::Publish(_)) && self.now.exceeds(told)
    }
}

impl ClusterModule {
    pub(super) fn counts_names(&self) -> bool {
        self.policy.details().contains(&Detail::PublishedNames)
    }
}

impl ClusterRecords {
    /// How many names are published, for claims that a module is asked about and if it asks for it. While not all is
    /// known that claims names, those count that are `stored`, as [`Self::stored_counts`] gives them.
    pub(super) fn name_counts(
        &self,
        module: &ClusterModule,
        claims: &[AskedClaim],
        stored: Option<NameCounts>,
    ) -> Option<NameCounts> {
        module.counts_names().then(|| {
            let known = self.index.names();
            match stored {
                Some(stored) => stored.or_more(known),
                None => known.of(claims.iter().map(|asked| asked.source.namespace.as_str())),
            }
        })
    }

    /// What the store holds, while not all is known that claims names. All that the cluster has there is looked at.
    pub(super) fn stored_counts(
        &self,
        module: &ClusterModule,
        around: &Surroundings<'_>,
    ) -> Option<NameCounts> {
        // An agent's names come one by one: nobody lists them.
        let is_known = |kind: Kind| !kind.is_watched() || self.listed.contains(&kind);
        let all_is_known = self.policy.is_some() && Kind::sources().all(is_known);
        (module.counts_names() && !all_is_known).then(|| around.store.names_by_object(&owner(module)))
    }

    /// What the claims of an object are told, if a module asks for it.
    pub(super) fn counting(
        &self,
        source: &SourceRef,
        module: &ClusterModule,
        stored: Option<&NameCounts>,
        around: &Surroundings<'_>,
    ) -> Option<Counting> {
        if !module.counts_names() {
            return None;
        }
        let now = self.index.names().found_in(&source.namespace);
        let stored = stored.map(|stored| stored.found_in(&source.namespace)).unwrap_or_default();
        let outcomes = self.index.outcomes(source).into_iter().flat_map(|outcomes| outcomes.iter());
        let denied = outcomes.filter(|(_, outcome)| matches!(outcome.state, State::Denied(_)));
        let mut standing = self.standing(source, Some(&owner(module)), around);
        standing.retain(|host_name| !self.told.is_given_up(source, host_name));
        Some(Counting {
            now: now.or_more(stored),
            standing,
            denied: denied.map(|(host_name, _)| host_name.to_owned()).collect(),
        })
    }

    /// What an object does not ask for any more is forgotten.
    pub(super) fn forget_told(&mut self, source: &SourceRef) {
        let outcomes = self.index.outcomes(source);
        self.told
            .retain(source, |host_name| outcomes.is_some_and(|outcomes| outcomes.get(host_name).is_some()));
    }

    /// Less is published: claims that were denied are asked about anew, soon.
    pub(super) fn ask_denied_again(&mut self, around: &Surroundings<'_>) {
        if self.told.by_source.is_empty() {
            return;
        }
        let counts = self.index.names();
        let denied = self.index.problems().filter(|(source, outcomes)| {
            let now = counts.found_in(&source.namespace);
            outcomes.iter().any(|(host_name, outcome)| {
                matches!(outcome.state, State::Denied(_))
                    && self.told.get(source, host_name).is_some_and(|told| told.exceeds(now))
            })
        });
        for (source, _) in denied {
            self.again.soon(source.clone(), around.now);
        }
    }
}

fn owner(module: &ClusterModule) -> Owner {
    let context = &module.context;
    Owner { zone: context.base_domain.clone(), cluster: context.cluster.id.clone() }
}
