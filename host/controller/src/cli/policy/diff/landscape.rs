//! The claims of a landscape folder.

use std::path::Path;

use anyhow::Context as _;
use openmcp_dns_core::objects::{Change, Objects};

use super::super::super::hint::{Hint as _, hinted};
use super::super::{manifests, note};
use crate::api::DNSPolicy;
use crate::demo::clusters::{Member, PLATFORM, landscape};
use crate::demo::files::Files;
use crate::demo::folder;
use crate::demo::manifest::Object;

/// The clusters of a landscape with what runs on them.
pub(super) struct Landscape {
    /// The policy that holds; `None` for the defaults.
    pub(super) policy: Option<DNSPolicy>,
    /// The clusters in the order of their names.
    pub(super) clusters: Vec<(Member, Objects)>,
}

/// Reads a folder as the demo does.
///
/// # Errors
/// When something in it cannot be read: what is not known cannot be compared.
pub(super) fn read(path: &Path) -> anyhow::Result<Landscape> {
    let hint = format!(
        "name a folder that holds one folder for each cluster, and {PLATFORM} with the Cluster resources"
    );
    let scan = folder::scan(path)
        .with_context(|| format!("failed to read the landscape {}", path.display()))
        .hint(&hint)?;
    let mut files = Files::default();
    files.update(scan);
    let found = landscape(files.objects(), files.folders());
    for (file, problems) in files.problems().iter().chain(&found.problems) {
        for problem in problems {
            let message = manifests::at(&path.join(file).display().to_string(), problem);
            if problem.is_error {
                return Err(hinted(message, "correct the file; what cannot be read cannot be compared"));
            }
            note(&message);
        }
    }
    if found.members.is_empty() {
        let message = format!("there is no Cluster in {}", path.join(PLATFORM).display());
        return Err(hinted(message, hint));
    }
    let clusters = found.members.into_iter().map(|(name, member)| {
        let mut objects = Objects::default();
        for ((folder, _), placed) in files.objects() {
            if let (true, Object::Watched(object)) = (*folder == name, &placed.manifest.object) {
                objects.apply(Change::Set(object.clone()));
            }
        }
        (member, objects)
    });
    Ok(Landscape { policy: found.policy.map(|(policy, _)| policy), clusters: clusters.collect() })
}
