//! Who records the host names of a cluster: what `DNSServiceConfig` says of agents.

use std::collections::BTreeMap;

use openmcp_dns_core::deployment::{Agent, Gate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::Cluster;
use super::dns_service_config::{DNSServiceConfigSpec, Images, Placement, ServiceType, resources};
use super::forward::ForwardSpec;
use super::schemas;
use super::selector::ClusterSelector;

/// What holds for some clusters.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.agent) || (has(self.recorder) && self.recorder == 'externalDNS')",
    "message": "agent needs the recorder externalDNS",
}]))]
pub struct ClusterRule {
    /// Which clusters; without it, all that no earlier rule selects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<ClusterSelector>,
    /// Who records their host names; the service itself, unless something else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorder: Option<Recorder>,
    /// How the agent of each of them is run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentSpec>,
    /// How the DNS of each of them is made to forward; without it, what the cluster has decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward: Option<ForwardSpec>,
}

/// Who records the host names of a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Recorder {
    /// The service, which watches the cluster's routes.
    #[default]
    Native,
    /// An external-dns in the cluster, through the gate.
    #[serde(rename = "externalDNS")]
    ExternalDns,
}

/// An external-dns in a cluster.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentSpec {
    /// Its image; without it, the one that the service was started with (`run --external-dns-image`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Further flags, `--NAME` or `--NAME=VALUE`: each takes the place of the service's own of the same name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 3, max = 1024), regex(pattern = r"^--[a-z]")))]
    pub flags: Vec<String>,
    /// Resources of its pod, as a container has them; 50m and 64Mi, at most 256Mi, unless something else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::free_json")]
    pub resources: Option<Value>,
    /// Where its pod runs.
    #[serde(flatten)]
    pub placement: Placement,
}

/// How agents reach the gate.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.service) || self.service != 'NodePort' || (has(self.addresses) && self.addresses.size() > 0)",
    "message": "a NodePort Service needs addresses: those under which the clusters reach it",
}]))]
pub struct GateSpec {
    /// The type of its Service; a load balancer, unless something else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceType>,
    /// Where the clusters reach the gate, HOST or HOST:PORT; without any, the address that the load balancer gives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 261)))]
    pub addresses: Vec<String>,
    /// Annotations of the Service, for who gives it an address.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub service_annotations: BTreeMap<String, String>,
}

impl DNSServiceConfigSpec {
    /// The rule that holds for a cluster: the first one that selects it.
    pub(super) fn rule(&self, cluster: &Cluster) -> Option<&ClusterRule> {
        let selects =
            |rule: &&ClusterRule| rule.selector.as_ref().is_none_or(|selector| selector.selects(cluster));
        self.clusters.iter().find(selects)
    }

    /// How the agent of a cluster is run; `None` where the service records its host names itself.
    pub fn agent(&self, cluster: &Cluster, images: &Images) -> Option<Agent> {
        let rule = self.rule(cluster)?;
        (rule.recorder == Some(Recorder::ExternalDns))
            .then(|| rule.agent.clone().unwrap_or_default().agent(images))
    }

    /// Whether any cluster may have an agent.
    pub fn has_agents(&self) -> bool {
        self.clusters.iter().any(|rule| rule.recorder == Some(Recorder::ExternalDns))
    }
}

impl AgentSpec {
    fn agent(self, images: &Images) -> Agent {
        let Self { image, flags, resources: wanted, placement } = self;
        let image = image.as_ref().unwrap_or(&images.external_dns);
        let wanted = wanted.unwrap_or_else(|| resources("64Mi", "256Mi"));
        Agent { workload: placement.workload(image, wanted), flags }
    }
}

impl GateSpec {
    /// What is rendered.
    pub fn gate(&self) -> Gate {
        let exposure = self.service.unwrap_or_default().exposure();
        Gate { exposure, service_annotations: self.service_annotations.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cluster(purpose: &str) -> Cluster {
        let mut cluster = Cluster::default();
        cluster.spec.purposes = vec![purpose.to_owned()];
        cluster
    }

    #[test]
    fn the_first_rule_that_selects_a_cluster_says_who_records() {
        let rule = |purpose: &str, recorder: &str| {
            json!({
                "selector": {"matchPurposes": [{"operator": "ContainsAny", "values": [purpose]}]},
                "recorder": recorder,
            })
        };
        let spec: DNSServiceConfigSpec = serde_json::from_value(json!({"clusters": [
            rule("platform", "native"), rule("workload", "externalDNS"),
            {"recorder": "externalDNS", "agent": {"image": "mirror/external-dns:1", "flags": ["--no-events"]}},
        ]}))
        .unwrap();
        let image =
            |purpose| spec.agent(&cluster(purpose), &Images::default()).map(|agent| agent.workload.image);
        assert_eq!(image("platform"), None);
        assert_eq!(image("workload").as_deref(), Some(Images::EXTERNAL_DNS));
        assert_eq!(image("other").as_deref(), Some("mirror/external-dns:1"));
        assert!(spec.has_agents() && !DNSServiceConfigSpec::default().has_agents());
        assert_eq!(DNSServiceConfigSpec::default().agent(&cluster("workload"), &Images::default()), None);
    }
}
