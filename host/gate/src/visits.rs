//! Which agents are there, and with which certificate.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openmcp_dns_core::cluster::ClusterId;

use crate::identity::Fingerprint;

/// What is known of the connections of each agent that has ever been let in. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Visits(Arc<Mutex<HashMap<ClusterId, Visit>>>);

/// The connections of one agent.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    /// The certificate of the last one.
    pub fingerprint: Fingerprint,
    open: usize,
    /// When one was opened or closed last.
    changed: Instant,
}

impl Visit {
    /// Whether there is a connection, or was one not longer ago than this: a gate asks every connection that is silent
    /// whether it lives.
    #[must_use]
    pub fn is_there(&self, within: Duration, now: Instant) -> bool {
        self.open > 0 || now.saturating_duration_since(self.changed) <= within
    }
}

/// An open connection.
pub(crate) struct Visiting {
    visits: Visits,
    cluster: ClusterId,
}

impl Visits {
    /// The connections of an agent, if it has had any.
    #[must_use]
    pub fn of(&self, cluster: &ClusterId) -> Option<Visit> {
        self.lock().get(cluster).copied()
    }

    /// A connection is open until what this gives is dropped.
    pub(crate) fn begin(&self, cluster: &ClusterId, fingerprint: Fingerprint) -> Visiting {
        let changed = Instant::now();
        let mut visits = self.lock();
        let visit = visits.entry(cluster.clone()).or_insert(Visit { fingerprint, open: 0, changed });
        *visit = Visit { fingerprint, open: visit.open + 1, changed };
        drop(visits);
        Visiting { visits: self.clone(), cluster: cluster.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClusterId, Visit>> {
        // Nothing here panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Visiting {
    fn drop(&mut self) {
        if let Some(visit) = self.visits.lock().get_mut(&self.cluster) {
            visit.open = visit.open.saturating_sub(1);
            visit.changed = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn an_agent_is_there_while_it_is_connected_and_for_a_while_after() {
        const WHILE: Duration = Duration::from_secs(60);
        let (visits, cluster) = (Visits::default(), ClusterId::new("c", "w1"));
        let (old, new) = (Fingerprint::of(b"old"), Fingerprint::of(b"new"));
        let is_there = |after: Duration| visits.of(&cluster).unwrap().is_there(WHILE, Instant::now() + after);
        assert!(visits.of(&cluster).is_none());
        let first = visits.begin(&cluster, old);
        let second = visits.begin(&cluster, new);
        assert_eq!(visits.of(&cluster).unwrap().fingerprint, new);
        drop(first);
        assert!(is_there(WHILE * 100), "one is open");
        drop(second);
        assert!(is_there(Duration::ZERO) && !is_there(WHILE * 2));
        assert_eq!(visits.of(&cluster).unwrap().fingerprint, new);
    }
}
