//! A guest in Python, made of the example `policies/name-pattern`.

use super::File;
use super::example::{Example, example};

const EXAMPLE: Example = example!(
    "name-pattern":
    "requirements.txt",
    "src/decisions.py",
    "src/bugs.py",
    "src/configuration.py",
    "src/records.py",
    "vectors/decisions.yaml"
);

/// The files of a guest that calls itself `name`.
pub(super) fn files(name: &str) -> Vec<File> {
    EXAMPLE.files(name)
}
