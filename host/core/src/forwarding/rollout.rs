//! A change that touches many clusters goes to one first, then to ever more of them, and stops at the first that breaks.
//!
//! ```text
//! waits ──as many as are done, one at least──► under way ──answers rightly, or says nothing for a while──► done
//!   ▲                                             │
//!   └──────────── all that are left ──────────────┴──answers wrongly for too long──► broken: nobody else is changed
//! ```
//! Such a change is another address of the central DNS, or another text of our blocks. A cluster that does not forward the zone yet, or
//! whose DNS answers wrongly for it already, has nothing to lose and waits for nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use thiserror::Error;

use crate::cluster::ClusterId;
use crate::name::HostName;

/// After how long a cluster of which nobody knows how its DNS answers counts as done: kubelet and CoreDNS take a minute and a half to
/// take a change up, and what fails then is told by people.
const SETTLES: Duration = Duration::from_secs(180);

/// For how long the DNS of a cluster may answer wrongly after a change.
const BREAKS: Duration = Duration::from_secs(180);

/// After how long a cluster of which nothing is heard any more holds nobody up.
const LOST: Duration = Duration::from_secs(600);

/// How the DNS of a cluster answers for the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Rightly.
    Good,
    /// Nobody knows.
    Unknown,
    /// Otherwise.
    Bad,
}

/// Why a cluster is not changed now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Wait {
    /// It is not its turn.
    #[error("a change of many clusters goes to a few first: now to {first}{}", more(*.others))]
    Turn {
        /// One that is changed now.
        first: ClusterId,
        /// How many are changed beside it.
        others: usize,
    },
    /// The change has broken another one.
    #[error(
        "the same change has broken the DNS of {0}: it goes on when that forwards the zone again, or the central DNS has another address"
    )]
    Stopped(ClusterId),
}

fn more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(" and {others} more") }
}

/// Which clusters may be changed now. Times are since any moment that stays the same.
#[derive(Debug, Default)]
pub struct Rollout {
    zones: BTreeMap<HostName, OfZone>,
}

#[derive(Debug, Default)]
struct OfZone {
    /// What is to stand in the clusters.
    goal: String,
    under_way: BTreeMap<ClusterId, UnderWay>,
    done: BTreeSet<ClusterId>,
}

#[derive(Debug)]
struct UnderWay {
    since: Duration,
    /// When something was heard of it last.
    heard: Duration,
    is_broken: bool,
}

impl Rollout {
    /// Whether a cluster may be changed now in a zone, so that it has what `goal` stands for; `health` is how it answers before.
    ///
    /// # Errors
    /// When it has to wait.
    pub fn may_change(
        &mut self,
        zone: &HostName,
        goal: &str,
        cluster: &ClusterId,
        health: Health,
        now: Duration,
    ) -> Result<(), Wait> {
        let of_zone = self.of_zone(zone, goal);
        if health == Health::Bad || of_zone.under_way.contains_key(cluster) {
            return Ok(());
        }
        of_zone.under_way.retain(|_, one| one.is_broken || now.saturating_sub(one.heard) < LOST);
        if let Some((broken, _)) = of_zone.under_way.iter().find(|(_, one)| one.is_broken) {
            return Err(Wait::Stopped(broken.clone()));
        }
        let room = of_zone.done.len().max(1);
        match of_zone.under_way.keys().next() {
            Some(first) if of_zone.under_way.len() >= room => {
                Err(Wait::Turn { first: first.clone(), others: of_zone.under_way.len() - 1 })
            }
            _ => {
                of_zone.done.remove(cluster);
                let entry = UnderWay { since: now, heard: now, is_broken: false };
                of_zone.under_way.insert(cluster.clone(), entry);
                Ok(())
            }
        }
    }

    /// Nothing is missing in a cluster any more; `health` is how it answers now.
    pub fn changed(
        &mut self,
        zone: &HostName,
        goal: &str,
        cluster: &ClusterId,
        health: Health,
        now: Duration,
    ) {
        let of_zone = self.of_zone(zone, goal);
        let is_done = match (of_zone.under_way.get_mut(cluster), health) {
            (_, Health::Good) => true,
            (None, Health::Unknown | Health::Bad) => false,
            (Some(one), Health::Unknown) => {
                one.heard = now;
                !one.is_broken && now.saturating_sub(one.since) >= SETTLES
            }
            (Some(one), Health::Bad) => {
                one.heard = now;
                one.is_broken |= now.saturating_sub(one.since) >= BREAKS;
                false
            }
        };
        if is_done {
            of_zone.under_way.remove(cluster);
            of_zone.done.insert(cluster.clone());
        }
    }

    /// The change was taken back in a cluster: names failed there that resolved before.
    pub fn taken_back(&mut self, zone: &HostName, cluster: &ClusterId) {
        if let Some(one) = self.zones.get_mut(zone).and_then(|of_zone| of_zone.under_way.get_mut(cluster)) {
            one.is_broken = true;
        }
    }

    /// A cluster has left a zone.
    pub fn left(&mut self, zone: &HostName, cluster: &ClusterId) {
        if let Some(of_zone) = self.zones.get_mut(zone) {
            of_zone.under_way.remove(cluster);
            of_zone.done.remove(cluster);
            if of_zone.under_way.is_empty() && of_zone.done.is_empty() {
                self.zones.remove(zone);
            }
        }
    }

    fn of_zone(&mut self, zone: &HostName, goal: &str) -> &mut OfZone {
        let of_zone = self.zones.entry(zone.clone()).or_default();
        if of_zone.goal != goal {
            *of_zone = OfZone { goal: goal.to_owned(), ..OfZone::default() };
        }
        of_zone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        rollout: Rollout,
        zone: HostName,
        now: Duration,
    }

    fn cluster(number: usize) -> ClusterId {
        ClusterId::new("openmcp", format!("w{number:03}"))
    }

    impl World {
        fn new() -> Self {
            let zone = "openmcp.cluster".parse().unwrap();
            Self { rollout: Rollout::default(), zone, now: Duration::ZERO }
        }

        fn may_change(&mut self, goal: &str, number: usize, health: Health) -> Result<(), Wait> {
            self.rollout.may_change(&self.zone, goal, &cluster(number), health, self.now)
        }

        fn changed(&mut self, goal: &str, number: usize, health: Health) {
            self.rollout.changed(&self.zone, goal, &cluster(number), health, self.now);
        }

        fn wait(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
        }
    }

    #[test]
    fn one_cluster_is_changed_first_and_then_as_many_as_were_changed_before() {
        let mut world = World::new();
        let mut left: Vec<usize> = (0..100).collect();
        let mut batches = Vec::new();
        while !left.is_empty() {
            let (changed, waits): (Vec<usize>, Vec<usize>) =
                left.into_iter().partition(|number| world.may_change("b", *number, Health::Good).is_ok());
            changed.iter().for_each(|number| world.changed("b", *number, Health::Bad));
            changed.iter().for_each(|number| world.changed("b", *number, Health::Good));
            batches.push(changed.len());
            left = waits;
        }
        assert_eq!(batches, [1, 1, 2, 4, 8, 16, 32, 36]);
        // Another goal begins with one again.
        assert_eq!(world.may_change("c", 7, Health::Good), Ok(()));
        assert_eq!(world.may_change("c", 7, Health::Unknown), Ok(()), "the second write of two");
        let wait = world.may_change("c", 8, Health::Good).unwrap_err();
        assert!(wait.to_string().ends_with("now to openmcp/w007"), "{wait}");
    }

    #[test]
    fn it_stops_at_the_first_that_breaks_until_that_is_mended() {
        let mut world = World::new();
        world.may_change("b", 1, Health::Good).unwrap();
        world.changed("b", 1, Health::Bad);
        world.wait(179);
        world.changed("b", 1, Health::Bad);
        assert!(matches!(world.may_change("b", 2, Health::Good), Err(Wait::Turn { .. })));
        world.wait(1);
        world.changed("b", 1, Health::Bad);
        world.wait(100_000);
        assert_eq!(world.may_change("b", 2, Health::Good), Err(Wait::Stopped(cluster(1))));
        assert_eq!(world.may_change("b", 3, Health::Bad), Ok(()), "it has nothing to lose");
        world.changed("b", 1, Health::Unknown);
        assert_eq!(world.may_change("b", 2, Health::Good), Err(Wait::Stopped(cluster(1))));
        world.changed("b", 1, Health::Good);
        assert_eq!(world.may_change("b", 2, Health::Good), Ok(()));
        world.rollout.taken_back(&world.zone, &cluster(2));
        assert_eq!(world.may_change("b", 4, Health::Good), Err(Wait::Stopped(cluster(2))));
        world.rollout.left(&world.zone, &cluster(2));
        assert_eq!(world.may_change("b", 4, Health::Good), Ok(()));
        for number in [1, 3, 4] {
            world.rollout.left(&world.zone, &cluster(number));
        }
        assert!(world.rollout.zones.is_empty(), "nothing is kept of it");
    }

    #[test]
    fn a_cluster_of_which_nobody_knows_how_it_answers_or_nothing_is_heard_holds_up_nobody_for_long() {
        let mut world = World::new();
        world.may_change("b", 1, Health::Unknown).unwrap();
        world.wait(179);
        world.changed("b", 1, Health::Unknown);
        assert!(world.may_change("b", 2, Health::Good).is_err());
        world.wait(1);
        world.changed("b", 1, Health::Unknown);
        assert_eq!(world.may_change("b", 2, Health::Good), Ok(()));
        assert!(world.may_change("b", 3, Health::Good).is_err());
        world.wait(600);
        assert_eq!(world.may_change("b", 3, Health::Good), Ok(()));
    }
}
