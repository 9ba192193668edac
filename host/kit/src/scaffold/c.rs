//! A guest in C, made of the example `policies/tenant-guard`.

use super::File;
use super::example::{Example, example};

const EXAMPLE: Example = example!(
    "tenant-guard":
    "src/decisions.c",
    "src/configuration.c",
    "src/configuration.h",
    "src/debug.h",
    "src/json.c",
    "src/json.h",
    "src/records.c",
    "src/records.h",
    "src/text.c",
    "src/text.h",
    "src/memory.c",
    "src/include/stdlib.h",
    "src/include/string.h",
    "src/bindings/dns_policy.c",
    "src/bindings/dns_policy.h",
    "vectors/decisions.yaml"
);

/// The files of a guest that calls itself `name`.
pub(super) fn files(name: &str) -> Vec<File> {
    EXAMPLE.files(name)
}
