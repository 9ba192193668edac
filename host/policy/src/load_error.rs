//! Why a module is not used.

use openmcp_dns_core::policy::{LoadReason, PolicyFailure};
use thiserror::Error;

use crate::module::ConfigurationError;

/// Why a module is not used.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Something of it is larger than allowed.
    #[error("the module has {found} {what}, at most {limit} are allowed")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much the module has.
        found: u64,
        /// How much is allowed.
        limit: u64,
    },
    /// There are too many bytes; nobody has counted them all.
    #[error("the module has more than {limit} bytes")]
    TooManyBytes {
        /// How many are allowed.
        limit: usize,
    },
    /// The bytes are something else.
    #[error("a WebAssembly component is needed, this is {found}")]
    NotAComponent {
        /// What they are.
        found: &'static str,
    },
    /// The bytes start like a component, but are none.
    #[error("the module is damaged, or no valid WebAssembly: {0}")]
    Malformed(String),
    /// The module wants something of the host.
    #[error(
        "the module imports {names}; a policy must import nothing (build it without WASI, and not for debugging)"
    )]
    Imports {
        /// The names of the imports.
        names: String,
    },
    /// The module does not fit the contract.
    #[error("the module does not fit the contract: {0}")]
    Contract(String),
    /// The engine refused to compile it.
    #[error("failed to compile the module: {0}")]
    Compile(String),
    /// The module failed at a first question.
    #[error("the module failed at {question}")]
    Trial {
        /// Which question: `describe`, `check-configuration`, or a vector of the contract.
        question: String,
        /// How it failed.
        source: PolicyFailure,
    },
    /// The module answered a first question as the contract does not permit.
    #[error("the module's answer to {question} does not fit the contract: {problem}")]
    Answer {
        /// Which vector of the contract.
        question: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// The module refuses its configuration.
    #[error(transparent)]
    Configuration(ConfigurationError),
    /// The host failed; a bug of ours.
    #[error("the host failed while it loaded the module: {0}")]
    Internal(String),
}

impl LoadError {
    /// The reason without its details.
    #[must_use]
    pub const fn reason(&self) -> LoadReason {
        match self {
            Self::TooLarge { .. } | Self::TooManyBytes { .. } => LoadReason::TooLarge,
            Self::NotAComponent { .. } | Self::Malformed(_) => LoadReason::NotAComponent,
            Self::Imports { .. } => LoadReason::Imports,
            Self::Contract(_) => LoadReason::Contract,
            Self::Compile(_) => LoadReason::Compile,
            Self::Trial { .. } => LoadReason::Trial,
            Self::Answer { .. } => LoadReason::Answer,
            Self::Configuration(_) => LoadReason::Configuration,
            Self::Internal(_) => LoadReason::Internal,
        }
    }
}
