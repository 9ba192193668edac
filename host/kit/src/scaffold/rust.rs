//! A guest in Rust, made of the example `policies/deny-prefix`.

use super::example::{Example, example};
use super::{File, lock};

const EXAMPLE: Example = example!(
    "deny-prefix":
    "Cargo.toml",
    ".cargo/config.toml",
    "src/lib.rs",
    "src/configuration.rs",
    "src/debug.rs",
    "vectors/decisions.yaml"
);
/// The name of the example's package.
const PACKAGE: &str = "openmcp-dns-policy-deny-prefix";
/// What the example says of itself as a part of this repository.
const OF_THE_REPOSITORY: [&str; 4] = ["license = ", "repository = ", "authors = ", "rust-version = "];

/// The files of a guest that calls itself `name`.
pub(super) fn files(name: &str) -> Vec<File> {
    let package = format!("policy-{name}");
    let mut files = vec![(
        "Cargo.lock",
        lock::renamed(include_str!("../../../../policies/deny-prefix/Cargo.lock"), PACKAGE, &package),
    )];
    files.extend(EXAMPLE.files.iter().map(|(path, content)| {
        let content = content.replace(PACKAGE, &package);
        // The contract lies in the guest's own folder.
        let content = content.replace("\"../../wit\"", "\"wit\"").replace("DenyPrefix", "Module");
        let content = EXAMPLE.renamed(&content, name);
        (*path, if *path == "Cargo.toml" { manifest(&content) } else { content })
    }));
    files
}

fn manifest(content: &str) -> String {
    content
        .lines()
        .filter(|line| !OF_THE_REPOSITORY.iter().any(|start| line.starts_with(start)))
        .map(|line| {
            let description = line.starts_with("description = ");
            format!(
                "{}\n",
                if description { "description = \"A policy module of openmcp-dns\"" } else { line }
            )
        })
        .collect()
}
