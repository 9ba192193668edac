//! Finds a Rust toolchain that compiles for WebAssembly.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use thiserror::Error;

/// The machine that guests are compiled for: nothing but WebAssembly, so that a guest imports nothing.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Oldest LLVM whose linker provides what the guests' allocator asks for (`__heap_end`); Debian 12's
/// default is 14.
const OLDEST_LINKER: u32 = 15;

/// A Rust toolchain that compiles for WebAssembly.
#[derive(Debug)]
pub struct Toolchain {
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

/// Nothing on this machine compiles for WebAssembly.
#[derive(Debug, Error)]
#[error(
    "no Rust toolchain for {TARGET} was found{}; run `rustup target add {TARGET}`, or on Debian `apt-get install rustc-web cargo-web rust-web-src lld-22`",
    looked_at.iter().map(|why| format!("\n  {why}")).collect::<String>()
)]
pub struct NoToolchain {
    /// Each toolchain that is there, and what it lacks.
    pub looked_at: Vec<String>,
}

impl Toolchain {
    /// Looks at the toolchain in the search path, then at the distribution's.
    ///
    /// # Errors
    /// Says what was found and what each lacks.
    pub fn find() -> Result<Self, NoToolchain> {
        let mut looked_at = Vec::new();
        for (cargo, rustc) in [("cargo", "rustc"), ("/usr/bin/cargo", "/usr/bin/rustc")] {
            match Self::at(Path::new(cargo), Path::new(rustc)) {
                Ok(toolchain) => return Ok(toolchain),
                Err(why) => looked_at.push(format!("{rustc}: {why}")),
            }
        }
        Err(NoToolchain { looked_at })
    }

    /// The compiler's own words for its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A call of cargo that builds for WebAssembly in release mode.
    pub(crate) fn cargo_build(&self) -> Command {
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
        let version = output(rustc, &["--version"])?;
        output(cargo, &["--version"])?;
        let rustlib = PathBuf::from(output(rustc, &["--print", "sysroot"])?).join("lib/rustlib");
        let standard_library = if rustlib.join(TARGET).join("lib").is_dir() {
            StandardLibrary::Installed
        } else if !rustlib.join("src/rust/library/Cargo.lock").is_file() {
            return Err(format!("{version} has neither {TARGET} nor the standard library's sources"));
        } else {
            let linker = std::env::var_os("PATH").and_then(|path| newest_linker(&path));
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

fn output(program: &Path, arguments: &[&str]) -> Result<String, String> {
    match Command::new(program).args(arguments).env_remove("RUSTC_BOOTSTRAP").output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(output) => Err(format!("failed with {}", output.status)),
        Err(error) => Err(error.to_string()),
    }
}

/// The newest `wasm-ld-<version>` in the search path.
fn newest_linker(path: &OsString) -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for folder in std::env::split_paths(path) {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix("wasm-ld-")?.parse().ok());
            found.extend(version.map(|version| (version, entry.path())));
        }
    }
    found.into_iter().filter(|(version, _)| *version >= OLDEST_LINKER).max().map(|(_, linker)| linker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_linker_is_taken_and_one_that_is_too_old_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().as_os_str().to_owned();
        let add = |name: &str| std::fs::write(folder.path().join(name), "").unwrap();
        add("wasm-ld-14");
        add("wasm-ld");
        assert_eq!(newest_linker(&path), None);
        add("wasm-ld-22");
        add("wasm-ld-19");
        assert_eq!(newest_linker(&path), Some(folder.path().join("wasm-ld-22")));
    }

    #[test]
    fn without_a_toolchain_the_message_names_what_to_install() {
        let missing = Toolchain::at(Path::new("/nowhere/cargo"), Path::new("/nowhere/rustc")).unwrap_err();
        let message = NoToolchain { looked_at: vec![missing] }.to_string();
        for part in ["rustup target add wasm32-unknown-unknown", "rustc-web", "No such file"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
