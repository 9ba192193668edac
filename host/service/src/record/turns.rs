//! Whose questions a module is asked next.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use openmcp_dns_core::Bucket;
use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::recording::{Answer, Answering, Job, Ticket};

/// Questions of one cluster before another one has its turn.
const QUESTIONS_PER_TURN: usize = 16;

/// Room for so many objects is kept while nothing is asked about any.
const FEW: usize = 64;

/// How many questions a cluster may ask at once, as a multiple of those per second: a list of all its
/// objects comes at once.
const BURST_SECONDS: u32 = 100;

/// Jobs by cluster, which are served in turn.
#[derive(Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queues: HashMap<ClusterId, Queue>,
    /// Clusters with jobs, in turn.
    order: VecDeque<ClusterId>,
    /// The last number that was given to a queue.
    numbers: u64,
    has_ended: bool,
}

struct Queue {
    /// Tells the queue from an earlier one of the cluster, whose jobs nobody waits for any more.
    number: u64,
    jobs: VecDeque<Answering>,
    /// The last job that asks about an object: older ones need not.
    newest: HashMap<SourceRef, Ticket>,
    budget: Bucket,
}

/// What a thread works on, outside of the lock.
struct Turn {
    cluster: ClusterId,
    number: u64,
    job: Answering,
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing here panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job. What it asks is not asked by older jobs of the cluster any more.
    pub(super) fn add(&self, job: Job) {
        let mut state = self.lock();
        let state = &mut *state;
        let cluster = job.cluster.clone();
        let queue = state.queues.entry(cluster.clone()).or_insert_with(|| {
            state.numbers += 1;
            Queue {
                number: state.numbers,
                jobs: VecDeque::new(),
                newest: HashMap::new(),
                budget: Bucket::full(job.questions_per_second, BURST_SECONDS),
            }
        });
        queue.budget.change(job.questions_per_second, BURST_SECONDS);
        for asked in &job.claims {
            queue.newest.insert(asked.source.clone(), job.ticket);
        }
        queue.jobs.push_back(Answering::new(job));
        if !state.order.contains(&cluster) {
            state.order.push_back(cluster);
        }
        self.changed.notify_one();
    }

    /// Nobody waits any more for what a cluster has asked.
    pub(super) fn forget(&self, cluster: &ClusterId) {
        let mut state = self.lock();
        state.queues.remove(cluster);
        state.order.retain(|other| other != cluster);
    }

    /// Nobody asks any more.
    pub(super) fn end(&self) {
        self.lock().has_ended = true;
        self.changed.notify_all();
    }

    /// Works until a job is done; `None` when nobody asks any more.
    pub(super) fn next_answer(&self) -> Option<Answer> {
        loop {
            let mut turn = self.next_turn()?;
            let mut goes_on = true;
            for question in 1..=QUESTIONS_PER_TURN {
                goes_on = self.ask(&mut turn);
                if !goes_on || question < QUESTIONS_PER_TURN && !self.may_ask(&turn) {
                    break;
                }
            }
            if goes_on {
                self.put_back(turn);
            } else if let Some(answer) = self.finish(turn) {
                return Some(answer);
            }
        }
    }

    /// Asks one question; gives whether there are more.
    fn ask(&self, turn: &mut Turn) -> bool {
        let Turn { cluster, number, job } = turn;
        let ticket = job.job().ticket;
        job.step(|asked| {
            let state = self.lock();
            let queue = state.queues.get(cluster).filter(|queue| queue.number == *number);
            queue.is_some_and(|queue| queue.newest.get(&asked.source) == Some(&ticket))
        })
    }

    fn may_ask(&self, turn: &Turn) -> bool {
        let mut state = self.lock();
        let queue = state.queues.get_mut(&turn.cluster).filter(|queue| queue.number == turn.number);
        queue.is_some_and(|queue| queue.budget.take(Instant::now()))
    }

    /// Takes the first job of the next cluster that has some, and something left of its budget.
    fn next_turn(&self) -> Option<Turn> {
        let mut state = self.lock();
        loop {
            if state.has_ended {
                return None;
            }
            let now = Instant::now();
            let mut due: Option<Instant> = None;
            for _ in 0..state.order.len() {
                let Some(cluster) = state.order.pop_front() else { break };
                let Some(queue) = state.queues.get_mut(&cluster) else { continue };
                if !queue.budget.take(now) {
                    let at = queue.budget.due(now);
                    due = Some(due.map_or(at, |due| due.min(at)));
                    state.order.push_back(cluster);
                    continue;
                }
                // A cluster in the order has a job, and comes back to it after its turn.
                if let Some(job) = queue.jobs.pop_front() {
                    let number = queue.number;
                    return Some(Turn { cluster, number, job });
                }
            }
            state = match due {
                Some(due) => {
                    let time = due.saturating_duration_since(now);
                    self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn put_back(&self, turn: Turn) {
        let Turn { cluster, number, job } = turn;
        let mut state = self.lock();
        let Some(queue) = state.queues.get_mut(&cluster).filter(|queue| queue.number == number) else {
            return;
        };
        queue.jobs.push_front(job);
        if !state.order.contains(&cluster) {
            state.order.push_back(cluster);
        }
    }

    /// The job is done; `None` when nobody waits for it.
    fn finish(&self, turn: Turn) -> Option<Answer> {
        let Turn { cluster, number, job } = turn;
        let answer = job.finish();
        let mut state = self.lock();
        let queue = state.queues.get_mut(&cluster).filter(|queue| queue.number == number)?;
        for source in answer.decisions.sources() {
            if queue.newest.get(source) == Some(&answer.ticket) {
                queue.newest.remove(source);
            }
        }
        if queue.newest.is_empty() {
            // After a list it had room for all objects of the cluster.
            queue.newest.shrink_to(FEW);
        }
        if !queue.jobs.is_empty() && !state.order.contains(&cluster) {
            state.order.push_back(cluster);
        }
        Some(answer)
    }
}
