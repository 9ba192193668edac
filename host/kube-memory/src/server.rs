//! The server as others hold it: a client for those inside, and a handle for whoever plays the outside.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::faults::{Fault, FaultId, Faults};
use crate::managers::{self, Manager, Writer};
use crate::metadata;
use crate::path::{Place, Verb};
use crate::port_forward::Ports;
use crate::refusal::Refusal;
use crate::resource::{Resource, Validator};
use crate::service::Api;
use crate::state::{HISTORY, State};

/// Who writes what is put from outside.
const OUTSIDE: &str = "outside";

/// Namespaces that every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// A server. Clones are the same server.
#[derive(Clone)]
pub struct Server {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    state: Mutex<State>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) ports: Mutex<Ports>,
    requests: Mutex<Requests>,
    changed: watch::Sender<()>,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

/// How often what was asked. The kind is the plural, followed by `/status` for the subresource, and
/// empty for discovery.
pub type Requests = BTreeMap<(Verb, String), u64>;

impl Server {
    /// A server with the [built-in kinds](crate::built_in) and the namespaces of every cluster. The name
    /// tells its identifiers apart from those of other servers.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::with_clock(name, Timestamp::now)
    }

    /// The same with another clock, which times of creation and deletion come from.
    #[must_use]
    pub fn with_clock(name: &str, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let server = Self {
            inner: Arc::new(Inner {
                state: Mutex::new(State::new(name, HISTORY)),
                faults: Mutex::default(),
                ports: Mutex::default(),
                requests: Mutex::default(),
                changed: watch::Sender::new(()),
                now: Box::new(now),
            }),
        };
        for resource in crate::built_in() {
            server.register(resource, None);
        }
        for namespace in NAMESPACES {
            server.make_namespace(namespace);
        }
        server
    }

    /// A client of this server.
    ///
    /// # Panics
    /// Outside of a tokio runtime, which the client's buffer runs on.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(Api::new(self.clone()), "default")
    }

    /// Serves a kind from now on, as when a CustomResourceDefinition is installed. A kind that is
    /// served already is begun anew, without objects.
    pub fn register(&self, resource: Resource, validator: Option<Validator>) {
        self.change(|state| state.register(resource, validator));
    }

    /// Does not serve a kind any more: its objects are gone, its watches end. Gives whether it was served.
    pub fn unregister(&self, group: &str, plural: &str) -> bool {
        self.change(|state| state.unregister(group, plural))
    }

    /// Creates an object or replaces it whole, its status included, as the rest of the world would. What
    /// only the server sets is kept. A namespace that is not there is made.
    ///
    /// # Errors
    /// When its kind is not served, or a real server would refuse it.
    pub fn put(&self, mut object: Value) -> Result<Value, Refusal> {
        if !object.is_object() {
            return Err(Refusal::bad_request("the object is no JSON object"));
        }
        let now = (self.inner.now)();
        metadata::tidy(&mut object);
        let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let (at, resource) = self.place_of(&api_version, &kind, &object)?;
        metadata::place(&resource, &at, &mut object)?;
        if let Some(namespace) = &at.namespace {
            self.make_namespace(namespace);
        }
        self.change(|state| {
            let entry = Manager {
                writer: Writer { name: OUTSIDE.to_owned(), applies: false, subresource: None },
                api_version,
                time: metadata::time(now),
                fields: Default::default(),
            };
            state.put(&resource, &at, object, now, |managers, old, new| {
                managers::after_update(managers, old, new, entry)
            })
        })
    }

    /// Deletes an object. With finalizers it stays until the last is gone, as for every other client,
    /// unless these are to be ignored. Gives whether there was one.
    pub fn remove(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
        ignore_finalizers: bool,
    ) -> bool {
        let named = json!({ "metadata": { "namespace": namespace, "name": name } });
        let Ok((at, _)) = self.place_of(api_version, kind, &named) else { return false };
        let now = (self.inner.now)();
        self.change(|state| {
            let there = state.kind(&at).is_ok_and(|kind| kind.get(&at.key()).is_some());
            if there && ignore_finalizers {
                state.drop_object(&at);
            } else if there {
                return state.delete(&at, &[], now).is_ok();
            }
            there
        })
    }

    /// One object; the namespace is empty for kinds that belong to none.
    #[must_use]
    pub fn get(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let named = json!({ "metadata": { "namespace": namespace, "name": name } });
        let (at, _) = self.place_of(api_version, kind, &named).ok()?;
        let state = self.state();
        let found = state.kind(&at).ok()?.get(&at.key())?;
        Some(found.object())
    }

    /// All objects of a kind, in the order of namespace and name; none if it is not served.
    #[must_use]
    pub fn list(&self, api_version: &str, kind: &str) -> Vec<Value> {
        let state = self.state();
        let Some(kind) = state.kind_of(api_version, kind) else { return Vec::new() };
        kind.objects().map(|(_, object)| object.object()).collect()
    }

    /// What listens on a port of a pod, for port-forwards; from now on another one, or nothing.
    pub fn listen(&self, namespace: &str, pod: &str, port: u16, address: Option<SocketAddr>) {
        let key = (namespace.to_owned(), pod.to_owned(), port);
        let mut ports = lock(&self.inner.ports);
        match address {
            Some(address) => drop(ports.insert(key, address)),
            None => drop(ports.remove(&key)),
        }
    }

    /// Makes trouble until it is healed, or for as many requests as it says.
    pub fn fail(&self, fault: Fault) -> FaultId {
        lock(&self.inner.faults).add(fault)
    }

    /// Ends one trouble.
    pub fn heal(&self, fault: FaultId) {
        lock(&self.inner.faults).heal(fault);
    }

    /// Ends all trouble.
    pub fn heal_all(&self) {
        lock(&self.inner.faults).heal_all();
    }

    /// Ends all running watches, as a load balancer or a restart does.
    pub fn drop_watches(&self) {
        self.change(|state| state.epoch += 1);
    }

    /// Forgets all history: watches end with 410 (Expired), as do later ones from a version of before.
    pub fn expire_history(&self) {
        self.change(State::expire_history);
    }

    /// What was asked since the start or the last [`forget_requests`](Self::forget_requests), faults included.
    #[must_use]
    pub fn requests(&self) -> Requests {
        lock(&self.inner.requests).clone()
    }

    /// How many requests wanted to change something.
    #[must_use]
    pub fn writes(&self) -> u64 {
        lock(&self.inner.requests).iter().filter(|((verb, _), _)| verb.writes()).map(|(_, count)| count).sum()
    }

    /// Counts from zero again.
    pub fn forget_requests(&self) {
        lock(&self.inner.requests).clear();
    }

    /// The version of the last change: the same number twice says that nothing has changed between.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.state().revision
    }

    fn make_namespace(&self, name: &str) {
        if !self.state().namespace_exists(name) {
            // A name that is none is refused with the object that wants to live there.
            let _ =
                self.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }));
        }
    }

    fn place_of(&self, api_version: &str, kind: &str, object: &Value) -> Result<(Place, Resource), Refusal> {
        let state = self.state();
        let served = state.kind_of(api_version, kind).ok_or_else(|| {
            let message = format!("no matches for kind {kind:?} in version {api_version:?}");
            Refusal::new(404, "NotFound", message)
        })?;
        Ok((Place::of(&served.resource, object), served.resource.clone()))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.inner.state)
    }

    /// Changes the state, and wakes all watches.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.inner.changed.send_replace(());
        result
    }

    /// Tells of every change from now on, without saying what has changed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.inner.changed.subscribe()
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.inner.now)()
    }

    /// Counts a request. Kinds that are not served are counted as one, so that nobody's typing errors
    /// fill the memory.
    pub(crate) fn count(&self, verb: Verb, subject: String, served: bool) {
        let subject = if served { subject } else { "unknown".to_owned() };
        *lock(&self.inner.requests).entry((verb, subject)).or_default() += 1;
    }
}

/// Whatever a task did that panicked with the lock: every change of the state is whole or none.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
