//! What openMCP's own DNS service has in its `DNSServiceConfig`: an object that was written for it still applies.
//!
//! That service installs external-dns by its Helm chart, with values that a person writes. This one does not need it, so
//! nothing is done with these fields; a condition says so.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schemas;

/// The fields of the upstream kind.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct UpstreamFields {
    /// Of openMCP's own DNS service, and not used: where the Helm chart of external-dns comes from.
    #[serde(rename = "externalDNSSource", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::free_json")]
    pub external_dns_source: Option<Value>,
    /// Of openMCP's own DNS service, and not used: Secrets that its chart needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::free_json")]
    pub secrets_to_copy: Option<Value>,
    /// Of openMCP's own DNS service, and not used: how often Flux looks at its releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helm_release_reconciliation_interval: Option<String>,
    /// Of openMCP's own DNS service, and not used: the Helm values of external-dns, by purposes of clusters. An external-dns
    /// of this service is wanted by a rule in `clusters` with the recorder `externalDNS`, whose selector takes the same
    /// `purposeSelector`.
    #[serde(rename = "externalDNSForPurposes", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schemas::free_json_list")]
    pub external_dns_for_purposes: Vec<Value>,
}

impl UpstreamFields {
    /// The names of those that are set.
    #[must_use]
    pub fn set(&self) -> Vec<&'static str> {
        let Self {
            external_dns_source,
            secrets_to_copy,
            helm_release_reconciliation_interval,
            external_dns_for_purposes,
        } = self;
        let all = [
            (external_dns_source.is_some(), "externalDNSSource"),
            (secrets_to_copy.is_some(), "secretsToCopy"),
            (helm_release_reconciliation_interval.is_some(), "helmReleaseReconciliationInterval"),
            (!external_dns_for_purposes.is_empty(), "externalDNSForPurposes"),
        ];
        all.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::DNSServiceConfigSpec;

    #[test]
    fn an_object_of_the_upstream_service_is_read_and_written_without_a_loss() {
        let spec = json!({
            "externalDNSSource": { "chartName": "charts/external-dns", "git": { "url": "https://example.com/x.git" } },
            "secretsToCopy": { "toPlatformCluster": [{ "source": { "name": "a" } }] },
            "helmReleaseReconciliationInterval": "10m",
            "externalDNSForPurposes": [{
                "name": "workers",
                "purposeSelector": { "and": [{ "not": { "name": "mcp" } }, { "name": "workload" }] },
                "helmValues": { "policy": "sync", "sources": ["service"] },
            }],
        });
        let read: DNSServiceConfigSpec = serde_json::from_value(spec.clone()).unwrap();
        let written = serde_json::to_value(&read).unwrap();
        for (field, value) in spec.as_object().unwrap() {
            assert_eq!(written[field], *value, "{field}");
            assert!(read.upstream.set().contains(&field.as_str()), "{field}");
        }
        assert!(DNSServiceConfigSpec::default().upstream.set().is_empty());
    }
}
