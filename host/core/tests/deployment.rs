//! What is rendered for the central DNS, beside golden files: `cargo insta review` shows what changed.

#![allow(clippy::unwrap_used, reason = "what is written here can be read")]

use std::collections::BTreeMap;

use openmcp_dns_core::deployment::{
    CENTRAL, Config, EtcdCluster, Exposure, Facts, Members, Server, Storage, Workload, covers, is_ours,
    render,
};
use serde_json::{Value, json};

fn workload(image: &str) -> Workload {
    Workload {
        image: image.to_owned(),
        resources: json!({"requests": {"cpu": "50m", "memory": "64Mi"}}),
        ..Workload::default()
    }
}

fn config() -> Config {
    Config {
        server: Server::CoreDns,
        dns: workload("coredns:1"),
        replicas: 2,
        exposure: Exposure::LoadBalancer,
        service_annotations: BTreeMap::new(),
        etcd: workload("etcd:1"),
        members: Members::One,
        storage: Storage::Volume { size: "1Gi".to_owned(), class: None },
    }
}

fn facts(zones: &[&str]) -> Facts {
    Facts {
        namespace: "openmcp-dns".to_owned(),
        etcd: EtcdCluster::new(Members::One),
        zones: zones.iter().map(|zone| zone.parse().unwrap()).collect(),
        address: None,
        trust_digest: "4567".to_owned(),
        reader_digest: "0123".to_owned(),
        prefix: "/skydns".to_owned(),
    }
}

/// As `kubectl` would take it.
fn text(objects: &[Value]) -> String {
    objects.iter().map(|object| serde_saphyr::to_string(object).unwrap()).collect::<Vec<_>>().join("---\n")
}

#[test]
fn the_defaults() {
    insta::assert_snapshot!(text(&render(&config(), &facts(&["openmcp.cluster"]))));
}

#[test]
fn three_members_without_volumes_on_chosen_nodes_by_node_ports() {
    let mut config = config();
    config.members = Members::Three;
    config.storage = Storage::Ephemeral;
    config.exposure = Exposure::NodePort;
    config.service_annotations.insert("example.org/pool".to_owned(), "dns".to_owned());
    config.dns.node_selector.insert("dns".to_owned(), "yes".to_owned());
    config.dns.tolerations = vec![json!({"key": "dns", "operator": "Exists"})];
    config.etcd.priority_class = Some("system-cluster-critical".to_owned());
    let facts = Facts { etcd: EtcdCluster::new(Members::Three), ..facts(&["a.example", "b.example"]) };
    insta::assert_snapshot!(text(&render(&config, &facts)));
}

#[test]
fn the_dns_server_of_the_service() {
    let mut config = config();
    config.server = Server::BuiltIn;
    config.dns.image = "openmcp-dns:1".to_owned();
    let objects = render(&config, &facts(&["a.example", "b.example"]));
    let of_dns: Vec<Value> =
        objects.into_iter().filter(|object| object["metadata"]["name"] == CENTRAL).collect();
    insta::assert_snapshot!(text(&of_dns));
}

#[test]
fn all_objects_are_marked_as_ours_and_cover_themselves() {
    for object in render(&config(), &facts(&[])) {
        assert!(is_ours(&object), "{object}");
        assert!(covers(&object, &object));
        assert_eq!(object["metadata"]["namespace"], "openmcp-dns");
    }
}

#[test]
fn an_address_that_was_given_is_asked_for_again() {
    let facts = Facts { address: Some([172, 18, 100, 1].into()), ..facts(&[]) };
    let objects = render(&config(), &facts);
    let service = objects.iter().find(|object| object["spec"]["type"] == "LoadBalancer").unwrap();
    assert_eq!(service["spec"]["loadBalancerIP"], "172.18.100.1");
}

#[test]
fn a_new_zone_changes_the_pods_and_not_etcd() {
    let (before, after) =
        (render(&config(), &facts(&["a.example"])), render(&config(), &facts(&["b.example"])));
    let changed: Vec<_> = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before != after)
        .map(|(object, _)| object["kind"].as_str().unwrap())
        .collect();
    assert_eq!(changed, ["ConfigMap", "Deployment"]);
}
