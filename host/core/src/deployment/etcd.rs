//! etcd, which holds the records.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::SERVER_SECRET;
use super::config::{Config, Facts, Members, Storage};
use super::members::EtcdCluster;
use super::object::{
    COMPONENT_LABEL, container_security, disruption_budget, metadata, placed, pod_security, selector,
};

/// The StatefulSet, and the Service by which its members know each other.
pub const ETCD: &str = "openmcp-dns-etcd";

/// The Service by which clients reach those members that are ready.
pub const ETCD_CLIENT: &str = "openmcp-dns-etcd-client";

/// The component label of its pods.
pub(super) const COMPONENT: &str = "etcd";

const CLIENT_PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;
const HEALTH_PORT: u16 = 2381;

/// Annotation on the pods of etcd: with which authorities they were started.
pub const TRUST_ANNOTATION: &str = "dns.openmcp.cloud/trust";

/// As etcd reads them from its environment.
const MEMBERS_KEY: &str = "ETCD_INITIAL_CLUSTER";
const STATE_KEY: &str = "ETCD_INITIAL_CLUSTER_STATE";
const BEGINS: &str = "new";

/// Ten million records fit; etcd advises against more than 8 GiB.
const QUOTA_BYTES: u64 = 2 << 30;

/// Where clients in the cluster reach etcd.
pub fn client_endpoint(namespace: &str) -> String {
    format!("https://{ETCD_CLIENT}.{namespace}.svc:{CLIENT_PORT}")
}

/// The names that the certificate of its members has to hold.
///
/// Each member by its own name: etcd compares the address of a peer with what the names in its certificate stand for. For a
/// name with `*`, it asks for the name of the address instead, and that ends with the cluster's domain, which may be any.
pub fn server_names(namespace: &str) -> Vec<String> {
    let members = (0..Members::Three.count()).map(|pod| format!("{ETCD}-{pod}.{ETCD}.{namespace}.svc"));
    let all = [format!("{ETCD_CLIENT}.{namespace}.svc"), "localhost".to_owned(), "127.0.0.1".to_owned()];
    members.chain(all).collect()
}

pub(super) fn objects(config: &Config, facts: &Facts) -> Vec<Value> {
    let namespace = facts.namespace.as_str();
    let mut objects =
        vec![peers(namespace), clients(namespace), policy(namespace), start(facts), members(config, facts)];
    if config.members == Members::Three {
        objects.push(disruption_budget(namespace, ETCD, COMPONENT));
    }
    objects
}

fn peers(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(namespace, ETCD, COMPONENT),
        "spec": {
            "clusterIP": "None",
            // Members have to find each other before they are ready.
            "publishNotReadyAddresses": true,
            "selector": selector(COMPONENT),
            "ports": [
                {"name": "client", "port": CLIENT_PORT, "protocol": "TCP", "targetPort": CLIENT_PORT},
                {"name": "peer", "port": PEER_PORT, "protocol": "TCP", "targetPort": PEER_PORT},
            ],
        },
    })
}

fn clients(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(namespace, ETCD_CLIENT, COMPONENT),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(COMPONENT),
            "ports": [{"name": "client", "port": CLIENT_PORT, "protocol": "TCP", "targetPort": CLIENT_PORT}],
        },
    })
}

/// Only our own pods reach etcd, and only those of this namespace.
fn policy(namespace: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(namespace, ETCD, COMPONENT),
        "spec": {
            "podSelector": {"matchLabels": selector(COMPONENT)},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "openmcp-dns"}}}],
                    "ports": [{"port": CLIENT_PORT, "protocol": "TCP"}],
                },
                {
                    "from": [{"podSelector": {"matchLabels": selector(COMPONENT)}}],
                    "ports": [{"port": PEER_PORT, "protocol": "TCP"}],
                },
            ],
        },
    })
}

/// How a pod begins that has no data yet. Pods read it at their start only, so that another one changes none that runs.
fn start(facts: &Facts) -> Value {
    let EtcdCluster { pods: _, members, begins } = &facts.etcd;
    let urls = peer_urls(&facts.namespace);
    let members =
        urls.iter().enumerate().filter(|(pod, _)| members.iter().any(|member| usize::from(*member) == *pod));
    let members: Vec<String> = members.map(|(pod, url)| format!("{ETCD}-{pod}={url}")).collect();
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(&facts.namespace, ETCD, COMPONENT),
        "data": {MEMBERS_KEY: members.join(","), STATE_KEY: if *begins { BEGINS } else { "existing" }},
    })
}

/// Reads how the pods are started: from the ConfigMap, and from how many pods the StatefulSet has.
pub fn read_cluster(start: &BTreeMap<String, String>, pods: u8) -> EtcdCluster {
    let members =
        start.get(MEMBERS_KEY).into_iter().flat_map(|text| text.split(',')).filter_map(|member| {
            member.split('=').next()?.strip_prefix(ETCD)?.strip_prefix('-')?.parse().ok()
        });
    EtcdCluster {
        pods,
        members: members.collect(),
        begins: start.get(STATE_KEY).is_some_and(|state| state == BEGINS),
    }
}

/// Where the members reach each other, by the number of their pod.
pub fn peer_urls(namespace: &str) -> Vec<String> {
    (0..Members::Three.count())
        .map(|pod| format!("https://{ETCD}-{pod}.{ETCD}.{namespace}.svc:{PEER_PORT}"))
        .collect()
}

/// Selects the pods of etcd.
pub fn etcd_selector() -> String {
    format!("app.kubernetes.io/name=openmcp-dns,{COMPONENT_LABEL}={COMPONENT}")
}

fn members(config: &Config, facts: &Facts) -> Value {
    let Config { etcd, storage, .. } = config;
    let mut volumes =
        vec![json!({"name": "certificates", "secret": {"secretName": SERVER_SECRET, "defaultMode": 288}})];
    let mut claims = Vec::new();
    match storage {
        Storage::Ephemeral => volumes.push(json!({"name": "data", "emptyDir": {}})),
        Storage::Volume { size, class } => claims.push(claim(size, class.as_deref())),
    }
    let pod = json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 15,
        "securityContext": pod_security(),
        "containers": [container(config, &facts.namespace)],
        "volumes": volumes,
    });
    let mut spec = json!({
        "serviceName": ETCD,
        "replicas": facts.etcd.pods,
        // A cluster that begins needs most of its members before one of them is ready.
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
        // A member that comes again begins without the data of the one that left.
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Delete"},
        "selector": {"matchLabels": selector(COMPONENT)},
        "template": {
            "metadata": {
                "labels": selector(COMPONENT),
                // A certificate is read at every handshake, and who is trusted at the start only.
                "annotations": {TRUST_ANNOTATION: facts.trust_digest},
            },
            "spec": placed(pod, etcd, COMPONENT),
        },
    });
    if !claims.is_empty() {
        spec["volumeClaimTemplates"] = json!(claims);
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(&facts.namespace, ETCD, COMPONENT),
        "spec": spec,
    })
}

fn claim(size: &str, class: Option<&str>) -> Value {
    let mut spec = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
    });
    if let Some(class) = class {
        spec["storageClassName"] = json!(class);
    }
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec})
}

fn container(config: &Config, namespace: &str) -> Value {
    let Config { etcd, .. } = config;
    let from_start =
        |key: &str| json!({"name": key, "valueFrom": {"configMapKeyRef": {"name": ETCD, "key": key}}});
    let own = format!("$(POD_NAME).{ETCD}.{namespace}.svc");
    let probe = |path: &str, failures: u8| {
        json!({
            "httpGet": {"path": path, "port": "health", "scheme": "HTTP"},
            "periodSeconds": 5,
            "timeoutSeconds": 3,
            "failureThreshold": failures,
        })
    };
    json!({
        "name": "etcd",
        "image": etcd.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["etcd"],
        "args": [
            "--name=$(POD_NAME)",
            "--data-dir=/var/lib/etcd/data",
            format!("--listen-client-urls=https://0.0.0.0:{CLIENT_PORT}"),
            format!("--advertise-client-urls=https://{own}:{CLIENT_PORT}"),
            format!("--listen-peer-urls=https://0.0.0.0:{PEER_PORT}"),
            format!("--initial-advertise-peer-urls=https://{own}:{PEER_PORT}"),
            format!("--initial-cluster-token={namespace}-openmcp-dns"),
            format!("--listen-metrics-urls=http://0.0.0.0:{HEALTH_PORT}"),
            "--client-cert-auth",
            "--trusted-ca-file=/etc/etcd/certificates/ca.crt",
            "--cert-file=/etc/etcd/certificates/tls.crt",
            "--key-file=/etc/etcd/certificates/tls.key",
            "--peer-client-cert-auth",
            "--peer-trusted-ca-file=/etc/etcd/certificates/ca.crt",
            "--peer-cert-file=/etc/etcd/certificates/tls.crt",
            "--peer-key-file=/etc/etcd/certificates/tls.key",
            "--auto-compaction-mode=periodic",
            "--auto-compaction-retention=1h",
            format!("--quota-backend-bytes={QUOTA_BYTES}"),
            // What the store asks at most for a name, and some room.
            "--max-txn-ops=512",
        ],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            from_start(MEMBERS_KEY),
            from_start(STATE_KEY),
        ],
        "ports": [
            {"name": "client", "containerPort": CLIENT_PORT, "protocol": "TCP"},
            {"name": "peer", "containerPort": PEER_PORT, "protocol": "TCP"},
            {"name": "health", "containerPort": HEALTH_PORT, "protocol": "TCP"},
        ],
        "startupProbe": probe("/readyz", 60),
        "readinessProbe": probe("/readyz", 2),
        "livenessProbe": probe("/livez", 6),
        "resources": etcd.resources,
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "certificates", "mountPath": "/etc/etcd/certificates", "readOnly": true},
            {"name": "data", "mountPath": "/var/lib/etcd"},
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_the_pods_are_started_is_read_as_it_was_written() {
        for cluster in
            [EtcdCluster::new(Members::One), EtcdCluster { pods: 3, members: [0, 2].into(), begins: false }]
        {
            let facts = Facts { namespace: "dns".to_owned(), etcd: cluster.clone(), ..Facts::default() };
            let written = serde_json::from_value(start(&facts)["data"].clone()).unwrap();
            assert_eq!(read_cluster(&written, cluster.pods), cluster);
        }
    }

    #[test]
    fn the_certificate_holds_the_name_of_each_member_and_of_the_service() {
        let names = server_names("dns");
        assert!(names.contains(&"openmcp-dns-etcd-2.openmcp-dns-etcd.dns.svc".to_owned()), "{names:?}");
        assert!(names.iter().any(|name| client_endpoint("dns").contains(name.as_str())), "{names:?}");
    }
}
