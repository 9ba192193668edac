//! How the DNS of a cluster is made to forward: what `DNSServiceConfig` says, and `ClusterDNS`.

use openmcp_dns_core::forwarding::Strategy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster::Cluster;
use super::dns_service_config::DNSServiceConfigSpec;

/// How the DNS of a cluster is made to forward.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ForwardSpec {
    /// The way to change it; without it, what the cluster has decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<ForwardStrategy>,
}

/// A way to change a cluster's DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ForwardStrategy {
    /// A block in the Corefile that its pods read.
    Corefile,
    /// A file that its Corefile imports from another ConfigMap.
    ImportedFile,
    /// Values of the Helm chart that its Corefile is rendered from.
    HelmChartConfig,
    /// An entry in the configuration of OpenShift's DNS operator.
    DnsOperator,
    /// An entry in the stubDomains of kube-dns.
    StubDomains,
    /// An entry in the configuration of Alibaba Cloud's managed CoreDNS.
    #[serde(rename = "customDNSConfig")]
    CustomDnsConfig,
    /// None: a person does it, and what is ours is taken back.
    Manual,
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
        self.rule(cluster)?.forward.as_ref()?.strategy.map(ForwardStrategy::strategy)
    }
}

impl ForwardStrategy {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Corefile,
        Self::ImportedFile,
        Self::HelmChartConfig,
        Self::DnsOperator,
        Self::StubDomains,
        Self::CustomDnsConfig,
        Self::Manual,
    ];

    const fn strategy(self) -> Strategy {
        match self {
            Self::Corefile => Strategy::Corefile,
            Self::ImportedFile => Strategy::ImportedFile,
            Self::HelmChartConfig => Strategy::HelmChartConfig,
            Self::DnsOperator => Strategy::DnsOperator,
            Self::StubDomains => Strategy::StubDomains,
            Self::CustomDnsConfig => Strategy::CustomDnsConfig,
            Self::Manual => Strategy::Manual,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_strategy_has_one_name_wherever_it_is_written() {
        let names = ForwardStrategy::ALL.map(|one| (serde_json::to_value(one).unwrap(), one.strategy()));
        assert_eq!(names.clone().map(|(_, strategy)| strategy), Strategy::ALL);
        for (name, strategy) in names {
            assert_eq!(name, strategy.as_str());
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
