//! Agents: what external-dns in a cluster has written through the gate, kept, decided, and handed to the recorder.
//!
//! ```text
//! gate ──Request──► Agents ──decide──► policy module
//!                     ├──keep──► store, with the leader's fence
//!                     ├──refused──► journal
//!                     └──objects of kind ExternalDNS──► recorder, as watches report theirs
//! ```
//! What is kept is the truth: whoever begins to lead reads it, and who does not know what has become of a change reads
//! it anew. Each agent has a lock of its own, so that none waits for another.

mod agent;
mod backend;
mod deciding;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openmcp_dns_core::agents::{Root, Seen, Step};
use openmcp_dns_core::chain;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::recording::Problem;
use openmcp_dns_store::Store;
use tokio::sync::{Notify, mpsc, watch};

use crate::journal::Journal;
use crate::leadership::Leadership;
use crate::observe::Observations;
use crate::record::Command;
use agent::State;

/// How long to wait before what is kept is read again, after the store did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// What agents work with.
pub struct Means {
    /// The clusters that agents record; `None` until that is known.
    pub recorded: Recorded,
    /// Where what they have written is kept.
    pub store: Arc<dyn Store>,
    /// Below which path.
    pub root: Root,
    /// Only who leads writes.
    pub leadership: Leadership,
    /// Where to ask who decides. Does not keep the recorder alive.
    pub commands: mpsc::WeakSender<Command>,
    /// Where to say what they ask for.
    pub observations: Observations,
    /// Where to note what is refused.
    pub journal: Journal,
}

/// What the agents of all clusters have written. Clones are the same.
#[derive(Clone)]
pub struct Agents(Arc<Shared>);

struct Shared {
    means: Means,
    agents: Mutex<HashMap<ClusterId, Arc<Agent>>>,
}

/// One of them. There may be none in the cluster: then it has written nothing.
struct Agent {
    state: tokio::sync::Mutex<State>,
    /// It is done with its first synchronisation.
    done: watch::Sender<()>,
    /// Something lingers, or it is not known any more what is kept.
    changed: Notify,
}

/// The clusters that agents record; `None` until that is known.
pub type Recorded = watch::Receiver<Option<BTreeSet<ClusterId>>>;

/// Tells that there may be something to do about who records a cluster.
pub struct Changes {
    done: watch::Receiver<()>,
    recorded: Recorded,
}

impl Changes {
    /// Waits for the next; for ever where nothing changes any more.
    pub async fn next(&mut self) {
        tokio::select! {
            Ok(()) = self.done.changed() => {}
            Ok(()) = self.recorded.changed() => {}
            else => std::future::pending().await,
        }
    }
}

impl Agents {
    /// Nothing is known yet of what is kept.
    #[must_use]
    pub fn new(means: Means) -> Self {
        Self(Arc::new(Shared { means, agents: Mutex::default() }))
    }

    fn means(&self) -> &Means {
        &self.0.means
    }

    fn agent(&self, cluster: &ClusterId) -> Arc<Agent> {
        let mut agents = self.0.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let state = tokio::sync::Mutex::new(State::default());
            Arc::new(Agent { state, done: watch::Sender::new(()), changed: Notify::new() })
        };
        Arc::clone(agents.entry(cluster.clone()).or_insert_with(new))
    }

    /// Whether an agent is to record the cluster; `None` until that is known.
    #[must_use]
    pub fn is_wanted(&self, cluster: &ClusterId) -> Option<bool> {
        Some(self.means().recorded.borrow().as_ref()?.contains(cluster))
    }

    /// Tells of changes that concern who records a cluster.
    #[must_use]
    pub fn changes(&self, cluster: &ClusterId) -> Changes {
        Changes { done: self.agent(cluster).done.subscribe(), recorded: self.means().recorded.clone() }
    }

    /// Tells the recorder what the agent asks for, now and when what lingers is over. Never ends.
    pub async fn follow(&self, cluster: &ClusterId) {
        // Until then somebody else writes what we would read.
        self.means().leadership.leading().await;
        let agent = self.agent(cluster);
        let mut is_told = false;
        loop {
            let mut state = agent.state.lock().await;
            if !is_told || state.space.is_none() {
                is_told = self.begin(cluster, &mut state).await;
            }
            let names = state.lingering.take_due(Instant::now());
            state.tell(cluster, names, &self.means().observations).await;
            let due = if is_told { state.lingering.due() } else { Some(Instant::now() + RETRY) };
            drop(state);
            tokio::select! {
                () = agent.changed.notified() => {}
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {}
            }
        }
    }

    /// Reads what is kept, and tells all of it; gives whether that went well.
    async fn begin(&self, cluster: &ClusterId, state: &mut State) -> bool {
        let loaded = state.load(cluster, self.means()).await;
        if let Err(error) = &loaded {
            tracing::warn!(%cluster, error = chain(error), "unable to read what the agent has written");
        }
        state.tell_all(cluster, &self.means().observations).await;
        loaded.is_ok()
    }

    /// Who says what a cluster asks for, after what could be done to get there; `None` while that is not known.
    /// `native_is_done` says whether all objects of the cluster are known and decided upon.
    pub async fn step(&self, cluster: &ClusterId, native_is_done: bool) -> Option<Step> {
        let wants_agent = self.is_wanted(cluster)?;
        let agent = self.agent(cluster);
        let mut state = agent.state.lock().await;
        let leads = self.means().leadership.is_leading();
        if state.space.is_none() {
            // The recorder of a standby is told when it leads.
            let known = if leads {
                self.begin(cluster, &mut state).await
            } else {
                state.load(cluster, self.means()).await.is_ok()
            };
            if !known {
                return None;
            }
        }
        let seen = |state: &State| Seen {
            wants_agent,
            has_keys: state.space.as_ref().is_some_and(|space| !space.is_empty()),
            handed_over: state.handed_over,
            agent_is_done: state.syncing.is_done(),
            native_is_done,
        };
        let step = seen(&state).step();
        if !leads {
            // Somebody else writes: what was read is old in a moment.
            state.space = None;
            return Some(step);
        }
        let done = match step {
            Step::HandOver => state.hand_over(cluster, self.means()).await,
            Step::TakeBack => state.clear(cluster, self.means()).await,
            Step::Native | Step::Both | Step::Agent => return Some(step),
        };
        match done {
            Ok(()) => {
                tracing::info!(%cluster, ?step, "the recorder of the cluster has changed");
                Some(seen(&state).step())
            }
            // Not leading, or the store does not answer: both claim until it is done.
            Err(error) => {
                tracing::warn!(%cluster, %error, "unable to change the recorder of the cluster");
                agent.changed.notify_one();
                Some(Step::Both)
            }
        }
    }

    /// What was refused to the agent since it last was done.
    pub async fn problems(&self, cluster: &ClusterId) -> Vec<Problem> {
        self.agent(cluster).state.lock().await.problems()
    }

    /// Removes what is kept of a cluster that leaves; gives whether nothing is left.
    pub async fn forget(&self, cluster: &ClusterId) -> bool {
        let agent = self.agent(cluster);
        let mut state = agent.state.lock().await;
        let cleared = match state.load(cluster, self.means()).await {
            Ok(()) => state.clear(cluster, self.means()).await.map_err(|error| error.to_string()),
            Err(error) => Err(chain(&error)),
        };
        if let Err(error) = &cleared {
            tracing::warn!(%cluster, error, "unable to remove what the agent of the cluster has written");
        }
        if cleared.is_ok() {
            self.0.agents.lock().unwrap_or_else(PoisonError::into_inner).remove(cluster);
        }
        cleared.is_ok()
    }
}
