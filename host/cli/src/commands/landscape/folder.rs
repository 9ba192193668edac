//! A landscape as a folder of manifests.

use std::path::Path;

use anyhow::Context as _;
use kube::ResourceExt as _;
use openmcp_dns_api::dns_policy::FileSource;
use openmcp_dns_landscape::Landscape;
use openmcp_dns_landscape::folder::{self, PLATFORM};

use super::super::policy::choice::ModuleChoice;
use super::super::policy::module::ModuleArg;
use crate::terminal::hint::{Hint as _, hinted};
use crate::terminal::output::note;

/// Reads a folder as the demo does.
///
/// # Errors
/// When something in it cannot be read: what is not known cannot be looked at.
pub(in crate::commands) fn read(path: &Path) -> anyhow::Result<Landscape> {
    let hint = format!(
        "name a folder that holds one folder for each cluster, and {PLATFORM} with the Cluster resources"
    );
    let landscape = folder::read(path)
        .with_context(|| format!("failed to read the landscape {}", path.display()))
        .hint(&hint)?;
    for (file, problems) in &landscape.problems {
        for problem in problems {
            let message = problem.at(&path.join(file).display().to_string());
            if problem.is_error {
                return Err(hinted(message, "correct the file; what cannot be read is not known"));
            }
            note(&message);
        }
    }
    if landscape.clusters.is_empty() {
        let message = format!("there is no Cluster in {}", path.join(PLATFORM).display());
        return Err(hinted(message, hint));
    }
    if let [first, others @ ..] = &*landscape.policies {
        for other in others {
            let (other, first) = (other.name_any(), first.name_any());
            note(&format!(
                "DNSPolicy {other} is passed over: one policy is looked at, and {first} is the first by name"
            ));
        }
    }
    Ok(landscape)
}

/// The module that the policy of a folder names, where it is one in that folder or built in.
///
/// # Errors
/// When it is somewhere else.
pub(in crate::commands) fn module(folder: &Path, landscape: &Landscape) -> anyhow::Result<ModuleChoice> {
    let Some(policy) = landscape.policy() else { return Ok(ModuleChoice::Given(ModuleArg::Standard)) };
    let module = &policy.spec.module;
    match (&module.built_in, &module.file) {
        (Some(_), _) => Ok(ModuleChoice::Given(ModuleArg::Standard)),
        (None, Some(FileSource { path })) => Ok(ModuleChoice::Given(ModuleArg::File(folder.join(path)))),
        (None, None) => Err(hinted(
            "the DNSPolicy of the folder names a module that is somewhere else",
            "pull it with `openmcp-dns policy pull`, and name the file with --module",
        )),
    }
}
