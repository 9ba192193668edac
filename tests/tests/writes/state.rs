//! All that the service has brought about, without what differs from one landscape to the next.

use std::collections::BTreeMap;

use kube::Client;
use kube::api::ListParams;
use openmcp_dns_tests::kinds::Reference;
use openmcp_dns_tests::manifests::CLUSTERS;
use openmcp_dns_tests::two_clusters::{NAMES, TwoClusters, corefile_of};
use serde_json::{Value, json};

/// The namespace of the service.
pub(crate) const NAMESPACE: &str = "openmcp-dns";

/// Objects, records and Corefiles by their names.
pub(crate) type State = BTreeMap<String, Value>;

/// Kinds whose objects the service makes or changes on the platform cluster, and their namespace. Events are left out:
/// how many say the same is no state.
const KINDS: [(&str, &str, &str); 17] = [
    ("v1", "ConfigMap", NAMESPACE),
    ("v1", "Secret", NAMESPACE),
    ("v1", "Service", NAMESPACE),
    ("v1", "ServiceAccount", NAMESPACE),
    ("v1", "PersistentVolumeClaim", NAMESPACE),
    ("v1", "Pod", NAMESPACE),
    ("apps/v1", "Deployment", NAMESPACE),
    ("apps/v1", "StatefulSet", NAMESPACE),
    ("policy/v1", "PodDisruptionBudget", NAMESPACE),
    ("batch/v1", "CronJob", NAMESPACE),
    ("networking.k8s.io/v1", "NetworkPolicy", NAMESPACE),
    ("coordination.k8s.io/v1", "Lease", NAMESPACE),
    ("clusters.openmcp.cloud/v1alpha1", "Cluster", CLUSTERS),
    ("dns.openmcp.cloud/v1alpha1", "ClusterDNS", CLUSTERS),
    ("v1", "Secret", CLUSTERS),
    ("dns.openmcp.cloud/v1alpha1", "DNSPolicy", ""),
    ("dns.openmcp.cloud/v1alpha1", "DNSServiceConfig", ""),
];

/// Fields that an API server sets as it likes. Times differ, too: their names end so.
const CHANCE: [&str; 9] = [
    "uid",
    "resourceVersion",
    "managedFields",
    "generation",
    "observedGeneration",
    "clusterIP",
    "clusterIPs",
    "nodePort",
    "healthCheckNodePort",
];

/// Annotations that stand for a certificate: every landscape has its own.
const OF_CERTIFICATES: [&str; 6] = ["not-after", "issuer", "changed", "trust", "certificate", "rendered"];

/// Reads all of it; `addresses` are those of this landscape's servers.
pub(crate) async fn read(world: &TwoClusters, addresses: &[String]) -> anyhow::Result<State> {
    let mut state = State::new();
    let [platform, _] = world.clients();
    for (api_version, kind, namespace) in KINDS {
        let reference = Reference { api_version, kind, namespace, name: "" };
        for (name, mut object) in objects(&platform, reference).await? {
            // Certificates, and the ways into clusters.
            if kind == "Secret"
                && let Some(Value::Object(data)) = object.get_mut("data")
            {
                data.values_mut().for_each(|value| *value = json!("..."));
            }
            state.insert(format!("{kind} {namespace}/{name}"), object);
        }
    }
    for (client, name) in world.clients().iter().zip(NAMES) {
        state.insert(format!("Corefile of {name}"), json!(corefile_of(client).await?));
    }
    for (key, stored) in world.etcd.below("/").await? {
        let value = serde_json::from_str(&stored.value).unwrap_or_else(|_| json!(stored.value));
        state.insert(format!("record {key}"), value);
    }
    for value in state.values_mut() {
        without_chance(value, addresses);
    }
    Ok(state)
}

async fn objects(client: &Client, reference: Reference<'_>) -> anyhow::Result<Vec<(String, Value)>> {
    let all = reference.api(client)?.list(&ListParams::default()).await?;
    all.into_iter()
        .map(|object| Ok((object.metadata.name.clone().unwrap_or_default(), serde_json::to_value(object)?)))
        .collect()
}

fn without_chance(value: &mut Value, addresses: &[String]) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| {
                !CHANCE.contains(&&**name) && !name.ends_with("Time") && !name.ends_with("Timestamp")
            });
            for (name, value) in fields.iter_mut() {
                let is_of_certificate = name
                    .strip_prefix("dns.openmcp.cloud/")
                    .is_some_and(|name| OF_CERTIFICATES.contains(&name));
                if is_of_certificate {
                    *value = json!("...");
                }
                without_chance(value, addresses);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| without_chance(value, addresses)),
        Value::String(text) => {
            for address in addresses {
                *text = text.replace(address, "ADDRESS");
            }
        }
        _ => {}
    }
}

/// What differs: the name, what it is on the left, and on the right.
pub(crate) fn difference(left: &State, right: &State) -> Option<String> {
    let names = left.keys().chain(right.keys());
    let differs = names.filter(|name| left.get(*name) != right.get(*name));
    let said: Vec<String> = differs
        .map(|name| {
            let shown =
                |state: &State| state.get(name).map_or_else(|| "nothing".to_owned(), Value::to_string);
            format!("{name}\n  undisturbed: {}\n  killed:      {}", shown(left), shown(right))
        })
        .collect();
    (!said.is_empty()).then(|| said.join("\n"))
}
