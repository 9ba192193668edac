//! Loads a built module as the service does, and asks it its own vectors.

use std::path::{Path, PathBuf};

use openmcp_dns_policy::vectors::{Mismatch, Suite, SuiteError};
use openmcp_dns_policy::{Engine, EngineError, LoadError};
use thiserror::Error;

use crate::language::Language;
use crate::sources_error::SourcesError;

/// Why a built module is not what its author says.
#[derive(Debug, Error)]
pub enum DecisionsError {
    /// The folder is no guest.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// There is no engine to run it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The service would not use it.
    #[error("failed to load the module")]
    Load(#[from] LoadError),
    /// The vectors cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds no vectors.
    #[error("{}", path.display())]
    Suite {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: SuiteError,
    },
    /// A vector does not hold.
    #[error("{}", path.display())]
    Mismatch {
        /// Which file.
        path: PathBuf,
        /// Which vector, and why.
        source: Mismatch,
    },
}

/// Loads a module, which asks it the contract's vectors, and then asks those in the folder `vectors`
/// of its guest, where there is one. Gives their number. The limits are the service's, or for a guest that
/// brings the runtime of its language along [`Limits::for_language_runtimes`].
///
/// [`Limits::for_language_runtimes`]: openmcp_dns_policy::Limits::for_language_runtimes
///
/// # Errors
/// With the first vector that does not hold.
pub fn check_decisions(guest: &Path, module: &[u8]) -> Result<usize, DecisionsError> {
    let module = Engine::new(Language::of(guest)?.limits())?.load(module, "{}")?;
    let mut count = Suite::contract()
        .map_err(|source| DecisionsError::Suite { path: "the contract".into(), source })?
        .len();
    for path in files(&guest.join("vectors"))? {
        let text = std::fs::read_to_string(&path)
            .map_err(|source| DecisionsError::Read { path: path.clone(), source })?;
        let suite =
            Suite::parse(&text).map_err(|source| DecisionsError::Suite { path: path.clone(), source })?;
        if let Some(source) = suite.run(&module, "{}").next() {
            return Err(DecisionsError::Mismatch { path, source });
        }
        count += suite.len();
    }
    Ok(count)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, DecisionsError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |source| DecisionsError::Read { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
