//! Asks policy modules, each in a thread of its own.
//!
//! ```text
//! Recorder ──Job──► thread of the policy's module ─────────┐
//!    ▲     ──Job──► thread of the one that takes its place ─┤
//!    │     ──Job──► thread of its candidate ────────────────┤
//!    └────────────────────── Answer ────────────────────────┘
//! ```
//! A question takes microseconds, but a bad module takes as long as its limits allow, and there are as
//! many questions as claims. So nobody waits for a module but those who asked it: a policy's questions
//! stand behind one another, never behind those of another policy or of a module that does not decide yet.

use std::collections::HashMap;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::recording::{Answer, Job, Role};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A job, and what ends it.
type Asked = (Job, CancellationToken);

/// The threads that ask.
pub(super) struct Deciders {
    threads: HashMap<(String, Role), std::sync::mpsc::Sender<Asked>>,
    answers: mpsc::UnboundedSender<Answer>,
    /// Ends the jobs that were asked for a cluster in a role.
    asking: HashMap<(ClusterId, Role), (CancellationToken, DropGuard)>,
}

impl Deciders {
    /// No thread yet; answers come from the receiver.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Answer>) {
        let (answers, receiver) = mpsc::unbounded_channel();
        (Self { threads: HashMap::new(), answers, asking: HashMap::new() }, receiver)
    }

    /// Has a job done; starts the thread that does it where there is none.
    pub(super) fn ask(&mut self, job: Job) {
        let key = (job.policy_name.clone(), job.role);
        let (cancelled, _) = self.asking.entry((job.cluster.clone(), job.role)).or_insert_with(|| {
            let token = CancellationToken::new();
            (token.clone(), token.drop_guard())
        });
        let asked = (job, cancelled.clone());
        let asked = match self.threads.get(&key) {
            None => asked,
            Some(thread) => match thread.send(asked) {
                Ok(()) => return,
                // The thread has panicked, which is a bug of ours; the next one may do better.
                Err(std::sync::mpsc::SendError(asked)) => asked,
            },
        };
        let (jobs, received) = std::sync::mpsc::channel();
        // The receiver is there.
        let _ = jobs.send(asked);
        let answers = self.answers.clone();
        let started =
            std::thread::Builder::new().name("policy".to_owned()).spawn(move || work(&received, &answers));
        match started {
            Ok(_) => {
                self.threads.insert(key, jobs);
            }
            Err(error) => {
                tracing::error!(policy = key.0, %error, "no thread is left to ask the policy module")
            }
        }
    }

    /// Ends the jobs that were asked for a cluster in a role so far.
    pub(super) fn cancel(&mut self, cluster: ClusterId, role: Role) {
        self.asking.remove(&(cluster, role));
    }

    /// Ends all jobs that were asked for a cluster.
    pub(super) fn forget(&mut self, cluster: &ClusterId) {
        self.asking.retain(|(other, _), _| other != cluster);
    }

    /// Ends the threads of all other policies.
    pub(super) fn keep(&mut self, is_used: impl Fn(&str, Role) -> bool) {
        self.threads.retain(|(policy, role), _| is_used(policy, *role));
    }
}

/// Works until nobody asks any more.
fn work(jobs: &std::sync::mpsc::Receiver<Asked>, answers: &mpsc::UnboundedSender<Answer>) {
    for (job, cancelled) in jobs {
        let Some(answer) = job.answer(|| cancelled.is_cancelled()) else { continue };
        if answers.send(answer).is_err() {
            return;
        }
    }
}
