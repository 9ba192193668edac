//! What is done for policies: loads their modules, looks up tags, follows ConfigMaps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::runtime::watcher;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

use super::state::Input;
use crate::policies::{
    self, Choice, ChosenBy, Digests, Effect, GuardSource, Load, LoadedGuard, MeteredModule,
};
use crate::settings::Settings;
use crate::watch::{Update, watch};
use openmcp_dns_api::dns_policy::ConfigMapKey;
use openmcp_dns_modules::{Loaded, ModuleError, ModuleLoader};
use openmcp_dns_policy::digest;

/// The work that is under way for policies.
pub(super) struct Loads {
    settings: Arc<Settings>,
    loader: ModuleLoader,
    /// Where what came of it is told.
    inputs: mpsc::Sender<Input<MeteredModule>>,
    /// Ends the watch of a ConfigMap that a policy's module or one of its guards comes from.
    watches: BTreeMap<(String, ConfigMapKey), DropGuard>,
    /// Ends the last load of a policy's module when another one is wanted.
    loads: BTreeMap<(String, ChosenBy), DropGuard>,
}

impl Loads {
    /// No work is under way.
    pub(super) const fn new(
        settings: Arc<Settings>,
        loader: ModuleLoader,
        inputs: mpsc::Sender<Input<MeteredModule>>,
    ) -> Self {
        Self { settings, loader, inputs, watches: BTreeMap::new(), loads: BTreeMap::new() }
    }

    /// Begins to do something for a policy.
    pub(super) fn begin(&mut self, policy: String, effect: Effect) {
        match effect {
            Effect::Follow(keys) => self.follow(&policy, &keys),
            Effect::Load(load) => self.load(policy, load),
            Effect::LookUp(number, oci) => {
                let loader = self.loader.clone();
                let looking = async move { loader.resolve(&oci).await };
                let cancel = self.settings.cancel.clone();
                self.spawn(policy, cancel, looking, move |resolved| {
                    policies::Input::Resolved(number, resolved)
                });
            }
            // Done by whoever knows the clusters, and the journal.
            Effect::TellClusters | Effect::Tell(_) => {}
        }
    }

    /// Ends all work for a policy that is gone.
    pub(super) fn forget(&mut self, policy: &str) {
        self.watches.retain(|(of, _), _| of != policy);
        self.loads.retain(|(of, _), _| of != policy);
    }

    fn load(&mut self, policy: String, load: Load) {
        let cancel = self.settings.cancel.child_token();
        self.loads.insert((policy.clone(), load.chosen_by), cancel.clone().drop_guard());
        let (loader, metrics) = (self.loader.clone(), self.settings.metrics.clone());
        let loading = async move {
            let Load { choice, kept, .. } = &load;
            let of_module = kept.as_ref().map(|kept| &*kept.module);
            let Loaded { facts, module } =
                loader.load_kept_or(of_module, &choice.source, &choice.configuration).await;
            let module = match module {
                Ok(module) => load_guards(&loader, choice, kept.as_ref())
                    .await
                    .map(|guards| MeteredModule::new(module, guards, metrics)),
                Err(error) => Err(error),
            };
            (load, Loaded { facts, module })
        };
        self.spawn(policy, cancel, loading, |(load, loaded)| policies::Input::Loaded(load, loaded));
    }

    fn follow(&mut self, policy: &str, keys: &BTreeSet<ConfigMapKey>) {
        self.watches.retain(|(of, key), _| of != policy || keys.contains(key));
        for key in keys {
            let watched = (policy.to_owned(), key.clone());
            if !self.watches.contains_key(&watched) {
                let ends_watch = self.watch(policy, key.clone());
                self.watches.insert(watched, ends_watch);
            }
        }
    }

    /// Follows a ConfigMap that a policy's module or one of its guards comes from; the watch ends with the value.
    fn watch(&self, policy: &str, key: ConfigMapKey) -> DropGuard {
        let api: Api<ConfigMap> = Api::namespaced(self.settings.platform.clone(), &key.namespace);
        let one = watcher::Config::default().fields(&format!("metadata.name={}", key.name));
        let cancel = self.settings.cancel.child_token();
        let (inputs, token) = (self.inputs.clone(), cancel.clone());
        let name = policy.to_owned();
        self.settings.tasks.spawn(async move {
            let seen = |update| {
                let digest = module_in(update, &key.key);
                Input::Policy(name.clone(), Box::new(policies::Input::ConfigMapSeen(digest)))
            };
            token.run_until_cancelled(watch(api, one, inputs, seen)).await;
        });
        cancel.drop_guard()
    }

    /// Does some work for a policy, and tells what came of it unless it is cancelled.
    fn spawn<T: Send + 'static>(
        &self,
        policy: String,
        cancel: tokio_util::sync::CancellationToken,
        work: impl Future<Output = T> + Send + 'static,
        tell: impl FnOnce(T) -> policies::Input<MeteredModule> + Send + 'static,
    ) {
        let inputs = self.inputs.clone();
        self.settings.tasks.spawn(async move {
            let Some(done) = cancel.run_until_cancelled(work).await else { return };
            // Nobody may be listening any more.
            let _ = inputs.send(Input::Policy(policy, Box::new(tell(done)))).await;
        });
    }
}

/// Loads the guards of a module; one after another, as all modules are.
///
/// # Errors
/// Why the first of them that is not used is not: a policy with half of its guards is not what was meant.
pub async fn load_guards(
    loader: &ModuleLoader,
    choice: &Choice,
    kept: Option<&Digests>,
) -> Result<Vec<LoadedGuard>, ModuleError> {
    let mut loaded = Vec::new();
    for (index, GuardSource { name, source, configuration }) in choice.guards.iter().enumerate() {
        let kept = kept.and_then(|kept| kept.guards.get(index)).map(String::as_str);
        let Loaded { facts: _, module } = loader.load_kept_or(kept, source, configuration).await;
        let module = module.map_err(|error| error.of_guard(name))?;
        loaded.push(LoadedGuard { name: name.clone(), module, configuration: configuration.clone() });
    }
    Ok(loaded)
}

/// The digest of the module under a key of the only ConfigMap that is watched.
fn module_in(update: Update<ConfigMap>, key: &str) -> Option<String> {
    let config_map = match update {
        Update::All(all) => all.into_iter().next()?,
        Update::Set(one) => *one,
        Update::Removed(_) | Update::Trouble(_) => return None,
    };
    Some(digest(&config_map.binary_data?.get(key)?.0))
}
