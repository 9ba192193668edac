//! A module that notes what its answers cost.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{Claim, Context, Policy, PolicyFailure, ProposedRecordSet, Verdict};
use openmcp_dns_policy::Module;

/// A question that was asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// The function of the contract.
    pub(super) function: &'static str,
    /// Instructions that the module ran.
    pub(super) fuel: u64,
    /// Time until the answer, with setting up and removing the instance.
    pub(super) time: Duration,
}

/// A module that notes every question.
pub(super) struct Measured<'m> {
    module: &'m Module,
    questions: Mutex<Vec<Question>>,
}

impl<'m> Measured<'m> {
    pub(super) const fn new(module: &'m Module) -> Self {
        Self { module, questions: Mutex::new(Vec::new()) }
    }

    /// The questions since the last call.
    pub(super) fn take(&self) -> Vec<Question> {
        std::mem::take(&mut *self.questions.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn ask<T>(
        &self,
        function: &'static str,
        ask: impl FnOnce() -> (Result<T, PolicyFailure>, u64),
    ) -> Result<T, PolicyFailure> {
        let started = Instant::now();
        let (answer, fuel) = ask();
        let question = Question { function, fuel, time: started.elapsed() };
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).push(question);
        answer
    }
}

impl Policy for Measured<'_> {
    fn domain_filter(&self, context: &Context) -> Result<String, PolicyFailure> {
        self.ask("domain-filter", || self.module.domain_filter_with_fuel(context))
    }

    fn validate_hostname(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &Claim,
    ) -> Result<Verdict, PolicyFailure> {
        self.ask("validate-hostname", || self.module.validate_hostname_with_fuel(context, domain, claim))
    }

    fn name_records(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &Claim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
        self.ask("name-records", || self.module.name_records_with_fuel(context, domain, claim))
    }
}
