//! One whole decision, with what each question to the module took.

use std::sync::Arc;

use openmcp_dns_api::Cluster;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::cluster_policy::ClusterPolicy;
use openmcp_dns_core::decide::{Decision, cluster_domain, decide};
use openmcp_dns_core::details::AskedClaim;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{Policy, PolicyFailure};
use openmcp_dns_policy::metered::{Metered, Question};

use crate::loaded_policy::LoadedPolicy;
use crate::questions::Questions;

/// A module at work for one cluster, as in the service: the host's own rules hold as well.
pub struct Trial {
    /// The domain of the cluster, or why it has none.
    pub domain: Result<HostName, PolicyFailure>,
    /// What was asked for the domain.
    pub domain_questions: Vec<Question>,
    policy: ClusterPolicy,
    module: Arc<dyn Policy>,
    questions: Questions,
}

/// What became of a claim.
#[derive(Debug)]
pub struct Decided {
    /// The claim.
    pub asked: AskedClaim,
    /// The decision on it.
    pub decision: Decision,
    /// Whether the module was asked: the host's own rules come first.
    pub by_module: bool,
    /// What was asked.
    pub questions: Vec<Question>,
}

impl Trial {
    /// Asks for the domain of the cluster, without which nothing is decided.
    #[must_use]
    pub fn begin(policy: &LoadedPolicy, id: &ClusterId, cluster: &Cluster) -> Self {
        let questions = Questions::default();
        let module =
            policy.asked_through(|module| Arc::new(Metered::new(Arc::clone(module), questions.clone())));
        let policy = policy.cluster_policy(id, cluster);
        let domain = cluster_domain(&*module, &policy.module.context);
        Self { domain, domain_questions: questions.take(), policy, module, questions }
    }

    /// Has one claim decided in a cluster of this domain.
    #[must_use]
    pub fn decide(&self, domain: &HostName, asked: AskedClaim) -> Decided {
        let allowed = self.policy.module.allowed(domain.clone());
        let decision = decide(&*self.module, &self.policy.module.context, &allowed, &asked);
        let questions = self.questions.take();
        Decided { asked, decision, by_module: !questions.is_empty(), questions }
    }
}

#[cfg(test)]
mod tests {
    use openmcp_dns_policy::{Engine, Limits, STANDARD};

    use super::*;
    use crate::claims::of_host;

    #[test]
    fn the_host_denies_what_lies_outside_without_a_question_to_the_module() {
        let engine = Engine::new(Limits::default()).unwrap();
        let policy = LoadedPolicy::load(&engine, STANDARD, None).unwrap();
        let trial = Trial::begin(&policy, &ClusterId::new("s", "w1"), &Cluster::default());
        let domain = trial.domain.clone().unwrap();
        assert_eq!(domain.as_str(), "w1.openmcp.cluster");
        assert_eq!(trial.domain_questions.len(), 1);
        let decide = |host| trial.decide(&domain, of_host(host, &["10.0.0.1".to_owned()], &domain));
        let inside = decide("a.{domain}");
        assert!(matches!(inside.decision, Decision::Publish(_)) && inside.by_module, "{inside:?}");
        let outside = decide("a.example.com");
        assert!(matches!(outside.decision, Decision::Deny(_)) && !outside.by_module, "{outside:?}");
    }
}
