//! How a cluster stands at names that other clusters publish as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::ClusterId;
use crate::name::HostName;

/// How a cluster stands at names that others publish as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precedence {
    /// An operator has taken the cluster out: its names lead to other clusters, where they can.
    pub is_evacuated: bool,
    /// Names of which one cluster at a time is answered, with the place of this one in their order.
    pub places: Arc<BTreeMap<HostName, Place>>,
}

/// A place in the order of the clusters that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The first one is 0.
    pub number: usize,
    /// For how long a cluster must have asked for the name before it takes over from one that serves it.
    pub failback_delay: Duration,
}

/// What there is of a cluster at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Whether the store holds something of it there.
    pub is_stored: bool,
    /// For how long it has asked for the name without interruption.
    pub lasts: Duration,
}

impl Presence {
    /// What stands there.
    pub const STORED: Self = Self { is_stored: true, lasts: Duration::ZERO };
}

/// The least comes first: whether it is taken out, whether it has yet to show that it stays, and its place.
type Rank = (bool, bool, usize);

impl Precedence {
    /// The place in the order at a name, if there is one. An SRV name has the order of its host name.
    #[must_use]
    pub fn place(&self, name: &HostName) -> Option<&Place> {
        self.places.get(&*name.host())
    }

    /// The order at a name: who comes after another gives way to it. Clusters of one rank stand side by side.
    fn rank(&self, name: &HostName, presence: Presence) -> Rank {
        match self.place(name) {
            Some(Place { number, failback_delay }) => {
                let is_new = !presence.is_stored && presence.lasts < *failback_delay;
                (self.is_evacuated, is_new, *number)
            }
            None => (self.is_evacuated, false, 0),
        }
    }

    /// For how long a cluster has yet to stay before it may take over a name; `None` if it has stayed for long enough.
    #[must_use]
    pub fn waits_for(&self, name: &HostName, presence: Presence) -> Option<Duration> {
        let Place { number: _, failback_delay } = self.place(name).filter(|_| !presence.is_stored)?;
        failback_delay.checked_sub(presence.lasts).filter(|left| !left.is_zero())
    }
}

/// Which of the clusters that have something at a name give way to the others: all but those of the first rank. So one is
/// always left, and nothing is taken away because a person takes out the last cluster that has the name.
///
/// While the place of one of them is not known, what stands there stays as it is: whoever would give way to a cluster of
/// no special place goes on doing so, or not.
#[must_use]
pub fn giving_way<'p>(
    name: &HostName,
    present: &BTreeMap<&ClusterId, Presence>,
    precedence: impl Fn(&ClusterId) -> Option<&'p Precedence>,
) -> BTreeSet<ClusterId> {
    let ranks = present.iter().map(|(cluster, presence)| {
        (*cluster, presence.is_stored, precedence(cluster).map(|of| of.rank(name, *presence)))
    });
    let ranks: Vec<(&ClusterId, bool, Option<Rank>)> = ranks.collect();
    let first = ranks.iter().filter_map(|(.., rank)| *rank).min();
    let is_one_unknown = ranks.iter().any(|(.., rank)| rank.is_none());
    let gives_way = |is_stored: bool, rank: Rank| {
        first.is_some_and(|first| rank > first) || is_one_unknown && !is_stored && rank > (false, false, 0)
    };
    let giving =
        ranks.iter().filter(|(_, is_stored, rank)| rank.is_some_and(|rank| gives_way(*is_stored, rank)));
    giving.map(|(cluster, ..)| (*cluster).clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_secs(60);
    const STORED: Presence = Presence::STORED;

    fn lasting(seconds: u64) -> Presence {
        Presence { is_stored: false, lasts: Duration::from_secs(seconds) }
    }

    fn id(name: &str) -> ClusterId {
        ClusterId::new("s", name)
    }

    #[test]
    fn whoever_is_not_of_the_first_rank_gives_way_and_one_is_always_left() {
        let name: HostName = "shop.openmcp.cluster".parse().unwrap();
        let with = |is_evacuated: bool, place: Option<usize>| Precedence {
            is_evacuated,
            places: Arc::new(
                place
                    .map(|number| (name.clone(), Place { number, failback_delay: DELAY }))
                    .into_iter()
                    .collect(),
            ),
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
            let present = known.keys().map(|cluster| (cluster, STORED)).collect();
            let gives = giving_way(&name, &present, |cluster| known.get(cluster).copied());
            let expected: BTreeSet<ClusterId> = expected.into_iter().map(id).collect();
            assert_eq!(gives, expected, "{all:?}");
        }
        // What stands there stays until all are known.
        let taken_out = |cluster: &ClusterId| (*cluster == id("w1")).then_some(&taken_out);
        let (w1, unknown) = (id("w1"), id("unknown"));
        for (presence, gives) in [(STORED, BTreeSet::new()), (lasting(1), [w1.clone()].into())] {
            let present = [(&w1, presence), (&unknown, STORED)].into();
            assert_eq!(giving_way(&name, &present, taken_out), gives);
        }
    }

    #[test]
    fn whoever_comes_back_takes_over_when_it_has_stayed_for_long_enough() {
        let name: HostName = "shop.openmcp.cluster".parse().unwrap();
        let of = |is_evacuated: bool, number: usize| Precedence {
            is_evacuated,
            places: Arc::new([(name.clone(), Place { number, failback_delay: DELAY })].into()),
        };
        let serves = |all: &[(usize, Presence)], evacuated: &[usize]| {
            let known: BTreeMap<ClusterId, (Precedence, Presence)> = all
                .iter()
                .map(|(number, presence)| {
                    (id(&format!("w{number}")), (of(evacuated.contains(number), *number), *presence))
                })
                .collect();
            let present = known.iter().map(|(cluster, (_, presence))| (cluster, *presence)).collect();
            let gives = giving_way(&name, &present, |cluster| known.get(cluster).map(|(of, _)| of));
            let serves = known.keys().filter(|cluster| !gives.contains(*cluster));
            serves.map(|cluster| cluster.name.to_string()).collect::<Vec<_>>()
        };
        for (all, evacuated, expected) in [
            // It comes back, and takes over.
            (vec![(1, lasting(0)), (2, STORED)], vec![], "w2"),
            (vec![(1, lasting(59)), (2, STORED)], vec![], "w2"),
            (vec![(1, lasting(60)), (2, STORED)], vec![], "w1"),
            // When the one that serves goes, nothing waits; but one that stays is better than one that has just come.
            (vec![(1, lasting(1))], vec![], "w1"),
            (vec![(1, lasting(1)), (2, lasting(1))], vec![], "w1"),
            (vec![(1, lasting(1)), (2, lasting(60))], vec![], "w2"),
            // Nor does it when a person takes it out.
            (vec![(1, lasting(1)), (2, STORED)], vec![2], "w1"),
            (vec![(1, lasting(1)), (2, STORED)], vec![1, 2], "w2"),
        ] {
            assert_eq!(serves(&all, &evacuated), [expected], "{all:?} {evacuated:?}");
        }
        assert_eq!(of(false, 0).waits_for(&name, lasting(45)), Some(Duration::from_secs(15)));
        assert_eq!(of(false, 0).waits_for(&name, lasting(60)), None);
        assert_eq!(of(false, 0).waits_for(&name, STORED), None);
    }
}
