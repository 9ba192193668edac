//! A module that can decide.

use std::fmt;

use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{
    Claim, Context, FailureKind, Policy, PolicyFailure, ProposedRecordSet, Verdict,
};
use thiserror::Error;
use wasmtime::Store;

use crate::bindings::{self, DnsPolicy, DnsPolicyPre, contract};
use crate::call::{State, call};
use crate::engine::Engine;
use crate::limits::CONFIGURATION_BYTES;

/// A loaded module: compiled, tried, ready to decide. Cheap to clone, and usable from many threads at
/// once.
#[derive(Clone)]
pub struct Module {
    engine: Engine,
    instantiable: DnsPolicyPre<State>,
    digest: String,
    description: Description,
}

/// What a module says it is. Without control characters, each text at most 256 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// For example `standard`.
    pub name: String,
    /// A semantic version.
    pub version: String,
    /// One sentence.
    pub summary: String,
}

/// Why a configuration is not used.
#[derive(Debug, Error)]
pub enum ConfigurationError {
    /// It is too long.
    #[error("the configuration has {found} bytes, at most {CONFIGURATION_BYTES} are possible")]
    TooLarge {
        /// How long it is.
        found: usize,
    },
    /// The module does not accept it.
    #[error("module {module} refuses its configuration: {message}")]
    Refused {
        /// Name of the module.
        module: String,
        /// The module's own words.
        message: String,
    },
    /// The module failed while it looked.
    #[error("failed to have the configuration checked by module {module}")]
    Failed {
        /// Name of the module.
        module: String,
        /// How it failed.
        source: PolicyFailure,
    },
}

impl Module {
    /// Asks a compiled module what it is.
    pub(crate) fn new(
        engine: Engine,
        instantiable: DnsPolicyPre<State>,
        digest: String,
    ) -> Result<Self, PolicyFailure> {
        let answer = call(&engine, &instantiable, "describe", |store, instance| {
            instance.openmcp_dns_policy_policy().call_describe(store)
        });
        let contract::Description { name, version, summary } = answer.answer?;
        let description = Description { name: tidy(name), version: tidy(version), summary: tidy(summary) };
        Ok(Self { engine, instantiable, digest, description })
    }

    /// SHA-256 of the module's bytes as 64 hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What the module says it is.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Asks the module whether it accepts a configuration, as [`Engine::load`] has done for the first.
    ///
    /// # Errors
    /// When the module refuses it, with the module's own words, or fails.
    pub fn check_configuration(&self, configuration: &str) -> Result<(), ConfigurationError> {
        if configuration.len() > CONFIGURATION_BYTES {
            return Err(ConfigurationError::TooLarge { found: configuration.len() });
        }
        let module = || self.description.name.clone();
        let answer = self.ask("check-configuration", 0, |store, instance| {
            instance.openmcp_dns_policy_policy().call_check_configuration(store, configuration)
        });
        match answer.0 {
            Ok(Ok(())) => Ok(()),
            Ok(Err(message)) => Err(ConfigurationError::Refused { module: module(), message: tidy(message) }),
            Err(source) => Err(ConfigurationError::Failed { module: module(), source }),
        }
    }

    /// The cluster's domain, and the fuel that the question took.
    ///
    /// # Errors
    /// As [`Policy::domain_filter`].
    pub fn domain_filter_with_fuel(&self, context: &Context) -> (Result<String, PolicyFailure>, u64) {
        let context = bindings::context(context);
        let (answer, fuel) =
            self.ask("domain-filter", bindings::context_bytes(&context), |store, instance| {
                instance.openmcp_dns_policy_policy().call_domain_filter(store, &context)
            });
        (answer.and_then(|answer| refused("domain-filter", answer)), fuel)
    }

    /// The verdict on a claim, and the fuel that the question took.
    ///
    /// # Errors
    /// As [`Policy::validate_hostname`].
    pub fn validate_hostname_with_fuel(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &Claim,
    ) -> (Result<Verdict, PolicyFailure>, u64) {
        let (context, claim) = (bindings::context(context), bindings::claim(claim));
        let bytes = bindings::context_bytes(&context) + bindings::claim_bytes(&claim);
        let (answer, fuel) = self.ask("validate-hostname", bytes, |store, instance| {
            let policy = instance.openmcp_dns_policy_policy();
            policy.call_validate_hostname(store, &context, domain.as_str(), &claim)
        });
        let answer = answer.and_then(|answer| refused("validate-hostname", answer));
        (answer.map(bindings::verdict), fuel)
    }

    /// The record sets of a claim, and the fuel that the question took.
    ///
    /// # Errors
    /// As [`Policy::name_records`].
    pub fn name_records_with_fuel(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &Claim,
    ) -> (Result<Vec<ProposedRecordSet>, PolicyFailure>, u64) {
        let (context, claim) = (bindings::context(context), bindings::claim(claim));
        let bytes = bindings::context_bytes(&context) + bindings::claim_bytes(&claim);
        let (answer, fuel) = self.ask("name-records", bytes, |store, instance| {
            let policy = instance.openmcp_dns_policy_policy();
            policy.call_name_records(store, &context, domain.as_str(), &claim)
        });
        let answer = answer.and_then(|answer| refused("name-records", answer));
        (answer.map(bindings::record_sets), fuel)
    }

    /// Asks one question of at most the allowed size.
    fn ask<T>(
        &self,
        function: &'static str,
        question_bytes: usize,
        ask: impl FnOnce(&mut Store<State>, &DnsPolicy) -> wasmtime::Result<T>,
    ) -> (Result<T, PolicyFailure>, u64) {
        let limit = self.engine.limits().question_bytes;
        if question_bytes > limit {
            let message =
                format!("{function}: the question has {question_bytes} bytes, at most {limit} are allowed");
            return (Err(PolicyFailure { kind: FailureKind::TooLarge, message }), 0);
        }
        let outcome = call(&self.engine, &self.instantiable, function, ask);
        (outcome.answer, outcome.fuel)
    }
}

impl Policy for Module {
    fn domain_filter(&self, context: &Context) -> Result<String, PolicyFailure> {
        self.domain_filter_with_fuel(context).0
    }

    fn validate_hostname(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &Claim,
    ) -> Result<Verdict, PolicyFailure> {
        self.validate_hostname_with_fuel(context, domain, claim).0
    }

    fn name_records(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &Claim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
        self.name_records_with_fuel(context, domain, claim).0
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine: _, instantiable: _, digest, description } = self;
        f.debug_struct("Module").field("digest", digest).field("description", description).finish()
    }
}

/// A module's own error as a failure of the policy.
fn refused<T>(function: &str, answer: Result<T, String>) -> Result<T, PolicyFailure> {
    answer.map_err(|message| PolicyFailure {
        kind: FailureKind::Refused,
        message: format!("{function}: {}", tidy(message)),
    })
}

/// Makes a module's text fit for a status or a log line: no control characters, at most 256 bytes.
fn tidy(text: String) -> String {
    let mut text: String = text.chars().filter(|character| !character.is_control()).collect();
    text.truncate(text.floor_char_boundary(256));
    text
}
