//! Watches of whole objects: of the platform cluster's, and of a cluster's DNS configuration. And how what was seen is told.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::api::ListParams;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource, ResourceExt};
use openmcp_dns_api::ignored_by;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch as channel};

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

/// Tells those who listen of a value, if it is another one than before; gives whether it is.
pub fn tell<T: PartialEq>(listeners: &channel::Sender<T>, new: T) -> bool {
    listeners.send_if_modified(|told| {
        let is_other = *told != new;
        *told = new;
        is_other
    })
}

/// The one object of a name, as a watch of all shows it.
pub struct Named<K> {
    name: String,
    object: Option<Option<Arc<K>>>,
    /// The annotation by which the object is to be left alone: what it says since then does not count.
    ignored_by: Option<&'static str>,
}

impl<K: ResourceExt> Named<K> {
    /// Nothing is known of it yet.
    pub const fn new(name: String) -> Self {
        Self { name, object: None, ignored_by: None }
    }

    /// The object, where there is one; `None` until that is known.
    pub fn object(&self) -> Option<Option<&Arc<K>>> {
        self.object.as_ref().map(Option::as_ref)
    }

    /// The annotation by which the object is to be left alone, if it is.
    pub const fn ignored_by(&self) -> Option<&'static str> {
        self.ignored_by
    }

    /// Takes in what the watch reports.
    pub fn take(&mut self, update: Update<K>) {
        match update {
            Update::All(all) => self.set(all.into_iter().find(|one| one.name_any() == self.name)),
            Update::Set(one) if one.name_any() == self.name => self.set(Some(*one)),
            Update::Removed(one) if one.name_any() == self.name => self.set(None),
            Update::Set(_) | Update::Removed(_) | Update::Trouble(_) => {}
        }
    }

    fn set(&mut self, object: Option<K>) {
        self.ignored_by = object.as_ref().and_then(ignored_by);
        // Of one that was never seen otherwise, nothing else is known.
        let is_known = matches!(self.object, Some(Some(_)));
        if self.ignored_by.is_none() || !is_known {
            self.object = Some(object.map(Arc::new));
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

/// How long to wait where a server does not say whether it serves a kind.
const NO_ANSWER_PAUSE: Duration = Duration::from_secs(1);

/// Watches a kind that a server may not have. Where it is not served, or not to us, there are no objects, and it is looked
/// again after `retry`; a watch would only say that something is wrong. A server that does not answer is asked again soon:
/// until it does, nobody knows.
pub async fn watch_if_served<K, T>(
    api: Api<K>,
    retry: Duration,
    events: mpsc::Sender<T>,
    wrap: impl Fn(Update<K>) -> T,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut is_told = false;
    while let Err(error) = api.list_metadata(&ListParams::default().limit(1)).await {
        let is_absent = matches!(&error, kube::Error::Api(status) if matches!(status.code, 403 | 404));
        if is_absent
            && !std::mem::replace(&mut is_told, true)
            && events.send(wrap(Update::All(Vec::new()))).await.is_err()
        {
            return;
        }
        tokio::time::sleep(if is_absent { retry } else { retry.min(NO_ANSWER_PAUSE) }).await;
    }
    watch(api, watcher::Config::default(), events, wrap).await;
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

#[cfg(test)]
pub(crate) mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use std::task::{Context, Poll};

    use http::{Request, Response};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::client::Body;
    use serde_json::json;

    use super::*;

    /// A client of an API server that lists its built-in kinds without end, and serves no others.
    pub(crate) fn endless() -> kube::Client {
        kube::Client::new(Endless, "default")
    }

    struct Endless;

    impl tower::Service<Request<Body>> for Endless {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Body>) -> Self::Future {
            let answer = if request.uri().path() == "/apis" {
                json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [] })
            } else {
                let items = vec![json!({ "metadata": { "name": "one" } }); 10_000];
                let metadata = json!({ "continue": "more", "resourceVersion": "1" });
                json!({ "kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items })
            };
            ready(Ok(Response::new(Body::from(answer.to_string().into_bytes()))))
        }
    }

    #[tokio::test]
    async fn a_list_without_end_is_told_and_not_kept() {
        let (events, mut seen) = mpsc::channel(1);
        let api: Api<ConfigMap> = Api::all(endless());
        tokio::spawn(watch(api, watcher::Config::default(), events, |update| update));
        let told = seen.recv().await.unwrap();
        assert!(matches!(&told, Update::Trouble(why) if *why == too_many()), "{told:?}");
    }
}
