//! A guest in JavaScript, made of the example `policies/geo-label`.

use super::File;
use super::example::{Example, example};

const EXAMPLE: Example = example!(
    "geo-label":
    "package.json",
    "package-lock.json",
    "src/decisions.js",
    "src/bugs.js",
    "src/configuration.js",
    "src/names.js",
    "src/records.js",
    "vectors/decisions.yaml"
);

/// The files of a guest that calls itself `name`.
pub(super) fn files(name: &str) -> Vec<File> {
    EXAMPLE.files(name)
}
