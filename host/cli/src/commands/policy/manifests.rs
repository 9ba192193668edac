//! Kubernetes manifests on the command line.

use std::path::Path;

use anyhow::Context as _;

use super::note;
use crate::terminal::hint::{Hint as _, hinted};
use openmcp_dns_api::DNSPolicy;
use openmcp_dns_landscape::folder::{Object, Syntax, parse};

/// The objects in a file that the service reads.
///
/// # Errors
/// When the file, or an object in it, cannot be read.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<Object>> {
    let hint = "name a YAML or JSON file with Kubernetes objects";
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("failed to read {}", file.display()))
        .hint(hint)?;
    let parsed = parse(Syntax::of(&file.to_string_lossy()).unwrap_or(Syntax::Yaml), &text);
    for problem in parsed.problems {
        let message = problem.at(&file.display().to_string());
        if problem.is_error {
            return Err(hinted(message, "correct the file"));
        }
        note(&message);
    }
    Ok(parsed.objects.into_iter().map(|(_, manifest)| manifest.object.clone()).collect())
}

/// The DNSPolicy in a file.
///
/// # Errors
/// When there is none.
pub(super) fn policy(file: &Path) -> anyhow::Result<DNSPolicy> {
    let policy = read(file)?.into_iter().find_map(|object| match object {
        Object::Policy(policy) => Some(*policy),
        Object::Cluster(_) | Object::Gateways(_) | Object::Watched(_) => None,
    });
    policy.ok_or_else(|| {
        hinted(format!("{} holds no DNSPolicy", file.display()), "examples/first-policy.yaml is one")
    })
}
