//! Guests in Rust: finds a toolchain that compiles for WebAssembly, and compiles by cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compile::{CompileError, TARGET, read, run};
use crate::no_toolchain::NoToolchain;
use crate::purpose::Purpose;
use crate::search::{newest, version_of};

/// Oldest LLVM whose linker provides what the guests' allocator asks for (`__heap_end`); Debian 12's
/// default is 14.
const OLDEST_LINKER: u32 = 15;

/// What a module has that is debugged, beyond its own profile: names and lines of functions, and checks of
/// overflow. By `cfg(debug_assertions)` a guest prints its panics.
const DEBUGGING: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only"),
    ("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true"),
    ("CARGO_PROFILE_RELEASE_STRIP", "none"),
];

/// A Rust toolchain that compiles for WebAssembly.
#[derive(Debug)]
pub struct RustToolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    version: String,
    standard_library: StandardLibrary,
}

#[derive(Debug)]
enum StandardLibrary {
    /// Installed for the target, as by `rustup target add`.
    Installed,
    /// Compiled from its sources, as with Debian's packages.
    FromSource { linker: PathBuf },
}

impl RustToolchain {
    /// Looks at the toolchain in the search path, then at the distribution's.
    pub(crate) fn find() -> Result<Self, NoToolchain> {
        let mut looked_at = Vec::new();
        for (cargo, rustc) in [("cargo", "rustc"), ("/usr/bin/cargo", "/usr/bin/rustc")] {
            match Self::at(Path::new(cargo), Path::new(rustc)) {
                Ok(toolchain) => return Ok(toolchain),
                Err(why) => looked_at.push(format!("{rustc}: {why}")),
            }
        }
        Err(NoToolchain::Rust { looked_at })
    }

    /// The compiler's own words for its version.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Compiles the guest in a folder; gives the core module's bytes.
    pub(crate) fn compile(&self, guest: &Path, purpose: Purpose) -> Result<Vec<u8>, CompileError> {
        let mut command = self.cargo_build();
        // One does not make the other compile everything anew.
        let target = match purpose {
            Purpose::Deciding => "target",
            Purpose::Debugging => "target/debugging",
        };
        // Cargo reads the guest's .cargo/config.toml from the folder it runs in.
        command.current_dir(guest).args(["--target-dir", target]);
        if purpose == Purpose::Debugging {
            command.envs(DEBUGGING);
        }
        run(command, "cargo build", guest)?;
        let folder = guest.join(target).join(TARGET).join("release");
        let entries = std::fs::read_dir(&folder)
            .map_err(|source| CompileError::Read { path: folder.clone(), source })?;
        let modules: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
            .collect();
        match &modules[..] {
            [module] => read(module),
            _ => Err(CompileError::NotOneModule { folder, found: modules.len() }),
        }
    }

    /// A call of cargo that builds for WebAssembly in release mode.
    fn cargo_build(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        forget_the_cargo_around(&mut command);
        command.args(["build", "--release", "--locked", "--target", TARGET]).env("RUSTC", &self.rustc);
        if let StandardLibrary::FromSource { linker } = &self.standard_library {
            // Building the standard library is not stable; the variable lets a stable compiler do it.
            command
                .arg("-Zbuild-std=core,alloc,panic_abort")
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        command
    }

    fn at(cargo: &Path, rustc: &Path) -> Result<Self, String> {
        let version = version_of(rustc, &["--version"])?;
        version_of(cargo, &["--version"])?;
        let rustlib = PathBuf::from(version_of(rustc, &["--print", "sysroot"])?).join("lib/rustlib");
        let standard_library = if rustlib.join(TARGET).join("lib").is_dir() {
            StandardLibrary::Installed
        } else if !rustlib.join("src/rust/library/Cargo.lock").is_file() {
            return Err(format!("{version} has neither {TARGET} nor the standard library's sources"));
        } else {
            let linker = newest("wasm-ld-", OLDEST_LINKER);
            let linker =
                linker.ok_or_else(|| format!("no wasm-ld of LLVM {OLDEST_LINKER} or newer for {version}"))?;
            StandardLibrary::FromSource { linker }
        };
        Ok(Self { cargo: cargo.into(), rustc: rustc.into(), version, standard_library })
    }
}

/// Removes what an outer cargo (a test, a build script) or a developer's shell says about compiling
/// for this machine: none of it is meant for the guest, and it would change the module's bytes.
fn forget_the_cargo_around(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let of_a_build = ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_", "CARGO_PKG_", "CARGO_UNSTABLE_"]
            .iter()
            .any(|prefix| text.starts_with(prefix));
        let single = matches!(
            text,
            "RUSTFLAGS"
                | "CARGO_ENCODED_RUSTFLAGS"
                | "RUSTC_WRAPPER"
                | "RUSTC_WORKSPACE_WRAPPER"
                | "RUSTC_BOOTSTRAP"
        );
        if of_a_build || single {
            command.env_remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_toolchain_the_message_names_what_to_install() {
        let missing =
            RustToolchain::at(Path::new("/nowhere/cargo"), Path::new("/nowhere/rustc")).unwrap_err();
        let message = NoToolchain::Rust { looked_at: vec![missing] }.to_string();
        for part in ["rustup target add wasm32-unknown-unknown", "rustc-web", "No such file"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
