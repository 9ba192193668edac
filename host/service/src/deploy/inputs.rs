//! What the deployment depends on, watched.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::runtime::watcher;
use kube::{Api, Resource};
use openmcp_dns_api::DNSServiceConfig;
use openmcp_dns_api::conditions::Finding;
use openmcp_dns_core::deployment::{MANAGED_BY_LABEL, MANAGER};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::central::Zones;
use crate::watch::{Named, Update, watch};

enum Input {
    Config(Update<DNSServiceConfig>),
    /// Something of ours has changed: what, is looked at.
    Ours,
}

pub(super) struct Inputs {
    receiver: mpsc::Receiver<Input>,
    config: Named<DNSServiceConfig>,
    zones: channel::Receiver<Zones>,
    canary: channel::Receiver<Option<Finding>>,
    /// End with this.
    _watches: JoinSet<()>,
}

impl Inputs {
    pub(super) fn watch(
        platform: &kube::Client,
        namespace: &str,
        name: &str,
        zones: channel::Receiver<Zones>,
        canary: channel::Receiver<Option<Finding>>,
    ) -> Self {
        let (inputs, receiver) = mpsc::channel(64);
        let mut watches = JoinSet::new();
        let all = watcher::Config::default();
        watches.spawn(watch(Api::all(platform.clone()), all, inputs.clone(), Input::Config));
        ours::<Service>(&mut watches, platform, namespace, &inputs);
        ours::<ConfigMap>(&mut watches, platform, namespace, &inputs);
        ours::<StatefulSet>(&mut watches, platform, namespace, &inputs);
        ours::<Deployment>(&mut watches, platform, namespace, &inputs);
        Self { receiver, config: Named::new(name.to_owned()), zones, canary, _watches: watches }
    }

    /// The configuration, where there is one; `None` until that is known.
    pub(super) fn config(&self) -> Option<Option<&Arc<DNSServiceConfig>>> {
        self.config.object()
    }

    /// The annotation by which the configuration is to be left alone, if it is.
    pub(super) const fn ignored_by(&self) -> Option<&'static str> {
        self.config.ignored_by()
    }

    /// The zones, as they are now.
    pub(super) fn zones(&mut self) -> Zones {
        self.zones.borrow_and_update().clone()
    }

    /// How the DNS pods answer the canary, as far as they were asked.
    pub(super) fn canary(&mut self) -> Option<Finding> {
        self.canary.borrow_and_update().clone()
    }

    /// Waits until something has changed, and for a moment what else does; not longer than until `deadline`.
    pub(super) async fn changed(&mut self, deadline: Instant, debounce: Duration) {
        let first = tokio::select! {
            Some(first) = self.receiver.recv() => Some(first),
            Ok(()) = self.zones.changed() => None,
            Ok(()) = self.canary.changed() => None,
            () = tokio::time::sleep_until(deadline) => return,
        };
        first.into_iter().for_each(|first| self.take(first));
        let end = Instant::now() + debounce;
        while let Ok(Some(input)) = tokio::time::timeout_at(end, self.receiver.recv()).await {
            self.take(input);
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Config(update) => self.config.take(update),
            Input::Ours => {}
        }
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
