//! The watch of one kind in one cluster.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use kube::Api;
use kube::core::ApiResource;
use kube::runtime::watcher::{self, Event, watcher};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::kinds::{Fields, Kind, ObjectKey, Part, Reader};
use openmcp_dns_core::objects::Change;

use super::discovery::Discovery;
use super::partial::PartialObject;
use super::{Observation, Observations};
use crate::watch::{MOST_OBJECTS, too_many};

/// How long to wait before asking again whether a kind is served: CRDs are installed after us on
/// a fresh cluster, and discovery costs the API server little.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(5);

/// How long to wait where a kind has not been served for minutes.
const LONGEST_DISCOVERY_INTERVAL: Duration = Duration::from_secs(30);

/// How long to wait after the first trouble with a watch; doubles up to [`DISCOVERY_INTERVAL`] while
/// the trouble lasts.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Watch {
    pub(super) cluster: ClusterId,
    pub(super) kind: Kind,
    pub(super) client: kube::Client,
    pub(super) discovery: Arc<Discovery>,
    pub(super) observations: Observations,
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
        let (message, pause) = match self.discovery.served(self.kind).await {
            Err(error) => (openmcp_dns_core::chain(&error), DISCOVERY_INTERVAL),
            Ok(None) => {
                if *reported != Reported::NotServed {
                    *reported = Reported::NotServed;
                    self.report(Observation::NotServed(self.kind)).await?;
                }
                // What has not been installed for a while will seldom be now.
                return Ok((pause + pause / 4).clamp(DISCOVERY_INTERVAL, LONGEST_DISCOVERY_INTERVAL));
            }
            Ok(Some(resource)) => {
                match self.kind.read(Following { watch: self, resource, reported }).await? {
                    Ended::NotServed => {
                        self.discovery.forget().await;
                        return Ok(FIRST_PAUSE);
                    }
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

    async fn report(&self, observation: Observation) -> Result<(), Closed> {
        self.observations.send((self.cluster.clone(), observation)).await.map_err(|_| Closed)
    }
}

/// Watches one served version until it is no longer served, or there is trouble.
struct Following<'a> {
    watch: &'a Watch,
    resource: ApiResource,
    reported: &'a mut Reported,
}

impl<'a> Reader for Following<'a> {
    type Output = BoxFuture<'a, Result<Ended, Closed>>;

    fn read<Spec: Part, Status: Part>(self, fields: fn(Spec, Status) -> Fields) -> Self::Output {
        self.follow(fields).boxed()
    }
}

impl Following<'_> {
    async fn follow<Spec: Part, Status: Part>(
        self,
        fields: fn(Spec, Status) -> Fields,
    ) -> Result<Ended, Closed> {
        let Self { watch, resource, reported } = self;
        let kind = watch.kind;
        let api: Api<PartialObject<Spec, Status>> = Api::all_with(watch.client.clone(), &resource);
        let label_selector = kind.watched_label().map(str::to_owned);
        let config = watcher::Config { label_selector, ..watcher::Config::default() };
        let mut events = watcher(api, config).boxed();
        let (mut list, mut known) = (Vec::new(), Known::default());
        let mut synced = false;
        while let Some(event) = events.next().await {
            let is_listed = matches!(event, Ok(Event::InitApply(_)));
            let change = match event {
                Ok(Event::Init) => {
                    list.clear();
                    known.forget();
                    continue;
                }
                Ok(Event::InitApply(object) | Event::Apply(object)) => {
                    let object = object.object.watched(kind, fields);
                    // The same object without end is an endless list, too.
                    if list.len() == MOST_OBJECTS || !known.take(&object.key(), MOST_OBJECTS) {
                        return Ok(Ended::Trouble { message: too_many(), synced: false });
                    }
                    if is_listed {
                        list.push(object);
                        continue;
                    }
                    Change::Set(object)
                }
                Ok(Event::InitDone) => {
                    synced = true;
                    *reported = Reported::Nothing;
                    Change::Replaced(kind, std::mem::take(&mut list))
                }
                Ok(Event::Delete(object)) => {
                    let key = object.object.watched(kind, fields).key();
                    known.drop(&key);
                    Change::Removed(kind, key)
                }
                Err(error) if is_not_found(&error) => return Ok(Ended::NotServed),
                // The watch was too far behind; it lists anew by itself.
                Err(watcher::Error::WatchError(status)) if status.code == 410 => continue,
                Err(error) => return Ok(Ended::Trouble { message: openmcp_dns_core::chain(&error), synced }),
            };
            watch.report(Observation::Change(change)).await?;
        }
        Ok(Ended::NotServed)
    }
}

/// The objects that there are, by a hash of their keys: only their number counts.
#[derive(Default)]
struct Known {
    keys: HashSet<u64>,
    hasher: RandomState,
}

impl Known {
    /// Takes an object in; gives `false` when there are more than so many.
    fn take(&mut self, key: &ObjectKey, most: usize) -> bool {
        self.keys.insert(self.hasher.hash_one(key));
        self.keys.len() <= most
    }

    fn drop(&mut self, key: &ObjectKey) {
        self.keys.remove(&self.hasher.hash_one(key));
    }

    fn forget(&mut self) {
        self.keys = HashSet::new();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::observations;
    use crate::watch::tests::endless;

    #[tokio::test]
    async fn a_list_without_end_is_trouble_of_its_cluster() {
        let (observations, mut seen) = observations();
        let cluster = ClusterId::new("s", "w1");
        let discovery = Arc::new(Discovery::new(endless()));
        let watch = Watch { cluster, kind: Kind::Namespace, client: endless(), discovery, observations };
        tokio::spawn(watch.run());
        let told = seen.recv().await.observation;
        assert!(matches!(&told, Observation::Trouble(_, why) if *why == too_many()), "it is trouble");
    }

    #[test]
    fn objects_that_come_after_the_list_count_and_those_that_go_do_not() {
        let mut known = Known::default();
        let key = |name: &str| ("default".to_owned(), name.to_owned());
        assert!(known.take(&key("a"), 2) && known.take(&key("b"), 2) && known.take(&key("b"), 2));
        known.drop(&key("a"));
        assert!(known.take(&key("c"), 2) && !known.take(&key("d"), 2));
        known.forget();
        assert!(known.take(&key("d"), 1));
    }
}
