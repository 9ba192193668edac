//! What compiling has in common in every language: a program of another's runs, and leaves a file.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use thiserror::Error;

/// The machine that guests are compiled for: nothing but WebAssembly, so that a guest imports nothing.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Why a guest was not compiled.
#[derive(Debug, Error)]
pub enum CompileError {
    /// A program could not be started.
    #[error("failed to start `{program}`")]
    Start {
        /// Which.
        program: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The compiler refused the guest; it said why on stderr.
    #[error("`{program}` failed in {} ({status}); its messages are above", guest.display())]
    Failed {
        /// The folder of the guest.
        guest: PathBuf,
        /// Which program.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
    },
    /// What the guest is compiled with cannot be had; the package manager said why on stderr.
    #[error(
        "`{program}` could not install what {} names ({status}); its messages are above, and it needs its package registry",
        pins.display()
    )]
    NotInstalled {
        /// The file with the pinned versions.
        pins: PathBuf,
        /// Which program.
        program: &'static str,
        /// How it ended.
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
    /// The compiled module, or a source, cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file for the compiler cannot be written.
    #[error("failed to write {}", path.display())]
    Write {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Runs a compiler to its end. What it says goes to stderr: stdout is for what a command is asked for.
pub(crate) fn run(command: Command, program: &'static str, guest: &Path) -> Result<(), CompileError> {
    let status = status(command, program)?;
    if status.success() {
        return Ok(());
    }
    Err(CompileError::Failed { guest: guest.into(), program, status })
}

/// Runs a package manager to its end.
pub(crate) fn install(command: Command, program: &'static str, pins: &Path) -> Result<(), CompileError> {
    let status = status(command, program)?;
    if status.success() {
        return Ok(());
    }
    Err(CompileError::NotInstalled { pins: pins.into(), program, status })
}

fn status(mut command: Command, program: &'static str) -> Result<ExitStatus, CompileError> {
    command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .map_err(|source| CompileError::Start { program, source })
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CompileError> {
    std::fs::read(path).map_err(|source| CompileError::Read { path: path.into(), source })
}

pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), CompileError> {
    std::fs::write(path, content).map_err(|source| CompileError::Write { path: path.into(), source })
}

/// Makes a folder that is there and empty.
pub(crate) fn empty_folder(path: &Path) -> Result<(), CompileError> {
    let failed = |source| CompileError::Write { path: path.into(), source };
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
        _ => std::fs::create_dir_all(path).map_err(failed),
    }
}

/// The path from the root: the programs run in other folders than the caller.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, CompileError> {
    std::path::absolute(path).map_err(|source| CompileError::Read { path: path.into(), source })
}
