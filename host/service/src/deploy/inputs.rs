//! What the deployment depends on, watched.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::runtime::watcher;
use kube::{Api, Resource, ResourceExt as _};
use openmcp_dns_api::{DNSPolicy, DNSServiceConfig};
use openmcp_dns_core::deployment::{MANAGED_BY_LABEL, MANAGER};
use openmcp_dns_core::name::HostName;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::watch::{Update, watch};

/// The zones of all DNSPolicies.
pub(super) type Zones = BTreeSet<HostName>;

enum Input {
    Config(Update<DNSServiceConfig>),
    Policies(Update<DNSPolicy>),
    /// Something of ours has changed: what, is looked at.
    Ours,
}

pub(super) struct Inputs {
    receiver: mpsc::Receiver<Input>,
    name: String,
    /// `None` until it is known whether there is one.
    config: Option<Option<DNSServiceConfig>>,
    policies: Option<Vec<DNSPolicy>>,
    zones: Zones,
    /// End with this.
    _watches: JoinSet<()>,
}

impl Inputs {
    pub(super) fn watch(platform: &kube::Client, namespace: &str, name: &str) -> Self {
        let (inputs, receiver) = mpsc::channel(64);
        let mut watches = JoinSet::new();
        let all = watcher::Config::default;
        watches.spawn(watch(Api::all(platform.clone()), all(), inputs.clone(), Input::Policies));
        watches.spawn(watch(Api::all(platform.clone()), all(), inputs.clone(), Input::Config));
        ours::<Service>(&mut watches, platform, namespace, &inputs);
        ours::<ConfigMap>(&mut watches, platform, namespace, &inputs);
        ours::<StatefulSet>(&mut watches, platform, namespace, &inputs);
        ours::<Deployment>(&mut watches, platform, namespace, &inputs);
        Self {
            receiver,
            name: name.to_owned(),
            config: None,
            policies: None,
            zones: Zones::new(),
            _watches: watches,
        }
    }

    /// The configuration, where there is one, and the zones; `None` until both were read.
    pub(super) fn current(&self) -> Option<(Option<&DNSServiceConfig>, &Zones)> {
        self.policies.as_ref()?;
        Some((self.config.as_ref()?.as_ref(), &self.zones))
    }

    /// Waits until something has changed, and for a moment what else does; not longer than until `deadline`.
    pub(super) async fn changed(&mut self, deadline: Instant, debounce: Duration) {
        let Ok(Some(first)) = tokio::time::timeout_at(deadline, self.receiver.recv()).await else { return };
        self.take(first);
        let end = Instant::now() + debounce;
        while let Ok(Some(input)) = tokio::time::timeout_at(end, self.receiver.recv()).await {
            self.take(input);
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Config(Update::All(all)) => {
                self.config = Some(all.into_iter().find(|config| config.name_any() == self.name));
            }
            Input::Config(Update::Set(config)) if config.name_any() == self.name => {
                self.config = Some(Some(*config))
            }
            Input::Config(Update::Removed(config)) if config.name_any() == self.name => {
                self.config = Some(None)
            }
            Input::Policies(update) => self.take_policies(update),
            Input::Config(_) | Input::Ours => {}
        }
    }

    fn take_policies(&mut self, update: Update<DNSPolicy>) {
        let known = self.policies.get_or_insert_default();
        match update {
            Update::All(all) => *known = all,
            Update::Set(policy) => {
                known.retain(|other| other.name_any() != policy.name_any());
                known.push(*policy);
            }
            Update::Removed(policy) => known.retain(|other| other.name_any() != policy.name_any()),
            Update::Trouble(error) => tracing::warn!(error, "unable to watch the DNSPolicies"),
        }
        self.zones = known.iter().filter_map(|policy| policy.spec.base_domain.parse().ok()).collect();
    }
}

/// Watches what we made of a kind.
fn ours<K>(watches: &mut JoinSet<()>, platform: &kube::Client, namespace: &str, inputs: &mpsc::Sender<Input>)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + 'static,
{
    let api = Api::<K>::namespaced(platform.clone(), namespace);
    let config = watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGER}"));
    watches.spawn(watch(api, config, inputs.clone(), |_| Input::Ours));
}
