//! What is followed for the page: statuses, and what was written last.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::{Api, ResourceExt as _};
use openmcp_dns_api::{ClusterDNS, ClusterDNSStatus, DNSPolicy, cluster_id};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_page::{Change, Problem};
use tokio::sync::{broadcast, mpsc, watch};

use super::claims::records;
use crate::journal::Occurrence;
use crate::leadership::Leadership;
use crate::record::Report;
use crate::watch::{Update, watch_if_served};

/// So many changes are kept.
const CHANGES: usize = 30;

/// How soon it is asked again whether a kind is served.
const RETRY: Duration = Duration::from_secs(5);

/// What is known without asking anybody.
#[derive(Default)]
pub(super) struct Known {
    edition: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// What was done for each cluster; `None` until they are read.
    pub(super) clusters: Option<BTreeMap<ClusterId, ClusterDNSStatus>>,
    /// The policies, by name; `None` until they are read.
    pub(super) policies: Option<BTreeMap<String, DNSPolicy>>,
    /// What was written last, the newest first.
    pub(super) changes: VecDeque<Change>,
}

enum Seen {
    Cluster(Update<ClusterDNS>),
    Policy(Update<DNSPolicy>),
}

impl Known {
    /// Another number whenever something may be another.
    pub(super) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Relaxed)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held is a bug of ours; what is shown may then lack something.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_other(&self) {
        self.edition.fetch_add(1, Ordering::Relaxed);
    }

    /// Follows what is shown; never ends.
    pub(super) async fn follow(
        self: &Arc<Self>,
        platform: kube::Client,
        mut journal: broadcast::Receiver<Arc<Occurrence>>,
        leadership: Leadership,
        mut problems: watch::Receiver<Vec<Problem>>,
    ) {
        let (sender, mut seen) = mpsc::channel(16);
        let clusters: Api<ClusterDNS> = Api::all(platform.clone());
        let policies: Api<DNSPolicy> = Api::all(platform);
        let watching = async {
            tokio::join!(
                watch_if_served(clusters, RETRY, sender.clone(), Seen::Cluster),
                watch_if_served(policies, RETRY, sender.clone(), Seen::Policy),
            )
        };
        let taking = async {
            while let Some(seen) = seen.recv().await {
                self.state().take(seen);
                self.is_other();
            }
        };
        let hearing = async {
            loop {
                match journal.recv().await {
                    Ok(occurrence) => self.happened(&occurrence),
                    // What is shown of claims is asked for, and of changes only the last are.
                    Err(broadcast::error::RecvError::Lagged(_)) => self.is_other(),
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        };
        let problems = async {
            while problems.changed().await.is_ok() {
                self.is_other();
            }
        };
        tokio::join!(watching, taking, hearing, problems, leadership.told_to(|_| self.is_other()));
    }

    fn happened(&self, occurrence: &Occurrence) {
        if let Occurrence::Recording(Report::Recorded { expectation, revision: Some(_) }) = occurrence {
            let values = expectation.values.iter();
            let change = Change {
                at: now(),
                name: expectation.name.to_string(),
                records: records(values.map(|value| (value.record_type(), value.to_string()))),
            };
            let changes = &mut self.state().changes;
            changes.push_front(change);
            changes.truncate(CHANGES);
        }
        self.is_other();
    }
}

impl State {
    fn take(&mut self, seen: Seen) {
        match seen {
            Seen::Cluster(update) => take(
                &mut self.clusters,
                update.map(|cluster| (cluster_id(&cluster), cluster.status.unwrap_or_default())),
            ),
            Seen::Policy(update) => {
                take(&mut self.policies, update.map(|policy| (policy.name_any(), policy)));
            }
        }
    }
}

fn take<K: Ord, V>(known: &mut Option<BTreeMap<K, V>>, update: Update<(K, V)>) {
    match update {
        Update::All(all) => *known = Some(all.into_iter().collect()),
        Update::Set(one) => drop(known.get_or_insert_default().insert(one.0, one.1)),
        Update::Removed(one) => drop(known.get_or_insert_default().remove(&one.0)),
        Update::Trouble(_) => {}
    }
}

/// The time as the page has it.
pub(super) fn now() -> String {
    format!("{:.0}", Timestamp::now())
}
