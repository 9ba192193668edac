//! A complete guest to start from: sources, vectors, the contract and a README.

mod c;
mod example;
mod javascript;
mod lock;
mod python;
mod rust;

use std::path::{Path, PathBuf};

use openmcp_dns_policy::CONTRACT;
use openmcp_dns_policy_builder::Language;
use thiserror::Error;

/// Why no guest is written.
#[derive(Debug, Error)]
pub enum ScaffoldError {
    /// The folder has no name.
    #[error("{} is no folder", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The name does not fit into the name of a package.
    #[error("{name:?} is no name for a module")]
    Name {
        /// The name.
        name: String,
    },
    /// It cannot be said whether the folder is empty.
    #[error("{} cannot be written to", folder.display())]
    Unknown {
        /// Which folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder holds something.
    #[error("{} is not empty, and nothing is overwritten", folder.display())]
    NotEmpty {
        /// Which folder.
        folder: PathBuf,
    },
    /// A file cannot be written.
    #[error("failed to write {}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A guest that was written.
#[derive(Debug)]
pub struct Scaffolded {
    /// Its files, in the order in which they were written.
    pub files: Vec<PathBuf>,
    /// Where its module is going to be.
    pub module: PathBuf,
}

/// A file of the guest: its path below the folder, and what stands in it.
type File = (&'static str, String);

/// Writes a guest that builds as it is. `name` is what the module calls itself; otherwise it is called like
/// the folder, which must be empty or not exist.
///
/// # Errors
/// When the name cannot be one, or the files cannot be written. Nothing is overwritten.
pub fn scaffold(folder: &Path, language: Language, name: Option<&str>) -> Result<Scaffolded, ScaffoldError> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => folder_name(folder)?,
    };
    check_name(&name)?;
    let files = files(language, &name, &in_folder(folder));
    check_free(folder)?;
    let mut written = Vec::new();
    for (path, content) in files {
        let file = folder.join(path);
        let made = file.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&file, content))
            .map_err(|source| ScaffoldError::Write { path: file.clone(), source })?;
        written.push(file);
    }
    Ok(Scaffolded { files: written, module: folder.join(in_folder(folder)) })
}

/// The files of a guest that calls itself `name`; `module` is the file's name that it is built to.
fn files(language: Language, name: &str, module: &str) -> Vec<File> {
    let (mut files, source) = match language {
        Language::Rust => (rust::files(name), "src/lib.rs"),
        Language::C => (c::files(name), "src/decisions.c"),
        Language::JavaScript => (javascript::files(name), "src/decisions.js"),
        Language::Python => (python::files(name), "src/decisions.py"),
    };
    let debug = match language {
        Language::Rust => {
            "`debug!` prints, in what `openmcp-dns policy build . --debug` builds: `policy run --debug` shows it, and panics."
        }
        Language::C => {
            "`DEBUG` prints, in what `openmcp-dns policy build . --debug` builds: `policy run --debug` shows it, and traps."
        }
        Language::JavaScript | Language::Python => {
            "A bug is an error of the module: `openmcp-dns policy run` shows what and where it is."
        }
    };
    // A large module belongs into a registry, not into version control.
    let (ignored, note) = if language.has_runtime() {
        (
            format!("/target/\n/{module}\n__pycache__/\n"),
            "The module brings the runtime of its language along: the service takes it with raised limits, which \
             `openmcp-dns policy inspect` names. Push it to a registry instead of committing it.",
        )
    } else {
        (
            "/target/\n*.debug.wasm\n".to_owned(),
            "Commit the built module with the sources: it holds the digest of the sources that it was built from.",
        )
    };
    let readme = include_str!("../../templates/guest.md")
        .replace("{{name}}", name)
        .replace("{{language}}", &language.to_string())
        .replace("{{module}}", module)
        .replace("{{source}}", source)
        .replace("{{module note}}", note)
        .replace("{{debug note}}", debug);
    let vectors = include_str!("../../../../wit/vectors/README.md").to_owned();
    files.extend([("README.md", readme), (".gitignore", ignored)]);
    files.extend([("wit/policy.wit", CONTRACT.to_owned()), ("vectors/README.md", vectors)]);
    files
}

/// The file's name that `policy build` gives to the module.
fn in_folder(folder: &Path) -> String {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    format!("{}.wasm", absolute.file_name().unwrap_or_default().to_string_lossy())
}

fn folder_name(folder: &Path) -> Result<String, ScaffoldError> {
    let absolute = std::path::absolute(folder)
        .map_err(|source| ScaffoldError::Folder { folder: folder.to_owned(), source })?;
    Ok(absolute.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

/// A name becomes part of a package's name and of file names.
fn check_name(name: &str) -> Result<(), ScaffoldError> {
    let fine = (1..=40).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fine { Ok(()) } else { Err(ScaffoldError::Name { name: name.to_owned() }) }
}

/// Nothing that exists is overwritten.
fn check_free(folder: &Path) -> Result<(), ScaffoldError> {
    let taken = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(source) => return Err(ScaffoldError::Unknown { folder: folder.to_owned(), source }),
    };
    if taken { Err(ScaffoldError::NotEmpty { folder: folder.to_owned() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_the_name_and_the_place_of_the_example() {
        let left =
            ["deny-prefix", "DenyPrefix", "tenant-guard", "geo-label", "name-pattern", "../../wit", "{{"];
        for language in Language::ALL {
            let files = files(language, "mine", "mine.wasm");
            for (path, content) in &files {
                for left in left {
                    assert!(!content.contains(left), "{path} of a guest in {language} has {left}");
                }
            }
            let named = files.iter().filter(|(_, content)| content.contains("mine")).count();
            // The README, and at least the file that says the name, and the vectors.
            assert!(named >= 3, "{language}: {named}");
        }
    }

    #[test]
    fn a_guest_is_recognised_as_one_of_its_language() {
        for language in Language::ALL {
            let paths: Vec<&str> =
                files(language, "mine", "mine.wasm").iter().map(|(path, _)| *path).collect();
            assert!(paths.contains(&language.marker()), "{language}: {paths:?}");
        }
    }

    #[test]
    fn names_that_cannot_be_part_of_a_package_name_are_refused() {
        for good in ["a", "tenant-guard", "geo2"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "1a", "a_b", "a b", "ä", "a.b", &"a".repeat(41)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
