//! Which module decides: one on the command line, or the one that a DNSPolicy names; and the policy that holds with it.

use std::convert::Infallible;
use std::str::FromStr;

use kube::ResourceExt as _;
use openmcp_dns_api::DNSPolicy;
use openmcp_dns_kit::{BASE_DOMAIN_HINT, DEFAULT_BASE_DOMAIN, LoadedPolicy};
use openmcp_dns_landscape::Landscape;
use openmcp_dns_modules::{Loaded, ModuleLoader};
use openmcp_dns_policy::Engine;
use openmcp_dns_service::policies::configuration;

use super::guards::Place;
use super::module::ModuleArg;
use super::{configuration, note};
use crate::terminal::hint::{Hint as _, hinted};

/// The name of the module that a DNSPolicy of a running landscape names.
const ACTIVE: &str = "active";

/// Which module decides.
#[derive(Clone, Debug)]
pub(in crate::commands) enum ModuleChoice {
    /// The one that the DNSPolicy names.
    Active,
    /// One that is given.
    Given(ModuleArg),
}

impl FromStr for ModuleChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        if text == ACTIVE { Ok(Self::Active) } else { text.parse().map(Self::Given) }
    }
}

impl ModuleChoice {
    /// The module, if one is given.
    pub(in crate::commands) const fn given(&self) -> Option<&ModuleArg> {
        match self {
            Self::Given(module) => Some(module),
            Self::Active => None,
        }
    }

    /// The policy of a landscape with this module; `config` takes the place of the landscape's
    /// configuration. The guards are those of the landscape's policy.
    ///
    /// # Errors
    /// When the module or the configuration is refused.
    pub(in crate::commands) async fn policy(
        &self,
        engine: &Engine,
        config: Option<&str>,
        landscape: &Landscape,
        place: Place<'_>,
    ) -> anyhow::Result<LoadedPolicy> {
        let mut policy = match landscape.policy() {
            Some(policy) => policy.clone(),
            None => {
                let spec = serde_json::from_value(serde_json::json!({ "baseDomain": DEFAULT_BASE_DOMAIN }))?;
                DNSPolicy::new("default", spec)
            }
        };
        if let Some(config) = config {
            policy.spec.configuration = Some(configuration::read(config)?);
        }
        let active = match (self, place) {
            (Self::Given(module), _) => module.under(engine, &module.read()?, &policy)?,
            (Self::Active, Place::Live(loader)) => active(loader, &policy).await?,
            (Self::Active, Place::Folder(_)) => {
                let message = format!("{ACTIVE} is the module of a running landscape, and this is a folder");
                return Err(hinted(message, "give --kubeconfig instead of the folder, or name the module"));
            }
        };
        // CoreDNS's etcd plugin finds a stored wildcard only by asking for `*` itself; the built-in DNS server of
        // the demo finds wildcards.
        let active = active.behind(place.guards(engine, &policy).await?);
        Ok(match place {
            Place::Folder(_) => active,
            Place::Live(_) => active.without_wildcards(),
        })
    }
}

async fn active(loader: &ModuleLoader, policy: &DNSPolicy) -> anyhow::Result<LoadedPolicy> {
    let name = policy.name_any();
    note(&format!("loading the module of DNSPolicy {name} ..."));
    let Loaded { facts: _, module } =
        loader.load(&policy.spec.module, configuration(policy.spec.configuration.as_ref())).await;
    let hint = "pull the module with `openmcp-dns policy pull`, and name its file instead of active";
    let module = module.map_err(anyhow::Error::from).hint(hint)?;
    let decides = policy.status.as_ref().map(|status| status.module.active_digest.as_str());
    if let Some(decides) = decides.filter(|decides| !decides.is_empty() && *decides != module.digest()) {
        note(&format!(
            "the service still decides with the module {decides}, not with that of the spec; see the status of DNSPolicy {name}"
        ));
    }
    LoadedPolicy::with_module(module, Some(policy)).hint(BASE_DOMAIN_HINT)
}
