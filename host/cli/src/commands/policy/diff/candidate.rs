//! One of the two modules on the command line, and the rules that hold with it.

use std::convert::Infallible;
use std::str::FromStr;
use std::sync::Arc;

use kube::ResourceExt as _;
use openmcp_dns_policy::Engine;

use super::super::module::ModuleArg;
use super::super::{configuration, note};
use super::landscape::Landscape;
use crate::demo::rules::{DEFAULT_BASE_DOMAIN, Given, Rules, RulesError};
use crate::terminal::hint::{Hint as _, hinted};
use openmcp_dns_api::DNSPolicy;
use openmcp_dns_modules::{Loaded, ModuleLoader};
use openmcp_dns_service::policies::configuration;

/// The name of the module that a DNSPolicy of a running landscape names.
const ACTIVE: &str = "active";

/// One of the two modules.
#[derive(Clone, Debug)]
pub(super) enum Candidate {
    /// The one that the DNSPolicy names.
    Active,
    /// One that is given.
    Given(ModuleArg),
}

impl FromStr for Candidate {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        if text == ACTIVE { Ok(Self::Active) } else { text.parse().map(Self::Given) }
    }
}

impl Candidate {
    /// The module, if one is given.
    pub(super) const fn given(&self) -> Option<&ModuleArg> {
        match self {
            Self::Given(module) => Some(module),
            Self::Active => None,
        }
    }

    /// The rules of a landscape with this module; `config` takes the place of the landscape's
    /// configuration. `loader` loads the module of a running landscape's policy.
    ///
    /// # Errors
    /// When the module or the configuration is refused.
    pub(super) async fn rules(
        &self,
        engine: &Engine,
        config: Option<&str>,
        landscape: &Landscape,
        loader: Option<&ModuleLoader>,
    ) -> anyhow::Result<Rules> {
        let mut policy = match &landscape.policy {
            Some(policy) => policy.clone(),
            None => {
                let spec = serde_json::from_value(serde_json::json!({ "baseDomain": DEFAULT_BASE_DOMAIN }))?;
                DNSPolicy::new("default", spec)
            }
        };
        if let Some(config) = config {
            policy.spec.configuration = Some(configuration::read(config)?);
        }
        let rules = match (self, loader) {
            (Self::Given(module), _) => given(module, engine, &policy)?,
            (Self::Active, Some(loader)) => active(loader, &policy).await?,
            (Self::Active, None) => {
                let message = format!("{ACTIVE} is the module of a running landscape, and this is a folder");
                return Err(hinted(message, "give --kubeconfig instead of the folder, or name the module"));
            }
        };
        Ok(if landscape.wildcards { rules } else { rules.without_wildcards() })
    }
}

fn given(module: &ModuleArg, engine: &Engine, policy: &DNSPolicy) -> anyhow::Result<Rules> {
    let given = Given { module: Some(module.read()?.into_owned()), ..Given::default() };
    let rules = Rules::load(engine, &given, Some(policy));
    let hint = rules.as_ref().err().map(|error| match error {
        RulesError::Module(error) => module.next_step(error.reason()),
        error => error.hint().to_owned(),
    });
    rules.hint(hint.unwrap_or_default())
}

async fn active(loader: &ModuleLoader, policy: &DNSPolicy) -> anyhow::Result<Rules> {
    let name = policy.name_any();
    note(&format!("loading the module of DNSPolicy {name} ..."));
    let Loaded { facts: _, module } = loader.load(&policy.spec.module, configuration(&policy.spec)).await;
    let hint = "pull the module with `openmcp-dns policy pull`, and name its file instead of active";
    let module = module.map_err(anyhow::Error::from).hint(hint)?;
    let decides = policy.status.as_ref().map(|status| status.module.active_digest.as_str());
    if let Some(decides) = decides.filter(|decides| !decides.is_empty() && *decides != module.digest()) {
        note(&format!(
            "the service still decides with the module {decides}, not with that of the spec; see the status of DNSPolicy {name}"
        ));
    }
    let rules = Rules::with_module(Arc::new(module), Some(policy));
    let hint = rules.as_ref().err().map_or("", RulesError::hint);
    rules.hint(hint)
}
