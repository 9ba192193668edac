//! The guards that a DNSPolicy names, from wherever the rest of the landscape comes from.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use openmcp_dns_api::DNSPolicy;
use openmcp_dns_api::dns_policy::{FileSource, Guard};
use openmcp_dns_modules::ModuleLoader;
use openmcp_dns_policy::Engine;
use openmcp_dns_service::landscape::load_guards;
use openmcp_dns_service::policies::{Choice, LoadedGuard, configuration};

use super::module::ModuleArg;
use crate::terminal::hint::{Hint as _, hinted};

/// Where a landscape comes from.
#[derive(Clone, Copy)]
pub(in crate::commands) enum Place<'p> {
    /// This folder.
    Folder(&'p Path),
    /// Running clusters; modules are loaded as the service does.
    Live(&'p ModuleLoader),
}

impl<'p> Place<'p> {
    /// Running clusters where there is a loader, or else the folder.
    pub(in crate::commands) fn of(folder: Option<&'p Path>, loader: Option<&'p ModuleLoader>) -> Self {
        loader.map_or_else(|| Self::Folder(folder.unwrap_or_else(|| Path::new(""))), Self::Live)
    }

    /// The guards of a policy.
    ///
    /// # Errors
    /// When one of them cannot be read, or is refused: without it, decisions would be others.
    pub(super) async fn guards(
        self,
        engine: &Engine,
        policy: &DNSPolicy,
    ) -> anyhow::Result<Vec<LoadedGuard>> {
        match self {
            Self::Folder(folder) => in_folder(engine, folder, policy),
            Self::Live(loader) => load_guards(loader, &Choice::of(&policy.spec), None)
                .await
                .map_err(anyhow::Error::from)
                .hint("see the status of the DNSPolicy: the service goes on with the guards that it has"),
        }
    }
}

/// The guards of a policy whose files lie in a folder.
///
/// # Errors
/// When one of them is somewhere else, cannot be read, or is refused.
pub(super) fn in_folder(
    engine: &Engine,
    folder: &Path,
    policy: &DNSPolicy,
) -> anyhow::Result<Vec<LoadedGuard>> {
    policy.spec.guards.iter().map(|guard| one_in_folder(engine, folder, guard)).collect()
}

fn one_in_folder(engine: &Engine, folder: &Path, guard: &Guard) -> anyhow::Result<LoadedGuard> {
    let Guard { name, module, configuration: configured } = guard;
    let module = match (&module.built_in, &module.file) {
        (Some(_), _) => ModuleArg::Standard,
        (None, Some(FileSource { path })) => ModuleArg::File(folder.join(path)),
        (None, None) => {
            return Err(hinted(
                format!("guard {name} of the DNSPolicy is a module that is somewhere else"),
                "pull it with `openmcp-dns policy pull`, and name the file in module.file.path of the guard",
            ));
        }
    };
    let configuration = configuration(configured.as_ref());
    let module = module.admit(engine, &configuration).with_context(|| format!("guard {name}"))?;
    Ok(LoadedGuard { name: name.clone(), module: Arc::new(module), configuration })
}
