//! The vectors that a module is asked, and how it answers.

use std::path::{Path, PathBuf};

use openmcp_dns_policy::Module;
use openmcp_dns_policy::debugging::Trace;
use openmcp_dns_policy::vectors::{Problem, Suite, SuiteError};
use thiserror::Error;

/// Why vectors cannot be asked.
#[derive(Debug, Error)]
pub enum VectorsError {
    /// There is no such file or folder, or the folder cannot be read.
    #[error("failed to read the vectors in {}", path.display())]
    Find {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder has no files of vectors.
    #[error("there are no vectors in {}", path.display())]
    None {
        /// Which folder.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("failed to read the vectors in {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds no vectors.
    #[error("{}", path.display())]
    Suite {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: SuiteError,
    },
    /// The vectors of the contract cannot be read; a bug of ours.
    #[error(transparent)]
    Contract(#[from] SuiteError),
}

/// Vectors with the name of their file.
#[derive(Debug)]
pub struct NamedSuite {
    /// The file, or `contract`.
    pub file: String,
    suite: Suite,
}

/// How a vector went.
#[derive(Debug)]
pub struct Answer {
    /// The file that the vector stands in, or `contract`.
    pub file: String,
    /// Its name.
    pub vector: String,
    /// What does not hold, if anything.
    pub problem: Option<Problem>,
    /// What the module printed, and where it trapped.
    pub traces: Vec<Trace>,
}

/// The vectors of the contract, and those in files and folders.
///
/// # Errors
/// When some cannot be read.
pub fn read<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Result<Vec<NamedSuite>, VectorsError> {
    let mut suites = vec![NamedSuite { file: "contract".to_owned(), suite: Suite::contract()? }];
    for path in paths {
        for path in files(path)? {
            let file = path.display().to_string();
            let suite = match std::fs::read_to_string(&path) {
                Ok(yaml) => Suite::parse(&yaml).map_err(|source| VectorsError::Suite { path, source })?,
                Err(source) => return Err(VectorsError::Read { path, source }),
            };
            suites.push(NamedSuite { file, suite });
        }
    }
    Ok(suites)
}

/// The folder with the vectors of a module, if there is one beside its file.
#[must_use]
pub fn beside(module: &Path) -> Option<PathBuf> {
    Some(module.with_file_name("vectors")).filter(|folder| folder.is_dir())
}

/// Asks a module all vectors; `configuration` (JSON text) is for those that name none. `traces` gives what the
/// engine of the module was told since the last call.
#[must_use]
pub fn ask(
    suites: &[NamedSuite],
    module: &Module,
    configuration: &str,
    traces: &dyn Fn() -> Vec<Trace>,
) -> Vec<Answer> {
    // What was said while it was loaded belongs to no vector.
    traces();
    let answers = suites.iter().flat_map(|NamedSuite { file, suite }| {
        suite.results(module, configuration).map(|(vector, result)| Answer {
            file: file.clone(),
            vector: vector.to_owned(),
            problem: result.err(),
            traces: traces(),
        })
    });
    answers.collect()
}

/// The file itself, or the files of vectors in a folder by name.
fn files(path: &Path) -> Result<Vec<PathBuf>, VectorsError> {
    let failed = |source| VectorsError::Find { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(VectorsError::None { path: path.to_owned() });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use openmcp_dns_policy::{Engine, Limits, STANDARD};

    use super::*;

    #[test]
    fn the_contract_comes_first_and_then_the_files_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yml", "a.yaml", "README.md"] {
            std::fs::write(folder.path().join(name), "vectors: [{name: one, expect: {domain: x.y}}]")
                .unwrap();
        }
        let suites = read([folder.path()]).unwrap();
        let files: Vec<&str> = suites.iter().map(|suite| suite.file.rsplit('/').next().unwrap()).collect();
        assert_eq!(files, ["contract", "a.yaml", "b.yml"]);
        let module = Engine::new(Limits::default()).unwrap().compile(STANDARD).unwrap();
        let answers = ask(&suites, &module, "{}", &Vec::new);
        let failed: Vec<&Answer> = answers.iter().filter(|answer| answer.problem.is_some()).collect();
        assert!(answers.len() > 2 && failed.len() == 2, "{failed:?}");
    }

    #[test]
    fn a_folder_without_vectors_and_a_file_that_holds_none_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read([folder.path()]), Err(VectorsError::None { .. })));
        std::fs::write(folder.path().join("a.yaml"), "vectors: [").unwrap();
        assert!(matches!(read([folder.path()]), Err(VectorsError::Suite { .. })));
        assert!(matches!(read([Path::new("/does/not/exist")]), Err(VectorsError::Find { .. })));
    }
}
