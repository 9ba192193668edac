//! Asks policy modules, each in a thread of its own.
//!
//! ```text
//! Recorder ──Job──► thread of the policy's module ──────────┐
//!      ▲      ──Job──► thread of the one that takes its place ─┤
//!      │      ──Job──► thread of its candidate ────────────────┤
//!      └───────────────────────── Answer ──────────────────────┘
//! ```
//! A question takes microseconds, but a bad module takes as long as its limits allow, and there are as
//! many questions as claims. So nobody waits for a module but those who asked it: a policy's questions
//! stand behind one another, never behind those of another policy or of a module that does not decide yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::cluster_policy::ClusterModule;
use openmcp_dns_core::decide::{AllowedNames, Decision, cluster_domain, decide};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{Context, PolicyFailure};
use openmcp_dns_core::resolve::Claim;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Whether what a module answers is acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Role {
    /// The module decides.
    Standing,
    /// The module will decide, once it has done so on everything that there is.
    Coming,
    /// The module is only compared with the one that decides.
    Candidate,
}

/// One host name that an object asks for, with all that a module is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    /// The object that asks.
    pub(super) source: SourceRef,
    /// Its labels.
    pub(super) labels: BTreeMap<String, String>,
    /// What it asks for.
    pub(super) wanted: Claim,
}

/// Everything that a decision depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// SHA-256 of the module.
    pub(super) module_digest: Arc<str>,
    /// Cluster, base domain and configuration.
    pub(super) context: Arc<Context>,
    /// Where the cluster may publish.
    pub(super) allowed: Arc<AllowedNames>,
    /// The claim.
    pub(super) subject: Subject,
}

/// Decisions by question.
pub(super) type Decisions = HashMap<Question, Decision>;

/// Questions to one module about one cluster; answered together.
pub(super) struct Job {
    /// Name of the policy.
    pub(super) policy_name: String,
    pub(super) role: Role,
    pub(super) cluster: ClusterId,
    /// Tells the answer to this job from that to another one.
    pub(super) ticket: u64,
    pub(super) module: ClusterModule,
    /// `None`: the domain is asked first, and its answer holds for the claims.
    pub(super) allowed: Option<Arc<AllowedNames>>,
    pub(super) subjects: Vec<Subject>,
    /// When it is cancelled, there is no answer.
    pub(super) cancelled: CancellationToken,
}

/// The answer to a job.
pub(super) struct Answer {
    pub(super) role: Role,
    pub(super) cluster: ClusterId,
    pub(super) ticket: u64,
    /// The domain, if the job asked for it.
    pub(super) domain: Option<Result<HostName, PolicyFailure>>,
    /// Empty where there is no domain.
    pub(super) decisions: Decisions,
}

/// The threads that ask.
pub(super) struct Deciders {
    threads: HashMap<(String, Role), std::sync::mpsc::Sender<Job>>,
    answers: mpsc::UnboundedSender<Answer>,
    tickets: u64,
}

impl Deciders {
    /// No thread yet; answers come from the receiver.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Answer>) {
        let (answers, receiver) = mpsc::unbounded_channel();
        (Self { threads: HashMap::new(), answers, tickets: 0 }, receiver)
    }

    /// A number that no job has yet.
    pub(super) fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    /// Has a job done; starts the thread that does it where there is none.
    pub(super) fn ask(&mut self, job: Job) {
        let key = (job.policy_name.clone(), job.role);
        let job = match self.threads.get(&key) {
            None => job,
            Some(thread) => match thread.send(job) {
                Ok(()) => return,
                // The thread has panicked, which is a bug of ours; the next one may do better.
                Err(std::sync::mpsc::SendError(job)) => job,
            },
        };
        let (jobs, received) = std::sync::mpsc::channel();
        // The receiver is there.
        let _ = jobs.send(job);
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

    /// Ends the threads of all other policies.
    pub(super) fn keep(&mut self, is_used: impl Fn(&str, Role) -> bool) {
        self.threads.retain(|(policy, role), _| is_used(policy, *role));
    }
}

/// Works until nobody asks any more.
fn work(jobs: &std::sync::mpsc::Receiver<Job>, answers: &mpsc::UnboundedSender<Answer>) {
    for job in jobs {
        let Some(answer) = answer(job) else { continue };
        if answers.send(answer).is_err() {
            return;
        }
    }
}

/// Does a job; `None` when it was cancelled.
fn answer(job: Job) -> Option<Answer> {
    let Job { policy_name: _, role, cluster, ticket, module, allowed, subjects, cancelled } = job;
    if cancelled.is_cancelled() {
        return None;
    }
    let (domain, allowed) = match allowed {
        Some(allowed) => (None, Some(allowed)),
        None => {
            let domain = cluster_domain(&*module.policy, &module.context);
            let allowed = domain.clone().ok().map(|domain| Arc::new(module.allowed(domain)));
            (Some(domain), allowed)
        }
    };
    let mut decisions = Decisions::new();
    for subject in subjects {
        if cancelled.is_cancelled() {
            return None;
        }
        let Some(allowed) = &allowed else { break };
        let Subject { source, labels, wanted } = &subject;
        let decision = decide(&*module.policy, &module.context, allowed, source, labels, wanted);
        let question = Question {
            module_digest: Arc::clone(&module.module_digest),
            context: Arc::clone(&module.context),
            allowed: Arc::clone(allowed),
            subject,
        };
        decisions.insert(question, decision);
    }
    Some(Answer { role, cluster, ticket, domain, decisions })
}
