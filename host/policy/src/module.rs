//! A module that can decide.

use std::fmt;
use std::sync::Arc;

use openmcp_dns_core::details::Detail;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{
    CheckedClaim, Context, FailureKind, Policy, PolicyFailure, ProposedRecordSet, Verdict,
};
use thiserror::Error;

use crate::bindings::{Guest, Introduction, Version};
use crate::call::{Caller, Outcome};
use crate::engine::Engine;
use crate::limits::CONFIGURATION_BYTES;
use crate::question::{claim_bytes, context_bytes};

/// A loaded module: compiled, tried, ready to decide. Cheap to clone, and usable from many threads at
/// once.
#[derive(Clone)]
pub struct Module {
    caller: Caller,
    version: &'static Version,
    guest: Arc<dyn Guest>,
    digest: String,
    description: Description,
    details: Vec<Detail>,
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

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, version, summary: _ } = self;
        write!(f, "{name} {version}")
    }
}

/// Why a configuration is not used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
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
    /// Asks a compiled module what it is, twice.
    pub(crate) fn new(
        engine: Engine,
        version: &'static Version,
        guest: Arc<dyn Guest>,
        digest: String,
    ) -> Result<Self, PolicyFailure> {
        let caller = Caller::new(engine);
        let first = guest.describe(&caller);
        if guest.describe(&caller) != first {
            return Err(PolicyFailure::new(
                FailureKind::InvalidAnswer,
                "describe does not give the same answer to the same question",
            ));
        }
        let Introduction { description: Description { name, version: number, summary }, details } =
            first.answer?;
        let description = Description { name: tidy(name), version: tidy(number), summary: tidy(summary) };
        Ok(Self { caller, version, guest, digest, description, details })
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

    /// The version of the contract in which the module is asked, for example `0.1.0`: the service's own
    /// number of it, where the module's is another one that fits.
    #[must_use]
    pub fn contract_version(&self) -> &'static str {
        self.version.number
    }

    /// Asks the module whether it accepts a configuration, as [`Engine::load`] has done for the first.
    ///
    /// # Errors
    /// When the module refuses it, with the module's own words, or fails.
    pub fn check_configuration(&self, configuration: &str) -> Result<(), ConfigurationError> {
        self.check_configuration_with_fuel(configuration).0
    }

    /// As [`Module::check_configuration`], with the fuel that the question took.
    ///
    /// # Errors
    /// As [`Module::check_configuration`].
    pub fn check_configuration_with_fuel(
        &self,
        configuration: &str,
    ) -> (Result<(), ConfigurationError>, u64) {
        if configuration.len() > CONFIGURATION_BYTES {
            return (Err(ConfigurationError::TooLarge { found: configuration.len() }), 0);
        }
        let Outcome { answer, fuel } = self.guest.check_configuration(&self.caller, configuration);
        let module = || self.description.name.clone();
        let answer = match answer {
            Ok(Ok(())) => Ok(()),
            Ok(Err(message)) => Err(ConfigurationError::Refused { module: module(), message: tidy(message) }),
            Err(source) => Err(ConfigurationError::Failed { module: module(), source }),
        };
        (answer, fuel)
    }

    /// The cluster's domain, and the fuel that the question took.
    ///
    /// # Errors
    /// As [`Policy::domain_filter`].
    pub fn domain_filter_with_fuel(&self, context: &Context) -> (Result<String, PolicyFailure>, u64) {
        self.ask("domain-filter", context_bytes(context), |guest| guest.domain_filter(&self.caller, context))
    }

    /// The verdict on a claim, and the fuel that the question took.
    ///
    /// # Errors
    /// As [`Policy::validate_hostname`].
    pub fn validate_hostname_with_fuel(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &CheckedClaim,
    ) -> (Result<Verdict, PolicyFailure>, u64) {
        self.ask("validate-hostname", context_bytes(context) + claim_bytes(claim), |guest| {
            guest.validate_hostname(&self.caller, context, domain, claim)
        })
    }

    /// The record sets of a claim, and the fuel that the question took.
    ///
    /// # Errors
    /// As [`Policy::name_records`].
    pub fn name_records_with_fuel(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &CheckedClaim,
    ) -> (Result<Vec<ProposedRecordSet>, PolicyFailure>, u64) {
        self.ask("name-records", context_bytes(context) + claim_bytes(claim), |guest| {
            guest.name_records(&self.caller, context, domain, claim)
        })
    }

    /// Asks one question of at most the allowed size.
    fn ask<T>(
        &self,
        function: &str,
        question_bytes: usize,
        ask: impl FnOnce(&dyn Guest) -> Outcome<Result<T, String>>,
    ) -> (Result<T, PolicyFailure>, u64) {
        let limit = self.caller.limits().question_bytes;
        if question_bytes > limit {
            let message =
                format!("{function}: the question has {question_bytes} bytes, at most {limit} are allowed");
            return (Err(PolicyFailure::new(FailureKind::TooLarge, message)), 0);
        }
        let Outcome { answer, fuel } = ask(&*self.guest);
        (answer.and_then(|answer| refused(function, answer)), fuel)
    }
}

impl Policy for Module {
    fn details(&self) -> &[Detail] {
        &self.details
    }

    fn domain_filter(&self, context: &Context) -> Result<String, PolicyFailure> {
        self.domain_filter_with_fuel(context).0
    }

    fn validate_hostname(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Verdict, PolicyFailure> {
        self.validate_hostname_with_fuel(context, domain, claim).0
    }

    fn name_records(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
        self.name_records_with_fuel(context, domain, claim).0
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { caller: _, guest: _, version, digest, description, details } = self;
        f.debug_struct("Module")
            .field("contract_version", &version.number)
            .field("digest", digest)
            .field("description", description)
            .field("details", details)
            .finish()
    }
}

/// A module's own error as a failure of the policy.
fn refused<T>(function: &str, answer: Result<T, String>) -> Result<T, PolicyFailure> {
    answer
        .map_err(|message| PolicyFailure::new(FailureKind::Refused, format!("{function}: {}", tidy(message))))
}

/// Makes a module's text fit for a status or a log line: no control characters, at most 256 bytes.
fn tidy(text: String) -> String {
    let mut text: String = text.chars().filter(|character| !character.is_control()).collect();
    text.truncate(text.floor_char_boundary(256));
    text
}
