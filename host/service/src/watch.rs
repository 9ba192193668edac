//! Watches of whole objects: of the platform cluster's, and of a cluster's DNS configuration.

use std::fmt::Debug;
use std::time::Duration;

use futures::StreamExt as _;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

/// What a watch reports.
#[derive(Clone, Debug)]
pub enum Update<K> {
    /// These are all: the first list, or a new one after an interruption.
    All(Vec<K>),
    /// One is new or has changed.
    Set(Box<K>),
    /// One is gone; its last state.
    Removed(Box<K>),
    /// The watch has trouble and goes on trying; what was reported before stays.
    Trouble(String),
}

impl<K> Update<K> {
    /// The same of what `convert` makes of each object.
    pub fn map<T>(self, mut convert: impl FnMut(K) -> T) -> Update<T> {
        match self {
            Self::All(all) => Update::All(all.into_iter().map(convert).collect()),
            Self::Set(one) => Update::Set(Box::new(convert(*one))),
            Self::Removed(one) => Update::Removed(Box::new(convert(*one))),
            Self::Trouble(message) => Update::Trouble(message),
        }
    }
}

/// Most objects in a list: more than any cluster has. A server that lists without end would fill the memory.
pub const MOST_OBJECTS: usize = 200_000;

/// How long to wait before such a list is read again.
const TOO_MANY_PAUSE: Duration = Duration::from_secs(60);

/// What is said of such a list.
#[must_use]
pub fn too_many() -> String {
    format!("the API server lists more than {MOST_OBJECTS} objects; none of them is looked at")
}

/// Watches until nobody listens any more.
pub async fn watch<K, T>(
    api: Api<K>,
    config: watcher::Config,
    events: mpsc::Sender<T>,
    wrap: impl Fn(Update<K>) -> T,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let anew = || watcher(api.clone(), config.clone()).default_backoff().boxed();
    let mut seen = anew();
    let mut list = Vec::new();
    let mut trouble = None;
    while let Some(event) = seen.next().await {
        let report = match event {
            Ok(Event::Init) => {
                list.clear();
                continue;
            }
            Ok(Event::InitApply(object)) if list.len() < MOST_OBJECTS => {
                list.push(object);
                continue;
            }
            Ok(Event::InitApply(_)) => {
                list = Vec::new();
                if events.send(wrap(Update::Trouble(too_many()))).await.is_err() {
                    return;
                }
                tokio::time::sleep(TOO_MANY_PAUSE).await;
                seen = anew();
                continue;
            }
            Ok(Event::InitDone) => {
                trouble = None;
                Update::All(std::mem::take(&mut list))
            }
            Ok(Event::Apply(object)) => Update::Set(Box::new(object)),
            Ok(Event::Delete(object)) => Update::Removed(Box::new(object)),
            Err(error) => {
                let message = openmcp_dns_core::chain(&error);
                // The same trouble is told once, not at every attempt.
                if trouble.as_ref() == Some(&message) {
                    continue;
                }
                trouble = Some(message.clone());
                Update::Trouble(message)
            }
        };
        if events.send(wrap(report)).await.is_err() {
            return;
        }
    }
}
