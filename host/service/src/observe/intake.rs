//! What the watches of all clusters report, taken in turn.
//!
//! Each cluster has a short queue of its own: one that reports without end fills that, and waits, and no
//! other cluster waits behind it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openmcp_dns_core::cluster::ClusterId;
use tokio::sync::{Notify, Semaphore};

use super::Observation;

/// Most observations of one cluster that wait.
const WAITING: usize = 64;

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
    is_closed: bool,
}

struct Queue {
    waiting: VecDeque<Observation>,
    room: Arc<Semaphore>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), room: Arc::new(Semaphore::new(WAITING)) }
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

impl ObservationsReceiver {
    /// The next one, of each cluster in turn; waits for it.
    pub async fn recv(&mut self) -> (ClusterId, Observation) {
        loop {
            if let Some(next) = self.try_recv() {
                return next;
            }
            self.0.arrived.notified().await;
        }
    }

    /// The next one, if there is one.
    pub fn try_recv(&mut self) -> Option<(ClusterId, Observation)> {
        let mut state = self.0.lock();
        let cluster = state.turns.pop_front()?;
        let queue = state.queues.get_mut(&cluster)?;
        let observation = queue.waiting.pop_front()?;
        queue.room.add_permits(1);
        if !queue.waiting.is_empty() {
            state.turns.push_back(cluster.clone());
        }
        Some((cluster, observation))
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
    use openmcp_dns_core::kinds::Kind;

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
        let first = [receiver.recv().await.0, receiver.recv().await.0];
        assert!(first.contains(&id("quiet")));
        drop(receiver);
        flood.await.unwrap();
        observations.send((id("quiet"), Observation::NotServed(Kind::Ingress))).await.unwrap_err();
    }
}
