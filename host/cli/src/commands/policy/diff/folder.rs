//! A landscape as a folder of manifests.

use std::path::Path;

use anyhow::Context as _;

use super::super::{manifests, note};
use super::landscape::{Landscape, Member, objects};
use crate::demo::clusters::{PLATFORM, landscape};
use crate::demo::files::Files;
use crate::demo::folder;
use crate::demo::manifest::Object;
use crate::terminal::hint::{Hint as _, hinted};

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
        let watched = files.objects().iter().filter(|((folder, _), _)| *folder == name);
        let watched = watched.filter_map(|(_, placed)| match &placed.manifest.object {
            Object::Watched(object) => Some(object.clone()),
            Object::Cluster(_) | Object::Policy(_) => None,
        });
        Member { id: member.id, cluster: member.cluster, objects: Ok(objects(watched)) }
    });
    let clusters = clusters.collect();
    // The demo has the built-in DNS server, which finds wildcards.
    Ok(Landscape { policy: found.policy.map(|(policy, _)| policy), wildcards: true, clusters })
}
