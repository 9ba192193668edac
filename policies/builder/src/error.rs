//! Why a module is not built, or is not what was built of its sources.

use std::path::PathBuf;

use thiserror::Error;

use crate::compile::CompileError;
use crate::component::EncodeError;
use crate::sources_error::SourcesError;

/// Why a module was not built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The sources are not complete.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// The compiler refused the guest.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The compiled guest does not fit the contract.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Why a built module does not belong to its sources.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The sources are not complete.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// The module cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The module was not made by this tool.
    #[error("{} does not say which sources it was built from; build it with `openmcp-dns-policy-builder build`", path.display())]
    NotStamped {
        /// Which file.
        path: PathBuf,
    },
    /// The sources changed after the module was built.
    #[error(
        "{} was built from other sources than those in {} (built from {found}, now {expected}); run `cargo run -p openmcp-dns-policy-builder -- build {}` and commit both",
        path.display(),
        guest.display(),
        guest.display()
    )]
    Stale {
        /// Which file.
        path: PathBuf,
        /// The folder of the guest.
        guest: PathBuf,
        /// Digest in the module.
        found: String,
        /// Digest of the sources.
        expected: String,
    },
}
