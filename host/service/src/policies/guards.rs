//! Guards that were admitted.

use std::sync::Arc;

use openmcp_dns_api::dns_policy::GuardStatus;
use openmcp_dns_core::guards::{Guard, GuardId};
use openmcp_dns_core::policy::Policy;
use openmcp_dns_policy::Module;

/// A guard that was admitted with its configuration.
#[derive(Clone, Debug)]
pub struct LoadedGuard {
    /// Its name in the spec.
    pub name: String,
    /// Its module.
    pub module: Arc<Module>,
    /// JSON text.
    pub configuration: String,
}

impl LoadedGuard {
    /// The guard at work: `policy` asks its module.
    #[must_use]
    pub fn asked_through(&self, policy: Arc<dyn Policy>) -> Guard {
        let Self { name, module: _, configuration } = self;
        Guard { name: name.clone(), policy, configuration: configuration.clone() }
    }

    /// Which one it is.
    #[must_use]
    pub fn id(&self) -> GuardId {
        let Self { name, module, configuration } = self;
        GuardId {
            name: name.clone(),
            digest: module.digest().to_owned(),
            configuration: configuration.clone(),
        }
    }

    /// What a status says of it.
    #[must_use]
    pub fn status(&self) -> GuardStatus {
        GuardStatus {
            name: self.name.clone(),
            sha256: self.module.digest().to_owned(),
            description: self.module.description().to_string(),
        }
    }
}
