//! Guests in C: compiles every file below `src` by clang, without a C library.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compile::{CompileError, absolute, empty_folder, read, run};
use crate::language::Language;
use crate::no_toolchain::NoToolchain;
use crate::purpose::Purpose;
use crate::search::{newest, version_of};

/// Oldest LLVM that compiles guests; Debian 12's default is 14, whose linker lacks `__heap_end`.
const OLDEST_LLVM: u32 = 15;

/// The compiler's settings. No C library: its parts for WebAssembly ask for WASI, and a guest imports
/// nothing. The folders are those where scaffold puts the bindings and what they include.
const COMPILER_FLAGS: [&str; 9] = [
    "--target=wasm32-unknown-unknown",
    "-std=c17",
    "-Os",
    "-Wall",
    "-Wextra",
    "-ffreestanding",
    "-mbulk-memory",
    "-Isrc/bindings",
    "-Isrc/include",
];

/// The linker's settings. A small stack keeps the first pages of an instance few; it lies in front of
/// the data, so that an overflow traps instead of overwriting them.
const LINKER_FLAGS: [&str; 3] =
    ["-nostdlib", "-Wl,--no-entry,--stack-first,-z,stack-size=16384", "-Wl,--gc-sections"];

/// What a module does without that decides.
const DECIDING_FLAGS: [&str; 1] = ["-Wl,--strip-all"];

/// What a module has that is debugged: names and lines; the macro lets a guest print.
const DEBUGGING_FLAGS: [&str; 2] = ["-gline-tables-only", "-DOPENMCP_DNS_DEBUG"];

/// A C compiler for WebAssembly.
#[derive(Debug)]
pub struct CToolchain {
    clang: PathBuf,
    version: String,
}

impl CToolchain {
    /// The newest clang with a version in its name, as Debian has them; else `clang`.
    pub(crate) fn find() -> Result<Self, NoToolchain> {
        let missing = |program, why| NoToolchain::Missing {
            language: Language::C,
            program,
            why,
            packages: "clang-22 lld-22",
        };
        let clang = newest("clang-", OLDEST_LLVM).unwrap_or_else(|| "clang".into());
        let version = version_of(&clang, &["--version"]).map_err(|why| missing("clang 15 or newer", why))?;
        let version = version.lines().next().unwrap_or_default().to_owned();
        // Clang takes the linker of its own installation: another version's may not know its object files.
        let linker = version_of(&clang, &[COMPILER_FLAGS[0], "-print-prog-name=wasm-ld"])
            .and_then(|linker| version_of(Path::new(&linker), &["--version"]));
        linker.map_err(|why| missing("wasm-ld of clang's version", why))?;
        Ok(Self { clang, version })
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Compiles the guest in a folder; gives the core module's bytes.
    pub(crate) fn compile(&self, guest: &Path, purpose: Purpose) -> Result<Vec<u8>, CompileError> {
        let folder = absolute(&guest.join("target/c"))?;
        empty_folder(&folder)?;
        let module = folder.join("module.wasm");
        let mut command = Command::new(&self.clang);
        command.current_dir(guest).args(COMPILER_FLAGS).args(LINKER_FLAGS);
        match purpose {
            Purpose::Deciding => command.args(DECIDING_FLAGS),
            Purpose::Debugging => command.args(DEBUGGING_FLAGS),
        };
        command.args(files(guest)?).arg("-o").arg(&module);
        run(command, "clang", guest)?;
        read(&module)
    }
}

/// The C files below `src` by name, relative to the guest: the linker keeps their order.
fn files(guest: &Path) -> Result<Vec<PathBuf>, CompileError> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        let failed = |source| CompileError::Read { path: guest.join(&folder), source };
        for entry in std::fs::read_dir(guest.join(&folder)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "c") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
