//! From bytes to a module that can decide.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, Linker};

use crate::call::panic_text;
use crate::debugging;
use crate::engine::Engine;
use crate::inspect::inspect;
use crate::load_error::LoadError;
use crate::module::{ConfigurationError, Module};
use crate::vectors::{Mismatch, Problem, Suite};

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
        guarded(|| {
            let module = self.compile_unguarded(bytes)?;
            ask(&module, configuration)?;
            Ok(module)
        })
    }

    /// Does with a compiled module what [`Engine::load`] does beyond that: asks whether it accepts
    /// `configuration`, and with it the contract's vectors.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn admit(&self, module: &Module, configuration: &str) -> Result<(), LoadError> {
        guarded(|| ask(module, configuration))
    }

    /// Makes a module of bytes as [`Engine::load`] does, up to where it says what it is: whether it
    /// accepts a configuration and how it answers the vectors is still open.
    ///
    /// For tools that ask a module these questions themselves, to show all answers instead of the first
    /// wrong one, and for who keeps what is compiled. What is to decide comes from [`Engine::load`] or has passed
    /// [`Engine::admit`].
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
        let mut linker = Linker::new(self.wasmtime());
        if self.is_debugging() {
            debugging::link(&mut linker).map_err(refused)?;
        }
        let linked = linker.instantiate_pre(&component).map_err(refused)?;
        let guest = (version.bind)(linked).map_err(refused)?;
        Module::new(self.clone(), version, guest, digest(bytes))
            .map_err(|source| LoadError::Trial { question: "describe".to_owned(), source })
    }
}

fn ask(module: &Module, configuration: &str) -> Result<(), LoadError> {
    module.check_configuration(configuration).map_err(|error| match error {
        ConfigurationError::Failed { source, .. } => {
            LoadError::Trial { question: "check-configuration".to_owned(), source }
        }
        error => LoadError::Configuration(error),
    })?;
    let suite = Suite::contract().map_err(|error| LoadError::Internal(error.to_string()))?;
    let mismatch = suite.run(module, configuration).next();
    let Some(Mismatch { vector, problem }) = mismatch else { return Ok(()) };
    let question = format!("\"{vector}\"");
    Err(match problem {
        Problem::Failed(source) => LoadError::Trial { question, source },
        problem => LoadError::Answer { question, problem: problem.to_string() },
    })
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
