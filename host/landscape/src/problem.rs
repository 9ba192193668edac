//! What is wrong with a file or a folder, and where.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// What is wrong, by file or folder.
pub type Problems = BTreeMap<String, Vec<Problem>>;

/// What is wrong with a file or a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Line in the file, from 1, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// The next step.
    pub hint: String,
    /// Whether something could not be read, so that it is not known what it asks for.
    pub is_error: bool,
}

impl Problem {
    /// Something could not be read.
    pub fn error(line: Option<usize>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { line, message: message.into(), hint: hint.into(), is_error: true }
    }

    /// Something is read, but probably not as it is meant.
    pub fn warning(line: Option<usize>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { line, message: message.into(), hint: hint.into(), is_error: false }
    }

    /// The message with the place in front, for example `platform/a.yaml:3: ...`; `place` is the file or
    /// the folder.
    #[must_use]
    pub fn at(&self, place: &str) -> String {
        let line = self.line.map_or_else(String::new, |line| format!(":{line}"));
        format!("{place}{line}: {}", self.message)
    }
}
