//! Asks policy modules, each in a thread of its own.
//!
//! ```text
//! Recorder ──Job──► thread of the policy's module ─────────┐
//!    ▲     ──Job──► thread of the one that takes its place ─┤
//!    │     ──Job──► thread of its candidate ────────────────┤
//!    └────────────────────── Answer ────────────────────────┘
//! ```
//! A question takes microseconds, but a bad module takes as long as its limits allow, and there are as
//! many questions as claims. So nobody waits for a module but those who asked it; and those who ask the
//! same one are served in turn, a few questions of each cluster, within the cluster's budget.

use std::collections::HashMap;
use std::sync::Arc;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::recording::{Answer, Job, Role};
use tokio::sync::mpsc;

use super::turns::Turns;

/// The threads that ask.
pub(super) struct Deciders {
    threads: HashMap<(String, Role), Thread>,
    answers: mpsc::UnboundedSender<Answer>,
}

/// A thread, and what it is to ask.
struct Thread {
    turns: Arc<Turns>,
    handle: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.turns.end();
    }
}

impl Deciders {
    /// No thread yet; answers come from the receiver.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Answer>) {
        let (answers, receiver) = mpsc::unbounded_channel();
        (Self { threads: HashMap::new(), answers }, receiver)
    }

    /// Has a job done; starts the thread that does it where there is none.
    pub(super) fn ask(&mut self, job: Job) {
        let key = (job.policy_name.clone(), job.role);
        let thread =
            self.threads.entry(key).or_insert_with(|| Thread { turns: Arc::default(), handle: None });
        thread.turns.add(job);
        thread.keep_alive(&self.answers);
    }

    /// Ends the jobs that were asked for a cluster in a role so far.
    pub(super) fn cancel(&self, cluster: &ClusterId, role: Role) {
        for (_, thread) in self.threads.iter().filter(|((_, of), _)| *of == role) {
            thread.turns.forget(cluster);
        }
    }

    /// Ends all jobs that were asked for a cluster.
    pub(super) fn forget(&self, cluster: &ClusterId) {
        for thread in self.threads.values() {
            thread.turns.forget(cluster);
        }
    }

    /// Ends the threads of all other policies, and looks after those that stay.
    pub(super) fn keep(&mut self, is_used: impl Fn(&str, Role) -> bool) {
        self.threads.retain(|(policy, role), _| is_used(policy, *role));
        for thread in self.threads.values_mut() {
            thread.keep_alive(&self.answers);
        }
    }
}

impl Thread {
    /// Starts the thread where there is none, or none any more.
    fn keep_alive(&mut self, answers: &mpsc::UnboundedSender<Answer>) {
        if self.handle.as_ref().is_some_and(|handle| !handle.is_finished()) {
            return;
        }
        if self.handle.take().is_some() {
            tracing::error!("a thread that asks policy modules has ended; another one takes its place");
        }
        let (turns, answers) = (Arc::clone(&self.turns), answers.clone());
        let work = move || {
            while let Some(answer) = turns.next_answer() {
                if answers.send(answer).is_err() {
                    return;
                }
            }
        };
        match std::thread::Builder::new().name("policy".to_owned()).spawn(work) {
            Ok(handle) => self.handle = Some(handle),
            Err(error) => tracing::error!(%error, "no thread is left to ask the policy module"),
        }
    }
}
