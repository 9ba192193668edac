//! What the service itself publishes, among the names of one writer.

use std::collections::BTreeSet;

use super::Names;
use crate::deletion_guard::Reason;
use crate::name::HostName;
use crate::plan::{Change, plan_service_name};
use crate::record::RecordSet;
use crate::service_names::ServiceNames;
use crate::skydns::Owner;

impl Names {
    /// The service wants this to be published of itself from now on, and nothing else of what it has published.
    pub(in crate::recording) fn serve(&mut self, wanted: ServiceNames) {
        let before = self.service.replace(wanted);
        let names = before.iter().chain(&self.service).flat_map(names_in).collect::<BTreeSet<HostName>>();
        for name in names {
            self.look_at(name, Reason::Seen);
        }
        self.review_service();
    }

    /// What of the service is stored may have to go.
    pub(in crate::recording) fn review_service(&mut self) {
        let owners: Vec<Owner> = self.store.owners().filter(|owner| owner.is_service()).cloned().collect();
        for owner in owners {
            self.review(&owner, Reason::Seen);
        }
    }

    /// The changes of the service itself at a name; none before it is known what it wants.
    pub(super) fn service_changes(&self, name: &HostName) -> Vec<Change> {
        let (Some(wanted), stored) = (&self.service, self.store.at(name)) else { return Vec::new() };
        let owners = stored.into_iter().flat_map(|stored| stored.iter()).filter_map(|stored| stored.owner());
        let stored_in = owners.filter(|owner| owner.is_service()).map(|owner| &owner.zone);
        let has_name = |sets: &[RecordSet]| sets.iter().any(|set| set.name == *name);
        let wanted_in = wanted.iter().filter(|(_, sets)| has_name(sets)).map(|(zone, _)| zone);
        let zones: BTreeSet<&HostName> = stored_in.chain(wanted_in).collect();
        let changes = zones.into_iter().flat_map(|zone| {
            let sets = wanted.get(zone).map(Vec::as_slice).unwrap_or_default();
            plan_service_name(self.store.prefix(), name, zone, sets, stored).changes
        });
        changes.collect()
    }
}

fn names_in(wanted: &ServiceNames) -> impl Iterator<Item = HostName> {
    wanted.values().flatten().map(|set| set.name.clone())
}
