//! From bytes to a module that can decide.

use std::panic::{AssertUnwindSafe, catch_unwind};

use openmcp_dns_core::policy::{LoadReason, PolicyFailure};
use sha2::{Digest, Sha256};
use thiserror::Error;
use wasmtime::component::{Component, Linker};

use crate::call::panic_text;
use crate::engine::Engine;
use crate::inspect::inspect;
use crate::module::{ConfigurationError, Module};
use crate::vectors::{Mismatch, Problem, Suite};

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
    #[error("the module imports {names}; a policy must import nothing (build it without WASI)")]
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

impl Engine {
    /// Makes a module of bytes: checks them, compiles them, asks the module what it is, whether it
    /// accepts `configuration` (JSON text, `{}` for none), and with it the contract's vectors.
    ///
    /// Compiling uses all processors for tens of milliseconds, for a module of megabytes for seconds:
    /// async callers give this to a blocking thread, one module at a time.
    ///
    /// # Errors
    /// Says which of these steps failed, and why. Nothing of the module is left behind.
    pub fn load(&self, bytes: &[u8], configuration: &str) -> Result<Module, LoadError> {
        guarded(|| self.admit(bytes, configuration))
    }

    /// Makes a module of bytes as [`Engine::load`] does, up to where it says what it is: whether it
    /// accepts a configuration and how it answers the vectors is still open.
    ///
    /// For tools that ask a module these questions themselves, to show all answers instead of the first
    /// wrong one. What is to decide comes from [`Engine::load`].
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn compile(&self, bytes: &[u8]) -> Result<Module, LoadError> {
        guarded(|| self.compile_unguarded(bytes))
    }

    fn compile_unguarded(&self, bytes: &[u8]) -> Result<Module, LoadError> {
        let version = inspect(bytes, self)?;
        let refused = |error: wasmtime::Error| LoadError::Compile(format!("{error:#}"));
        let component = Component::from_binary(self.wasmtime(), bytes).map_err(refused)?;
        let linked = Linker::new(self.wasmtime()).instantiate_pre(&component).map_err(refused)?;
        let guest = (version.bind)(linked).map_err(refused)?;
        Module::new(self.clone(), version, guest, digest(bytes))
            .map_err(|source| LoadError::Trial { question: "describe".to_owned(), source })
    }

    fn admit(&self, bytes: &[u8], configuration: &str) -> Result<Module, LoadError> {
        let module = self.compile_unguarded(bytes)?;
        module.check_configuration(configuration).map_err(|error| match error {
            ConfigurationError::Failed { source, .. } => {
                LoadError::Trial { question: "check-configuration".to_owned(), source }
            }
            error => LoadError::Configuration(error),
        })?;
        let suite = Suite::contract().map_err(|error| LoadError::Internal(error.to_string()))?;
        let mismatch = suite.run(&module, configuration).next();
        let Some(Mismatch { vector, problem }) = mismatch else { return Ok(module) };
        let question = format!("\"{vector}\"");
        Err(match problem {
            Problem::Failed(source) => LoadError::Trial { question, source },
            problem => LoadError::Answer { question, problem: problem.to_string() },
        })
    }
}

/// What reads foreign bytes may have bugs; one of them must not end the service.
fn guarded<T>(work: impl FnOnce() -> Result<T, LoadError>) -> Result<T, LoadError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(LoadError::Internal(panic_text(&*panic).to_owned())))
}

/// SHA-256 of a module's bytes as 64 hexadecimal digits, as a DNSPolicy names it.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
