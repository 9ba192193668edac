//! Mirror: keeps an API server in memory as the files of one folder say.

use std::collections::BTreeMap;
use std::sync::Arc;

use openmcp_dns_core::kinds::{self, Role};
use openmcp_dns_kube_memory::{Refusal, Server};
use serde_json::{Value, json};

use super::merge::merge;

/// Kinds of the platform whose objects are treated in another way than the rest.
pub(super) const CLUSTER: &str = "Cluster";
pub(super) const DNS_POLICY: &str = "DNSPolicy";
pub(super) const CLUSTER_DNS: &str = "ClusterDNS";

/// In which order objects are written; they are deleted the other way round. What others refer to comes
/// before them, so that nothing points into the void in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// ConfigMaps, Secrets and the like.
    Plain,
    Watched(Role),
    Cluster,
    Policy,
    ClusterDns,
}

/// Names an object on a server. Sorts in the order of writing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    rank: Rank,
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn new(kind: &str, namespace: &str, name: &str) -> Self {
        let rank = match kind {
            CLUSTER => Rank::Cluster,
            DNS_POLICY => Rank::Policy,
            CLUSTER_DNS => Rank::ClusterDns,
            _ => kinds::Kind::parse(kind).map_or(Rank::Plain, |kind| Rank::Watched(kind.role())),
        };
        let [kind, namespace, name] = [kind, namespace, name].map(str::to_owned);
        Self { rank, kind, namespace, name }
    }

    /// As people name it.
    pub(super) fn text(&self) -> String {
        let Self { rank: _, kind, namespace, name } = self;
        if namespace.is_empty() { format!("{kind}/{name}") } else { format!("{kind}/{namespace}/{name}") }
    }
}

/// An object as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The version that the server serves, whatever version the file is written in: what is read of it is the same
    /// in all of them.
    api_version: String,
    /// All that the file says, as JSON; shared with what is known of the file.
    text: Arc<str>,
    /// The file that says it, below the landscape's folder, and the line; empty where the demo itself says it.
    pub(super) file: String,
    pub(super) line: Option<usize>,
}

impl Wanted {
    pub(super) fn of_file(api_version: String, text: &Arc<str>, file: &str, line: usize) -> Self {
        Self { api_version, text: Arc::clone(text), file: file.to_owned(), line: Some(line) }
    }

    /// What the demo itself says.
    pub(super) fn ours(object: &Value) -> Self {
        let api_version = object["apiVersion"].as_str().unwrap_or_default().to_owned();
        Self { api_version, text: object.to_string().into(), file: String::new(), line: None }
    }

    /// As the server shall hold it.
    pub(super) fn object(&self, key: &Key) -> Value {
        // It was written from a tree.
        let mut object: Value = serde_json::from_str(&self.text).unwrap_or_default();
        object["apiVersion"] = json!(self.api_version);
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.insert("namespace".to_owned(), json!(key.namespace));
            if key.namespace.is_empty() {
                metadata.remove("namespace");
            }
            // Those who would take them away again are not here. The service sets its own.
            metadata.remove("finalizers");
        }
        object
    }

    /// Says something else than the file.
    pub(super) fn change(&mut self, key: &Key, change: impl FnOnce(&mut Value)) {
        let mut object = self.object(key);
        change(&mut object);
        self.text = object.to_string().into();
    }

    fn says_the_same_as(&self, other: &Self) -> bool {
        self.api_version == other.api_version && self.text == other.text
    }
}

/// What was written to one server.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    written: BTreeMap<Key, Wanted>,
    /// Whether something has to wait for the server: an object that is still being deleted, or one that only
    /// the service makes.
    pub(super) is_waiting: bool,
}

impl Mirror {
    /// Writes what has changed. Gives what the server refuses.
    pub(super) fn sync(
        &mut self,
        server: &Server,
        wanted: BTreeMap<Key, Wanted>,
    ) -> Vec<(Key, Wanted, Refusal)> {
        self.is_waiting = false;
        let mut refused = Vec::new();
        let gone: Vec<Key> =
            self.written.keys().rev().filter(|key| !wanted.contains_key(*key)).cloned().collect();
        for (key, wanted) in wanted {
            let before = self.written.get(&key);
            if before.is_some_and(|before| before.says_the_same_as(&wanted)) {
                continue;
            }
            let now = server.get(&wanted.api_version, &key.kind, &key.namespace, &key.name);
            let is_leaving = now.as_ref().is_some_and(|now| !now["metadata"]["deletionTimestamp"].is_null());
            if is_leaving || (now.is_none() && key.kind == CLUSTER_DNS) {
                self.is_waiting = true;
                continue;
            }
            let before = before.map(|before| before.object(&key));
            let now = now.unwrap_or_else(|| json!({}));
            match server.put(merge(now, before.as_ref(), &wanted.object(&key))) {
                Ok(_) => drop(self.written.insert(key, wanted)),
                Err(refusal) => refused.push((key, wanted, refusal)),
            }
        }
        for key in gone {
            if let Some(before) = self.written.remove(&key) {
                take_away(server, &key, &before);
            }
        }
        refused
    }
}

/// Deletes an object. A namespace stays, because the files may hold objects in it, and a `ClusterDNS` is the
/// service's: these lose only what the file said of them.
fn take_away(server: &Server, key: &Key, before: &Wanted) {
    let Key { rank: _, kind, namespace, name } = key;
    if !matches!(kind.as_str(), CLUSTER_DNS | "Namespace") {
        server.remove(&before.api_version, kind, namespace, name, false);
        return;
    }
    let Some(now) = server.get(&before.api_version, kind, namespace, name) else { return };
    let before = before.object(key);
    let bare = json!({
        "apiVersion": before["apiVersion"],
        "kind": kind,
        "metadata": { "name": name, "namespace": before["metadata"]["namespace"] },
    });
    // It was taken before with more in it.
    let _ = server.put(merge(now, Some(&before), &bare));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(objects: &[Value]) -> BTreeMap<Key, Wanted> {
        let one = |object: &Value| {
            let text = |field: &str| object.pointer(field).and_then(Value::as_str).unwrap_or_default();
            let key = Key::new(text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
            (key, Wanted::ours(object))
        };
        objects.iter().map(one).collect()
    }

    fn config_map(data: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "namespace": "n", "name": "c" }, "data": { "a": data }
        })
    }

    fn get(server: &Server) -> Option<Value> {
        server.get("v1", "ConfigMap", "n", "c")
    }

    #[test]
    fn a_server_holds_what_the_files_say_and_only_changes_are_written() {
        let (server, mut mirror) = (Server::new("w"), Mirror::default());
        assert!(mirror.sync(&server, wanted(&[config_map("1")])).is_empty());
        let revision = server.revision();
        mirror.sync(&server, wanted(&[config_map("1")]));
        assert_eq!(server.revision(), revision);
        mirror.sync(&server, wanted(&[config_map("2")]));
        assert_eq!(get(&server).unwrap()["data"]["a"], "2");
        mirror.sync(&server, wanted(&[]));
        assert_eq!(get(&server), None);
    }

    #[test]
    fn an_object_that_comes_back_while_it_is_being_deleted_waits_until_it_is_gone() {
        let (server, mut mirror) = (Server::new("w"), Mirror::default());
        mirror.sync(&server, wanted(&[config_map("1")]));
        let mut held = get(&server).unwrap();
        held["metadata"]["finalizers"] = json!(["a.b/ours"]);
        server.put(held).unwrap();
        mirror.sync(&server, wanted(&[]));
        mirror.sync(&server, wanted(&[config_map("2")]));
        assert!(mirror.is_waiting && get(&server).unwrap()["data"]["a"] == "1");
        server.remove("v1", "ConfigMap", "n", "c", true);
        mirror.sync(&server, wanted(&[config_map("2")]));
        assert!(!mirror.is_waiting && get(&server).unwrap()["data"]["a"] == "2");
    }

    #[test]
    fn what_the_server_refuses_is_given_back() {
        let (server, mut mirror) = (Server::new("w"), Mirror::default());
        let mut bad = config_map("1");
        bad["metadata"]["name"] = json!("a_b");
        let refused = mirror.sync(&server, wanted(&[bad]));
        assert!(refused[0].2.message.contains("a_b"), "{:?}", refused[0]);
        assert_eq!(refused[0].0.text(), "ConfigMap/n/a_b");
    }

    #[test]
    fn a_namespace_outlives_its_manifest_with_what_stands_in_it() {
        let (server, mut mirror) = (Server::new("w"), Mirror::default());
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "n", "labels": { "tier": "gold" } }
        });
        mirror.sync(&server, wanted(&[config_map("1"), namespace]));
        mirror.sync(&server, wanted(&[config_map("1")]));
        let namespace = server.get("v1", "Namespace", "", "n").unwrap();
        assert!(namespace["metadata"]["labels"]["tier"].is_null(), "{namespace}");
        assert!(get(&server).is_some());
    }
}
