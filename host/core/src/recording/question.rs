//! What a module is asked, and what it answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::cluster::{ClusterId, SourceRef};
use crate::cluster_policy::ClusterModule;
use crate::decide::{AllowedNames, Decision, cluster_domain, decide};
use crate::name::HostName;
use crate::policy::{Context, PolicyFailure};
use crate::resolve::Claim;

/// Whether what a module answers is acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The module decides.
    Active,
    /// The module will decide, once it has done so on everything that there is.
    Incoming,
    /// The module is only compared with the one that decides.
    Candidate,
}

/// A claim with all that a module is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AskedClaim {
    /// The object that asks.
    pub source: SourceRef,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What it asks for.
    pub claim: Claim,
}

/// Everything that a decision depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// SHA-256 of the module.
    pub module_digest: Arc<str>,
    /// Cluster, zone and configuration.
    pub context: Arc<Context>,
    /// Where the cluster may publish.
    pub allowed: Arc<AllowedNames>,
    /// The claim.
    pub asked: AskedClaim,
}

impl Question {
    /// Asks a module about a claim.
    pub(super) fn new(module: &ClusterModule, allowed: &Arc<AllowedNames>, asked: AskedClaim) -> Self {
        Self {
            module_digest: Arc::clone(&module.module_digest),
            context: Arc::clone(&module.context),
            allowed: Arc::clone(allowed),
            asked,
        }
    }
}

/// Decisions by question.
pub type Decisions = HashMap<Question, Decision>;

/// Tells the answer to a job from that to another one.
pub type Ticket = u64;

/// Questions to one module about one cluster; answered together.
pub struct Job {
    /// Name of the policy.
    pub policy_name: String,
    /// Whether the answer is acted upon.
    pub role: Role,
    /// The cluster.
    pub cluster: ClusterId,
    /// Comes back with the answer.
    pub ticket: Ticket,
    /// Whom to ask.
    pub module: ClusterModule,
    /// `None`: the domain is asked first, and its answer holds for the claims.
    pub allowed: Option<Arc<AllowedNames>>,
    /// The claims.
    pub claims: Vec<AskedClaim>,
}

/// The answer to a job.
pub struct Answer {
    /// As in the job.
    pub role: Role,
    /// As in the job.
    pub cluster: ClusterId,
    /// As in the job.
    pub ticket: Ticket,
    /// The domain, if the job asked for it.
    pub domain: Option<Result<HostName, PolicyFailure>>,
    /// Empty where there is no domain.
    pub decisions: Decisions,
}

impl Job {
    /// Asks the module; `None` when nobody wants to hear the answer any more, which is looked at
    /// before every question.
    pub fn answer(self, is_cancelled: impl Fn() -> bool) -> Option<Answer> {
        let Self { policy_name: _, role, cluster, ticket, module, allowed, claims } = self;
        if is_cancelled() {
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
        for asked in claims {
            if is_cancelled() {
                return None;
            }
            let Some(allowed) = &allowed else { break };
            let AskedClaim { source, labels, claim } = &asked;
            let decision = decide(&*module.policy, &module.context, allowed, source, labels, claim);
            decisions.insert(Question::new(&module, allowed, asked), decision);
        }
        Some(Answer { role, cluster, ticket, domain, decisions })
    }
}
