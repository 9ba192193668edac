//! Journal: one typed stream of what happened.
//!
//! ```text
//! recorder, prober ──note──► Journal ──► log, metrics
//!                               └──subscribe──► controllers (Events, status), demo, ...
//! ```
//! An occurrence logs and counts itself, so that log, metrics and whoever subscribes cannot disagree.
//! Whoever notes one never waits: a subscriber that falls behind by more than [`BACKLOG`] is told how
//! many it has missed, and has to look at the state itself.

use std::sync::Arc;

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::conflict::Conflict;
use openmcp_dns_core::index::State;
use openmcp_dns_core::name::HostName;
use tokio::sync::broadcast;

use crate::metrics::Metrics;
use crate::probe::{Expectation, Probed};
use crate::record::NoDomain;

/// How many occurrences a subscriber may be behind: a landscape of some thousand names that starts.
const BACKLOG: usize = 16_384;

/// Something that happened.
#[derive(Debug)]
pub enum Occurrence {
    /// What an object asks for has another state than before.
    Claim {
        /// The cluster.
        cluster: ClusterId,
        /// The object.
        source: SourceRef,
        /// Its unique identifier.
        uid: String,
        /// The host name as the object has it.
        host_name: String,
        /// The new state.
        state: State,
    },
    /// A claim gives way to another.
    Conflict {
        /// Unique identifier of the object that gives way.
        uid: String,
        /// Who, where and why.
        conflict: Conflict,
    },
    /// A cluster's domain has been decided.
    Domain {
        /// The cluster.
        cluster: ClusterId,
        /// Its domain, or why it has none.
        domain: Result<HostName, NoDomain>,
    },
    /// The store holds what was decided for a name.
    Recorded {
        /// What the DNS server should answer now.
        expectation: Expectation,
        /// Whether this changed the store; otherwise it held that already.
        changed: bool,
    },
    /// A name was checked with the central DNS server.
    Probed(Probed),
    /// The state of a cluster's records has changed; its summary says how.
    Touched(ClusterId),
}

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

impl Occurrence {
    fn log(&self) {
        match self {
            Self::Claim { cluster, source, uid: _, host_name, state } => {
                tracing::debug!(%cluster, %source, host_name, ?state, "claim");
            }
            Self::Recorded { expectation, changed: true } => {
                tracing::info!(name = %expectation.name, records = ?expectation.records, "recorded");
            }
            Self::Probed(Probed { expectation, verdict, answer, took }) => {
                let verdict = verdict.as_str();
                tracing::debug!(name = %expectation.name, verdict, %answer, ?took, "probed");
            }
            Self::Conflict { .. } | Self::Domain { .. } | Self::Recorded { .. } | Self::Touched(_) => {}
        }
    }

    fn count(&self, metrics: &Metrics) {
        match self {
            Self::Claim { state: State::Denied(denial), .. } => metrics.denied(&denial.code),
            Self::Recorded { changed: true, .. } => metrics.changed(),
            Self::Probed(Probed { verdict, took, .. }) => metrics.probed(verdict.as_str(), *took),
            Self::Claim { .. }
            | Self::Conflict { .. }
            | Self::Domain { .. }
            | Self::Recorded { .. }
            | Self::Touched(_) => {}
        }
    }
}
