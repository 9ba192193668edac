//! From the folder of a guest to the file of a module.

use std::path::{Path, PathBuf};

use openmcp_dns_policy::digest;
use openmcp_dns_policy_builder::{
    self as builder, BuildError, Language, NoToolchain, Purpose, SourcesError, Toolchain,
};
use thiserror::Error;

/// Why nothing can be built.
#[derive(Debug, Error)]
pub enum GuestError {
    /// The folder is no guest.
    #[error("{} is no guest", folder.display())]
    NoGuest {
        /// Which folder.
        folder: PathBuf,
        /// Why.
        source: SourcesError,
    },
    /// It cannot be said where the module belongs.
    #[error(transparent)]
    Place(SourcesError),
    /// A guest of this language cannot be built for debugging.
    #[error("a guest in {language} has no debug build")]
    NoDebugBuild {
        /// Its language.
        language: Language,
    },
    /// Nothing on this machine compiles it.
    #[error(transparent)]
    NoToolchain(#[from] NoToolchain),
}

/// Why a module was not written.
#[derive(Debug, Error)]
pub enum ModuleError {
    /// The guest does not become a module.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The file cannot be written.
    #[error("failed to write {}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A guest that can be compiled on this machine.
#[derive(Debug)]
pub struct Guest {
    folder: PathBuf,
    /// Where the module is written.
    pub out: PathBuf,
    /// The language of the guest.
    pub language: Language,
    purpose: Purpose,
    toolchain: Toolchain,
}

/// A module that was written.
#[derive(Debug)]
pub struct Built {
    /// Its size.
    pub bytes: usize,
    /// Its SHA-256 as 64 hexadecimal digits.
    pub sha256: String,
}

impl Guest {
    /// Looks at the sources in a folder, and for what compiles them. Without `out`, the module goes into the
    /// folder, by its name.
    ///
    /// # Errors
    /// When the folder is no guest, or nothing compiles it.
    pub fn find(folder: &Path, purpose: Purpose, out: Option<&Path>) -> Result<Self, GuestError> {
        let sources = builder::Sources::of(folder)
            .map_err(|source| GuestError::NoGuest { folder: folder.to_owned(), source })?;
        let out = match out {
            Some(out) => out.to_owned(),
            None => builder::module_path(folder, purpose).map_err(GuestError::Place)?,
        };
        let language = sources.language();
        if purpose == Purpose::Debugging && language.has_runtime() {
            return Err(GuestError::NoDebugBuild { language });
        }
        Ok(Self { folder: folder.to_owned(), out, language, purpose, toolchain: Toolchain::find(language)? })
    }

    /// What compiles it, in the compiler's own words.
    #[must_use]
    pub fn compiler(&self) -> &str {
        self.toolchain.version()
    }

    /// Compiles the guest, makes a component of it, stamps it with the digest of its sources, and writes it.
    /// `say` is told each step that takes long.
    ///
    /// # Errors
    /// When it does not become a module, or cannot be written.
    pub fn build(&self, say: &dyn Fn(&str)) -> Result<Built, ModuleError> {
        let module = builder::build(&self.folder, &self.toolchain, self.purpose, say)?;
        std::fs::write(&self.out, &module)
            .map_err(|source| ModuleError::Write { path: self.out.clone(), source })?;
        Ok(Built { bytes: module.len(), sha256: digest(&module) })
    }
}
