//! Journal: one typed stream of what happened.
//!
//! ```text
//! recorder, prober, controllers ──note──► Journal ──► log, metrics
//!                                            └──subscribe──► LandscapeController ──► wakes, Events
//!                                                       └──► demo, ...
//! ```
//! An occurrence logs and counts itself, so that log, metrics and whoever subscribes cannot disagree.
//! Whoever notes one never waits: a subscriber that falls behind by more than some thousands is told how
//! many it has missed, and has to look at the state itself.

mod feed;
mod occurrence;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::metrics::Metrics;

pub use feed::{note_probes, note_reports};
pub use occurrence::Occurrence;

/// How many occurrences a subscriber may be behind: a landscape of some thousand names that starts.
const BACKLOG: usize = 16_384;

/// Where occurrences are noted. Clones are the same journal.
#[derive(Clone)]
pub struct Journal {
    metrics: Metrics,
    subscribers: broadcast::Sender<Arc<Occurrence>>,
}

impl Journal {
    /// Counts in these metrics; nobody subscribes yet.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics, subscribers: broadcast::channel(BACKLOG).0 }
    }

    /// Notes an occurrence: logs it, counts it, and hands it to whoever subscribes.
    pub fn note(&self, occurrence: Occurrence) {
        occurrence.log();
        occurrence.count(&self.metrics);
        // An error says that nobody subscribes.
        let _ = self.subscribers.send(Arc::new(occurrence));
    }

    /// Gets all occurrences from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Occurrence>> {
        self.subscribers.subscribe()
    }
}
