//! A policy module whose work is measured.

use std::sync::Arc;
use std::time::Instant;

use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{Claim, Context, Policy, PolicyFailure, ProposedRecordSet, Verdict};
use openmcp_dns_policy::Module;

use super::Metrics;

/// A policy module whose work is measured.
pub struct Measured {
    module: Arc<Module>,
    policy: String,
    metrics: Metrics,
}

impl Measured {
    /// Measures a module under the name of its DNSPolicy.
    #[must_use]
    pub const fn new(module: Arc<Module>, policy: String, metrics: Metrics) -> Self {
        Self { module, policy, metrics }
    }

    fn measure<T>(
        &self,
        function: &'static str,
        ask: impl FnOnce(&Module) -> (Result<T, PolicyFailure>, u64),
    ) -> Result<T, PolicyFailure> {
        let started = Instant::now();
        let (answer, fuel) = ask(&self.module);
        self.metrics.evaluated(&self.policy, function, started.elapsed(), fuel);
        if let Err(failure) = &answer {
            self.metrics.failed(&self.policy, failure.kind.as_str());
        }
        answer
    }
}

impl Policy for Measured {
    fn domain_filter(&self, context: &Context) -> Result<String, PolicyFailure> {
        self.measure("domain-filter", |module| module.domain_filter_with_fuel(context))
    }

    fn validate_hostname(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &Claim,
    ) -> Result<Verdict, PolicyFailure> {
        self.measure("validate-hostname", |module| module.validate_hostname_with_fuel(context, domain, claim))
    }

    fn name_records(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &Claim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
        self.measure("name-records", |module| module.name_records_with_fuel(context, domain, claim))
    }
}
