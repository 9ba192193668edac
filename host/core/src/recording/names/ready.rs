//! Names that are ready to be written: clusters in turn, each within its budget.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use crate::bucket::Bucket;
use crate::cluster::ClusterId;
use crate::name::HostName;

/// Most names whose transactions are under way. Several share a transaction where many are ready, and
/// etcd commits what comes together in one batch; more only make each of them slower.
pub(super) const MAX_WRITING: usize = 1024;

/// Room for so many names is kept while none is ready.
const FEW: usize = 64;

/// How many changes a cluster may make at once, as a multiple of those per second: what it publishes
/// at first comes at once.
const BURST_SECONDS: u32 = 100;

/// Names that are ready to be written.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// The cluster for which a name is written, and the clusters whose values must stay there.
    names: HashMap<HostName, (ClusterId, BTreeSet<ClusterId>)>,
    queues: BTreeMap<ClusterId, Queue>,
    /// Clusters with a queue that is not empty, in turn.
    turns: VecDeque<ClusterId>,
}

#[derive(Debug, Default)]
struct Queue {
    /// In the order of their coming, some of them not ready any more.
    order: VecDeque<HostName>,
    /// The same.
    queued: BTreeSet<HostName>,
    /// How many are ready.
    ready: usize,
    budget: Option<Bucket>,
}

impl Ready {
    /// A cluster may make so many changes per second.
    pub(super) fn limit(&mut self, cluster: &ClusterId, per_second: u32) {
        let queue = self.queues.entry(cluster.clone()).or_default();
        match &mut queue.budget {
            Some(budget) => budget.change(per_second, BURST_SECONDS),
            None => queue.budget = Some(Bucket::full(per_second, BURST_SECONDS)),
        }
    }

    /// The cluster is gone.
    pub(super) fn forget(&mut self, cluster: &ClusterId) {
        self.queues.remove(cluster);
        self.turns.retain(|other| other != cluster);
        self.names.retain(|_, (other, _)| other != cluster);
    }

    /// How many names are ready for a cluster.
    pub(super) fn len_of(&self, cluster: &ClusterId) -> usize {
        self.queues.get(cluster).map_or(0, |queue| queue.ready)
    }

    /// Whether a name is ready to be written.
    pub(super) fn has(&self, name: &HostName) -> bool {
        self.names.contains_key(name)
    }

    /// A name is ready to be written for a cluster, but nothing of those in `held` may be deleted.
    pub(super) fn push(&mut self, name: HostName, cluster: ClusterId, held: BTreeSet<ClusterId>) {
        self.remove(&name);
        let queue = self.queues.entry(cluster.clone()).or_default();
        queue.ready += 1;
        if queue.order.is_empty() {
            self.turns.push_back(cluster.clone());
        }
        if queue.queued.insert(name.clone()) {
            queue.order.push_back(name.clone());
        }
        self.names.insert(name, (cluster, held));
    }

    /// A name is not ready any more. It keeps its place, so that one that changes all the time has its turn.
    pub(super) fn remove(&mut self, name: &HostName) {
        let Some((cluster, _)) = self.names.remove(name) else { return };
        if let Some(queue) = self.queues.get_mut(&cluster) {
            queue.ready -= 1;
        }
    }

    /// The next name to be written, with its cluster and those whose values must stay there; `None`
    /// when no cluster with ready names has anything left of its budget.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(HostName, ClusterId, BTreeSet<ClusterId>)> {
        for _ in 0..self.turns.len() {
            let cluster = self.turns.pop_front()?;
            let queue = self.queues.get_mut(&cluster)?;
            while queue
                .order
                .front()
                .is_some_and(|name| self.names.get(name).is_none_or(|(of, _)| *of != cluster))
            {
                if let Some(name) = queue.order.pop_front() {
                    queue.queued.remove(&name);
                }
            }
            let may_write = queue.budget.as_mut().is_none_or(|budget| budget.take(now));
            let next = if may_write { queue.order.pop_front() } else { None };
            if let Some(name) = &next {
                queue.queued.remove(name);
                queue.ready -= 1;
            }
            if queue.order.is_empty() {
                queue.order.shrink_to(FEW);
            } else {
                self.turns.push_back(cluster.clone());
            }
            if let Some(name) = next {
                let (cluster, held) = self.names.remove(&name)?;
                if self.names.is_empty() {
                    // In the beginning it had room for all names.
                    self.names.shrink_to(FEW);
                }
                return Some((name, cluster, held));
            }
        }
        None
    }

    /// When a name can be written; `None` when none is ready.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let waiting = self.queues.values().filter(|queue| queue.ready > 0);
        waiting.map(|queue| queue.budget.as_ref().map_or(now, |budget| budget.due(now))).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn id(name: &str) -> ClusterId {
        ClusterId::new("default", name)
    }

    fn name(number: usize) -> HostName {
        format!("n{number}.openmcp.cluster").parse().unwrap()
    }

    fn filled(names: usize) -> Ready {
        let mut ready = Ready::default();
        for number in 0..names {
            ready.push(name(number), id("many"), BTreeSet::new());
        }
        ready
    }

    #[test]
    fn a_cluster_with_one_name_does_not_wait_for_one_with_many() {
        let mut ready = filled(1000);
        ready.push(name(1000), id("one"), BTreeSet::new());
        let now = Instant::now();
        let first: Vec<ClusterId> = (0..3).map(|_| ready.pop(now).unwrap().1).collect();
        assert_eq!(first, [id("many"), id("one"), id("many")]);
        assert_eq!((ready.len_of(&id("many")), ready.len_of(&id("one"))), (998, 0));
    }

    #[test]
    fn a_name_that_is_made_ready_again_and_again_keeps_its_place_and_takes_no_more() {
        let mut ready = filled(3);
        for _ in 0..1000 {
            ready.remove(&name(0));
            ready.push(name(0), id("many"), BTreeSet::new());
        }
        assert_eq!((ready.len_of(&id("many")), ready.queues[&id("many")].order.len()), (3, 3));
        assert_eq!(ready.pop(Instant::now()).unwrap().0, name(0));
        ready.remove(&name(1));
        assert_eq!(ready.pop(Instant::now()).unwrap().0, name(2));
        assert_eq!((ready.pop(Instant::now()), ready.turns.len()), (None, 0));
    }

    #[test]
    fn a_cluster_waits_when_its_budget_is_used_up() {
        let mut ready = filled(300);
        ready.limit(&id("many"), 2);
        let now = Instant::now();
        assert_eq!(std::iter::from_fn(|| ready.pop(now)).count(), 200);
        assert_eq!(ready.due(now), Some(now + Duration::from_millis(500)));
        ready.push(name(1000), id("one"), BTreeSet::new());
        assert_eq!(ready.pop(now).unwrap().1, id("one"));
        assert!(ready.pop(now + Duration::from_millis(500)).is_some());
    }
}
