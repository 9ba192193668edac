//! Vectors: questions to a module, and what its answers must be like.
//!
//! ```text
//! vectors/*.yaml ──parse──► Suite ──run──► Module ──► Mismatch, for each vector that does not hold
//! ```
//!
//! The contract's own vectors (`wit/vectors`) ask what every module must be able to answer and
//! expect nothing in particular; the contract's rules are checked on every answer. A module's
//! vectors (`policies/*/vectors`) say which answers they expect as well.

mod file;
mod run;

use std::sync::Arc;

use openmcp_dns_core::cluster::ClusterFacts;
use openmcp_dns_core::cluster::SourceRef;
use openmcp_dns_core::details::{AskedClaim, Detail, Details, PublishedNames};
use openmcp_dns_core::labels::Labels;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::resolve::Claim;
use thiserror::Error;

pub use run::{Answered, Mismatch, Problem};

/// The contract's vectors, by the name of their file.
const CONTRACT: [(&str, &str); 3] = [
    ("clusters.yaml", include_str!("../../../../wit/vectors/clusters.yaml")),
    ("host-names.yaml", include_str!("../../../../wit/vectors/host-names.yaml")),
    ("targets.yaml", include_str!("../../../../wit/vectors/targets.yaml")),
];

/// Stands in a claim's host name for the domain that the module gives to the cluster.
const DOMAIN: &str = "{domain}";

/// Vectors in their order.
#[derive(Clone, Debug)]
pub struct Suite {
    vectors: Vec<Vector>,
}

/// A text that holds no vectors.
#[derive(Debug, Error)]
#[error("failed to read the vectors: {0}")]
pub struct SuiteError(String);

#[derive(Clone, Debug)]
struct Vector {
    name: String,
    base_domain: HostName,
    cluster: ClusterFacts,
    /// JSON text; what the caller configures when it is not given.
    configuration: Option<String>,
    shared_names: Vec<HostName>,
    shared_suffixes: Vec<HostName>,
    claim: Option<ClaimOf>,
    expected: Expected,
}

/// A claim as a vector has it: its host name may hold `{domain}` for the cluster's domain.
#[derive(Clone, Debug)]
pub struct ClaimOf {
    host_name: String,
    /// The object that asks.
    pub source: SourceRef,
    /// Labels of the object.
    pub labels: Labels,
    /// Where the name is to lead.
    pub targets: Vec<String>,
    /// What a module is told of it where it asks for that.
    pub details: Details,
    /// How many names are published already.
    pub published_names: PublishedNames,
}

impl ClaimOf {
    /// Reads a claim in YAML, as it stands under `claim` of a vector.
    ///
    /// # Errors
    /// Says what is wrong, and where.
    pub fn parse(yaml: &str) -> Result<Self, SuiteError> {
        file::parse_claim(yaml).map_err(SuiteError)
    }

    /// The claim in a cluster of this domain, for a module that asks for these details.
    #[must_use]
    pub fn asked_in(&self, domain: &HostName, wanted: &[Detail]) -> AskedClaim {
        let Self { host_name: _, source, labels, targets, details, published_names } = self.clone();
        let claim = Claim { host_name: self.host_name_in(domain), targets, ttl_seconds: None };
        let published_names = wanted.contains(&Detail::PublishedNames).then_some(published_names);
        let details = (!wanted.is_empty()).then(|| Arc::new(details.only(wanted)));
        AskedClaim { source, labels, claim, details, published_names }
    }

    /// The host name for a cluster of this domain. It has not been checked.
    #[must_use]
    pub fn host_name_in(&self, domain: &HostName) -> String {
        self.host_name.replace(DOMAIN, domain.as_str())
    }
}

#[derive(Clone, Debug)]
enum Expected {
    /// Any answer that the contract permits.
    Any,
    /// The configuration is refused with a message that holds this text.
    ConfigurationError(String),
    /// This domain.
    Domain(String),
    /// No domain, with a message that holds this text.
    DomainError(String),
    /// A denial with this code, and a message that holds this text.
    Denial { code: String, message: String },
    /// These record sets as lines, sorted.
    Records(Vec<String>),
}

impl Suite {
    /// The contract's vectors, which [`crate::Engine::load`] runs on every module.
    ///
    /// # Errors
    /// Never, unless they were damaged: a test reads them.
    pub fn contract() -> Result<Self, SuiteError> {
        let mut vectors = Vec::new();
        for (file, text) in CONTRACT {
            let suite = Self::parse(text).map_err(|SuiteError(why)| SuiteError(format!("{file}: {why}")))?;
            vectors.extend(suite.vectors);
        }
        Ok(Self { vectors })
    }

    /// Reads vectors in YAML; `wit/vectors/README.md` says how they are written.
    ///
    /// # Errors
    /// Says what is wrong, and where.
    pub fn parse(yaml: &str) -> Result<Self, SuiteError> {
        file::parse(yaml).map(|vectors| Self { vectors }).map_err(SuiteError)
    }

    /// How many vectors there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.vectors.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.vectors.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_vectors_can_be_read_and_no_file_is_left_out() {
        assert!(Suite::contract().unwrap().len() > 10);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/vectors");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".yaml"))
            .collect();
        files.sort();
        assert_eq!(files, CONTRACT.map(|(file, _)| file));
    }

    #[test]
    fn a_vector_that_means_nothing_is_refused_with_its_name() {
        for (yaml, why) in [
            ("vectors: []", "no vectors"),
            ("vectors: [{name: a, expect: {domain: x, domainError: y}}]", "a: it expects several things"),
            (
                "vectors: [{name: a, expect: {records: []}}]",
                "a: it expects an answer to a claim, but has none",
            ),
            ("vectors: [{name: a, hostname: b}]", "hostname"),
            ("vectors: [{name: a, claim: {hostName: b, kind: Pod}}]", "Pod"),
        ] {
            let error = Suite::parse(yaml).unwrap_err().to_string();
            assert!(error.contains(why), "{yaml}: {error}");
        }
    }
}
