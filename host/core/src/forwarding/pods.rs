//! The pods of a cluster's DNS: what they are started with, and which ConfigMap is mounted where.

use serde_json::{Map, Value};

use super::facts::config_map;
use crate::deployment::Reference;

/// The label that all have agreed on for a cluster's DNS, whatever it is.
const DNS_LABEL: (&str, &str) = ("k8s-app", "kube-dns");

/// A Deployment or DaemonSet.
#[derive(Clone, Copy)]
pub(super) struct Pods<'w>(&'w Value);

/// A file of a container that comes from a ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MountedKey {
    pub(super) config_map: Reference,
    pub(super) key: String,
}

impl<'w> Pods<'w> {
    pub(super) const fn new(workload: &'w Value) -> Self {
        Self(workload)
    }

    /// For people.
    pub(super) fn name(self) -> String {
        let text = |pointer| self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        format!("{} {}", text("/kind"), text("/metadata/name"))
    }

    pub(super) fn annotation(self, key: &str) -> Option<&'w str> {
        self.0.get("metadata")?.get("annotations")?.get(key)?.as_str()
    }

    pub(super) fn label(self, key: &str) -> Option<&'w str> {
        self.0.get("metadata")?.get("labels")?.get(key)?.as_str()
    }

    /// What follows a flag of any of its containers: `-conf FILE`, `--conf=FILE`.
    pub(super) fn flag(self, name: &str) -> Option<&'w str> {
        containers(self.0).find_map(|container| flag(container, name))
    }

    /// The key that is mounted as a file.
    pub(super) fn mounted_file(self, path: &str) -> Option<MountedKey> {
        let (folder, file) = path.rsplit_once('/')?;
        self.mounts().find_map(|(mount, volume)| {
            let source = volume.get("configMap")?;
            let sub_path = mount.get("subPath").and_then(Value::as_str);
            let at = mount.get("mountPath")?.as_str()?.trim_end_matches('/');
            let inner = match sub_path {
                Some(inner) if at == path => inner,
                None if at == folder => file,
                _ => return None,
            };
            let key = match source.get("items").and_then(Value::as_array) {
                Some(items) => items.iter().find(|item| item["path"] == inner)?.get("key")?.as_str()?,
                None => inner,
            };
            Some(MountedKey { config_map: config_map(source.get("name")?.as_str()?), key: key.to_owned() })
        })
    }

    /// The ConfigMap whose keys, all of them, are the files of a folder.
    pub(super) fn mounted_folder(self, path: &str) -> Option<Reference> {
        self.mounts().find_map(|(mount, volume)| {
            let source = volume.get("configMap")?;
            let at = mount.get("mountPath")?.as_str()?.trim_end_matches('/');
            let whole = mount.get("subPath").is_none() && source.get("items").is_none();
            (at == path && whole).then(|| source.get("name")?.as_str().map(config_map))?
        })
    }

    /// The mounts of all containers, each with its volume.
    fn mounts(self) -> impl Iterator<Item = (&'w Value, &'w Value)> {
        let volumes = elements(self.0, "/spec/template/spec/volumes");
        let mounts = containers(self.0).flat_map(|container| elements(container, "/volumeMounts"));
        mounts.filter_map(move |mount| {
            Some((mount, volumes.iter().find(|volume| volume["name"] == mount["name"])?))
        })
    }
}

/// The names of all ConfigMaps that are mounted.
pub(super) fn config_maps(workload: &Value) -> impl Iterator<Item = &str> {
    let volumes = elements(workload, "/spec/template/spec/volumes").iter();
    volumes.filter_map(|volume| volume.pointer("/configMap/name")?.as_str())
}

/// Whether a Service is that of a cluster's DNS. NodeLocal DNSCache has a second one, for itself.
pub(super) fn is_dns_service(service: &Value) -> bool {
    let name = service.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let labelled = service.pointer("/metadata/labels").and_then(|labels| labels.get(DNS_LABEL.0));
    let selects =
        service.pointer("/spec/selector").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
    (name == "kube-dns" || labelled.is_some_and(|label| label == DNS_LABEL.1))
        && !name.ends_with("-upstream")
        && (selects || name == "kube-dns")
}

/// Whether a workload is NodeLocal DNSCache: it is told which address of the node it takes over.
pub(super) fn is_node_local(workload: &Value) -> bool {
    containers(workload).any(|container| flag(container, "localip").is_some())
}

/// Whether the pods have these labels; without any, those of a cluster's DNS.
pub(super) fn has_labels(workload: &Value, wanted: Option<&Map<String, Value>>) -> bool {
    let Some(labels) = workload.pointer("/spec/template/metadata/labels").and_then(Value::as_object) else {
        return false;
    };
    match wanted.filter(|wanted| !wanted.is_empty()) {
        Some(wanted) => wanted.iter().all(|(key, value)| labels.get(key) == Some(value)),
        None => labels.get(DNS_LABEL.0).is_some_and(|value| value == DNS_LABEL.1),
    }
}

fn containers(workload: &Value) -> impl Iterator<Item = &Value> {
    elements(workload, "/spec/template/spec/containers").iter()
}

fn flag<'c>(container: &'c Value, name: &str) -> Option<&'c str> {
    let words: Vec<&str> = ["/command", "/args"]
        .into_iter()
        .flat_map(|at| elements(container, at))
        .filter_map(Value::as_str)
        .collect();
    words.iter().enumerate().find_map(|(at, word)| {
        let given = word.strip_prefix('-')?;
        match given.strip_prefix('-').unwrap_or(given).strip_prefix(name)? {
            "" => words.get(at + 1).copied(),
            rest => rest.strip_prefix('='),
        }
    })
}

/// The elements of a list; none where there is none.
pub(super) fn elements<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
