//! What the store holds, and what became of our transactions.

use std::time::Instant;

use super::under_way::Free;
use super::{NameEffect, Names};
use crate::cluster::ClusterId;
use crate::deletion_guard::Reason;
use crate::expectation::{Expectation, kept_seconds};
use crate::mirror::StoreEvent;
use crate::name::HostName;
use crate::recording::messages::{WriteResult, Written};

/// Whether something has changed that concerns every cluster.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::recording) enum Concerns {
    /// Only those who are told of it.
    Some,
    /// The store is known for the first time.
    First,
    /// The store has another trouble than before, or none.
    Everyone,
}

impl Names {
    /// The store has told something.
    pub(in crate::recording) fn store_event(
        &mut self,
        event: StoreEvent,
        now: Instant,
        effects: &mut Vec<NameEffect>,
    ) -> Concerns {
        let offers = &self.offers;
        let changed = self.store.take_in(&event, |name| offers.get_key_value(name).map(|(known, _)| known));
        effects.extend(self.store.take_changed_owners().into_iter().map(NameEffect::Touched));
        for (name, _) in &changed {
            self.follow_addresses(name);
        }
        if self.store_is_known {
            for (name, revision) in changed {
                // What we have written ourselves is nothing to look at: it is planned already.
                if !revision.is_some_and(|revision| self.under_way.shown(&name, revision)) {
                    self.look_at(name, Reason::Seen);
                }
            }
        }
        let free = match event {
            StoreEvent::Reading | StoreEvent::Page(_) => Vec::new(),
            StoreEvent::Trouble(message) => {
                self.trouble.failed(message, now);
                return self.pass(now);
            }
            StoreEvent::Changed { revision, .. } | StoreEvent::Read { revision, restored: false } => {
                self.under_way.seen(revision)
            }
            StoreEvent::Read { revision, restored: true } => self.under_way.restored(revision),
        };
        for free in free {
            self.take_up(free, effects);
        }
        let is_first = matches!(event, StoreEvent::Read { .. }) && !self.store_is_known;
        if is_first {
            self.store_is_known = true;
            self.review_service();
        }
        match (is_first, self.trouble.succeeded()) {
            (true, _) => Concerns::First,
            (false, true) => Concerns::Everyone,
            (false, false) => Concerns::Some,
        }
    }

    /// Time has passed.
    pub(in crate::recording) fn pass(&mut self, now: Instant) -> Concerns {
        for name in self.failback.pass(now) {
            self.look_at(name, Reason::Seen);
        }
        if self.trouble.is_news(now) { Concerns::Everyone } else { Concerns::Some }
    }

    /// A transaction has ended.
    pub(in crate::recording) fn written(
        &mut self,
        written: Written,
        now: Instant,
        effects: &mut Vec<NameEffect>,
    ) -> Concerns {
        let Written { plan, result } = written;
        let name = plan.name.clone();
        match result {
            WriteResult::Done(revision) => {
                if let Some(cluster) = self.under_way.cluster_of(&name).cloned() {
                    self.refused(&cluster, &name, None);
                }
                let stored = self.store.at(&name);
                let kept = self.under_way.kept_seconds(&name).unwrap_or_else(|| kept_seconds(stored));
                let free = self.under_way.written(&name, revision);
                let withdrawn = plan.withdrawn_from.iter().cloned();
                effects.extend(withdrawn.map(|cluster| NameEffect::ForgetHeld(cluster, name.clone())));
                let expectation = Expectation::after(&plan, self.store.prefix(), self.store.at(&name), kept);
                effects.extend(expectation.clusters.iter().cloned().map(NameEffect::Touched));
                effects.push(NameEffect::Recorded { expectation, revision: Some(revision) });
                if let Some(free) = free {
                    self.take_up(free, effects);
                }
                if self.trouble.succeeded() { Concerns::Everyone } else { Concerns::Some }
            }
            WriteResult::Conflict => {
                self.try_again(&name, None, effects);
                Concerns::Some
            }
            WriteResult::Refused(message) => {
                self.try_again(&name, Some(message.clone()), effects);
                // The store may refuse everything: when it has no space, or its certificate is not valid.
                self.trouble.failed(message, now);
                self.pass(now)
            }
            WriteResult::Unavailable(message) => {
                self.try_again(&name, None, effects);
                self.trouble.failed(message, now);
                self.pass(now)
            }
        }
    }

    fn try_again(&mut self, name: &HostName, refusal: Option<String>, effects: &mut Vec<NameEffect>) {
        let Some(free) = self.under_way.failed(name) else { return };
        if let Some(cluster) = free.clusters.first() {
            self.refused(cluster, name, refusal);
        }
        self.take_up(Free { changed: free.changed.or(Some(Reason::Seen)), ..free }, effects);
    }

    fn refused(&mut self, cluster: &ClusterId, name: &HostName, why: Option<String>) {
        match why {
            Some(why) => drop(self.refusals.entry(cluster.clone()).or_default().insert(name.clone(), why)),
            None => {
                if let Some(names) = self.refusals.get_mut(cluster) {
                    names.remove(name);
                    if names.is_empty() {
                        self.refusals.remove(cluster);
                    }
                }
            }
        }
    }

    fn take_up(&mut self, free: Free, effects: &mut Vec<NameEffect>) {
        let Free { name, clusters, changed } = free;
        effects.push(NameEffect::Free(name.clone()));
        if let Some(reason) = changed {
            self.look_at(name, reason);
        }
        effects.extend(clusters.into_iter().map(NameEffect::Touched));
    }
}
