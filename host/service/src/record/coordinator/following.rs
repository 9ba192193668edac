//! What the store holds, and what became of our transactions.

use openmcp_dns_core::mirror::Mirror;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::plan::NamePlan;
use openmcp_dns_core::skydns::Prefix;
use tokio::time::Instant;

use super::Recorder;
use crate::probe::Expectation;
use crate::record::messages::Report;
use crate::record::writes::{WriteResult, Written};
use openmcp_dns_store::StoreEvent;

impl Recorder {
    pub(super) fn store_event(&mut self, event: StoreEvent) {
        match event {
            StoreEvent::Replaced { revision, entries } => {
                let old = std::mem::replace(&mut self.mirror, Mirror::new(Prefix::default()));
                self.mirror = Mirror::new(old.prefix().clone());
                for entry in entries {
                    self.mirror
                        .apply(&entry.key, entry.value.as_deref().map(|value| (value, entry.mod_revision)));
                }
                self.mirrored = true;
                self.store_trouble = None;
                self.writes.seen(revision);
                let names = self
                    .index
                    .names()
                    .cloned()
                    .chain(self.mirror.owners().flat_map(|owner| self.mirror.names_of(owner).cloned()));
                self.pending.extend(names.map(|name| (name, true)));
                self.touch_all();
            }
            StoreEvent::Changed { revision, changes } => {
                for change in changes {
                    let value = change.value.as_deref().map(|value| (value, change.mod_revision));
                    if let Some(name) = self.mirror.apply(&change.key, value) {
                        self.pending.entry(name).or_insert(false);
                    }
                }
                self.writes.seen(revision);
            }
            StoreEvent::Trouble(message) => {
                tracing::warn!(%message, "unable to follow the store");
                if self.store_trouble.as_ref() != Some(&message) {
                    self.store_trouble = Some(message);
                    self.touch_all();
                }
            }
        }
    }

    pub(super) fn written(&mut self, written: Written) {
        let Written { plan, result } = written;
        match result {
            WriteResult::Done(_) => {
                if self.store_trouble.take().is_some() {
                    self.touch_all();
                }
                for id in &plan.withdrawn_from {
                    if let Some(guard) = self.guards.get_mut(id) {
                        guard.settle(&plan.name);
                    }
                }
                let expectation = self.wanted_at(&plan);
                for id in &expectation.clusters {
                    self.outbox.push(Report::Touched(id.clone()));
                }
                self.outbox.push(Report::Recorded { expectation, changed: true });
            }
            WriteResult::Again(trouble) => {
                if let Some(message) = trouble {
                    tracing::warn!(name = %plan.name, %message, "unable to record");
                    if self.store_trouble.as_ref() != Some(&message) {
                        self.store_trouble = Some(message);
                        self.touch_all();
                    }
                }
                self.pending.entry(plan.name).or_insert(false);
            }
        }
    }

    /// What the DNS server should answer, going by what the store holds.
    pub(super) fn expectation(&self, name: &HostName) -> Expectation {
        Expectation::from_stored(name, self.mirror.at(name))
    }

    /// What the DNS server should answer after a plan has been carried out.
    pub(super) fn wanted_at(&self, plan: &NamePlan) -> Expectation {
        Expectation::after(plan, self.mirror.at(&plan.name))
    }

    pub(super) fn release_held(&mut self) {
        let now = Instant::now();
        for (id, guard) in &mut self.guards {
            let governance = self.clusters.get(id).and_then(|cluster| cluster.governance.as_ref());
            if let Some(governance) = governance {
                self.pending.extend(guard.due(governance.hold, now).into_iter().map(|name| (name, true)));
            }
        }
    }
}
