//! PTR records: they follow the address records that the store holds, and nothing else leads to one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::Names;
use crate::cluster::ClusterId;
use crate::deletion_guard::Reason;
use crate::mirror::StoredName;
use crate::name::HostName;
use crate::plan::{AddressName, Change, plan_reverse_name};
use crate::record::RecordValue;
use crate::skydns::{Owner, ValueId};

/// Which host names lead to which addresses, as far as these lead back.
///
/// What it costs to follow a name is the number of its values, however many names lead to the same address.
#[derive(Debug, Default)]
pub(super) struct Reverse {
    /// Clusters whose policy lists networks.
    clusters: BTreeSet<ClusterId>,
    /// By host name.
    led: HashMap<HostName, Led>,
    /// By reverse name: whose host names lead to the address, with their times to live.
    leading: HashMap<HostName, BTreeMap<(Owner, HostName), u32>>,
}

/// Reverse names of the addresses of a host name, with the time to live of the address records.
type Led = BTreeMap<(HostName, Owner), u32>;

impl Reverse {
    /// Whether nobody lists networks, and nothing is left of who did.
    fn is_idle(&self) -> bool {
        self.clusters.is_empty() && self.led.is_empty()
    }

    /// A host name leads there from now on; gives the reverse names for which that is news.
    fn set(&mut self, name: &HostName, led: Led) -> BTreeSet<HostName> {
        let old = self.led.remove(name).unwrap_or_default();
        let mut changed = BTreeSet::new();
        for (reverse, owner) in old.keys().filter(|key| !led.contains_key(*key)) {
            if let Some(leading) = self.leading.get_mut(reverse) {
                leading.remove(&(owner.clone(), name.clone()));
                if leading.is_empty() {
                    self.leading.remove(reverse);
                }
            }
            changed.insert(reverse.clone());
        }
        for (key, ttl) in &led {
            if old.get(key) != Some(ttl) {
                let (reverse, owner) = key;
                let leading = self.leading.entry(reverse.clone()).or_default();
                leading.insert((owner.clone(), name.clone()), *ttl);
                changed.insert(reverse.clone());
            }
        }
        if !led.is_empty() {
            self.led.insert(name.clone(), led);
        }
        changed
    }

    /// Whose host name stands at a reverse name: the one that stands there as long as it leads to the address, else the
    /// first by zone, cluster and name.
    fn chosen(&self, reverse: &HostName, standing: Option<(Owner, HostName)>) -> Option<AddressName> {
        let leading = self.leading.get(reverse)?;
        let standing = standing.and_then(|standing| leading.get_key_value(&standing));
        let ((owner, host), ttl_seconds) = standing.or_else(|| leading.first_key_value())?;
        let value = RecordValue::Ptr(host.clone());
        Some(AddressName { owner: owner.clone(), value, ttl_seconds: *ttl_seconds })
    }
}

impl Names {
    /// What the store holds at a name is something else than before: the PTR records of its addresses follow.
    pub(super) fn follow_addresses(&mut self, name: &HostName) {
        if self.reverse.is_idle() || name.is_wildcard() || name.address().is_some() {
            return;
        }
        let led = self.leads_to(name);
        for reverse in self.reverse.set(name, led) {
            self.look_at(reverse, Reason::Seen);
        }
    }

    /// The policy of a cluster may list other networks than before, or be another one.
    pub(super) fn follow_addresses_of(&mut self, cluster: &ClusterId) {
        let networks = self.members.get(cluster).and_then(|member| member.networks.as_ref());
        if networks.is_some_and(|networks| !networks.is_empty()) {
            self.reverse.clusters.insert(cluster.clone());
        } else {
            self.reverse.clusters.remove(cluster);
        }
        let owners = self.store.owners().filter(|owner| owner.cluster == *cluster);
        let (names, reverse): (Vec<HostName>, Vec<HostName>) = if self.reverse.is_idle() {
            (Vec::new(), owners.flat_map(|owner| self.store.reverse_names_of(owner)).cloned().collect())
        } else {
            let names = owners.flat_map(|owner| self.store.names_of(owner)).cloned();
            names.partition(|name| name.address().is_none())
        };
        for name in names {
            self.follow_addresses(&name);
        }
        for name in reverse {
            self.look_at(name, Reason::Seen);
        }
    }

    /// Where the addresses of a name lead back, as its clusters' policies have it.
    fn leads_to(&self, name: &HostName) -> Led {
        let mut led = Led::new();
        for stored in self.store.at(name).into_iter().flat_map(StoredName::iter) {
            let address: IpAddr = match stored.value() {
                Some(RecordValue::A(address)) => address.into(),
                Some(RecordValue::Aaaa(address)) => address.into(),
                _ => continue,
            };
            let Some((owner, ttl)) = stored.owner().zip(stored.ttl_seconds()) else { continue };
            let member = self.members.get(&owner.cluster);
            let member = member.filter(|member| member.zone.as_ref() == Some(&owner.zone));
            let networks = member.and_then(|member| member.networks.as_ref());
            if networks.is_some_and(|networks| networks.contains(address)) {
                led.insert((HostName::of_address(address), owner.clone()), ttl);
            }
        }
        led
    }

    /// The cluster whose host name is to stand at a reverse name.
    pub(super) fn reverse_wanted_by(&self, name: &HostName) -> Option<ClusterId> {
        self.reverse_wanted(name).map(|wanted| wanted.owner.cluster)
    }

    fn reverse_wanted(&self, name: &HostName) -> Option<AddressName> {
        let standing = self.store.at(name).and_then(|stored| stored.get(ValueId::Name));
        let standing = standing.and_then(|standing| match (standing.owner(), standing.value()) {
            (Some(owner), Some(RecordValue::Ptr(host))) => Some((owner.clone(), host)),
            _ => None,
        });
        self.reverse.chosen(name, standing)
    }

    /// The changes at the reverse name of an address. What a cluster has there stays while nobody knows which networks
    /// its policy lists.
    pub(super) fn reverse_changes(&self, name: &HostName) -> Vec<Change> {
        let may_replace = |owner: &Owner| {
            self.members.get(&owner.cluster).is_some_and(|member| {
                member.is_released_from(&owner.zone)
                    || member.networks.is_some() && member.has_zone(&owner.zone)
            })
        };
        let (wanted, stored) = (self.reverse_wanted(name), self.store.at(name));
        plan_reverse_name(self.store.prefix(), name, wanted.as_ref(), stored, may_replace).changes
    }
}
