//! What is done for policies: loads their modules, looks up tags, follows ConfigMaps.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::runtime::watcher;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

use super::state::Input;
use crate::policies::{self, ChosenBy, Effect, Load, MeteredModule};
use crate::settings::Settings;
use crate::watch::{Update, watch};
use openmcp_dns_api::dns_policy::ConfigMapKey;
use openmcp_dns_modules::ModuleLoader;
use openmcp_dns_policy::digest;

/// The watch of the ConfigMap that a policy's module comes from; ends with this value.
struct ModuleWatch {
    key: ConfigMapKey,
    _ends_watch: DropGuard,
}

/// The work that is under way for policies.
pub(super) struct Loads {
    settings: Arc<Settings>,
    loader: ModuleLoader,
    /// Where what came of it is told.
    inputs: mpsc::Sender<Input<MeteredModule>>,
    watches: BTreeMap<String, ModuleWatch>,
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
            Effect::Follow(key) => self.follow(policy, key),
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
        self.watches.remove(policy);
        self.loads.retain(|(of, _), _| of != policy);
    }

    fn load(&mut self, policy: String, load: Load) {
        let cancel = self.settings.cancel.child_token();
        self.loads.insert((policy.clone(), load.chosen_by), cancel.clone().drop_guard());
        let (loader, metrics) = (self.loader.clone(), self.settings.metrics.clone());
        let loading = async move {
            let configuration = &load.choice.configuration;
            let kept = match &load.kept {
                Some(digest) => loader.load_kept(digest, configuration.clone()).await,
                None => None,
            };
            let loaded = match kept {
                Some(loaded) => loaded,
                None => loader.load(&load.choice.source, configuration.clone()).await,
            };
            (load, loaded)
        };
        self.spawn(policy, cancel, loading, |(load, loaded)| {
            policies::Input::Loaded(load, loaded.map(|module| MeteredModule::new(module, metrics)))
        });
    }

    fn follow(&mut self, policy: String, key: Option<ConfigMapKey>) {
        let Some(key) = key else {
            self.watches.remove(&policy);
            return;
        };
        if self.watches.get(&policy).is_some_and(|watch| watch.key == key) {
            return;
        }
        let api: Api<ConfigMap> = Api::namespaced(self.settings.platform.clone(), &key.namespace);
        let one = watcher::Config::default().fields(&format!("metadata.name={}", key.name));
        let cancel = self.settings.cancel.child_token();
        let (inputs, token) = (self.inputs.clone(), cancel.clone());
        let (name, module_key) = (policy.clone(), key.key.clone());
        self.settings.tasks.spawn(async move {
            let seen = |update| {
                let digest = module_in(update, &module_key);
                Input::Policy(name.clone(), Box::new(policies::Input::ConfigMapSeen(digest)))
            };
            token.run_until_cancelled(watch(api, one, inputs, seen)).await;
        });
        self.watches.insert(policy, ModuleWatch { key, _ends_watch: cancel.drop_guard() });
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

/// The digest of the module under a key of the only ConfigMap that is watched.
fn module_in(update: Update<ConfigMap>, key: &str) -> Option<String> {
    let config_map = match update {
        Update::All(all) => all.into_iter().next()?,
        Update::Set(one) => *one,
        Update::Removed(_) | Update::Trouble(_) => return None,
    };
    Some(digest(&config_map.binary_data?.get(key)?.0))
}
