//! A guest in Rust.

use openmcp_dns_policy::CONTRACT;

use super::{File, lock};

/// The files of a guest that calls itself `name`; `module` is the file's name that it is built to.
pub(super) fn files(name: &str, module: &str) -> Vec<File> {
    let fill = |template: &str| template.replace("{{name}}", name).replace("{{module}}", module);
    let lock = lock::renamed(
        include_str!("../../../../../../policies/deny-prefix/Cargo.lock"),
        "openmcp-dns-policy-deny-prefix",
        &format!("policy-{name}"),
    );
    vec![
        ("README.md", fill(include_str!("../../../../templates/rust/README.md"))),
        ("Cargo.toml", fill(include_str!("../../../../templates/rust/Cargo.toml.template"))),
        ("Cargo.lock", lock),
        (
            ".cargo/config.toml",
            include_str!("../../../../../../policies/deny-prefix/.cargo/config.toml").to_owned(),
        ),
        (".gitignore", "/target/\n".to_owned()),
        ("src/lib.rs", fill(include_str!("../../../../templates/rust/lib.rs"))),
        ("vectors/decisions.yaml", fill(include_str!("../../../../templates/rust/decisions.yaml"))),
        ("wit/policy.wit", CONTRACT.to_owned()),
    ]
}
