//! Reads cases from a folder.

use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use super::case::SourceCase;
use super::report::Outcome;
use super::vectors::{Row, Table};

/// A case of a folder.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its file below the folder, without the ending; of a row of a table, a colon and its number behind that.
    pub id: String,
    /// The folder that its file lies in.
    pub kind: String,
    question: Question,
}

#[derive(Clone, Debug)]
enum Question {
    Source(Box<SourceCase>),
    Row(Row),
    /// Of a provider: how another program lays out its keys.
    Provider,
}

/// Why a folder is none of cases.
#[derive(Debug, Error)]
pub enum ReadError {
    /// A file or folder cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is no YAML.
    #[error("{} is no YAML document", path.display())]
    Yaml {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A document is no case.
    #[error("{} is no case: it has neither `source` with `input`, nor `rows`, nor `kind`", path.display())]
    Unknown {
        /// Which.
        path: PathBuf,
    },
    /// A case is not as the format has it.
    #[error("{} is not in the format of cases", path.display())]
    Format {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// There is no case.
    #[error("there is no case in {}", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
}

/// Reads all cases below a folder: every file that ends with `.yaml`, sorted.
///
/// # Errors
/// When one cannot be read, or is not in the format: a case that is passed over in silence proves nothing.
pub fn read(folder: &Path) -> Result<Vec<Case>, ReadError> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let relative = path.strip_prefix(folder).unwrap_or(&path);
        let id = relative.with_extension("").display().to_string();
        let place = if relative.components().count() > 1 { relative } else { &path };
        let kind = place.parent().and_then(Path::file_name).map_or_else(String::new, |name| {
            let name: &Path = name.as_ref();
            name.display().to_string()
        });
        for (suffix, question) in questions(&path)? {
            cases.push(Case { id: format!("{id}{suffix}"), kind: kind.clone(), question });
        }
    }
    if cases.is_empty() {
        return Err(ReadError::Empty { path: folder.to_owned() });
    }
    Ok(cases)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    let failed = |source| ReadError::Read { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}

/// What a file asks, each with what tells it from the others of its file.
fn questions(path: &Path) -> Result<Vec<(String, Question)>, ReadError> {
    let path = || path.to_owned();
    let text = std::fs::read_to_string(path()).map_err(|source| ReadError::Read { path: path(), source })?;
    let document: Value = serde_saphyr::from_str(&text)
        .map_err(|error| ReadError::Yaml { path: path(), source: error.to_string().into() })?;
    let format = |source| ReadError::Format { path: path(), source };
    let has = |key: &str| document.get(key).is_some();
    if has("source") && has("input") {
        let case = serde_json::from_value(document).map_err(format)?;
        Ok(vec![(String::new(), Question::Source(Box::new(case)))])
    } else if has("rows") {
        let table: Table = serde_json::from_value(document).map_err(format)?;
        let rows = table.rows().into_iter().enumerate();
        Ok(rows.map(|(number, row)| (format!(":{}", number + 1), Question::Row(row))).collect())
    } else if has("kind") && has("case") {
        Ok(vec![(String::new(), Question::Provider)])
    } else {
        Err(ReadError::Unknown { path: path() })
    }
}

impl Case {
    /// Runs the case.
    #[must_use]
    pub fn run(&self) -> Outcome {
        match &self.question {
            Question::Source(case) => case.run(),
            Question::Row(row) => row.run(),
            Question::Provider => Outcome::Skipped(
                "external-dns's own keys and values in etcd, which this service neither writes nor follows"
                    .to_owned(),
            ),
        }
    }

    /// The objects and what is expected of them, where the case is about a source.
    #[must_use]
    pub fn source(&self) -> Option<&SourceCase> {
        match &self.question {
            Question::Source(case) => Some(case),
            Question::Row(_) | Question::Provider => None,
        }
    }
}
