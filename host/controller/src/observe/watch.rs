//! The watch of one kind in one cluster.

use std::time::Duration;

use futures::StreamExt as _;
use kube::Api;
use kube::core::ApiResource;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::object::Object;
use openmcp_dns_core::objects::{Change, Watched, WatchedKind};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::slim::Slim;
use super::{Observation, discovery};

/// How long to wait before asking again whether a kind is served: CRDs are installed after us on
/// a fresh cluster, and discovery costs the API server little.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(5);

pub(super) struct Watch {
    pub(super) cluster: ClusterId,
    pub(super) kind: WatchedKind,
    pub(super) client: kube::Client,
    pub(super) observations: mpsc::Sender<(ClusterId, Observation)>,
}

/// Nobody listens any more.
struct Closed;

impl Watch {
    /// Runs until nobody listens any more.
    pub(super) async fn run(self) {
        let mut reported = None;
        loop {
            match discovery::served(&self.client, self.kind).await {
                Ok(Some(resource)) => {
                    reported = None;
                    let watched = match self.kind {
                        WatchedKind::Gateway => self.watch(&resource, Watched::Gateway).await,
                        WatchedKind::HttpRoute => self.watch(&resource, Watched::HttpRoute).await,
                        WatchedKind::Ingress => self.watch(&resource, Watched::Ingress).await,
                        WatchedKind::Namespace => self.watch(&resource, Watched::Namespace).await,
                    };
                    if let Err(Closed) = watched {
                        return;
                    }
                }
                // Each state is reported once, not on every round.
                Ok(None) if reported != Some(String::new()) => {
                    reported = Some(String::new());
                    if let Err(Closed) = self.report(Observation::NotServed(self.kind)).await {
                        return;
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    let message = crate::report::chain(&error);
                    if reported.as_ref() != Some(&message) {
                        reported = Some(message.clone());
                        if let Err(Closed) = self.report(Observation::Trouble(self.kind, message)).await {
                            return;
                        }
                    }
                }
            }
            tokio::time::sleep(DISCOVERY_INTERVAL).await;
        }
    }

    /// Watches one served version until it is no longer served.
    async fn watch<Spec, Status>(
        &self,
        resource: &ApiResource,
        wrap: fn(Object<Spec, Status>) -> Watched,
    ) -> Result<(), Closed>
    where
        Spec: Default + DeserializeOwned + Clone + std::fmt::Debug + Send + 'static,
        Status: Default + DeserializeOwned + Clone + std::fmt::Debug + Send + 'static,
    {
        let api: Api<Slim<Spec, Status>> = Api::all_with(self.client.clone(), resource);
        let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
        let mut list = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => list.clear(),
                Ok(Event::InitApply(object)) => list.push(wrap(object.object)),
                Ok(Event::InitDone) => {
                    let all = std::mem::take(&mut list);
                    self.report(Observation::Change(Change::Replaced(self.kind, all))).await?;
                }
                Ok(Event::Apply(object)) => {
                    self.report(Observation::Change(Change::Set(wrap(object.object)))).await?;
                }
                Ok(Event::Delete(object)) => {
                    let key = object.object.key();
                    self.report(Observation::Change(Change::Removed(self.kind, key))).await?;
                }
                Err(error) if is_not_found(&error) => return Ok(()),
                Err(error) => {
                    let message = crate::report::chain(&error);
                    self.report(Observation::Trouble(self.kind, message)).await?;
                }
            }
        }
        Ok(())
    }

    async fn report(&self, observation: Observation) -> Result<(), Closed> {
        self.observations.send((self.cluster.clone(), observation)).await.map_err(|_| Closed)
    }
}

/// The kind was served a moment ago and is not any more: its CRD was removed.
fn is_not_found(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 404,
        _ => false,
    }
}
