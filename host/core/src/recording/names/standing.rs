//! How what an object publishes at a name stands.

use super::Names;
use crate::conflict::Claimant;
use crate::mirror::{Stored, StoredName};
use crate::name::HostName;
use crate::route_status::NameStanding;

impl Names {
    /// The objects that publish at a name, or would.
    pub(in crate::recording) fn claimants(&self, name: &HostName) -> impl Iterator<Item = &Claimant> {
        self.offers.get(name).into_iter().flatten().map(|offer| &offer.claimant)
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
