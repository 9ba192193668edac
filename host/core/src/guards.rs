//! Modules that can only deny, asked before the one that names.
//!
//! A guard is a policy module as any other. It is asked whether a host name is allowed, and nothing else: which domain
//! a cluster has and what is recorded, the module of the policy says alone. The first guard that denies ends the
//! asking; one that fails leaves the claim undecided, as the module does.

use std::sync::Arc;

use crate::details::Detail;
use crate::name::HostName;
use crate::policy::{CheckedClaim, Context, Denial, Policy, PolicyFailure, ProposedRecordSet, Verdict};

/// A module that can only deny.
#[derive(Clone)]
pub struct Guard {
    /// What the DNSPolicy calls it.
    pub name: String,
    /// The module.
    pub policy: Arc<dyn Policy>,
    /// Its own configuration, as JSON text.
    pub configuration: String,
}

/// Which guard it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GuardId {
    /// What the DNSPolicy calls it.
    pub name: String,
    /// SHA-256 of its module, as hexadecimal digits.
    pub digest: String,
    /// Its configuration, as JSON text.
    pub configuration: String,
}

/// A module that names, behind its guards.
pub struct Guarded {
    guards: Vec<Guard>,
    policy: Arc<dyn Policy>,
    /// What any of them has to be told: sorted, each once.
    details: Vec<Detail>,
}

impl Guarded {
    /// A module behind guards, which are asked in this order. Without any, it is the module itself.
    #[must_use]
    pub fn around(policy: Arc<dyn Policy>, guards: Vec<Guard>) -> Arc<dyn Policy> {
        if guards.is_empty() {
            return policy;
        }
        let of_guards = guards.iter().flat_map(|guard| guard.policy.details());
        let mut details: Vec<Detail> = policy.details().iter().chain(of_guards).copied().collect();
        details.sort_unstable();
        details.dedup();
        Arc::new(Self { guards, policy, details })
    }

    /// The claim as one of the modules is told of it.
    fn told(&self, policy: &dyn Policy, claim: &CheckedClaim) -> Option<CheckedClaim> {
        claim.told_to(policy, &self.details)
    }
}

impl Policy for Guarded {
    fn details(&self) -> &[Detail] {
        &self.details
    }

    fn domain_filter(&self, context: &Context) -> Result<String, PolicyFailure> {
        self.policy.domain_filter(context)
    }

    fn validate_hostname(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Verdict, PolicyFailure> {
        for Guard { name, policy, configuration } in &self.guards {
            let context = Context { configuration: configuration.clone(), ..context.clone() };
            let told = self.told(&**policy, claim);
            match policy.validate_hostname(&context, domain, told.as_ref().unwrap_or(claim)) {
                Ok(Verdict::Allow) => {}
                Ok(Verdict::Deny(Denial { code, message, guard: _ })) => {
                    let (message, guard) = (of_guard(name, &message), Some(name.clone()));
                    return Ok(Verdict::Deny(Denial { code, message, guard }));
                }
                Err(PolicyFailure { kind, message, guard: _ }) => {
                    let (message, guard) = (of_guard(name, &message), Some(name.clone()));
                    return Err(PolicyFailure { kind, message, guard });
                }
            }
        }
        let told = self.told(&*self.policy, claim);
        self.policy.validate_hostname(context, domain, told.as_ref().unwrap_or(claim))
    }

    fn name_records(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
        let told = self.told(&*self.policy, claim);
        self.policy.name_records(context, domain, told.as_ref().unwrap_or(claim))
    }
}

/// People have to know which of several modules says it.
fn of_guard(name: &str, message: &str) -> String {
    format!("guard {name}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{ClusterFacts, ClusterId, SourceRef};
    use crate::details::Details;
    use crate::details::PublishedNames;
    use crate::kinds::Kind;
    use crate::labels::Labels;
    use crate::policy::FailureKind;
    use crate::record::RecordType;

    /// Denies when its configuration says so, fails when it says so, and shows what it was told in what it records.
    struct Module(&'static [Detail]);

    impl Policy for Module {
        fn details(&self) -> &[Detail] {
            self.0
        }
        fn domain_filter(&self, _: &Context) -> Result<String, PolicyFailure> {
            Ok("w1.openmcp.cluster".to_owned())
        }
        fn validate_hostname(
            &self,
            context: &Context,
            _: &HostName,
            claim: &CheckedClaim,
        ) -> Result<Verdict, PolicyFailure> {
            match &*context.configuration {
                "deny" => Ok(Verdict::Deny(Denial::new("no", told(claim)))),
                "fail" => Err(PolicyFailure::new(FailureKind::Trap, told(claim))),
                _ => Ok(Verdict::Allow),
            }
        }
        fn name_records(
            &self,
            _: &Context,
            _: &HostName,
            claim: &CheckedClaim,
        ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
            let values = vec![told(claim)];
            Ok(vec![ProposedRecordSet {
                name: String::new(),
                record_type: RecordType::Txt,
                ttl_seconds: 1,
                values,
            }])
        }
    }

    fn told(claim: &CheckedClaim) -> String {
        let annotations = claim.details.as_ref().map_or(0, |details| details.annotations.iter().count());
        format!("{annotations} annotations, {} names", claim.published_names.in_cluster)
    }

    fn guarded(guards: &[(&str, &'static [Detail], &str)]) -> Arc<dyn Policy> {
        let guards = guards.iter().map(|(name, details, configuration)| Guard {
            name: (*name).to_owned(),
            policy: Arc::new(Module(details)),
            configuration: (*configuration).to_owned(),
        });
        Guarded::around(Arc::new(Module(&[Detail::PublishedNames])), guards.collect())
    }

    /// What is recorded, or why nothing is and which guard says so.
    fn ask(policy: &dyn Policy) -> Result<Vec<String>, (String, Option<String>)> {
        let context = Context {
            base_domain: "openmcp.cluster".parse().unwrap(),
            cluster: ClusterFacts {
                id: ClusterId::new("s", "w1"),
                purposes: Vec::new(),
                labels: std::collections::BTreeMap::new(),
            },
            configuration: "the module's own".to_owned(),
            shared_names: Vec::new(),
            shared_suffixes: Vec::new(),
        };
        let domain: HostName = policy.domain_filter(&context).unwrap().parse().unwrap();
        let annotations = Labels::from_iter([("team".to_owned(), "a".to_owned())]);
        let claim = CheckedClaim {
            host_name: "shop.w1.openmcp.cluster".parse().unwrap(),
            source: SourceRef::new(Kind::HttpRoute, "default", "shop"),
            labels: Labels::default(),
            targets: vec!["10.0.0.1".to_owned()],
            details: Some(Arc::new(Details { annotations, ..Details::default() })),
            published_names: PublishedNames { in_namespace: 3, in_cluster: 7 },
        };
        match policy.validate_hostname(&context, &domain, &claim) {
            Ok(Verdict::Allow) => {
                let sets = policy.name_records(&context, &domain, &claim).unwrap();
                Ok(sets.into_iter().flat_map(|set| set.values).collect())
            }
            Ok(Verdict::Deny(Denial { code, message, guard })) => Err((format!("{code}: {message}"), guard)),
            Err(failure) => Err((failure.to_string(), failure.guard)),
        }
    }

    #[test]
    fn the_first_guard_that_denies_or_fails_is_named() {
        let allowed = guarded(&[("a", &[], "{}"), ("b", &[], "{}")]);
        assert!(ask(&*allowed).is_ok());
        let denied = guarded(&[("a", &[], "{}"), ("b", &[], "deny"), ("c", &[], "fail")]);
        assert_eq!(
            ask(&*denied),
            Err(("no: guard b: 0 annotations, 0 names".to_owned(), Some("b".to_owned())))
        );
        let failed = guarded(&[("a", &[], "fail"), ("b", &[], "deny")]);
        assert_eq!(
            ask(&*failed),
            Err((
                "the policy module failed (Trap): guard a: 0 annotations, 0 names".to_owned(),
                Some("a".to_owned())
            ))
        );
    }

    #[test]
    fn each_module_is_told_what_it_asks_for_itself() {
        const ANNOTATIONS: &[Detail] = &[Detail::Annotations];
        let policy = guarded(&[("a", ANNOTATIONS, "{}")]);
        assert_eq!(policy.details(), [Detail::Annotations, Detail::PublishedNames]);
        assert_eq!(ask(&*policy), Ok(vec!["0 annotations, 7 names".to_owned()]));
        let policy = guarded(&[("a", ANNOTATIONS, "deny")]);
        assert_eq!(
            ask(&*policy),
            Err(("no: guard a: 1 annotations, 0 names".to_owned(), Some("a".to_owned())))
        );
    }
}
