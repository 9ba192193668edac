//! What the watches of all clusters report, taken in turn.
//!
//! Each cluster has a short queue of its own: one that reports without end fills that, and waits, and no
//! other cluster waits behind it. And a cluster rests in proportion to the work that it makes, even while
//! nobody else has any: whoever comes next shall seldom find others at work.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::kinds::Kind;
use openmcp_dns_core::objects::Change;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::Observation;

/// Most observations of one cluster that wait.
const WAITING: usize = 64;

/// What a claim costs the recorder from its observation until it is recorded.
const CLAIM: Duration = Duration::from_micros(20);

/// How long a cluster rests, as a multiple of what its last observation costs: one cluster gets a twentieth of
/// the recorder.
const REST: u32 = 19;

/// Observations of up to so many claims make nobody wait. For a larger one its cluster rests longer, by how much
/// it is larger: others shall meet it at work less often.
const SMALL: u32 = 16;

/// A rest is that much longer at most.
const LONGER: u32 = 10;

/// No rest is longer.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Where watches report to. Clones are the same.
#[derive(Clone)]
pub struct Observations(Arc<Shared>);

/// Where what they report comes from.
pub struct ObservationsReceiver(Arc<Shared>);

/// Nobody listens any more.
#[derive(Debug)]
pub struct NobodyListens;

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Default)]
struct State {
    queues: HashMap<ClusterId, Queue>,
    /// Clusters with a queue that is not empty, in turn.
    turns: VecDeque<ClusterId>,
    /// The same for those whose turn comes after a rest.
    resting: BTreeSet<(Instant, ClusterId)>,
    is_closed: bool,
}

struct Queue {
    waiting: VecDeque<Observation>,
    room: Arc<Semaphore>,
    rests_until: Option<Instant>,
    /// Kinds of which a list has been taken.
    listed: BTreeSet<Kind>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            room: Arc::new(Semaphore::new(WAITING)),
            rests_until: None,
            listed: BTreeSet::new(),
        }
    }
}

/// No observation yet.
#[must_use]
pub fn observations() -> (Observations, ObservationsReceiver) {
    let shared = Arc::<Shared>::default();
    (Observations(Arc::clone(&shared)), ObservationsReceiver(shared))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing here panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observations {
    /// Reports; waits while too much of the cluster has not been taken.
    ///
    /// # Errors
    /// When nobody listens any more.
    pub async fn send(&self, (cluster, observation): (ClusterId, Observation)) -> Result<(), NobodyListens> {
        let room = {
            let mut state = self.0.lock();
            if state.is_closed {
                return Err(NobodyListens);
            }
            Arc::clone(&state.queues.entry(cluster.clone()).or_default().room)
        };
        room.acquire().await.map_err(|_| NobodyListens)?.forget();
        let mut state = self.0.lock();
        if state.is_closed {
            return Err(NobodyListens);
        }
        let queue = state.queues.entry(cluster.clone()).or_default();
        queue.waiting.push_back(observation);
        if queue.waiting.len() == 1 {
            state.turns.push_back(cluster);
        }
        drop(state);
        self.0.arrived.notify_one();
        Ok(())
    }
}

impl State {
    /// The next cluster that has something and need not rest.
    fn next_turn(&mut self, now: Instant) -> Option<ClusterId> {
        while let Some((_, cluster)) = self.resting.first().filter(|(until, _)| *until <= now).cloned() {
            self.resting.pop_first();
            self.turns.push_back(cluster);
        }
        loop {
            let cluster = self.turns.pop_front()?;
            match self.queues.get(&cluster)?.rests_until.filter(|until| *until > now) {
                Some(until) => drop(self.resting.insert((until, cluster))),
                None => return Some(cluster),
            }
        }
    }
}

/// How long a cluster rests after an observation of so many claims.
fn rest(claims: usize) -> Duration {
    let claims = u32::try_from(claims).unwrap_or(u32::MAX);
    let longer = (claims / SMALL).clamp(1, LONGER);
    CLAIM.saturating_mul(claims).saturating_mul(REST * longer).min(LONGEST_REST)
}

/// An observation that was taken.
pub struct Taken {
    /// Where it was made.
    pub cluster: ClusterId,
    /// What was seen.
    pub observation: Observation,
    /// Whether the cluster need not rest for it: the first list of a kind has to be read, whatever it costs.
    pub is_free: bool,
}

impl ObservationsReceiver {
    /// The next one, of each cluster in turn; waits for it.
    pub async fn recv(&mut self) -> Taken {
        loop {
            if let Some(next) = self.try_recv() {
                return next;
            }
            let rested = self.0.lock().resting.first().map(|(until, _)| *until);
            tokio::select! {
                () = self.0.arrived.notified() => {}
                () = tokio::time::sleep_until(rested.unwrap_or_else(Instant::now)), if rested.is_some() => {}
            }
        }
    }

    /// The next one, if there is one.
    pub fn try_recv(&mut self) -> Option<Taken> {
        let mut state = self.0.lock();
        let cluster = state.next_turn(Instant::now())?;
        let queue = state.queues.get_mut(&cluster)?;
        let observation = queue.waiting.pop_front()?;
        queue.room.add_permits(1);
        let is_free = match &observation {
            Observation::Change(Change::Replaced(kind, _)) => queue.listed.insert(*kind),
            _ => false,
        };
        if !queue.waiting.is_empty() {
            state.turns.push_back(cluster.clone());
        }
        Some(Taken { cluster, observation, is_free })
    }

    /// So many claims had to be looked at for an observation of a cluster.
    pub fn rest(&mut self, cluster: &ClusterId, claims: usize) {
        if let Some(queue) = self.0.lock().queues.get_mut(cluster) {
            queue.rests_until = Some(Instant::now() + rest(claims));
        }
    }
}

impl Drop for ObservationsReceiver {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        for queue in state.queues.values() {
            queue.room.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ClusterId {
        ClusterId::new("default", name)
    }

    #[tokio::test]
    async fn a_cluster_that_reports_without_end_fills_its_own_queue_and_no_other_waits() {
        let (observations, mut receiver) = observations();
        let noisy = observations.clone();
        let flood = tokio::spawn(async move {
            while noisy.send((id("noisy"), Observation::NotServed(Kind::Ingress))).await.is_ok() {}
        });
        while receiver.0.lock().queues.get(&id("noisy")).is_none_or(|queue| queue.waiting.len() < WAITING) {
            tokio::task::yield_now().await;
        }
        observations.send((id("quiet"), Observation::NotServed(Kind::Ingress))).await.unwrap();
        let first = [receiver.recv().await.cluster, receiver.recv().await.cluster];
        assert!(first.contains(&id("quiet")));
        drop(receiver);
        flood.await.unwrap();
        observations.send((id("quiet"), Observation::NotServed(Kind::Ingress))).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_cluster_rests_in_proportion_to_the_work_that_it_makes_and_its_first_lists_are_free() {
        let (observations, mut receiver) = observations();
        let send =
            async |name| observations.send((id(name), Observation::NotServed(Kind::Ingress))).await.unwrap();
        send("large").await;
        send("large").await;
        let list = || Observation::Change(Change::Replaced(Kind::Ingress, Vec::new()));
        for _ in 0..2 {
            observations.send((id("listed"), list())).await.unwrap();
        }
        let taken = receiver.recv().await;
        assert_eq!((taken.cluster, taken.is_free), (id("large"), false));
        let before = Instant::now();
        receiver.rest(&id("large"), usize::MAX);
        for is_free in [true, false] {
            let taken = receiver.recv().await;
            assert_eq!((taken.cluster, taken.is_free), (id("listed"), is_free));
        }
        assert!(receiver.try_recv().is_none(), "it rests");
        send("other").await;
        assert_eq!(receiver.recv().await.cluster, id("other"));
        let soon = before + LONGEST_REST / 2;
        assert!(receiver.0.lock().next_turn(soon).is_none(), "a rest is as long as the work makes it");
        // Who waits is woken at the end of a rest, though nobody reports anything.
        receiver.0.lock().resting.clear();
        receiver.0.lock().turns.push_back(id("large"));
        receiver.rest(&id("large"), 1);
        assert_eq!(receiver.recv().await.cluster, id("large"));
    }

    #[test]
    fn a_large_object_costs_its_cluster_more_than_many_small_ones() {
        assert_eq!([0, 1, 16].map(rest), [0, 380, 16 * 380].map(Duration::from_micros));
        assert!(rest(160) > rest(16) * 50);
        assert_eq!(rest(usize::MAX), LONGEST_REST);
    }
}
