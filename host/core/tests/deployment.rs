//! What is rendered for the central DNS, beside golden files: `cargo insta review` shows what changed.

#![allow(clippy::unwrap_used, reason = "what is written here can be read")]

use std::collections::BTreeMap;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::deployment::{
    Agent, AgentFacts, AgentSource, CENTRAL, Config, EtcdCluster, Exposure, Facts, Gate, GateFacts, Members,
    NODES, Nodes, Reference, Server, Storage, Workload, covers, is_ours, render, render_agent, render_gate,
    render_nodes, without_rights,
};
use openmcp_dns_core::node_hosts::Hosts;
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
        snapshots: None,
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
    config.snapshots = Some("backups".to_owned());
    config.exposure = Exposure::NodePort;
    config.service_annotations.insert("example.org/pool".to_owned(), "dns".to_owned());
    config.dns.node_selector.insert("dns".to_owned(), "yes".to_owned());
    config.dns.tolerations = vec![json!({"key": "dns", "operator": "Exists"})];
    config.etcd.priority_class = Some("system-cluster-critical".to_owned());
    let facts = Facts { etcd: EtcdCluster::new(Members::Three), ..facts(&["a.example", "b.example"]) };
    insta::assert_snapshot!(text(&render(&config, &facts)));
}

fn agent(flags: &[&str]) -> Agent {
    Agent {
        workload: workload("external-dns:1"),
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
    }
}

fn agent_facts(sources: &[AgentSource]) -> AgentFacts {
    AgentFacts {
        cluster: ClusterId::new("openmcp-system", "workload01"),
        domain: "workload01.openmcp.cluster".parse().unwrap(),
        sources: sources.to_vec(),
        gate: vec!["172.18.101.2:2379".to_owned()],
        gate_name: "openmcp-dns-gate".to_owned(),
        certificates: [("tls.crt", "Y2VydA==".to_owned()), ("tls.key", "a2V5".to_owned())].into(),
    }
}

#[test]
fn an_agent_for_all_that_external_dns_can_read() {
    insta::assert_snapshot!(text(&render_agent(&agent(&[]), &agent_facts(&AgentSource::ALL))));
}

/// The flags of the agent's only container.
fn flags(objects: &[Value]) -> Vec<&str> {
    let args = objects.iter().find_map(|object| object.pointer("/spec/template/spec/containers/0/args"));
    args.unwrap().as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect()
}

#[test]
fn a_flag_of_the_operator_takes_the_place_of_the_one_of_the_same_name() {
    let facts = agent_facts(&[AgentSource::Ingress]);
    let theirs = ["--no-events", "--interval=10s", "--ingress-class=public"];
    let objects = render_agent(&agent(&theirs), &facts);
    let (flags, before) = (flags(&objects), render_agent(&agent(&[]), &facts));
    assert!(theirs.iter().all(|flag| flags.contains(flag)), "{flags:?}");
    assert_eq!(flags.iter().filter(|flag| flag.contains("events") || flag.contains("interval")).count(), 2);
    assert_eq!(flags.len(), self::flags(&before).len() + 1);
}

/// What the agent may read, each as `group/resource`.
fn readable(objects: &[Value]) -> Vec<String> {
    let role = objects.iter().find(|object| object["kind"] == "ClusterRole").unwrap();
    let text = |value: &Value| value[0].as_str().unwrap().to_owned();
    let rules = role["rules"].as_array().unwrap().iter();
    rules.map(|rule| format!("{}/{}", text(&rule["apiGroups"]), text(&rule["resources"]))).collect()
}

#[test]
fn an_agent_may_read_what_the_operator_has_it_read_and_not_what_the_service_would() {
    let facts = agent_facts(&AgentSource::ALL);
    let objects = render_agent(&agent(&["--source=service", "--source=ingress"]), &facts);
    let wanted =
        ["/nodes", "/pods", "/services", "discovery.k8s.io/endpointslices", "networking.k8s.io/ingresses"];
    assert_eq!(readable(&objects), wanted);
}

#[test]
fn whoever_brings_agents_may_give_them_all_that_they_may_have() {
    let access = include_str!("../../../deploy/agent-access.yaml");
    let documents: Vec<Value> = serde_saphyr::from_multiple(access).unwrap();
    let granted: Vec<Value> = documents
        .into_iter()
        .filter(|object| object["kind"] == "ClusterRole")
        .flat_map(|role| role["rules"].as_array().unwrap().clone())
        .collect();
    let includes = |all: &Value, wanted: &Value| all.as_array().unwrap().contains(wanted);
    let further = ["service", "pod", "node", "crd", "gateway-tcproute", "gateway-udproute"];
    let flags = AgentSource::ALL.map(AgentSource::flag).into_iter().chain(further);
    let flags: Vec<String> = flags.map(|source| format!("--source={source}")).collect();
    assert!(without_rights(&flags).is_empty(), "all of them are known");
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let objects = render_agent(&agent(&flags), &agent_facts(&[]));
    let role = objects.iter().find(|object| object["kind"] == "ClusterRole").unwrap();
    for rule in role["rules"].as_array().unwrap() {
        let is_granted = granted.iter().any(|grant| {
            grant["resourceNames"].is_null()
                && includes(&grant["apiGroups"], &rule["apiGroups"][0])
                && includes(&grant["resources"], &rule["resources"][0])
                && rule["verbs"].as_array().unwrap().iter().all(|verb| includes(&grant["verbs"], verb))
        });
        assert!(is_granted, "{rule}");
    }
}

#[test]
fn an_agent_reads_no_more_than_its_sources_and_is_made_anew_with_another_certificate() {
    let mut facts = agent_facts(&[AgentSource::Ingress]);
    let objects = render_agent(&agent(&[]), &facts);
    let role = objects.iter().find(|object| object["kind"] == "ClusterRole").unwrap();
    assert_eq!(
        role["rules"],
        json!([{"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["get", "list", "watch"]}])
    );
    facts.certificates.insert("tls.crt", "b3RoZXI=".to_owned());
    let template = |objects: &[Value]| objects.last().unwrap()["spec"]["template"]["metadata"].clone();
    assert_ne!(template(&objects), template(&render_agent(&agent(&[]), &facts)));
}

#[test]
fn the_gate_leads_to_the_replica_that_leads() {
    let gate = Gate { exposure: Exposure::LoadBalancer, service_annotations: BTreeMap::new() };
    let facts = GateFacts {
        namespace: "openmcp-dns".to_owned(),
        pod: "10.0.0.7".parse().unwrap(),
        port: 2379,
        address: Some("172.18.101.2".parse().unwrap()),
    };
    insta::assert_snapshot!(text(&render_gate(&gate, &facts)));
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

fn nodes(static_pods: bool) -> Vec<Value> {
    let hosts = Hosts::parse("172.18.101.2 hook.workload01.openmcp.cluster\n").unwrap();
    render_nodes(&Nodes { workload: workload("openmcp-dns:1"), static_pods }, &hosts)
}

#[test]
fn names_for_nodes_and_for_the_static_pods_of_their_api_server() {
    insta::assert_snapshot!(text(&nodes(true)));
}

#[test]
fn no_more_of_a_node_is_mounted_than_is_written() {
    let folders = |objects: &[Value]| -> Vec<String> {
        let volumes = objects[4].pointer("/spec/template/spec/volumes").unwrap().as_array().unwrap().clone();
        volumes.iter().flat_map(|volume| volume.pointer("/hostPath/path")).map(ToString::to_string).collect()
    };
    assert_eq!(folders(&nodes(false)), [r#""/etc""#]);
    assert_eq!(folders(&nodes(true)), [r#""/etc""#, r#""/var/lib/kubelet/pods""#]);
    let security =
        nodes(true)[4].pointer("/spec/template/spec/containers/0/securityContext").cloned().unwrap();
    assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
    assert_eq!(
        (&security["privileged"], &security["allowPrivilegeEscalation"]),
        (&json!(null), &json!(false))
    );
}

#[test]
fn whoever_has_names_brought_to_nodes_may_bring_all_that_it_takes() {
    let access = include_str!("../../../deploy/nodes-access.yaml");
    let documents: Vec<Value> = serde_saphyr::from_multiple(access).unwrap();
    let role = documents.iter().find(|object| object["kind"] == "Role").unwrap();
    assert_eq!(role["metadata"]["namespace"], NODES);
    let has = |list: &Value, wanted: &str| list.as_array().unwrap().contains(&json!(wanted));
    for Reference { api_version, kind, namespace, name: _ } in nodes(true).iter().map(Reference::of) {
        if namespace.is_empty() {
            // It comes with the rights in it.
            assert!(documents.iter().any(|object| object["kind"] == "Namespace"));
            continue;
        }
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let plural = if kind.ends_with('y') {
            format!("{}ies", kind.trim_end_matches('y').to_lowercase())
        } else {
            format!("{}s", kind.to_lowercase())
        };
        let rules = role["rules"].as_array().unwrap();
        let granted =
            rules.iter().find(|rule| has(&rule["apiGroups"], group) && has(&rule["resources"], &plural));
        let verbs = &granted.unwrap_or_else(|| panic!("nobody grants {plural}"))["verbs"];
        assert!(["get", "list", "create", "patch", "delete"].iter().all(|verb| has(verbs, verb)), "{plural}");
    }
}
