//! A policy module whose work is measured, whoever wants to know.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Module;
use openmcp_dns_core::details::Detail;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{
    CheckedClaim, Context, FailureKind, Policy, PolicyFailure, ProposedRecordSet, Verdict,
};

/// A question that a module was asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The function of the contract.
    pub function: &'static str,
    /// Instructions that the module ran.
    pub fuel: u64,
    /// Time until the answer, with setting up and removing the instance.
    pub time: Duration,
    /// How the module failed; `None` when it answered.
    pub failure: Option<FailureKind>,
}

/// Is told of every question. It is called on the thread that asks, so it must be quick.
pub trait Meter: Send + Sync {
    /// A question was asked, and this is what it took.
    fn asked(&self, question: Question);
}

/// A module whose questions are told to a meter.
pub struct Metered<W> {
    module: Arc<Module>,
    meter: W,
}

impl<W: Meter> Metered<W> {
    /// Tells this meter of each question to the module.
    pub const fn new(module: Arc<Module>, meter: W) -> Self {
        Self { module, meter }
    }

    /// Who is told.
    pub const fn meter(&self) -> &W {
        &self.meter
    }

    fn ask<T>(
        &self,
        function: &'static str,
        ask: impl FnOnce(&Module) -> (Result<T, PolicyFailure>, u64),
    ) -> Result<T, PolicyFailure> {
        let started = Instant::now();
        let (answer, fuel) = ask(&self.module);
        let (time, failure) = (started.elapsed(), answer.as_ref().err().map(|failure| failure.kind));
        self.meter.asked(Question { function, fuel, time, failure });
        answer
    }
}

impl<W: Meter> Policy for Metered<W> {
    fn details(&self) -> &[Detail] {
        self.module.details()
    }

    fn domain_filter(&self, context: &Context) -> Result<String, PolicyFailure> {
        self.ask("domain-filter", |module| module.domain_filter_with_fuel(context))
    }

    fn validate_hostname(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Verdict, PolicyFailure> {
        self.ask("validate-hostname", |module| module.validate_hostname_with_fuel(context, domain, claim))
    }

    fn name_records(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
        self.ask("name-records", |module| module.name_records_with_fuel(context, domain, claim))
    }
}
