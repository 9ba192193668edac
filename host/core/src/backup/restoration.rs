//! What a restore adds to a store.

use std::collections::{BTreeMap, BTreeSet};

use super::KeptRecord;
use crate::cluster::ClusterId;
use crate::mirror::{Mirror, Stored};
use crate::name::HostName;
use crate::plan::{Change, NamePlan};
use crate::skydns::{Entry, ValueId};

/// Names that a store lacks, and what stands in the way of the others. A name is restored as a whole or not at all: where
/// anything stands already, it is newer than what was kept, and nothing is changed or deleted.
#[derive(Debug, Default)]
pub struct Restoration {
    /// What is added, by name.
    pub plans: Vec<NamePlan>,
    /// Names at which all that was kept is there.
    pub there: usize,
    /// Names at which something else is there.
    pub different: Vec<HostName>,
    /// At how many names the service itself keeps the records of these clusters.
    pub kept_up: BTreeMap<ClusterId, usize>,
}

impl Restoration {
    /// Plans it; `is_kept_up` says of which clusters a running service keeps the records.
    #[must_use]
    pub fn of(mirror: &Mirror, records: Vec<KeptRecord>, is_kept_up: impl Fn(&ClusterId) -> bool) -> Self {
        let mut by_name: BTreeMap<HostName, Vec<KeptRecord>> = BTreeMap::new();
        for record in records {
            by_name.entry(record.name.clone()).or_default().push(record);
        }
        let mut restoration = Self::default();
        for (name, mut records) in by_name {
            let clusters: BTreeSet<ClusterId> =
                records.iter().map(|record| record.owner.cluster.clone()).filter(&is_kept_up).collect();
            for cluster in clusters {
                records.retain(|record| record.owner.cluster != cluster);
                *restoration.kept_up.entry(cluster).or_default() += 1;
            }
            if records.is_empty() {
                continue;
            }
            match mirror.at(&name).filter(|stored| !stored.is_empty()) {
                None => restoration.plans.push(plan(mirror, name, records)),
                Some(stored) => {
                    let is_there = |record: &KeptRecord| {
                        let id = ValueId::of(&record.owner, &record.value);
                        stored.get(id).is_some_and(|stored| is_same(stored, record))
                    };
                    if records.iter().all(is_there) {
                        restoration.there += 1;
                    } else {
                        restoration.different.push(name);
                    }
                }
            }
        }
        restoration
    }
}

fn is_same(stored: &Stored, record: &KeptRecord) -> bool {
    stored.owner() == Some(&record.owner)
        && stored.value().as_ref() == Some(&record.value)
        && stored.ttl_seconds() == Some(record.ttl_seconds)
        && stored.source() == Some(&record.source)
}

fn plan(mirror: &Mirror, name: HostName, records: Vec<KeptRecord>) -> NamePlan {
    let mut changes: Vec<Change> = records
        .into_iter()
        .map(|record| {
            let key = record.key(mirror.prefix());
            let KeptRecord { name, value, ttl_seconds, owner, source } = record;
            let entry = Entry::of_text(&name, &value, ttl_seconds, &owner, &source);
            Change { key, expected_mod_revision: 0, value: Some(entry.encode()) }
        })
        .collect();
    changes.sort_by(|one, other| one.key.cmp(&other.key));
    NamePlan { name, changes, withdrawn_from: BTreeSet::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::{kept, parse};
    use crate::skydns::Prefix;

    const LINES: &str = r#"{"name":"a.w1.openmcp.cluster","type":"A","value":"10.0.0.1","ttl":60,"owner":"openmcp.cluster/ns/w1","source":"HTTPRoute/default/r"}
{"name":"a.w1.openmcp.cluster","type":"A","value":"10.0.0.2","ttl":60,"owner":"openmcp.cluster/ns/w1","source":"HTTPRoute/default/r"}
{"name":"b.w2.openmcp.cluster","type":"CNAME","value":"lb.example.com","ttl":30,"owner":"openmcp.cluster/ns/w2","source":"Ingress/default/i"}
"#;

    fn restoration(mirror: &Mirror) -> Restoration {
        Restoration::of(mirror, parse(LINES).unwrap(), |_| false)
    }

    fn carry_out(mirror: &mut Mirror, plans: &[NamePlan]) {
        for change in plans.iter().flat_map(|plan| &plan.changes) {
            mirror.apply(&change.key, change.value.as_deref().map(|value| (value, 5)));
        }
    }

    #[test]
    fn what_was_kept_is_there_again_and_a_second_time_nothing_is_to_be_done() {
        let mut mirror = Mirror::new(Prefix::default());
        let first = restoration(&mirror);
        assert_eq!(first.plans.len(), 2);
        assert!(
            first.plans.iter().flat_map(|plan| &plan.changes).all(|change| change.expected_mod_revision == 0)
        );
        carry_out(&mut mirror, &first.plans);
        let again: String = kept(&mirror).iter().map(|record| record.to_line() + "\n").collect();
        assert_eq!(again, LINES);
        let second = restoration(&mirror);
        assert_eq!((second.plans.len(), second.there, second.different.len()), (0, 2, 0));
    }

    #[test]
    fn where_something_else_stands_nothing_is_changed() {
        let mut mirror = Mirror::new(Prefix::default());
        let first = restoration(&mirror);
        carry_out(&mut mirror, &first.plans[1..]);
        mirror.apply("/skydns/cluster/openmcp/w1/a/3dc2be40", Some((br#"{"host":"10.0.0.9"}"#, 6)));
        let second = restoration(&mirror);
        assert_eq!((second.plans.len(), second.there), (0, 1));
        assert_eq!(second.different, ["a.w1.openmcp.cluster".parse().unwrap()]);
    }

    #[test]
    fn a_record_of_a_cluster_that_the_service_reaches_is_left_to_it() {
        let w1 = ClusterId::new("ns", "w1");
        let mirror = Mirror::new(Prefix::default());
        let restoration = Restoration::of(&mirror, parse(LINES).unwrap(), |cluster| *cluster == w1);
        assert_eq!(restoration.plans.len(), 1);
        assert_eq!(restoration.kept_up, [(w1, 1)].into());
    }

    #[test]
    fn what_is_not_ours_and_the_names_of_the_service_are_not_kept() {
        let mut mirror = Mirror::new(Prefix::default());
        mirror.apply("/skydns/cluster/openmcp/a/3dc2be40", Some((br#"{"host":"10.0.0.9"}"#, 1)));
        let service =
            br#"{"host":"10.0.0.9","ttl":60,"owner":"openmcp.cluster/ns/w1","source":"HTTPRoute/a/b"}"#;
        mirror.apply("/skydns/cluster/openmcp/dns/ns/00000000000000a1", Some((service, 1)));
        assert_eq!(kept(&mirror), []);
    }
}
