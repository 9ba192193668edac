//! Landscapes as they may be, small enough that their objects meet.

use std::collections::BTreeMap;
use std::sync::Arc;

use openmcp_dns_api::{Cluster, DNSPolicy};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::kinds::{Kind, Watched};
use openmcp_dns_core::objects::{Change, Objects};
use openmcp_dns_landscape::{Landscape, Member};
use openmcp_dns_policy::Module;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::loaded_policy::LoadedPolicy;

const ZONE: &str = "openmcp.cluster";
/// Granted to every cluster.
const SHARED: &str = "shop.openmcp.cluster";
const CLUSTERS: [&str; 3] = ["w1", "w2", "w3"];
/// The last one is reserved by the service.
const LABELS: [&str; 4] = ["a", "b", "c", "any"];

/// What the policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    reserved: Option<&'static str>,
    ttl_seconds: u32,
    /// Where two clusters cannot have the same domain.
    is_by_cluster: bool,
    /// Most names that go without being held.
    free_names: u32,
    /// Which clusters it selects.
    selects: [bool; CLUSTERS.len()],
}

/// What one object asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Claims {
    hosts: Vec<Host>,
    /// Of an Ingress.
    target: Target,
    /// Of a route: whether its Gateway has said so.
    accepted: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    Own(usize),
    /// In the domain of this cluster, whose ever it is.
    Of(usize, usize),
    Shared,
    Outside,
    Invalid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Address(u8),
    Alias(u8),
    NotYet,
}

/// What there is of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ClusterPicture {
    ingresses: BTreeMap<u8, Claims>,
    routes: BTreeMap<u8, Claims>,
    /// Its address, if it has one.
    gateway: Option<Option<u8>>,
}

/// A landscape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) clusters: BTreeMap<usize, ClusterPicture>,
    rules: Option<Rules>,
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        6 => (0..LABELS.len()).prop_map(Host::Own),
        1 => (0..CLUSTERS.len(), 0..LABELS.len()).prop_map(|(cluster, label)| Host::Of(cluster, label)),
        2 => Just(Host::Shared),
        1 => Just(Host::Outside),
        1 => Just(Host::Invalid),
    ]
}

fn claims() -> impl Strategy<Value = Claims> {
    let target = prop_oneof![
        6 => (1..4_u8).prop_map(Target::Address),
        1 => (1..3_u8).prop_map(Target::Alias),
        1 => Just(Target::NotYet),
    ];
    let accepted = prop_oneof![6 => Just(Some(true)), 1 => Just(Some(false)), 1 => Just(None)];
    (proptest::collection::vec(host(), 1..3), target, accepted).prop_map(|(hosts, target, accepted)| Claims {
        hosts,
        target,
        accepted,
    })
}

fn cluster() -> impl Strategy<Value = ClusterPicture> {
    let objects = || proptest::collection::btree_map(0..4_u8, claims(), 0..4);
    let gateway = prop_oneof![
        6 => (1..4_u8).prop_map(|address| Some(Some(address))),
        1 => Just(Some(None)),
        1 => Just(None),
    ];
    (objects(), objects(), gateway).prop_map(|(ingresses, routes, gateway)| ClusterPicture {
        ingresses,
        routes,
        gateway,
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let reserved = prop_oneof![3 => Just(None), 1 => Just(Some("a")), 1 => Just(Some("b"))];
    let selects = proptest::array::uniform3(prop_oneof![6 => Just(true), 1 => Just(false)]);
    (reserved, 30..32_u32, prop_oneof![4 => Just(true), 1 => Just(false)], 0..5_u32, selects).prop_map(
        |(reserved, ttl_seconds, is_by_cluster, free_names, selects)| Rules {
            reserved,
            ttl_seconds,
            is_by_cluster,
            free_names,
            selects,
        },
    )
}

fn clusters() -> impl Strategy<Value = BTreeMap<usize, ClusterPicture>> {
    proptest::collection::btree_map(0..CLUSTERS.len(), cluster(), 1..=CLUSTERS.len())
}

/// What there is, and what it becomes: other objects, or another policy. Both at once are two changes, one after the other.
pub(super) fn pictures() -> impl Strategy<Value = (Picture, Picture)> {
    let before = (clusters(), rules());
    (before, clusters(), rules(), any::<bool>(), proptest::array::uniform3(any::<bool>())).prop_map(
        |((clusters, rules), mut others, other_rules, is_policy, stays)| {
            let before = Picture { clusters: clusters.clone(), rules: Some(rules.clone()) };
            if is_policy {
                return (before, Picture { clusters, rules: Some(other_rules) });
            }
            // Not everything is another one.
            for (cluster, stays) in stays.into_iter().enumerate() {
                if let Some(old) = clusters.get(&cluster).filter(|_| stays) {
                    let new = others.entry(cluster).or_default();
                    *new = ClusterPicture { ingresses: old.ingresses.clone(), ..new.clone() };
                }
            }
            (before, Picture { clusters: others, rules: Some(rules) })
        },
    )
}

pub(super) fn id(cluster: usize) -> ClusterId {
    ClusterId::new("s", CLUSTERS[cluster])
}

/// Older the smaller its number.
pub(super) fn resource(cluster: usize) -> Cluster {
    let resource = json!({
        "apiVersion": "clusters.openmcp.cloud/v1alpha1",
        "kind": "Cluster",
        "metadata": {
            "name": CLUSTERS[cluster],
            "namespace": "s",
            "creationTimestamp": format!("2026-01-01T00:00:0{cluster}Z"),
        },
        "spec": {},
    });
    serde_json::from_value(resource).unwrap()
}

impl Picture {
    pub(super) fn policy_differs(&self, other: &Self) -> bool {
        self.rules != other.rules
    }

    pub(super) fn landscape(&self) -> Landscape {
        let members = self.clusters.iter().map(|(cluster, picture)| {
            let mut objects = Objects::default();
            for (_, object) in picture.objects(*cluster) {
                objects.apply(Change::Set(object));
            }
            Member { id: id(*cluster), cluster: resource(*cluster), objects: Ok(objects) }
        });
        Landscape { clusters: members.collect(), ..Landscape::default() }
    }

    pub(super) fn policy(&self, module: &Arc<Module>) -> LoadedPolicy {
        let Rules { reserved, ttl_seconds, is_by_cluster, free_names, selects } =
            self.rules.as_ref().unwrap();
        let identities = |is_meant: &dyn Fn(usize) -> bool| -> Vec<Value> {
            let meant = (0..CLUSTERS.len()).filter(|cluster| is_meant(*cluster));
            meant.map(|cluster| json!({ "name": CLUSTERS[cluster], "namespace": "s" })).collect()
        };
        let template = if *is_by_cluster { "{cluster}.{base}" } else { "{namespace}.{base}" };
        let spec = json!({
            "baseDomain": ZONE,
            "clusterSelector": { "matchIdentities": identities(&|cluster| selects[cluster]) },
            "sharedNames": [{ "name": SHARED, "clusters": identities(&|_| true) }],
            "deletionGuard": { "maxPercent": 30, "freeNames": free_names, "holdSeconds": 600 },
            "configuration": {
                "reservedNames": reserved.iter().collect::<Vec<_>>(),
                "ttlSeconds": ttl_seconds,
                "domainTemplate": template,
            },
        });
        let policy = DNSPolicy::new("p", serde_json::from_value(spec).unwrap());
        LoadedPolicy::with_module(Arc::clone(module), Some(&policy)).unwrap()
    }
}

impl ClusterPicture {
    /// All objects, by what they are called.
    pub(super) fn objects(&self, cluster: usize) -> BTreeMap<(Kind, String), Watched> {
        let mut objects = Vec::new();
        if let Some(address) = self.gateway {
            let addresses: Vec<Value> =
                address.iter().map(|address| json!({ "value": format!("10.0.1.{address}") })).collect();
            let gateway = json!({
                "metadata": { "name": "gateway", "namespace": "default" },
                "spec": { "listeners": [{ "name": "http", "port": 80, "protocol": "HTTP" }] },
                "status": { "addresses": addresses },
            });
            objects.push((Kind::Gateway, gateway));
        }
        for (number, Claims { hosts, target, accepted: _ }) in &self.ingresses {
            let rules: Vec<Value> = hosts.iter().map(|host| json!({ "host": host.text(cluster) })).collect();
            let ingress = match target {
                Target::Address(address) => json!([{ "ip": format!("10.0.0.{address}") }]),
                Target::Alias(number) => json!([{ "hostname": format!("lb{number}.example.com") }]),
                Target::NotYet => json!([]),
            };
            let ingress = json!({
                "metadata": { "name": format!("i{number}"), "namespace": "default" },
                "spec": { "rules": rules },
                "status": { "loadBalancer": { "ingress": ingress } },
            });
            objects.push((Kind::Ingress, ingress));
        }
        for (number, Claims { hosts, target: _, accepted }) in &self.routes {
            let parent = json!({ "name": "gateway" });
            let conditions: Vec<Value> = accepted
                .iter()
                .map(|accepted| {
                    json!({ "type": "Accepted", "status": if *accepted { "True" } else { "False" } })
                })
                .collect();
            let host_names: Vec<String> = hosts.iter().map(|host| host.text(cluster)).collect();
            let route = json!({
                "metadata": { "name": format!("r{number}"), "namespace": "default" },
                "spec": { "hostnames": host_names, "parentRefs": [parent] },
                "status": { "parents": [{ "parentRef": parent, "conditions": conditions }] },
            });
            objects.push((Kind::HttpRoute, route));
        }
        let objects = objects.into_iter().map(|(kind, object)| {
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            ((kind, name), Watched::from_json(kind, object).unwrap())
        });
        objects.collect()
    }
}

impl Host {
    fn text(self, cluster: usize) -> String {
        match self {
            Self::Own(label) => format!("{}.{}.{ZONE}", LABELS[label], CLUSTERS[cluster]),
            Self::Of(other, label) => format!("{}.{}.{ZONE}", LABELS[label], CLUSTERS[other]),
            Self::Shared => SHARED.to_owned(),
            Self::Outside => "shop.example.com".to_owned(),
            Self::Invalid => "a_b".to_owned(),
        }
    }
}
