//! Builds policy modules.
//!
//! ```text
//! sources ──toolchain──► core module ──encode──► component ──stamp──► .wasm
//!    └───────────────── digest ───────────────────────────────┘         │
//!                          └───────────────── check ◄───────────────────┘
//! ```
//!
//! A guest is written in Rust, C, JavaScript or Python ([`Language`]); the tools for the last two make the
//! component themselves. A small module is committed beside its sources, so that nobody needs a
//! WebAssembly toolchain to build the service. The stamp is what keeps the two together: it holds the digest of the sources,
//! and [`check`] compares it with the sources as they are now, without any toolchain.

mod c;
mod compile;
mod component;
mod decisions;
mod error;
mod javascript;
mod language;
mod no_toolchain;
mod purpose;
mod python;
mod rust;
mod search;
mod sources;
mod sources_error;
mod toolchain;

use std::path::{Path, PathBuf};

pub use c::CToolchain;
pub use compile::CompileError;
pub use component::{EncodeError, Stamp};
pub use decisions::{DecisionsError, check_decisions};
pub use error::{BuildError, CheckError};
pub use javascript::JavaScriptToolchain;
pub use language::Language;
pub use no_toolchain::NoToolchain;
pub use purpose::Purpose;
pub use python::PythonToolchain;
pub use rust::RustToolchain;
pub use sources::Sources;
pub use sources_error::SourcesError;
pub use toolchain::Toolchain;

/// Compiles the guest in a folder and makes a stamped component of it. For Rust and C the same sources
/// and the same toolchain give the same bytes.
///
/// A module for debugging is another file: [`module_path()`].
///
/// Takes up to two minutes, during which the tools write their progress to stderr; `say` gets a line
/// before each long step.
///
/// # Errors
/// When the folder is no guest, or when the guest does not compile or does not fit the contract.
pub fn build(
    guest: &Path,
    toolchain: &Toolchain,
    purpose: Purpose,
    say: &dyn Fn(&str),
) -> Result<Vec<u8>, BuildError> {
    let sources = Sources::of(guest)?;
    let mut component = toolchain.compile(guest, sources.contract(), purpose, say)?;
    let stamp = Stamp { sources: sources.digest(), toolchain: toolchain.version().to_owned() };
    component::stamp(&mut component, &stamp);
    Ok(component)
}

/// Checks that a built module belongs to the sources in a folder; gives the module and its stamp.
/// Needs no toolchain.
///
/// # Errors
/// When it does not, or when either cannot be read.
pub fn check(guest: &Path, module: &Path) -> Result<(Vec<u8>, Stamp), CheckError> {
    let expected = Sources::of(guest)?.digest();
    let bytes = std::fs::read(module).map_err(|source| CheckError::Read { path: module.into(), source })?;
    let stamp = Stamp::of(&bytes).ok_or_else(|| CheckError::NotStamped { path: module.into() })?;
    if stamp.sources != expected {
        let found = stamp.sources;
        return Err(CheckError::Stale { path: module.into(), guest: guest.into(), found, expected });
    }
    Ok((bytes, stamp))
}

/// Where the built module of a guest lies: beside its sources, with the folder's name. One for debugging is
/// called `<folder>.debug.wasm`.
///
/// # Errors
/// When the folder does not exist.
pub fn module_path(guest: &Path, purpose: Purpose) -> Result<PathBuf, SourcesError> {
    let failed = |source| SourcesError::Read { path: guest.to_owned(), source };
    let folder = guest.canonicalize().map_err(failed)?;
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(match purpose {
        Purpose::Deciding => ".wasm",
        Purpose::Debugging => ".debug.wasm",
    });
    Ok(guest.join(name))
}

/// The guests in a folder, by name: those of its folders whose language can be told.
///
/// # Errors
/// When the folder cannot be read.
pub fn guests(folder: &Path) -> Result<Vec<PathBuf>, SourcesError> {
    let failed = |source| SourcesError::Read { path: folder.to_owned(), source };
    let mut guests = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // This tool is no guest, though it has a Cargo.toml.
        if Language::of(&path).is_ok() && path.join("vectors").is_dir() {
            guests.push(path);
        }
    }
    guests.sort();
    Ok(guests)
}
