//! What the store holds, and what became of our transactions.

use super::{NameEffect, Names};
use crate::expectation::Expectation;
use crate::mirror::StoreEvent;
use crate::name::HostName;
use crate::recording::messages::{WriteResult, Written};

/// Whether something has changed that concerns every cluster.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::recording) enum Concerns {
    /// Only those who are told of it.
    Some,
    /// The store is known again, or has another trouble than before.
    Everyone,
}

impl Names {
    /// The store has told something.
    pub(in crate::recording) fn store_event(&mut self, event: StoreEvent) -> Concerns {
        match event {
            StoreEvent::Replaced { revision, entries } => {
                self.store.replace(&entries);
                self.store_is_known = true;
                self.trouble = None;
                self.under_way.seen(revision);
                let stored = self.store.owners().flat_map(|owner| self.store.names_of(owner));
                let names: Vec<HostName> = self.offers.keys().chain(stored).cloned().collect();
                self.pending.extend(names.into_iter().map(|name| (name, true)));
                Concerns::Everyone
            }
            StoreEvent::Changed { revision, changes } => {
                for change in changes {
                    if let Some(name) = self.store.update(&change) {
                        self.pending.entry(name).or_insert(false);
                    }
                }
                self.under_way.seen(revision);
                Concerns::Some
            }
            StoreEvent::Trouble(message) => self.has_trouble(message),
        }
    }

    /// A transaction has ended.
    pub(in crate::recording) fn written(&mut self, written: Written) -> (Concerns, Vec<NameEffect>) {
        let Written { plan, result } = written;
        match result {
            WriteResult::Done(revision) => {
                self.under_way.written(&plan.name, revision);
                let concerns =
                    if self.trouble.take().is_some() { Concerns::Everyone } else { Concerns::Some };
                let withdrawn = plan.withdrawn_from.iter();
                let mut effects: Vec<NameEffect> = withdrawn
                    .map(|cluster| NameEffect::ForgetHeld(cluster.clone(), plan.name.clone()))
                    .collect();
                let expectation = Expectation::after(&plan, self.store.at(&plan.name));
                effects.extend(expectation.clusters.iter().cloned().map(NameEffect::Touched));
                effects.push(NameEffect::Recorded { expectation, changed: true });
                (concerns, effects)
            }
            WriteResult::Again(trouble) => {
                self.under_way.failed(&plan.name);
                self.pending.entry(plan.name).or_insert(false);
                (trouble.map_or(Concerns::Some, |message| self.has_trouble(message)), Vec::new())
            }
        }
    }

    fn has_trouble(&mut self, message: String) -> Concerns {
        if self.trouble.as_ref() == Some(&message) {
            return Concerns::Some;
        }
        self.trouble = Some(message);
        Concerns::Everyone
    }
}
