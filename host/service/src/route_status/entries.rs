//! Our entries on the routes of one cluster, as its API server has them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use openmcp_dns_api::FIELD_MANAGER;
use openmcp_dns_api::conditions::now;
use openmcp_dns_core::chain;
use openmcp_dns_core::cluster::SourceRef;
use openmcp_dns_core::kinds::Kind;
use openmcp_dns_core::route_status::{WriteEnd, Writing, merged, own_entries};
use serde_json::{Value, json};

use crate::observe::{Discovery, ListError, list_of};

/// How often a route is read again that somebody else has changed meanwhile.
const ATTEMPTS: usize = 4;

/// Routes from which our entries are taken at once.
const AT_ONCE: usize = 16;

/// Writes our entries. Clones share what they know.
#[derive(Clone)]
pub(super) struct Entries {
    client: kube::Client,
    discovery: Arc<Discovery>,
    /// As the cluster has served them.
    served: Arc<Mutex<BTreeMap<Kind, ApiResource>>>,
}

impl Entries {
    pub(super) fn new(client: kube::Client) -> Self {
        let discovery = Arc::new(Discovery::new(client.clone()));
        Self { client, discovery, served: Arc::default() }
    }

    /// Brings the entries of a route there; gives what came of it, and why where it failed.
    pub(super) async fn write(&self, writing: &Writing) -> (WriteEnd, Option<String>) {
        let mut is_known_anew = false;
        for _ in 0..ATTEMPTS {
            match self.attempt(writing).await {
                Ok(end) => return (end, None),
                // Somebody else was faster: what is there now is read again.
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {
                    if is_known_anew {
                        return (WriteEnd::Gone, None);
                    }
                    // Or it is not served any more in the version that is known, which is a line of text without a reason.
                    is_known_anew = true;
                    self.served().remove(&writing.source.kind);
                    self.discovery.forget().await;
                }
                Err(kube::Error::Api(status)) if status.is_forbidden() => {
                    return (WriteEnd::Forbidden, Some(status.message.clone()));
                }
                Err(error) => return (WriteEnd::Failed, Some(chain(&error))),
            }
        }
        (WriteEnd::Failed, Some("somebody else changes it again and again".to_owned()))
    }

    async fn attempt(&self, writing: &Writing) -> kube::Result<WriteEnd> {
        let Writing { source, uid, entries } = writing;
        let Some(resource) = self.resource(source.kind).await? else { return Ok(WriteEnd::Gone) };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &source.namespace, &resource);
        let route = api.get(&source.name).await?;
        if route.metadata.uid.as_deref() != Some(uid) {
            return Ok(WriteEnd::Gone);
        }
        let parents = parents(&route);
        let Some(merged) = merged(&parents, entries, &now().to_string()) else {
            return Ok(WriteEnd::Stands(own_entries(&parents)));
        };
        // The list is one value, so all of it is written, and only onto the version that was read: entries of others that
        // come meanwhile are not lost.
        let patch = Patch::Merge(json!({
            "metadata": { "resourceVersion": route.metadata.resource_version },
            "status": { "parents": merged },
        }));
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let written = api.patch_status(&source.name, &params, &patch).await?;
        Ok(WriteEnd::Stands(own_entries(&self::parents(&written))))
    }

    async fn resource(&self, kind: Kind) -> kube::Result<Option<ApiResource>> {
        if let Some(known) = self.served().get(&kind) {
            return Ok(Some(known.clone()));
        }
        let served = self.discovery.served(kind).await;
        let served = served.map_err(|error| kube::Error::Service(error.into()))?;
        self.served().extend(served.clone().map(|resource| (kind, resource)));
        Ok(served)
    }

    fn served(&self) -> std::sync::MutexGuard<'_, BTreeMap<Kind, ApiResource>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parents(route: &DynamicObject) -> Vec<Value> {
    route.data["status"]["parents"].as_array().cloned().unwrap_or_default()
}

/// The routes of a cluster that have entries of ours, each with its unique identifier.
///
/// # Errors
/// When one kind cannot be listed.
pub async fn with_entries(client: &kube::Client) -> Result<Vec<(SourceRef, String)>, ListError> {
    let routes = list_of(client, Kind::watched().filter(|kind| kind.is_route())).await?.into_iter();
    let with_entries = routes.filter(|route| !route.own_entries().is_empty());
    let named = with_entries.map(|route| {
        (SourceRef::new(route.kind, &*route.meta.namespace, &*route.meta.name), route.meta.uid.to_string())
    });
    Ok(named.collect())
}

/// Takes our entries from routes.
///
/// # Errors
/// Why they cannot be taken from one of them; the others are tried all the same.
pub async fn remove(client: &kube::Client, routes: Vec<(SourceRef, String)>) -> Result<(), String> {
    let entries = Entries::new(client.clone());
    let removed = futures::stream::iter(routes).map(|(source, uid)| {
        let entries = entries.clone();
        async move {
            let writing = Writing { source, uid, entries: Vec::new() };
            let (_, why) = entries.write(&writing).await;
            why.map_or(Ok(()), |why| Err(format!("{}: {why}", writing.source)))
        }
    });
    let ends: Vec<Result<(), String>> = removed.buffer_unordered(AT_ONCE).collect().await;
    ends.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::{Method, Request};
    use kube::client::Body;
    use openmcp_dns_core::kinds::{CONTROLLER_NAME, Entry};
    use openmcp_dns_kube_memory::{Resource, Server};

    use super::*;

    fn route(controllers: &[&str]) -> Value {
        let entry = |name: &&str| json!({ "controllerName": name, "parentRef": { "name": "entry" } });
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": { "namespace": "default", "name": "shop" },
            "spec": { "parentRefs": [{ "name": "entry" }] },
            "status": { "parents": controllers.iter().map(entry).collect::<Vec<_>>() },
        })
    }

    fn controllers(server: &Server) -> Vec<String> {
        let route = server.get("gateway.networking.k8s.io/v1", "HTTPRoute", "default", "shop").unwrap();
        let parents = route["status"]["parents"].as_array().cloned().unwrap_or_default();
        parents.iter().map(|entry| entry["controllerName"].as_str().unwrap().to_owned()).collect()
    }

    fn server() -> (Server, SourceRef, String) {
        let server = Server::new("w1");
        let group = "gateway.networking.k8s.io";
        server.register(Resource::custom(group, "v1", "HTTPRoute", "httproutes"), None);
        let uid = server.put(route(&["a"])).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
        (server, SourceRef::new(Kind::HttpRoute, "default", "shop"), uid)
    }

    fn entry() -> Entry {
        Entry { parent: serde_json::from_value(json!({ "name": "entry" })).unwrap(), conditions: Vec::new() }
    }

    /// A client before whose first so many patches another controller has set an entry of its own.
    fn behind_others(server: &Server, patches: usize) -> kube::Client {
        let (server, patched) = (server.clone(), Arc::new(AtomicUsize::new(0)));
        let service = tower::service_fn(move |request: Request<Body>| {
            let (server, patched) = (server.clone(), Arc::clone(&patched));
            async move {
                if request.method() == Method::PATCH {
                    let number = patched.fetch_add(1, Ordering::Relaxed);
                    if number < patches {
                        server.put(route(&["a", &format!("b{number}")])).unwrap();
                    }
                }
                server.client().send(request).await
            }
        });
        kube::Client::new(service, "default")
    }

    #[tokio::test]
    async fn an_entry_that_comes_between_reading_and_writing_is_not_lost() {
        let (server, source, uid) = server();
        let entries = Entries::new(behind_others(&server, 2));
        let writing = Writing { source, uid, entries: vec![entry()] };
        let (end, why) = entries.write(&writing).await;
        assert!(matches!(end, WriteEnd::Stands(own) if !own.is_empty()), "{end:?} {why:?}");
        assert_eq!(controllers(&server), ["a", "b1", CONTROLLER_NAME]);
        let other = Entry { parent: serde_json::from_value(json!({ "name": "other" })).unwrap(), ..entry() };
        let writing = Writing { entries: vec![other], ..writing };
        let (end, _) = Entries::new(behind_others(&server, ATTEMPTS)).write(&writing).await;
        assert_eq!(end, WriteEnd::Failed, "who is always faster is not fought with");
    }

    #[tokio::test]
    async fn a_route_that_was_made_anew_or_is_gone_is_left_alone() {
        let (server, source, _) = server();
        let entries = Entries::new(server.client());
        let gone = SourceRef::new(Kind::HttpRoute, "default", "gone");
        for source in [source, gone] {
            let writing = Writing { source, uid: "another".to_owned(), entries: vec![entry()] };
            assert_eq!(entries.write(&writing).await, (WriteEnd::Gone, None));
        }
        assert_eq!(controllers(&server), ["a"]);
    }

    #[tokio::test]
    async fn all_entries_of_ours_are_found_and_taken_away() {
        let (server, ..) = server();
        server.put(route(&["a", CONTROLLER_NAME])).unwrap();
        let found = with_entries(&server.client()).await.unwrap();
        assert_eq!(found.len(), 1);
        remove(&server.client(), found).await.unwrap();
        assert_eq!(controllers(&server), ["a"]);
    }
}
