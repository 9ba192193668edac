//! Since when clusters ask for names that one of them at a time serves, and when one may take over for that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::cluster::ClusterId;
use crate::name::HostName;

/// What waits for the time, at names with an order of clusters.
#[derive(Debug, Default)]
pub(super) struct Failback {
    /// Since when a cluster has asked for a name without interruption.
    since: BTreeMap<HostName, BTreeMap<ClusterId, Instant>>,
    /// When to look at a name again.
    waits: BTreeMap<HostName, Instant>,
    /// The same, the first one first.
    timers: BTreeSet<(Instant, HostName)>,
}

impl Failback {
    /// A cluster asks for a name, or does no more.
    pub(super) fn note(&mut self, cluster: &ClusterId, name: &HostName, is_there: bool, now: Instant) {
        if is_there {
            let clusters = self.since.entry(name.clone()).or_default();
            clusters.entry(cluster.clone()).or_insert(now);
        } else {
            self.forget_at(name, cluster);
        }
    }

    fn forget_at(&mut self, name: &HostName, cluster: &ClusterId) {
        let Some(clusters) = self.since.get_mut(name) else { return };
        clusters.remove(cluster);
        if clusters.is_empty() {
            self.since.remove(name);
            self.wait(name, None);
        }
    }

    /// For how long a cluster has asked for a name without interruption.
    pub(super) fn lasts(&self, cluster: &ClusterId, name: &HostName, now: Instant) -> Duration {
        let since = self.since.get(name).and_then(|clusters| clusters.get(cluster));
        since.map(|since| now.saturating_duration_since(*since)).unwrap_or_default()
    }

    /// A name is to be looked at again then.
    pub(super) fn wait(&mut self, name: &HostName, until: Option<Instant>) {
        let old = match until {
            Some(until) => self.waits.insert(name.clone(), until),
            None => self.waits.remove(name),
        };
        if old == until {
            return;
        }
        if let Some(old) = old {
            self.timers.remove(&(old, name.clone()));
        }
        self.timers.extend(until.map(|until| (until, name.clone())));
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The names to look at now.
    pub(super) fn pass(&mut self, now: Instant) -> Vec<HostName> {
        let mut names = Vec::new();
        while let Some((_, name)) = self.timers.first().filter(|(at, _)| *at <= now).cloned() {
            self.wait(&name, None);
            names.push(name);
        }
        names
    }

    /// The cluster is gone.
    pub(super) fn forget(&mut self, cluster: &ClusterId) {
        let names: Vec<HostName> = self.since.keys().cloned().collect();
        for name in names {
            self.forget_at(&name, cluster);
        }
    }
}
