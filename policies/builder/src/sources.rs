//! Which files a module is built from, and their digest.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::language::Language;
use crate::sources_error::SourcesError;

/// The sources of a guest.
pub struct Sources {
    /// Content by path, `/` between the parts on every system: its order is the digest's order.
    files: BTreeMap<String, Vec<u8>>,
    language: Language,
    contract: PathBuf,
}

impl Sources {
    /// Collects the sources of the guest in a folder: what pins its tools, everything below `src`, and
    /// the contract, which is the `wit` folder in the guest's folder or the nearest one above it.
    ///
    /// # Errors
    /// When something of it is missing.
    pub fn of(guest: &Path) -> Result<Self, SourcesError> {
        let language = Language::of(guest)?;
        let contract = contract(guest)?;
        let mut files = BTreeMap::new();
        for name in language.files() {
            files.insert((*name).to_owned(), read(&guest.join(name))?);
        }
        collect(&guest.join("src"), "src", &mut files)?;
        collect(&contract, "wit", &mut files)?;
        // Nor do the released contracts that the current one is compared with make a module.
        files.retain(|path, _| {
            !path.starts_with("wit/") || path.ends_with(".wit") && !path.starts_with("wit/released/")
        });
        // What an interpreter leaves behind is no source.
        files.retain(|path, _| !path.contains("__pycache__/"));
        Ok(Self { files, language, contract })
    }

    /// The language that they are written in.
    #[must_use]
    pub const fn language(&self) -> Language {
        self.language
    }

    /// The folder of the contract.
    #[must_use]
    pub fn contract(&self) -> &Path {
        &self.contract
    }

    /// SHA-256 over paths and contents as 64 hexadecimal digits. Each is preceded by its length, so
    /// that moving bytes from one file to the next changes the digest. A carriage return before a
    /// line feed does not count: version control may add it.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (path, content) in &self.files {
            let content = without_carriage_returns(content);
            for part in [path.as_bytes(), &content] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        hash.finalize().iter().fold(String::new(), |mut hex, byte| {
            // Writing into a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

fn contract(guest: &Path) -> Result<PathBuf, SourcesError> {
    let absolute =
        std::path::absolute(guest).map_err(|source| SourcesError::Read { path: guest.to_owned(), source })?;
    absolute
        .ancestors()
        .map(|folder| folder.join("wit"))
        .find(|wit| wit.join("policy.wit").is_file())
        .ok_or_else(|| SourcesError::NoContract { guest: guest.to_owned() })
}

fn collect(folder: &Path, name: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), SourcesError> {
    let failed = |source| SourcesError::Read { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if path.is_dir() {
            collect(&path, &name, files)?;
        } else {
            files.insert(name, read(&path)?);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, SourcesError> {
    std::fs::read(path).map_err(|source| SourcesError::Read { path: path.to_owned(), source })
}

fn without_carriage_returns(content: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(content.len());
    for (index, byte) in content.iter().enumerate() {
        if *byte != b'\r' || content.get(index + 1) != Some(&b'\n') {
            kept.push(*byte);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a contract and a guest in it.
    fn guest() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let guest = root.path().join("policies/one");
        for folder in ["wit", "policies/one/src/inner", "policies/one/.cargo", "policies/one/target"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        std::fs::write(root.path().join("wit/policy.wit"), "package a:b;").unwrap();
        for name in Language::Rust.files() {
            std::fs::write(guest.join(name), name).unwrap();
        }
        std::fs::write(guest.join("src/lib.rs"), "fn a() {}\n").unwrap();
        std::fs::write(guest.join("src/inner/b.rs"), "fn b() {}\n").unwrap();
        (root, guest)
    }

    fn digest(guest: &Path) -> String {
        Sources::of(guest).unwrap().digest()
    }

    #[test]
    fn every_source_and_the_contract_change_the_digest() {
        let (root, guest) = guest();
        for path in [
            "policies/one/src/inner/b.rs",
            "policies/one/Cargo.lock",
            "policies/one/.cargo/config.toml",
            "wit/policy.wit",
        ] {
            let before = digest(&guest);
            std::fs::write(root.path().join(path), "changed").unwrap();
            assert_ne!(digest(&guest), before, "{path}");
        }
        let before = digest(&guest);
        std::fs::rename(guest.join("src/inner/b.rs"), guest.join("src/inner/c.rs")).unwrap();
        assert_ne!(digest(&guest), before, "a renamed file");
    }

    #[test]
    fn what_does_not_decide_the_bytes_does_not_change_the_digest() {
        let (root, guest) = guest();
        let before = digest(&guest);
        std::fs::write(guest.join("README.md"), "text").unwrap();
        std::fs::write(guest.join("target/lib.rs"), "text").unwrap();
        std::fs::create_dir_all(root.path().join("wit/vectors")).unwrap();
        std::fs::write(root.path().join("wit/vectors/a.yaml"), "text").unwrap();
        std::fs::create_dir_all(root.path().join("wit/released/0.1.0")).unwrap();
        std::fs::write(root.path().join("wit/released/0.1.0/policy.wit"), "package a:b@0.1.0;").unwrap();
        std::fs::write(guest.join("src/lib.rs"), "fn a() {}\r\n").unwrap();
        std::fs::create_dir_all(guest.join("src/__pycache__")).unwrap();
        std::fs::write(guest.join("src/__pycache__/a.pyc"), "bytes").unwrap();
        assert_eq!(digest(&guest), before);
    }

    #[test]
    fn a_folder_that_is_no_guest_is_refused_with_what_is_missing() {
        let (root, guest) = guest();
        std::fs::remove_file(guest.join("Cargo.lock")).unwrap();
        assert!(Sources::of(&guest).err().unwrap().to_string().contains("Cargo.lock"));
        std::fs::write(guest.join("Cargo.lock"), "").unwrap();
        std::fs::remove_file(root.path().join("wit/policy.wit")).unwrap();
        assert!(Sources::of(&guest).err().unwrap().to_string().contains("policy.wit"));
    }
}
