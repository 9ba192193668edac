//! How the DNS of a cluster is made to forward: what `DNSServiceConfig` says, and `ClusterDNS`.

use openmcp_dns_core::deployment::Nodes;
use openmcp_dns_core::forwarding::Strategy;
use openmcp_dns_core::name::{HostName, NameError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::dns_service_config::{DNSServiceConfigSpec, Placement};
use super::schemas;

/// How the DNS of a cluster is made to forward.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ForwardSpec {
    /// The way to change it; without it, what the cluster has decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "strategies")]
    pub strategy: Option<Strategy>,
    /// Names of the zone that the hosts file of each node has, for who asks no cluster DNS: the API server, which calls
    /// webhooks. None, unless something is said. A DaemonSet in the cluster writes there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodesSpec>,
}

/// Names of the zone that the hosts file of each node has.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodesSpec {
    /// Which names: a host name, or `*.` and a domain for all names below it that are recorded. 256 names at most.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 253), regex(pattern = PATTERN)))]
    pub names: Vec<String>,
    /// Whether the copy of that file is kept, too, that a kube-apiserver has which runs as a static pod (kubeadm, kind): it
    /// sees no later change of the node's own. The DaemonSet then mounts the kubelet's folder of pods, with all that pods
    /// have there: let it run on nodes of the control plane only (`nodeSelector`).
    #[serde(default)]
    pub static_pods: bool,
    /// The image; without it, the one that the service was started with for itself (`run --own-image`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Resources of each pod, as a container has them; 10m and 32Mi, at most 128Mi, unless something else is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::free_json")]
    pub resources: Option<Value>,
    /// Which nodes; all with Linux, unless something else is said, whatever taints they have.
    #[serde(default, flatten)]
    pub placement: Placement,
}

/// A host name, or `*.` and a domain.
const PATTERN: &str = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// What the nodes of a cluster are to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedNodes {
    /// Which names; see [`is_selected`](openmcp_dns_core::node_hosts::is_selected).
    pub names: Vec<HostName>,
    /// How the pods are run.
    pub nodes: Nodes,
}

impl NodesSpec {
    fn wanted(&self, own_image: &str) -> Result<WantedNodes, NameError> {
        let Self { names, static_pods, image, resources, placement } = self;
        let names = names.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
        let resources = resources.clone().unwrap_or_else(
            || json!({"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}),
        );
        let workload = placement.workload(image.as_deref().unwrap_or(own_image), resources);
        Ok(WantedNodes { names, nodes: Nodes { workload, static_pods: *static_pods } })
    }
}

/// How the zone is forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Forwarding {
    /// The way to change the cluster's DNS.
    pub strategy: String,
    /// What it was chosen by.
    #[serde(default)]
    pub because: Vec<String>,
    /// What stands in the cluster for it.
    #[serde(default)]
    pub places: Vec<String>,
    /// A digest of the cluster's DNS configuration with which a change of ours was taken back: as long as it is this one, it is not
    /// made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_back: Option<String>,
}

impl DNSServiceConfigSpec {
    /// The strategy that a person has chosen for a cluster.
    pub fn forward_strategy(&self, cluster: &Cluster) -> Option<Strategy> {
        self.rule(cluster)?.forward.as_ref()?.strategy
    }

    /// What the nodes of a cluster are to be told, if anything; `own_image` is the service's.
    ///
    /// # Errors
    /// When something is no name: the CRD refuses that.
    pub fn forward_nodes(
        &self,
        cluster: &Cluster,
        own_image: &str,
    ) -> Option<Result<WantedNodes, NameError>> {
        Some(self.rule(cluster)?.forward.as_ref()?.nodes.as_ref()?.wanted(own_image))
    }
}

fn strategies(_: &mut SchemaGenerator) -> Schema {
    let names = Strategy::ALL.map(Strategy::as_str);
    json_schema!({ "type": "string", "nullable": true, "enum": names })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_strategy_has_one_name_wherever_it_is_written() {
        for strategy in Strategy::ALL {
            assert_eq!(serde_json::to_value(strategy).unwrap(), strategy.as_str());
        }
    }

    #[test]
    fn the_first_rule_that_selects_a_cluster_says_how_it_forwards() {
        let spec: DNSServiceConfigSpec = serde_json::from_value(json!({"clusters": [
            {"selector": {"matchPurposes": [{"operator": "ContainsAny", "values": ["workload"]}]},
             "forward": {"strategy": "customDNSConfig"}},
            {"forward": {}},
        ]}))
        .unwrap();
        let mut cluster = Cluster::default();
        assert_eq!(spec.forward_strategy(&cluster), None);
        cluster.spec.purposes = vec!["workload".to_owned()];
        assert_eq!(spec.forward_strategy(&cluster), Some(Strategy::CustomDnsConfig));
    }

    #[test]
    fn nodes_are_told_what_the_rule_of_their_cluster_says_with_the_image_of_the_service() {
        let wanted = |nodes: serde_json::Value| {
            let spec: DNSServiceConfigSpec =
                serde_json::from_value(json!({"clusters": [{"forward": {"nodes": nodes}}]})).unwrap();
            spec.forward_nodes(&Cluster::default(), "own:1").unwrap()
        };
        let WantedNodes { names, nodes } = wanted(json!({"names": ["*.hooks.openmcp.cluster"]})).unwrap();
        assert_eq!(names, ["*.hooks.openmcp.cluster".parse().unwrap()]);
        assert_eq!((nodes.workload.image.as_str(), nodes.static_pods), ("own:1", false));
        let other = json!({"names": ["a.b"], "image": "other:2", "staticPods": true, "nodeSelector": {"role": "server"}});
        let nodes = wanted(other).unwrap().nodes;
        assert_eq!((nodes.workload.image.as_str(), nodes.static_pods), ("other:2", true));
        assert_eq!(nodes.workload.node_selector["role"], "server");
        assert!(wanted(json!({"names": ["a_b"]})).is_err());
        assert_eq!(DNSServiceConfigSpec::default().forward_nodes(&Cluster::default(), "own:1"), None);
    }
}
