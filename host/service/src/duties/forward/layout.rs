//! What a cluster has of DNS, read with few requests, and followed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _, try_join_all};
use futures::stream::{FuturesUnordered, StreamExt as _};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use openmcp_dns_core::chain;
use openmcp_dns_core::deployment::Reference;
use openmcp_dns_core::forwarding::{Facts, KindOf, LISTS, NAMESPACE, Seen};
use serde_json::Value;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use crate::watch::{Update, tell, watch as watch_objects};

/// How often everything is read again: which pods answer, and what they mount, changes with an upgrade of the cluster.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// How soon after a change: an upgrade writes the configuration and the pods that read it one after the other.
const SECOND_LOOK: Duration = Duration::from_secs(20);

/// How soon it is tried again when the API server does not answer.
const RETRY: Duration = Duration::from_secs(5);

/// What is known of a cluster's DNS.
#[derive(Clone, Debug, PartialEq)]
pub enum Layout {
    /// The API server has not said yet.
    Unknown,
    /// What it has.
    Known(Arc<Facts>),
    /// The API server refuses, or does not answer.
    Trouble(String),
}

/// What is known of a cluster's DNS, for who changes it.
#[derive(Clone)]
pub struct LayoutView {
    told: watch::Receiver<Layout>,
    again: Arc<Notify>,
}

impl LayoutView {
    /// What is known now.
    pub(super) fn get(&self) -> Layout {
        self.told.borrow().clone()
    }

    /// Has it read again: it was changed.
    pub(super) fn again(&self) {
        self.again.notify_one();
    }

    /// Waits until something else is known; `false` when nothing will be.
    pub async fn changed(&mut self) -> bool {
        self.told.changed().await.is_ok()
    }
}

/// Tells what is known of a cluster's DNS.
pub struct LayoutTeller {
    layout: watch::Sender<Layout>,
    again: Arc<Notify>,
}

/// Nothing is known yet.
pub fn layout() -> (LayoutTeller, LayoutView) {
    let (layout, told) = watch::channel(Layout::Unknown);
    let again = Arc::new(Notify::new());
    (LayoutTeller { layout, again: Arc::clone(&again) }, LayoutView { told, again })
}

/// Follows it until nobody looks at it any more.
pub async fn follow(client: kube::Client, teller: LayoutTeller) {
    let LayoutTeller { layout, again } = teller;
    tokio::select! {
        () = look_again(&client, &layout, &again) => {}
        () = layout.closed() => {}
    }
}

async fn look_again(client: &kube::Client, layout: &watch::Sender<Layout>, again: &Notify) {
    let mut watched = Watched::new(client.clone());
    let (mut is_asked, mut second_look) = (false, None::<Instant>);
    loop {
        let pause = match read(client).await {
            Ok(facts) => {
                watched.keep(&facts);
                let known = Layout::Known(Arc::new(facts));
                if is_asked {
                    // Who has asked waits for another value, also if it says the same.
                    layout.send_replace(known);
                } else {
                    tell(layout, known);
                }
                is_asked = false;
                let now = Instant::now();
                second_look = second_look.filter(|at| *at > now);
                second_look.map_or(LOOK_AGAIN, |at| at - now)
            }
            Err(error) => {
                // What was found stays true enough to go by.
                if !matches!(*layout.borrow(), Layout::Known(_)) {
                    tell(layout, Layout::Trouble(chain(&error)));
                }
                RETRY
            }
        };
        tokio::select! {
            () = again.notified() => is_asked = true,
            () = watched.changed() => second_look = Some(Instant::now() + SECOND_LOOK),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Watches of single objects.
struct Watched {
    client: kube::Client,
    /// The versions that were read; `None` for what is not there.
    versions: BTreeMap<Reference, Option<String>>,
    watches: FuturesUnordered<BoxFuture<'static, ()>>,
    seen: mpsc::Receiver<(Reference, Option<String>)>,
}

impl Watched {
    fn new(client: kube::Client) -> Self {
        Self { client, versions: BTreeMap::new(), watches: FuturesUnordered::new(), seen: mpsc::channel(1).1 }
    }

    /// Watches what is worth it; what is watched already goes on as long as that is the same.
    fn keep(&mut self, facts: &Facts) {
        let version = |object: Reference| {
            let version = facts.resource_version(&object).map(str::to_owned);
            (object, version)
        };
        let versions: BTreeMap<_, _> = facts.watched().into_iter().map(version).collect();
        if !versions.keys().eq(self.versions.keys()) {
            let (sender, seen) = mpsc::channel(16);
            let watches = versions.keys().filter_map(|object| {
                let api = api(&self.client, KindOf::of(object)?);
                Some(watch_one(api, object.clone(), sender.clone()).boxed())
            });
            (self.watches, self.seen) = (watches.collect(), seen);
        }
        self.versions = versions;
    }

    /// Waits until one of them is another one than what was read.
    async fn changed(&mut self) {
        loop {
            tokio::select! {
                Some((object, version)) = self.seen.recv() => {
                    if self.versions.get(&object).is_some_and(|read| *read != version) {
                        return;
                    }
                }
                Some(()) = self.watches.next() => {}
                else => return std::future::pending().await,
            }
        }
    }
}

async fn watch_one(
    api: Api<DynamicObject>,
    object: Reference,
    seen: mpsc::Sender<(Reference, Option<String>)>,
) {
    let one = watcher::Config::default().fields(&format!("metadata.name={}", object.name));
    let (updates, mut received) = mpsc::channel(16);
    let telling = async {
        while let Some(update) = received.recv().await {
            let version = match update {
                Update::All(all) => all.first().and_then(DynamicObject::resource_version),
                Update::Set(found) => found.resource_version(),
                Update::Removed(_) => None,
                Update::Trouble(_) => continue,
            };
            if seen.send((object.clone(), version)).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(watch_objects(api, one, updates, |update| update), telling);
}

/// Reads what a cluster has of DNS.
pub(super) async fn read(client: &kube::Client) -> Result<Facts, kube::Error> {
    let lists = try_join_all(LISTS.map(|kind| list(client, kind)));
    let (lists, groups) = tokio::try_join!(lists, groups(client))?;
    let mut facts = Facts::new(groups);
    for (kind, list) in LISTS.into_iter().zip(lists) {
        facts.take_list(kind, list);
    }
    loop {
        let missing = facts.missing();
        if missing.is_empty() {
            return Ok(facts);
        }
        for (object, seen) in try_join_all(missing.into_iter().map(|object| get(client, object))).await? {
            facts.take(object, seen);
        }
    }
}

async fn groups(client: &kube::Client) -> Result<Vec<String>, kube::Error> {
    match client.list_api_groups().await {
        Ok(list) => Ok(list.groups.into_iter().map(|group| group.name).collect()),
        Err(error) if code(&error) == 403 => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// `None` where rights are missing.
async fn list(client: &kube::Client, kind: KindOf) -> Result<Option<Vec<Value>>, kube::Error> {
    match api(client, kind).list(&ListParams::default()).await {
        Ok(list) => Ok(Some(list.items.into_iter().map(value).collect())),
        Err(error) if code(&error) == 403 => Ok(None),
        Err(error) if code(&error) == 404 => Ok(Some(Vec::new())),
        Err(error) => Err(error),
    }
}

async fn get(client: &kube::Client, object: Reference) -> Result<(Reference, Seen), kube::Error> {
    let Some(kind) = KindOf::of(&object) else { return Ok((object, Seen::Missing)) };
    let seen = match api(client, kind).get_opt(&object.name).await {
        Ok(Some(found)) => Seen::There(value(found)),
        Ok(None) => Seen::Missing,
        Err(error) if code(&error) == 403 => Seen::Refused,
        Err(error) => return Err(error),
    };
    Ok((object, seen))
}

fn value(object: DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// The HTTP status of a refusal; 0 for other errors.
pub(super) fn code(error: &kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        _ => 0,
    }
}

/// The objects of a kind, in the namespace of a cluster's DNS if they have one.
pub(super) fn api(client: &kube::Client, kind: KindOf) -> Api<DynamicObject> {
    let (group, version) = kind.api_version.split_once('/').unwrap_or(("", kind.api_version));
    let resource =
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind.kind), kind.plural);
    if kind.namespaced {
        Api::namespaced_with(client.clone(), NAMESPACE, &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    }
}
