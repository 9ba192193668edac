//! The watch of one kind in one cluster.

use std::time::Duration;

use futures::StreamExt as _;
use kube::Api;
use kube::core::ApiResource;
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

/// How long to wait after the first trouble with a watch; doubles up to [`DISCOVERY_INTERVAL`] while
/// the trouble lasts.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Watch {
    pub(super) cluster: ClusterId,
    pub(super) kind: WatchedKind,
    pub(super) client: kube::Client,
    pub(super) observations: mpsc::Sender<(ClusterId, Observation)>,
}

/// Nobody listens any more.
struct Closed;

/// Why a watch ended.
enum Ended {
    /// The kind is not served any more.
    NotServed,
    /// The API server does not answer, or refuses. `synced` says whether it did answer before.
    Trouble { message: String, synced: bool },
}

/// What was reported last. Each state is reported once, not on every round.
#[derive(Default, PartialEq, Eq)]
enum Reported {
    #[default]
    Nothing,
    NotServed,
    Trouble(String),
}

impl Watch {
    /// Runs until nobody listens any more.
    pub(super) async fn run(self) {
        let mut reported = Reported::Nothing;
        let mut pause = FIRST_PAUSE;
        while let Ok(next_pause) = self.round(&mut reported, pause).await {
            tokio::time::sleep(next_pause).await;
            pause = next_pause;
        }
    }

    /// Looks which version is served, and watches it until that ends. Gives how long to wait before
    /// the next round.
    ///
    /// A watch is not resumed after trouble, but begun anew with a list: only a list says that all is
    /// known again.
    async fn round(&self, reported: &mut Reported, pause: Duration) -> Result<Duration, Closed> {
        let (message, pause) = match discovery::served(&self.client, self.kind).await {
            Err(error) => (openmcp_dns_core::chain(&error), DISCOVERY_INTERVAL),
            Ok(None) => {
                if *reported != Reported::NotServed {
                    *reported = Reported::NotServed;
                    self.report(Observation::NotServed(self.kind)).await?;
                }
                return Ok(DISCOVERY_INTERVAL);
            }
            Ok(Some(resource)) => {
                let ended = match self.kind {
                    WatchedKind::Gateway => self.watch(&resource, Watched::Gateway, reported).await?,
                    WatchedKind::HttpRoute => self.watch(&resource, Watched::HttpRoute, reported).await?,
                    WatchedKind::Ingress => self.watch(&resource, Watched::Ingress, reported).await?,
                    WatchedKind::Namespace => self.watch(&resource, Watched::Namespace, reported).await?,
                };
                match ended {
                    Ended::NotServed => return Ok(FIRST_PAUSE),
                    Ended::Trouble { message, synced: true } => (message, FIRST_PAUSE),
                    Ended::Trouble { message, synced: false } => {
                        (message, (pause * 2).min(DISCOVERY_INTERVAL))
                    }
                }
            }
        };
        let trouble = Reported::Trouble(message.clone());
        if *reported != trouble {
            *reported = trouble;
            self.report(Observation::Trouble(self.kind, message)).await?;
        }
        Ok(pause)
    }

    /// Watches one served version until it is no longer served, or there is trouble.
    async fn watch<Spec, Status>(
        &self,
        resource: &ApiResource,
        wrap: fn(Object<Spec, Status>) -> Watched,
        reported: &mut Reported,
    ) -> Result<Ended, Closed>
    where
        Spec: Default + DeserializeOwned + Clone + std::fmt::Debug + Send + 'static,
        Status: Default + DeserializeOwned + Clone + std::fmt::Debug + Send + 'static,
    {
        let api: Api<Slim<Spec, Status>> = Api::all_with(self.client.clone(), resource);
        let mut events = watcher(api, watcher::Config::default()).boxed();
        let mut list = Vec::new();
        let mut synced = false;
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => list.clear(),
                Ok(Event::InitApply(object)) => list.push(wrap(object.object)),
                Ok(Event::InitDone) => {
                    synced = true;
                    *reported = Reported::Nothing;
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
                Err(error) if is_not_found(&error) => return Ok(Ended::NotServed),
                // The watch was too far behind; it lists anew by itself.
                Err(watcher::Error::WatchError(status)) if status.code == 410 => {}
                Err(error) => return Ok(Ended::Trouble { message: openmcp_dns_core::chain(&error), synced }),
            }
        }
        Ok(Ended::NotServed)
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
