//! Asks a module the questions of the vectors.

use std::fmt;

use openmcp_dns_core::decide::{AllowedNames, Decision, cluster_domain, decide};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{
    CheckedClaim, Context, FailureKind, Policy, PolicyFailure, ProposedRecordSet, Verdict,
};
use openmcp_dns_core::record::lines;
use openmcp_dns_core::ttl::TtlBounds;
use thiserror::Error;

use super::{ClaimOf, Expected, Suite, Vector};
use crate::module::{ConfigurationError, Module};

/// A vector that does not hold.
#[derive(Debug, Error)]
#[error("vector \"{vector}\"")]
pub struct Mismatch {
    /// Name of the vector.
    pub vector: String,
    /// What is wrong.
    #[source]
    pub problem: Problem,
}

/// What is wrong with an answer.
#[derive(Debug, Error)]
pub enum Problem {
    /// There is none.
    #[error(transparent)]
    Failed(PolicyFailure),
    /// The contract does not permit it.
    #[error("the contract does not permit the answer: {0}")]
    NotPermitted(String),
    /// The vector expects another one.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What the vector expects.
        expected: Answered,
        /// What the module answered.
        found: Answered,
    },
}

/// An answer in words; record sets each on its own, so that two answers can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Record sets as lines: name, time to live, type, values. Sorted.
    Records(Vec<String>),
    /// Anything else.
    Other(String),
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(lines) => write!(f, "records {lines:?}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl Suite {
    /// Asks a module, vector by vector as the result is read; gives those that do not hold.
    /// `configuration` (JSON text) is for the vectors that name none.
    pub fn run<'a>(
        &'a self,
        module: &'a Module,
        configuration: &'a str,
    ) -> impl Iterator<Item = Mismatch> + 'a {
        self.results(module, configuration).filter_map(|(vector, result)| {
            let problem = result.err()?;
            Some(Mismatch { vector: vector.to_owned(), problem })
        })
    }

    /// As [`Suite::run`], but gives every vector by its name with how it went.
    pub fn results<'a>(
        &'a self,
        module: &'a Module,
        configuration: &'a str,
    ) -> impl Iterator<Item = (&'a str, Result<(), Problem>)> + 'a {
        self.vectors.iter().map(move |vector| (vector.name.as_str(), vector.run(module, configuration)))
    }
}

/// What a module made of a question.
enum Answer {
    ConfigurationError(String),
    DomainError(String),
    Domain(HostName),
    /// The claim's name is none with this module's domain.
    NoName,
    Refused(PolicyFailure),
    Decision(Decision),
}

impl Vector {
    fn run(&self, module: &Module, configuration: &str) -> Result<(), Problem> {
        let answer = self.ask(module, configuration)?;
        if self.expected.is_met_by(&answer) {
            return Ok(());
        }
        Err(Problem::Unexpected { expected: self.expected.in_words(), found: answer.in_words() })
    }

    fn ask(&self, module: &Module, configuration: &str) -> Result<Answer, Problem> {
        let configuration = self.configuration.as_deref().unwrap_or(configuration);
        let checked = same_twice("check-configuration", || {
            let (answer, fuel) = module.check_configuration_with_fuel(configuration);
            match answer {
                Err(ConfigurationError::Failed { source, .. }) => (Err(source), fuel),
                answer => (Ok(answer), fuel),
            }
        })?;
        match checked {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Ok(Answer::ConfigurationError(error.to_string())),
            Err(failure) => return Err(Problem::Failed(failure)),
        }
        let context = Context {
            base_domain: self.base_domain.clone(),
            cluster: self.cluster.clone(),
            configuration: configuration.to_owned(),
            shared_names: self.shared_names.clone(),
            shared_suffixes: self.shared_suffixes.clone(),
        };
        let domain = match same_twice("domain-filter", || module.domain_filter_with_fuel(&context))? {
            Ok(domain) => domain,
            Err(failure) => return Ok(Answer::DomainError(failure.message)),
        };
        let answers = Answers { domain, ..Answers::default() };
        let domain =
            cluster_domain(&answers, &context).map_err(|failure| Problem::NotPermitted(failure.message))?;
        match &self.claim {
            None => Ok(Answer::Domain(domain)),
            Some(claim) => ask_claim(module, &context, domain, claim, answers),
        }
    }
}

fn ask_claim(
    module: &Module,
    context: &Context,
    domain: HostName,
    claim: &ClaimOf,
    mut answers: Answers,
) -> Result<Answer, Problem> {
    let asked = claim.asked_in(&domain, module.details());
    let Ok(host_name) = asked.claim.host_name.parse::<HostName>() else {
        return Ok(Answer::NoName);
    };
    let claim = CheckedClaim {
        host_name,
        source: asked.source.clone(),
        labels: asked.labels.clone(),
        targets: asked.claim.targets.clone(),
        details: asked.details.clone(),
        published_names: asked.published_names.unwrap_or_default(),
    };
    let verdict =
        same_twice("validate-hostname", || module.validate_hostname_with_fuel(context, &domain, &claim))?;
    answers.verdict = match verdict {
        Ok(Verdict::Deny(denial)) => {
            if !is_code(&denial.code) {
                let why = format!("the code {:?} is not 1 to 63 bytes of [a-z0-9-]", denial.code);
                return Err(Problem::NotPermitted(why));
            }
            // The host would give its own reasons first; a vector wants the module's.
            return Ok(Answer::Decision(Decision::Deny(denial)));
        }
        Ok(allow) => allow,
        Err(failure) => return Ok(Answer::Refused(failure)),
    };
    let records = same_twice("name-records", || module.name_records_with_fuel(context, &domain, &claim))?;
    answers.records = match records {
        Ok(records) => records,
        Err(failure) => return Ok(Answer::Refused(failure)),
    };
    let allowed = AllowedNames::of(context, domain, true, TtlBounds::default());
    match decide(&answers, context, &allowed, &asked) {
        Decision::Undecided(failure) => Err(Problem::NotPermitted(failure.message)),
        decision => Ok(Answer::Decision(decision)),
    }
}

/// What a module answered, for the host's checks: they need not ask again.
struct Answers {
    domain: String,
    verdict: Verdict,
    records: Vec<ProposedRecordSet>,
}

impl Default for Answers {
    fn default() -> Self {
        Self { domain: String::new(), verdict: Verdict::Allow, records: Vec::new() }
    }
}

impl Policy for Answers {
    fn domain_filter(&self, _: &Context) -> Result<String, PolicyFailure> {
        Ok(self.domain.clone())
    }

    fn validate_hostname(
        &self,
        _: &Context,
        _: &HostName,
        _: &CheckedClaim,
    ) -> Result<Verdict, PolicyFailure> {
        Ok(self.verdict.clone())
    }

    fn name_records(
        &self,
        _: &Context,
        _: &HostName,
        _: &CheckedClaim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
        Ok(self.records.clone())
    }
}

/// Asks twice; the same question must give the same answer for the same fuel. The inner error is
/// one that the module itself gives, which the contract permits.
fn same_twice<T: PartialEq>(
    function: &str,
    ask: impl Fn() -> (Result<T, PolicyFailure>, u64),
) -> Result<Result<T, PolicyFailure>, Problem> {
    let first = ask();
    if let (Err(failure), _) = &first
        && failure.kind != FailureKind::Refused
    {
        return Err(Problem::Failed(failure.clone()));
    }
    if ask() != first {
        let why = format!("{function} does not give the same answer to the same question");
        return Err(Problem::NotPermitted(why));
    }
    Ok(first.0)
}

fn is_code(code: &str) -> bool {
    (1..=63).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

impl Expected {
    fn is_met_by(&self, answer: &Answer) -> bool {
        match (self, answer) {
            // A configuration that only a vector names is part of what it expects.
            (Self::Any, _) => true,
            (Self::ConfigurationError(text), Answer::ConfigurationError(found)) => found.contains(text),
            (Self::DomainError(text), Answer::DomainError(found)) => found.contains(text),
            (Self::Domain(expected), Answer::Domain(found)) => expected == found.as_str(),
            (Self::Denial { code, message }, Answer::Decision(Decision::Deny(found))) => {
                *code == found.code && found.message.contains(message)
            }
            (Self::Records(expected), Answer::Decision(Decision::Publish(found))) => {
                *expected == lines(found)
            }
            _ => false,
        }
    }
}

impl Expected {
    fn in_words(&self) -> Answered {
        Answered::Other(match self {
            Self::Any => "any answer".to_owned(),
            Self::ConfigurationError(text) => format!("the configuration to be refused with {text:?}"),
            Self::Domain(domain) => format!("domain {domain}"),
            Self::DomainError(text) => format!("no domain, with {text:?}"),
            Self::Denial { code, message } => format!("denial {code} with {message:?}"),
            Self::Records(lines) => return Answered::Records(lines.clone()),
        })
    }
}

impl Answer {
    fn in_words(&self) -> Answered {
        Answered::Other(match self {
            Self::ConfigurationError(message) | Self::DomainError(message) => format!("{message:?}"),
            Self::Domain(domain) => format!("domain {domain}"),
            Self::NoName => "a host name that is none with the module's domain".to_owned(),
            Self::Refused(failure) | Self::Decision(Decision::Undecided(failure)) => failure.to_string(),
            Self::Decision(Decision::Deny(denial)) => format!("denial {}: {}", denial.code, denial.message),
            Self::Decision(Decision::Publish(sets)) => return Answered::Records(lines(sets)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    type Once = (Result<&'static str, PolicyFailure>, u64);

    /// Asks what answers as told, one answer after the other.
    fn ask(answers: [Once; 2]) -> Result<Result<&'static str, PolicyFailure>, Problem> {
        let asked = Cell::new(0);
        let result = same_twice("a-question", || {
            asked.set(asked.get() + 1);
            answers[asked.get() - 1].clone()
        });
        assert!(asked.get() == 2 || matches!(result, Err(Problem::Failed(_))), "asked {} times", asked.get());
        result
    }

    fn failure(kind: FailureKind) -> PolicyFailure {
        PolicyFailure::new(kind, "why")
    }

    #[test]
    fn the_same_answer_for_the_same_fuel_is_taken() {
        assert!(matches!(ask([(Ok("a"), 7), (Ok("a"), 7)]), Ok(Ok("a"))));
        let refused = failure(FailureKind::Refused);
        let result = ask([(Err(refused.clone()), 7), (Err(refused.clone()), 7)]);
        assert!(matches!(result, Ok(Err(error)) if error == refused));
    }

    #[test]
    fn an_answer_fuel_or_failure_that_differs_the_second_time_is_not_permitted() {
        for second in [
            (Ok("b"), 7),
            (Ok("a"), 8),
            (Err(failure(FailureKind::Refused)), 7),
            (Err(failure(FailureKind::Trap)), 7),
        ] {
            match ask([(Ok("a"), 7), second.clone()]) {
                Err(Problem::NotPermitted(why)) => {
                    assert!(why.starts_with("a-question does not give"), "{why}")
                }
                other => panic!("{second:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_failure_that_is_not_the_modules_own_error_counts_at_once() {
        let result = ask([(Err(failure(FailureKind::Trap)), 7), (Ok("a"), 7)]);
        assert!(matches!(result, Err(Problem::Failed(failure)) if failure.kind == FailureKind::Trap));
    }
}
