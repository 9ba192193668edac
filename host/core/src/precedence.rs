//! How a cluster stands at names that other clusters publish as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cluster::ClusterId;
use crate::name::HostName;

/// How a cluster stands at names that others publish as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precedence {
    /// An operator has taken the cluster out: its names lead to other clusters, where they can.
    pub is_evacuated: bool,
    /// Names of which one cluster at a time is answered, with the place of this one in their order: the first place is 0.
    pub places: Arc<BTreeMap<HostName, usize>>,
}

impl Precedence {
    /// The order at a name: who comes after another gives way to it. Clusters of one rank stand side by side.
    fn rank(&self, name: &HostName) -> (bool, usize) {
        (self.is_evacuated, self.places.get(&*name.host()).copied().unwrap_or_default())
    }
}

/// Which of the clusters that have something at a name give way to the others: all but those of the first rank. So one is
/// always left, and nothing is taken away because a person takes out the last cluster that has the name.
///
/// `present` says of each whether the store holds something of it there. While the place of one of them is not known, what
/// stands there stays as it is: whoever would give way to a cluster of no special place goes on doing so, or not.
#[must_use]
pub fn giving_way<'p>(
    name: &HostName,
    present: &BTreeMap<&ClusterId, bool>,
    precedence: impl Fn(&ClusterId) -> Option<&'p Precedence>,
) -> BTreeSet<ClusterId> {
    let rank = |cluster: &ClusterId| precedence(cluster).map(|precedence| precedence.rank(name));
    let first = present.keys().filter_map(|cluster| rank(cluster)).min();
    let is_one_unknown = present.keys().any(|cluster| rank(cluster).is_none());
    let gives_way = |cluster: &ClusterId, is_stored: bool| {
        rank(cluster).is_some_and(|rank| {
            first.is_some_and(|first| rank > first) || is_one_unknown && !is_stored && rank > (false, 0)
        })
    };
    let giving = present.iter().filter(|(cluster, is_stored)| gives_way(cluster, **is_stored));
    giving.map(|(cluster, _)| (*cluster).clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ClusterId {
        ClusterId::new("s", name)
    }

    #[test]
    fn whoever_is_not_of_the_first_rank_gives_way_and_one_is_always_left() {
        let name: HostName = "shop.openmcp.cluster".parse().unwrap();
        let with = |is_evacuated: bool, place: Option<usize>| Precedence {
            is_evacuated,
            places: Arc::new(place.map(|place| (name.clone(), place)).into_iter().collect()),
        };
        let (at_work, taken_out) = (with(false, None), with(true, None));
        let (first, second) = (with(false, Some(0)), with(false, Some(1)));
        let (first_out, second_out) = (with(true, Some(0)), with(true, Some(1)));
        for (all, expected) in [
            (vec![("w1", &at_work), ("w2", &at_work)], vec![]),
            (vec![("w1", &taken_out), ("w2", &at_work)], vec!["w1"]),
            (vec![("w1", &taken_out)], vec![]),
            (vec![("w1", &taken_out), ("w2", &taken_out)], vec![]),
            (vec![("w1", &first), ("w2", &second)], vec!["w2"]),
            (vec![("w1", &first_out), ("w2", &second)], vec!["w1"]),
            (vec![("w1", &first_out), ("w2", &second_out)], vec!["w2"]),
            (vec![("w2", &second)], vec![]),
            (vec![], vec![]),
        ] {
            let known: BTreeMap<ClusterId, &Precedence> =
                all.iter().map(|(name, precedence)| (id(name), *precedence)).collect();
            let present = known.keys().map(|cluster| (cluster, true)).collect();
            let gives = giving_way(&name, &present, |cluster| known.get(cluster).copied());
            let expected: BTreeSet<ClusterId> = expected.into_iter().map(id).collect();
            assert_eq!(gives, expected, "{all:?}");
        }
        // What stands there stays until all are known.
        let taken_out = |cluster: &ClusterId| (*cluster == id("w1")).then_some(&taken_out);
        let (w1, unknown) = (id("w1"), id("unknown"));
        for (is_stored, gives) in [(true, BTreeSet::new()), (false, [w1.clone()].into())] {
            let present = [(&w1, is_stored), (&unknown, true)].into();
            assert_eq!(giving_way(&name, &present, taken_out), gives);
        }
    }
}
