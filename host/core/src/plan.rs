//! The changes that turn what the store holds at a name into what is to be published there.

use std::collections::BTreeSet;

use crate::cluster::ClusterId;
use crate::conflict::Desired;
use crate::mirror::{Stored, StoredName};
use crate::name::HostName;
use crate::record::{RecordSet, RecordValue};
use crate::skydns::{Entry, Owner, Prefix, Source, ValueId};

/// One change of one key. All changes of a name are made in one transaction, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The exact key; never a prefix.
    pub key: String,
    /// The change is made only if the key still has this revision; 0 means that it does not exist.
    pub expected_mod_revision: i64,
    /// The new value, or `None` to delete the key.
    pub value: Option<Vec<u8>>,
}

/// All changes at one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePlan {
    /// The name.
    pub name: HostName,
    /// Sorted by key; empty when nothing is to be done.
    pub changes: Vec<Change>,
    /// The clusters whose last value at this name would be deleted.
    pub withdrawn_from: BTreeSet<ClusterId>,
}

/// Most changes of one plan; etcd takes 128 operations in a transaction by default. What is beyond
/// that is planned when these have been made.
pub const MAX_CHANGES: usize = 120;

/// The plans, together where a store takes them together.
pub fn transactions(plans: &[NamePlan]) -> impl Iterator<Item = &[NamePlan]> {
    let mut rest = plans;
    std::iter::from_fn(move || {
        let mut changes = 0;
        let fit = rest.iter().take_while(|plan| {
            changes += plan.changes.len();
            changes <= MAX_CHANGES
        });
        // A plan has no more changes than that.
        let (now, later) = rest.split_at(fit.count());
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

/// The changes at one name, before they are written down: most names that are looked at need none.
pub(crate) struct Steps<'w> {
    steps: Vec<Step<'w>>,
    /// The clusters whose last value at this name would be deleted.
    pub(crate) withdrawn_from: BTreeSet<ClusterId>,
}

/// A value is put there, or taken away.
struct Step<'w> {
    id: ValueId,
    expected_mod_revision: i64,
    put: Option<Wanted<'w>>,
}

impl Steps<'_> {
    /// Whether nothing is to be done.
    pub(crate) const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Writes them down.
    pub(crate) fn plan(self, prefix: &Prefix, name: &HostName) -> NamePlan {
        let changes = self.steps.into_iter().map(|Step { id, expected_mod_revision, put }| Change {
            key: id.key(prefix, name),
            expected_mod_revision,
            value: put.map(|wanted| wanted.encode(name)),
        });
        let mut changes: Vec<Change> = changes.collect();
        changes.sort_by(|a, b| a.key.cmp(&b.key));
        NamePlan { name: name.clone(), changes, withdrawn_from: self.withdrawn_from }
    }
}

/// Plans the changes at one name.
///
/// `zone_of` gives the zone in which a cluster publishes; `None` when it is not known, and its values
/// are left as they are. `may_withdraw` says of an owner and of the source object in a stored value (as
/// text, if it has one) whether enough is known of them to delete values that nobody wants any more.
pub(crate) fn steps<'w, 'z>(
    desired: &'w [Desired],
    stored: Option<&StoredName>,
    zone_of: impl Fn(&ClusterId) -> Option<&'z HostName>,
    may_withdraw: impl Fn(&Owner, Option<&str>) -> bool,
) -> Steps<'w> {
    let wanted = desired.iter().filter_map(|desired| {
        let Desired { cluster, source, value, ttl_seconds } = desired;
        let owner = Owner { zone: zone_of(cluster)?.clone(), cluster: cluster.clone() };
        Some(Wanted { owner, source: Source::Object(source), value, ttl_seconds: *ttl_seconds })
    });
    steps_to(wanted, stored, may_withdraw)
}

/// Plans the changes at a name of the service itself, of which nothing is held back: it knows all that it wants.
#[must_use]
pub fn plan_service_name(
    prefix: &Prefix,
    name: &HostName,
    zone: &HostName,
    record_sets: &[RecordSet],
    stored: Option<&StoredName>,
) -> NamePlan {
    let owner = Owner::service(zone.clone());
    let sets = record_sets.iter().filter(|set| set.name == *name);
    let wanted = sets.flat_map(|set| {
        let one = |value| Wanted {
            owner: owner.clone(),
            source: Source::Service,
            value,
            ttl_seconds: set.ttl_seconds,
        };
        set.values.iter().map(one)
    });
    let steps = steps_to(wanted, stored, |other, _| *other == owner);
    NamePlan { withdrawn_from: BTreeSet::new(), ..steps.plan(prefix, name) }
}

/// Whose host name an address leads back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressName {
    /// Who owns the address record.
    pub owner: Owner,
    /// The PTR record.
    pub value: RecordValue,
    /// Time to live of the address record, in seconds.
    pub ttl_seconds: u32,
}

/// Plans the change at the reverse name of an address. Nothing is held back there: what stands there follows from address
/// records that stand in the store, of which each deletion was looked at. `may_replace` says of an owner whether enough is
/// known of it to take away what it has there.
#[must_use]
pub fn plan_reverse_name(
    prefix: &Prefix,
    name: &HostName,
    wanted: Option<&AddressName>,
    stored: Option<&StoredName>,
    may_replace: impl Fn(&Owner) -> bool,
) -> NamePlan {
    let (id, source) = (ValueId::Name, Source::AddressRecord);
    let wanted = wanted.map(|AddressName { owner, value, ttl_seconds }| Wanted {
        owner: owner.clone(),
        source,
        value,
        ttl_seconds: *ttl_seconds,
    });
    let standing = stored.and_then(|stored| stored.get(id));
    let step = match (standing, wanted) {
        (None, None) => None,
        (None, put @ Some(_)) => Some(Step { id, expected_mod_revision: 0, put }),
        (Some(standing), put) => {
            let is_there = put.as_ref().is_some_and(|wanted| wanted.is_stored_as(standing));
            let is_free = standing.owner().is_some_and(may_replace);
            let expected_mod_revision = standing.mod_revision;
            (is_free && !is_there).then_some(Step { id, expected_mod_revision, put })
        }
    };
    let steps = step.into_iter().collect();
    Steps { steps, withdrawn_from: BTreeSet::new() }.plan(prefix, name)
}

/// A value that shall stand at a name, as it is written there.
struct Wanted<'w> {
    owner: Owner,
    source: Source<'w>,
    value: &'w RecordValue,
    ttl_seconds: u32,
}

impl Wanted<'_> {
    fn is_stored_as(&self, stored: &Stored) -> bool {
        stored.is_written_as(self.value, self.ttl_seconds, &self.owner, self.source)
    }

    fn encode(&self, name: &HostName) -> Vec<u8> {
        Entry::new(name, self.value, self.ttl_seconds, &self.owner, self.source).encode()
    }
}

fn steps_to<'w>(
    all: impl Iterator<Item = Wanted<'w>>,
    stored: Option<&StoredName>,
    may_withdraw: impl Fn(&Owner, Option<&str>) -> bool,
) -> Steps<'w> {
    let step = |wanted: Wanted<'w>| {
        let id = ValueId::of(&wanted.owner, wanted.value);
        Step { id, expected_mod_revision: 0, put: Some(wanted) }
    };
    let mut puts: Vec<Step<'w>> = all.map(step).collect();
    puts.sort_by_key(|step| step.id);
    puts.dedup_by_key(|step| step.id);
    let mut needs_put = vec![true; puts.len()];
    let (mut steps, mut withdrawn_from) = (Vec::new(), BTreeSet::new());
    for stored in stored.into_iter().flat_map(StoredName::iter) {
        let expected_mod_revision = stored.mod_revision;
        match (puts.binary_search_by_key(&stored.id, |step| step.id), stored.owner()) {
            (Ok(at), Some(_)) if puts[at].put.as_ref().is_some_and(|put| !put.is_stored_as(stored)) => {
                puts[at].expected_mod_revision = expected_mod_revision;
            }
            // It is there already; or what stands there is not ours, which is never touched, not even where it lies in
            // our way.
            (Ok(at), _) => needs_put[at] = false,
            (Err(_), Some(owner)) if may_withdraw(owner, stored.source()) => {
                let wants = |step: &Step<'_>| {
                    step.put.as_ref().is_some_and(|wanted| wanted.owner.cluster == owner.cluster)
                };
                if !puts.iter().any(wants) {
                    withdrawn_from.insert(owner.cluster.clone());
                }
                steps.push(Step { id: stored.id, expected_mod_revision, put: None });
            }
            (Err(_), _) => {}
        }
    }
    let puts = puts.into_iter().zip(needs_put);
    steps.extend(puts.filter_map(|(step, needs_put)| needs_put.then_some(step)));
    steps.truncate(MAX_CHANGES);
    Steps { steps, withdrawn_from }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cluster::SourceRef;
    use crate::kinds::Kind;
    use crate::mirror::Mirror;
    use crate::record::RecordType;

    const HOST: &str = "a.w1.openmcp.cluster";

    fn zone() -> HostName {
        "openmcp.cluster".parse().unwrap()
    }

    fn host() -> HostName {
        HOST.parse().unwrap()
    }

    fn desired(cluster: &str, address: &str) -> Desired {
        Desired {
            cluster: ClusterId::new("openmcp-system", cluster),
            source: SourceRef::new(Kind::HttpRoute, "default", "r"),
            value: RecordValue::parse(RecordType::A, address).unwrap(),
            ttl_seconds: 60,
        }
    }

    fn plan_for(mirror: &Mirror, desired: &[Desired]) -> NamePlan {
        plan_with(mirror, desired, |_, _| true)
    }

    fn plan_with(
        mirror: &Mirror,
        desired: &[Desired],
        may_withdraw: impl Fn(&Owner, Option<&str>) -> bool,
    ) -> NamePlan {
        let zone = zone();
        let steps = steps(desired, mirror.at(&host()), |_| Some(&zone), may_withdraw);
        steps.plan(mirror.prefix(), &host())
    }

    fn carry_out(mirror: &mut Mirror, plan: &NamePlan, revision: i64) {
        for change in &plan.changes {
            let stored = mirror.at(&plan.name).and_then(|stored| {
                stored.iter().find(|stored| stored.id.key(mirror.prefix(), &plan.name) == change.key)
            });
            assert_eq!(stored.map_or(0, |stored| stored.mod_revision), change.expected_mod_revision);
            mirror.apply(&change.key, change.value.as_deref().map(|value| (value, revision)));
        }
    }

    #[test]
    fn a_second_plan_after_the_first_is_empty() {
        let mut mirror = Mirror::new(Prefix::default());
        let wanted = [desired("w1", "10.0.0.1"), desired("w1", "10.0.0.2")];
        let first = plan_for(&mirror, &wanted);
        assert_eq!(first.changes.len(), 2);
        carry_out(&mut mirror, &first, 5);
        assert!(plan_for(&mirror, &wanted).changes.is_empty());
    }

    #[test]
    fn a_changed_address_is_one_put_and_one_delete_and_no_withdrawal() {
        let mut mirror = Mirror::new(Prefix::default());
        let first = plan_for(&mirror, &[desired("w1", "10.0.0.1")]);
        carry_out(&mut mirror, &first, 5);
        let second = plan_for(&mirror, &[desired("w1", "10.0.0.2")]);
        assert_eq!(second.changes.len(), 2);
        assert!(second.withdrawn_from.is_empty());
    }

    #[test]
    fn what_is_not_ours_is_never_changed() {
        let mut mirror = Mirror::new(Prefix::default());
        let other = br#"{"host":"10.0.0.9","owner":"other.cluster/openmcp-system/w1"}"#;
        for (key, value) in [
            ("/skydns/cluster/openmcp/w1/a/3dc2be40", b"{\"host\":\"10.0.0.9\"}".as_slice()),
            ("/skydns/cluster/openmcp/w1/a/3dc2be41", b"broken"),
            ("/skydns/cluster/openmcp/w1/a/3dc2be42", other),
        ] {
            mirror.apply(key, Some((value, 1)));
        }
        let ours = |owner: &Owner, _: Option<&str>| owner.zone == zone();
        assert!(plan_with(&mirror, &[], ours).changes.is_empty());
    }

    #[test]
    fn a_foreign_value_under_our_own_key_is_not_overwritten() {
        let mut mirror = Mirror::new(Prefix::default());
        let wanted = [desired("w1", "10.0.0.1")];
        let key = plan_for(&mirror, &wanted).changes[0].key.clone();
        mirror.apply(&key, Some((b"{\"host\":\"10.0.0.9\"}", 1)));
        assert!(plan_for(&mirror, &wanted).changes.is_empty());
    }

    #[test]
    fn nothing_is_withdrawn_while_the_cluster_is_not_known_well_enough() {
        let mut mirror = Mirror::new(Prefix::default());
        let first = plan_for(&mirror, &[desired("w1", "10.0.0.1")]);
        carry_out(&mut mirror, &first, 5);
        let held = plan_with(&mirror, &[], |_, _| false);
        assert!(held.changes.is_empty());
        let gone = plan_for(&mirror, &[]);
        assert_eq!(gone.changes.len(), 1);
        assert_eq!(gone.withdrawn_from.len(), 1);
    }

    #[test]
    fn many_names_go_in_transactions_that_a_store_takes() {
        let one = plan_for(&Mirror::new(Prefix::default()), &[desired("w1", "10.0.0.1")]);
        let plans = vec![one; MAX_CHANGES * 2 + 1];
        let sizes: Vec<usize> = transactions(&plans).map(<[NamePlan]>::len).collect();
        assert_eq!(sizes, [MAX_CHANGES, MAX_CHANGES, 1]);
    }

    proptest! {
        #[test]
        fn whatever_is_wanted_one_plan_is_enough(
            before in proptest::collection::btree_set((0u8..3, 1u8..6), 0..8),
            after in proptest::collection::btree_set((0u8..3, 1u8..6), 0..8),
        ) {
            let desired_of = |set: &std::collections::BTreeSet<(u8, u8)>| -> Vec<Desired> {
                set.iter().map(|(cluster, last)| desired(&format!("w{cluster}"), &format!("10.0.0.{last}"))).collect()
            };
            let mut mirror = Mirror::new(Prefix::default());
            for (revision, wanted) in [desired_of(&before), desired_of(&after)].iter().enumerate() {
                let changes = plan_for(&mirror, wanted);
                carry_out(&mut mirror, &changes, revision as i64 + 1);
                prop_assert!(plan_for(&mirror, wanted).changes.is_empty());
                prop_assert_eq!(mirror.at(&host()).map_or(0, StoredName::len), wanted.len());
            }
        }
    }
}
