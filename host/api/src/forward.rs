//! How the DNS of a cluster is made to forward: what `DNSServiceConfig` says, and `ClusterDNS`.

use openmcp_dns_core::forwarding::Strategy;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::cluster::Cluster;
use super::dns_service_config::DNSServiceConfigSpec;

/// How the DNS of a cluster is made to forward.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ForwardSpec {
    /// The way to change it; without it, what the cluster has decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "strategies")]
    pub strategy: Option<Strategy>,
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
}
