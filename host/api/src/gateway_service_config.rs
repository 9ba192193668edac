//! The `GatewayServiceConfig` of openMCP's gateway service: which clusters get a Gateway, and which domain it says that
//! their names lie in. Only read here, and only the fields that are used.

use std::collections::BTreeMap;

use kube::{CustomResource, ResourceExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::cluster::{Cluster, cluster_id};
use super::dns_policy::DNSPolicy;
use super::module_source::BuiltIn;
use super::selector::ClusterIdentity;

/// How the gateway service makes a cluster's domain (its `generateBaseDomain` in `pkg/envoy/config.go`), as a template of
/// the built-in policy module.
const LAYOUT: &str = "{cluster}.{namespace}.{base}";

/// The field of the built-in policy module's configuration that says how a domain is made.
const TEMPLATE_FIELD: &str = "domainTemplate";

/// How openMCP's gateway service provides Gateways.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "gateway.openmcp.cloud",
    version = "v1alpha1",
    kind = "GatewayServiceConfig",
    plural = "gatewayserviceconfigs",
    derive = "PartialEq",
    derive = "Default"
)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayServiceConfigSpec {
    /// Which clusters get a Gateway: those that one of these means.
    pub clusters: Vec<GatewayClusters>,
    /// Where their names lie.
    pub dns: GatewayDns,
}

/// Some clusters that get a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayClusters {
    /// All that this selects.
    pub selector: Option<GatewaySelector>,
    /// This one.
    pub cluster_ref: Option<ClusterIdentity>,
}

/// Selects clusters: what is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewaySelector {
    /// A purpose that the cluster has; empty for any.
    pub match_purpose: String,
    /// Labels that the `Cluster` has.
    pub match_labels: BTreeMap<String, String>,
}

/// Where the names of Gateways lie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayDns {
    /// The domain that those of all clusters lie in.
    pub base_domain: String,
}

/// What a `GatewayServiceConfig` says of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayDomain {
    /// Name of the `GatewayServiceConfig`.
    pub config: String,
    /// The domain that it gives the cluster, as the cluster's Gateway carries it.
    pub domain: String,
}

impl GatewayServiceConfig {
    /// Whether a cluster gets a Gateway (`enabledForCluster` in `internal/controllers/cluster/controller.go`).
    fn selects(&self, cluster: &Cluster) -> bool {
        let (id, labels) = (cluster_id(cluster), cluster.labels());
        self.spec.clusters.iter().any(|GatewayClusters { selector, cluster_ref }| {
            let is_selected =
                selector.as_ref().is_some_and(|GatewaySelector { match_purpose, match_labels }| {
                    (match_purpose.is_empty() || cluster.spec.purposes.contains(match_purpose))
                        && match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
                });
            is_selected || cluster_ref.as_ref().is_some_and(|identity| identity.names(&id))
        })
    }
}

/// What the first of the configurations by name says of a cluster that it selects.
pub fn gateway_domain<'c>(
    cluster: &Cluster,
    configs: impl IntoIterator<Item = &'c GatewayServiceConfig>,
) -> Option<GatewayDomain> {
    let selecting = configs.into_iter().filter(|config| config.selects(cluster));
    let config = selecting.min_by_key(|config| config.name_any())?;
    let (name, namespace) = (cluster.name_any(), cluster.namespace().unwrap_or_default());
    let domain = format!("{name}.{namespace}.{}", config.spec.dns.base_domain);
    Some(GatewayDomain { config: config.name_any(), domain })
}

/// A policy as it is meant in a landscape that has these configurations: where the gateway service gives domains in the
/// policy's zone, and the policy leaves the layout of domains to the built-in module, the layout is the gateway service's.
#[must_use]
pub fn with_gateway_layout<'c>(
    mut policy: DNSPolicy,
    configs: impl IntoIterator<Item = &'c GatewayServiceConfig>,
) -> DNSPolicy {
    let zone = policy.spec.base_domain.to_lowercase();
    let is_zone = |config: &GatewayServiceConfig| config.spec.dns.base_domain.to_lowercase() == zone;
    if policy.spec.module.built_in == Some(BuiltIn::Standard) && configs.into_iter().any(is_zone) {
        let configuration = policy.spec.configuration.get_or_insert_with(|| json!({}));
        if let Some(fields) = configuration.as_object_mut() {
            fields.entry(TEMPLATE_FIELD).or_insert_with(|| json!(LAYOUT));
        }
    }
    policy
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn config(name: &str, spec: Value) -> GatewayServiceConfig {
        GatewayServiceConfig::new(name, serde_json::from_value(spec).unwrap())
    }

    fn cluster() -> Cluster {
        serde_json::from_value(json!({
            "metadata": { "name": "w1", "namespace": "mcp--1", "labels": { "gateway": "true" } },
            "spec": { "purposes": ["workload"] },
        }))
        .unwrap()
    }

    #[test]
    fn a_cluster_gets_its_domain_of_a_configuration_that_selects_it() {
        for (clusters, expected) in [
            (json!([]), false),
            (json!([{}]), false),
            (json!([{ "selector": {} }]), true),
            (json!([{ "selector": { "matchPurpose": "workload" } }]), true),
            (json!([{ "selector": { "matchPurpose": "platform" } }]), false),
            (json!([{ "selector": { "matchLabels": { "gateway": "true" } } }]), true),
            (
                json!([{ "selector": { "matchPurpose": "workload", "matchLabels": { "gateway": "no" } } }]),
                false,
            ),
            (
                json!([{ "selector": { "matchPurpose": "mcp" } }, { "clusterRef": { "name": "w1", "namespace": "mcp--1" } }]),
                true,
            ),
            (json!([{ "clusterRef": { "name": "w1", "namespace": "default" } }]), false),
        ] {
            let config = config(
                "gateway",
                json!({ "clusters": clusters, "dns": { "baseDomain": "openmcp.cluster" } }),
            );
            let expected = expected.then(|| GatewayDomain {
                config: "gateway".to_owned(),
                domain: "w1.mcp--1.openmcp.cluster".to_owned(),
            });
            assert_eq!(gateway_domain(&cluster(), [&config]), expected, "{clusters}");
        }
    }

    #[test]
    fn the_layout_is_the_gateways_unless_the_policy_says_another_one_or_the_zone_is_another() {
        let layout = |base_domain: &str, spec: Value| {
            let config = config("gateway", json!({ "dns": { "baseDomain": base_domain } }));
            let mut all = json!({ "baseDomain": "openmcp.cluster" });
            for (field, value) in spec.as_object().unwrap() {
                all[field] = value.clone();
            }
            let policy = DNSPolicy::new("p", serde_json::from_value(all).unwrap());
            let configuration = with_gateway_layout(policy, [&config]).spec.configuration;
            configuration
                .and_then(|configuration| Some(configuration.get(TEMPLATE_FIELD)?.as_str()?.to_owned()))
        };
        assert_eq!(layout("openmcp.cluster", json!({})).as_deref(), Some(LAYOUT));
        assert_eq!(
            layout("OpenMCP.cluster", json!({ "configuration": { "ttlSeconds": 5 } })).as_deref(),
            Some(LAYOUT)
        );
        assert_eq!(layout("another.cluster", json!({})), None);
        let own = json!({ "configuration": { "domainTemplate": "{cluster}.{base}" } });
        assert_eq!(layout("openmcp.cluster", own).as_deref(), Some("{cluster}.{base}"));
        let module = json!({ "module": { "file": { "path": "/x" } } });
        assert_eq!(layout("openmcp.cluster", module), None);
    }
}
