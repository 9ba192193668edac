//! Compiles a guest to a core module.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use thiserror::Error;

use crate::toolchain::{TARGET, Toolchain};

/// Why a guest was not compiled.
#[derive(Debug, Error)]
pub enum CompileError {
    /// Cargo could not be started.
    #[error("failed to start cargo")]
    Start(#[source] std::io::Error),
    /// The compiler refused the guest; it said why on stderr.
    #[error("failed to compile the guest in {} ({status}); the compiler's messages are above", guest.display())]
    Failed {
        /// The folder of the guest.
        guest: PathBuf,
        /// How cargo ended.
        status: ExitStatus,
    },
    /// The guest is no library of the kind that makes one WebAssembly module.
    #[error(
        "{} holds {found} WebAssembly modules instead of one; does the guest's Cargo.toml say `crate-type = [\"cdylib\"]`?",
        folder.display()
    )]
    NotOneModule {
        /// Where cargo writes them.
        folder: PathBuf,
        /// How many are there.
        found: usize,
    },
    /// The compiled module cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Compiles the guest in a folder; gives the core module's bytes.
pub(crate) fn compile(guest: &Path, toolchain: &Toolchain) -> Result<Vec<u8>, CompileError> {
    let target_folder = guest.join("target");
    let status = toolchain
        .cargo_build()
        // Cargo reads the guest's .cargo/config.toml from the folder it runs in.
        .current_dir(guest)
        .args(["--target-dir", "target"])
        .status()
        .map_err(CompileError::Start)?;
    if !status.success() {
        return Err(CompileError::Failed { guest: guest.into(), status });
    }
    let folder = target_folder.join(TARGET).join("release");
    let failed = |path: &Path, source| CompileError::Read { path: path.into(), source };
    let entries = std::fs::read_dir(&folder).map_err(|source| failed(&folder, source))?;
    let modules: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .collect();
    match &modules[..] {
        [module] => std::fs::read(module).map_err(|source| failed(module, source)),
        _ => Err(CompileError::NotOneModule { folder, found: modules.len() }),
    }
}
