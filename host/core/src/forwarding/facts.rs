//! What a cluster has of DNS, as its API server shows it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::change::{Action, Change, patch};
use super::pods::{self, Pods};
use super::{custom_dns_config, dns_operator, helm_chart_config};
use crate::deployment::{MANAGER, Reference, digest};

/// Where a cluster's DNS runs, but for OpenShift's, whose operator is told.
pub const NAMESPACE: &str = "kube-system";

/// A kind that is read or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindOf {
    /// For example `apps/v1`.
    pub api_version: &'static str,
    /// For example `Deployment`.
    pub kind: &'static str,
    /// For example `deployments`.
    pub plural: &'static str,
    /// Whether its objects have a namespace.
    pub namespaced: bool,
}

const fn kind(api_version: &'static str, kind: &'static str, plural: &'static str) -> KindOf {
    KindOf { api_version, kind, plural, namespaced: true }
}

/// What is listed in [`NAMESPACE`], in this order.
pub const LISTS: [KindOf; 3] = [
    kind("v1", "Service", "services"),
    kind("apps/v1", "Deployment", "deployments"),
    kind("apps/v1", "DaemonSet", "daemonsets"),
];

/// What is read by name.
pub const KINDS: [KindOf; 5] = [
    kind("v1", "ConfigMap", "configmaps"),
    helm_chart_config::CHART,
    helm_chart_config::CONFIG,
    dns_operator::KIND,
    custom_dns_config::KIND,
];

/// ConfigMaps that are looked at although no pod may mount them: something of ours may stand there from before.
const CUSTOMARY: [&str; 3] = ["coredns", "coredns-custom", "kube-dns"];

/// What became of reading an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// It is there.
    There(Value),
    /// It is not.
    Missing,
    /// Rights to read it are missing.
    Refused,
}

/// What a cluster has of DNS.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    groups: BTreeSet<String>,
    services: Vec<Value>,
    workloads: Vec<Value>,
    objects: BTreeMap<Reference, Seen>,
    /// Who has written an object last, of those that are not us.
    writers: BTreeMap<Reference, String>,
    /// Kinds whose lists we may not read.
    refused: BTreeSet<&'static str>,
}

impl Facts {
    /// Of an API server that serves these groups.
    #[must_use]
    pub fn new(groups: impl IntoIterator<Item = String>) -> Self {
        Self { groups: groups.into_iter().collect(), ..Self::default() }
    }

    /// Takes in a list of [`LISTS`]; `None` where rights are missing. Only what has to do with DNS is kept.
    pub fn take_list(&mut self, kind: KindOf, objects: Option<Vec<Value>>) {
        let Some(objects) = objects else {
            self.refused.insert(kind.kind);
            return;
        };
        if kind.kind == "Service" {
            self.services = objects.into_iter().filter(pods::is_dns_service).collect();
            return;
        }
        let kept: Vec<Value> = objects
            .into_iter()
            .filter(|one| pods::is_node_local(one) || self.stands_behind_dns(one))
            .collect();
        self.workloads.extend(kept.into_iter().map(|mut workload| {
            workload["kind"] = Value::from(kind.kind);
            workload
        }));
    }

    /// What is to be read next, by what is known; empty when everything is.
    #[must_use]
    pub fn missing(&self) -> Vec<Reference> {
        let mut wanted: BTreeSet<Reference> = CUSTOMARY.iter().map(|name| config_map(name)).collect();
        for workload in &self.workloads {
            wanted.extend(pods::config_maps(workload).map(config_map));
        }
        for (group, more) in [
            (dns_operator::GROUP, dns_operator::objects(self)),
            (custom_dns_config::GROUP, custom_dns_config::objects(self)),
            (helm_chart_config::GROUP, helm_chart_config::objects(self)),
        ] {
            wanted.extend(more.into_iter().filter(|_| self.serves(group)));
        }
        wanted.retain(|object| !self.objects.contains_key(object));
        wanted.into_iter().collect()
    }

    /// Takes in an object that was read, or read again.
    pub fn take(&mut self, object: Reference, mut seen: Seen) {
        if let Seen::There(value) = &seen
            && let Some(writer) = last_writer(value)
        {
            self.writers.insert(object.clone(), writer.to_owned());
        }
        if let Seen::There(value) = &mut seen
            && let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut)
            && object.name != "coredns"
        {
            metadata.remove("managedFields");
        }
        self.objects.insert(object, seen);
    }

    /// What will be known when these changes are made, but for the versions.
    pub(super) fn after(&self, changes: &[Change]) -> Self {
        let mut after = self.clone();
        for Change { object, action } in changes {
            let seen = after.objects.entry(object.clone()).or_insert(Seen::Missing);
            match (action, &mut *seen) {
                (Action::Merge(with), Seen::There(value)) => patch(value, with),
                (Action::Create(created) | Action::Merge(created), _) => *seen = Seen::There(created.clone()),
                (Action::Delete { .. }, _) => *seen = Seen::Missing,
            }
        }
        after
    }

    /// What is worth to be watched: it decides how the zone is forwarded, or holds what is ours. What we may not read is not.
    #[must_use]
    pub fn watched(&self) -> Vec<Reference> {
        let mut watched: BTreeSet<Reference> = BTreeSet::new();
        for workload in &self.workloads {
            watched.extend(pods::config_maps(workload).map(config_map));
        }
        if self.dns_pods().is_none() {
            watched.insert(config_map("coredns"));
        }
        let custom = |object: &&Reference| object.kind != "ConfigMap";
        watched.extend(self.objects.keys().filter(custom).cloned());
        watched.retain(|object| matches!(self.objects.get(object), Some(Seen::There(_) | Seen::Missing)));
        watched.into_iter().collect()
    }

    /// The version of an object that was read; `None` where there is none.
    #[must_use]
    pub fn resource_version(&self, object: &Reference) -> Option<&str> {
        self.object(object)?.pointer("/metadata/resourceVersion")?.as_str()
    }

    /// Who has written an object last, of those that are not us.
    #[must_use]
    pub fn last_writer(&self, object: &Reference) -> Option<&str> {
        self.writers.get(object).map(String::as_str)
    }

    /// A digest of the configuration, of ours and of others, without what changes by itself.
    #[must_use]
    pub fn digest(&self) -> String {
        let content = |object: Reference| {
            let found = self.object(&object);
            let part = |key: &str| found.and_then(|found| found.get(key)).cloned().unwrap_or_default();
            json!([object.to_string(), found.is_some(), part("data"), part("spec")])
        };
        digest(&Value::from_iter(self.watched().into_iter().map(content)).to_string())
    }

    pub(super) fn serves(&self, group: &str) -> bool {
        self.groups.contains(group)
    }

    pub(super) fn object(&self, object: &Reference) -> Option<&Value> {
        match self.objects.get(object)? {
            Seen::There(value) => Some(value),
            Seen::Missing | Seen::Refused => None,
        }
    }

    /// Whether rights to read it are missing.
    pub(super) fn is_unreadable(&self, object: &Reference) -> bool {
        self.objects.get(object) == Some(&Seen::Refused)
    }

    /// The text under a key of a ConfigMap.
    pub(super) fn text(&self, config_map: &Reference, key: &str) -> Option<&str> {
        self.object(config_map)?.get("data")?.get(key)?.as_str()
    }

    /// All texts of a ConfigMap.
    pub(super) fn texts(&self, config_map: &Reference) -> impl Iterator<Item = (&str, &str)> {
        let data = self.object(config_map).and_then(|object| object.get("data")?.as_object());
        data.into_iter().flatten().filter_map(|(key, text)| Some((key.as_str(), text.as_str()?)))
    }

    /// The pods that answer the cluster's questions.
    pub(super) fn dns_pods(&self) -> Option<Pods<'_>> {
        let behind = |workload: &&Value| !pods::is_node_local(workload) && self.stands_behind_dns(workload);
        self.workloads.iter().find(behind).map(Pods::new)
    }

    /// The caches on the nodes, in front of them.
    pub(super) fn node_local(&self) -> Option<Pods<'_>> {
        self.workloads.iter().find(|workload| pods::is_node_local(workload)).map(Pods::new)
    }

    pub(super) fn dns_service(&self) -> Option<&Value> {
        let named =
            |service: &&Value| service.pointer("/metadata/name").is_some_and(|name| name == "kube-dns");
        self.services.iter().find(named).or_else(|| self.services.first())
    }

    /// Whether the rights are missing to see which pods answer.
    pub(super) fn is_blind(&self) -> bool {
        !self.refused.is_empty()
    }

    fn stands_behind_dns(&self, workload: &Value) -> bool {
        // Cloud DNS for GKE leaves a Deployment of kube-dns behind that has no pods.
        if workload.pointer("/spec/replicas").is_some_and(|replicas| *replicas == 0) {
            return false;
        }
        let selector = self.dns_service().and_then(|service| service.pointer("/spec/selector")?.as_object());
        pods::has_labels(workload, selector)
    }
}

/// The field manager that has written an object last, but for ours.
fn last_writer(object: &Value) -> Option<&str> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?.iter();
    let others = entries.filter_map(|entry| Some((entry["time"].as_str()?, entry["manager"].as_str()?)));
    others.filter(|(_, manager)| *manager != MANAGER).max().map(|(_, manager)| manager)
}

/// A ConfigMap of [`NAMESPACE`].
pub(super) fn config_map(name: &str) -> Reference {
    Reference {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: NAMESPACE.to_owned(),
        name: name.to_owned(),
    }
}

impl KindOf {
    /// The kind of an object that is read by name.
    #[must_use]
    pub fn of(object: &Reference) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.kind == object.kind && kind.api_version == object.api_version)
    }

    /// An object of this kind, in [`NAMESPACE`] if it has one.
    pub(super) fn named(self, name: &str) -> Reference {
        Reference {
            api_version: self.api_version.to_owned(),
            kind: self.kind.to_owned(),
            namespace: if self.namespaced { NAMESPACE.to_owned() } else { String::new() },
            name: name.to_owned(),
        }
    }
}
