//! Finds programs, and asks them for their version.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a program says when it is asked for its version or the like, without the white space around it.
pub(crate) fn version_of(program: &Path, arguments: &[&str]) -> Result<String, String> {
    match Command::new(program).args(arguments).env_remove("RUSTC_BOOTSTRAP").output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(output) => Err(format!("failed with {}", output.status)),
        Err(error) => Err(error.to_string()),
    }
}

/// The newest `<prefix><version>` in the search path, for example `wasm-ld-22`.
pub(crate) fn newest(prefix: &str, oldest: u32) -> Option<PathBuf> {
    newest_in(&std::env::var_os("PATH")?, prefix, oldest)
}

fn newest_in(path: &OsStr, prefix: &str, oldest: u32) -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for folder in std::env::split_paths(path) {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse().ok());
            found.extend(version.map(|version| (version, entry.path())));
        }
    }
    found.into_iter().filter(|(version, _)| *version >= oldest).max().map(|(_, program)| program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_taken_and_one_that_is_too_old_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let find = || newest_in(folder.path().as_os_str(), "wasm-ld-", 15);
        let add = |name: &str| std::fs::write(folder.path().join(name), "").unwrap();
        add("wasm-ld-14");
        add("wasm-ld");
        assert_eq!(find(), None);
        add("wasm-ld-22");
        add("wasm-ld-19");
        assert_eq!(find(), Some(folder.path().join("wasm-ld-22")));
    }

    #[test]
    fn a_program_that_is_missing_or_fails_has_no_version() {
        assert!(version_of(Path::new("/nowhere/cc"), &["--version"]).is_err());
        assert!(version_of(Path::new("false"), &[]).unwrap_err().contains("failed with"));
    }
}
