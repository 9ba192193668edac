//! Why a folder is no guest.

use std::path::PathBuf;

use thiserror::Error;

use crate::language::Language;

/// Why a folder is no guest.
#[derive(Debug, Error)]
pub enum SourcesError {
    /// A file that is needed is missing or cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No file says in which language the guest is written.
    #[error(
        "{} is no guest: it has none of {}",
        guest.display(),
        Language::ALL.map(|language| format!("{} ({language})", language.marker())).join(", ")
    )]
    NoLanguage {
        /// The folder.
        guest: PathBuf,
    },
    /// Two languages have their file there.
    #[error(
        "{} is a guest in {first} ({}) and in {second} ({}): keep one of the files",
        guest.display(),
        first.marker(),
        second.marker()
    )]
    TwoLanguages {
        /// The folder.
        guest: PathBuf,
        /// One of them.
        first: Language,
        /// Another one.
        second: Language,
    },
    /// No contract is near.
    #[error("neither {} nor a folder above it has a folder wit with the policy contract (policy.wit)", guest.display())]
    NoContract {
        /// The folder of the guest.
        guest: PathBuf,
    },
}
