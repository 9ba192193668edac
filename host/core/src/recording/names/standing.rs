//! How what an object publishes at a name stands.

use super::Names;
use crate::cluster::{ClusterId, SourceRef};
use crate::conflict::Claimant;
use crate::mirror::{Stored, StoredName};
use crate::name::HostName;
use crate::record::RecordSet;
use crate::route_status::NameStanding;

impl Names {
    /// The objects that publish at a name, or would.
    pub(in crate::recording) fn claimants(&self, name: &HostName) -> impl Iterator<Item = &Claimant> {
        self.offers.get(name).into_iter().flatten().map(|offer| &offer.claimant)
    }

    /// The objects of a cluster that give way somewhere, or of which the store does not take what they publish.
    pub(in crate::recording) fn lost_by(&self, cluster: &ClusterId) -> impl Iterator<Item = &SourceRef> {
        let refused = self.refusals(cluster).map(|(_, source, _)| source);
        self.conflicts(cluster).map(|conflict| &conflict.loser.1).chain(refused)
    }

    /// Whether an object gives way at one of the names, or the store does not take what it publishes.
    pub(in crate::recording) fn is_in_trouble(
        &self,
        cluster: &ClusterId,
        source: &SourceRef,
        record_sets: &[RecordSet],
    ) -> bool {
        let (lost, refused) = (self.conflicts.get(cluster), self.refusals.get(cluster));
        record_sets.iter().any(|set| {
            let mut lost = lost.and_then(|names| names.get(&set.name)).into_iter().flatten();
            lost.any(|conflict| conflict.loser.1 == *source)
                || refused.is_some_and(|names| names.contains_key(&set.name))
        })
    }

    /// How what an object publishes at a name stands.
    pub(in crate::recording) fn standing(&self, claimant: &Claimant, name: &HostName) -> NameStanding {
        let (cluster, source) = claimant;
        let lost = self.conflicts.get(cluster).and_then(|names| names.get(name)).into_iter().flatten();
        if let Some(conflict) = lost.into_iter().find(|conflict| conflict.loser.1 == *source) {
            return NameStanding::GaveWay(conflict.message.clone());
        }
        if let Some(why) = self.refusals.get(cluster).and_then(|names| names.get(name)) {
            return NameStanding::Refused(why.clone());
        }
        if self.pending.contains_key(name) || self.ready.has(name) || self.under_way.has(name) {
            return NameStanding::Open;
        }
        let stored = self.store.at(name).into_iter().flat_map(StoredName::iter);
        NameStanding::Stored(stored.filter_map(Stored::value).collect())
    }
}
