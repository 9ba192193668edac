//! What a module is told of a claim only where it asks for it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::SourceRef;
use crate::labels::Labels;
use crate::name::HostName;
use crate::record::RecordSet;
use crate::resolve::Claim;

/// Something that a module can ask to be told of each claim. What nobody asks for is neither looked up nor part of
/// the question: no claim is asked about anew because it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Detail {
    /// Labels of the object's namespace.
    NamespaceLabels,
    /// Those annotations of the object that the DNSPolicy names.
    Annotations,
    /// The listeners that serve the name.
    Listeners,
    /// What the object leads to under the name.
    Backends,
    /// How many names are published already.
    PublishedNames,
}

/// What a module has asked for of one claim; the rest is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Details {
    /// Labels of the object's namespace.
    pub namespace_labels: Labels,
    /// Those annotations of the object that the DNSPolicy names.
    pub annotations: Labels,
    /// The listeners that serve the name, in the order in which the object refers to them.
    pub listeners: Vec<ServingListener>,
    /// What the object leads to under the name: sorted, without duplicates.
    pub backends: Vec<Backend>,
}

/// A listener that serves a name for the object that claims it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ServingListener {
    /// The Gateway that has it, itself or by a ListenerSet.
    pub gateway: ServingGateway,
    /// Unique in the Gateway or ListenerSet.
    pub name: String,
    /// 1 to 65535.
    pub port: u16,
    /// For example `HTTPS`.
    pub protocol: String,
}

/// The Gateway of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ServingGateway {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `spec.gatewayClassName`.
    pub class: String,
    /// Its labels.
    pub labels: Labels,
}

/// What an object leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Backend {
    /// Empty for the core group.
    pub group: String,
    /// For example `Service`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `None` where the object names none, or by its name only.
    pub port: Option<u16>,
}

/// How many names were published when a claim was first asked about, without its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishedNames {
    /// By objects in the namespace of the claim's.
    pub in_namespace: u32,
    /// By all objects of the cluster.
    pub in_cluster: u32,
}

/// A claim with all that a module is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AskedClaim {
    /// The object that asks.
    pub source: SourceRef,
    /// Its labels.
    pub labels: Labels,
    /// What it asks for.
    pub claim: Claim,
    /// What the module has asked for; `None` where that is nothing, so that it takes no room.
    pub details: Option<Arc<Details>>,
    /// How many names are published already; `None` where nobody asks for it, or it has not been counted yet.
    pub published_names: Option<PublishedNames>,
}

impl Details {
    /// As much of it as a module has asked for.
    #[must_use]
    pub fn only(self, wanted: &[Detail]) -> Self {
        fn kept<T: Default>(is_wanted: bool, detail: T) -> T {
            if is_wanted { detail } else { T::default() }
        }
        let is_wanted = |detail| wanted.contains(&detail);
        Self {
            namespace_labels: kept(is_wanted(Detail::NamespaceLabels), self.namespace_labels),
            annotations: kept(is_wanted(Detail::Annotations), self.annotations),
            listeners: kept(is_wanted(Detail::Listeners), self.listeners),
            backends: kept(is_wanted(Detail::Backends), self.backends),
        }
    }
}

impl AskedClaim {
    /// A claim of which a module is told what every module is told.
    #[must_use]
    pub const fn new(source: SourceRef, labels: Labels, claim: Claim) -> Self {
        Self { source, labels, claim, details: None, published_names: None }
    }
}

/// How many names objects publish; a name that two objects publish counts twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameCounts {
    in_namespace: HashMap<Box<str>, usize>,
    in_cluster: usize,
}

impl NameCounts {
    /// Objects in this namespace publish so many names more.
    pub fn add(&mut self, namespace: &str, names: usize) {
        self.in_cluster += names;
        if names > 0 {
            match self.in_namespace.get_mut(namespace) {
                Some(count) => *count += names,
                None => drop(self.in_namespace.insert(namespace.into(), names)),
            }
        }
    }

    /// Objects in this namespace publish so many names less.
    pub fn remove(&mut self, namespace: &str, names: usize) {
        self.in_cluster -= names;
        if let Some(count) = self.in_namespace.get_mut(namespace) {
            *count -= names;
            if *count == 0 {
                self.in_namespace.remove(namespace);
            }
        }
    }

    /// The same for these namespaces only, and the whole cluster.
    #[must_use]
    pub fn of<'n>(&self, namespaces: impl IntoIterator<Item = &'n str>) -> Self {
        let counts = namespaces.into_iter().filter_map(|namespace| {
            let (namespace, count) = self.in_namespace.get_key_value(namespace)?;
            Some((namespace.clone(), *count))
        });
        Self { in_namespace: counts.collect(), in_cluster: self.in_cluster }
    }

    /// What a claim of an object in this namespace finds.
    #[must_use]
    pub fn found_in(&self, namespace: &str) -> PublishedNames {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        PublishedNames {
            in_namespace: count(self.in_namespace.get(namespace).copied().unwrap_or_default()),
            in_cluster: count(self.in_cluster),
        }
    }

    /// In each place the larger of two counts.
    #[must_use]
    pub fn or_more(mut self, other: &Self) -> Self {
        self.in_cluster = self.in_cluster.max(other.in_cluster);
        for (namespace, names) in &other.in_namespace {
            let count = self.in_namespace.entry(namespace.clone()).or_default();
            *count = (*count).max(*names);
        }
        self
    }

    /// All of them.
    #[must_use]
    pub const fn in_cluster(&self) -> usize {
        self.in_cluster
    }
}

impl PublishedNames {
    /// In each place the larger of two counts.
    #[must_use]
    pub fn or_more(self, other: Self) -> Self {
        Self {
            in_namespace: self.in_namespace.max(other.in_namespace),
            in_cluster: self.in_cluster.max(other.in_cluster),
        }
    }

    /// Whether more are published in either place than `other` says.
    #[must_use]
    pub const fn exceeds(self, other: Self) -> bool {
        self.in_namespace > other.in_namespace || self.in_cluster > other.in_cluster
    }
}

/// At how many names record sets stand.
#[must_use]
pub fn names_of(record_sets: &[RecordSet]) -> usize {
    let names: BTreeSet<&HostName> = record_sets.iter().map(|set| &set.name).collect();
    names.len()
}
