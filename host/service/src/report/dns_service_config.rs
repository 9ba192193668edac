//! Writes the status of the `DNSServiceConfig`.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _, ResourceExt as _};
use openmcp_dns_api::conditions::Finding;
use openmcp_dns_api::{
    DNSServiceConfig, DNSServiceConfigStatus, FIELD_MANAGER, Phase, conditions_with_ready,
};
use serde_json::json;

use super::statuses::{Object, Said};

/// The condition that says how the DNS pods answer the canary.
pub const CENTRAL_DNS: &str = "CentralDNS";

/// What is known of the central DNS.
pub struct ConfigReport {
    /// The configuration.
    pub config: Arc<DNSServiceConfig>,
    /// Its conditions.
    pub findings: Vec<(&'static str, Finding)>,
    /// Where the clusters reach the central DNS server; those that were known last where that is not known.
    pub addresses: Option<Vec<SocketAddr>>,
}

#[async_trait]
impl Said for ConfigReport {
    type Status = DNSServiceConfigStatus;

    fn object(&self) -> Object {
        (String::new(), self.config.name_any())
    }

    fn uid(&self) -> Option<String> {
        self.config.uid()
    }

    /// Whether the DNS pods have been asked; where they cannot be right, nobody waits for their answers.
    fn is_settled(&self) -> bool {
        self.findings.iter().any(|(kind, finding)| *kind == CENTRAL_DNS || finding.status == Some(false))
    }

    /// After a restart, what stands there keeps its transition times.
    async fn read(&self, _: &kube::Client) -> kube::Result<DNSServiceConfigStatus> {
        Ok(self.config.status.clone().unwrap_or_default())
    }

    fn status(&self, previous: &DNSServiceConfigStatus) -> DNSServiceConfigStatus {
        let Self { config, findings, addresses } = self;
        let generation = config.metadata.generation.unwrap_or_default();
        let named: Vec<_> = findings.iter().map(|(name, finding)| (*name, finding)).collect();
        let conditions = conditions_with_ready(&named, generation, &previous.conditions);
        DNSServiceConfigStatus {
            observed_generation: generation,
            phase: Phase::of(&conditions, config.metadata.deletion_timestamp.is_some()),
            addresses: match addresses {
                Some(addresses) => addresses.iter().map(ToString::to_string).collect(),
                None => previous.addresses.clone(),
            },
            conditions,
        }
    }

    async fn write(&self, platform: &kube::Client, status: &DNSServiceConfigStatus) -> kube::Result<()> {
        let name = self.config.name_any();
        let patch = json!({
            "apiVersion": DNSServiceConfig::api_version(&()),
            "kind": DNSServiceConfig::kind(&()),
            "metadata": {"name": name},
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let api = Api::<DNSServiceConfig>::all(platform.clone());
        api.patch_status(&name, &params, &Patch::Apply(&patch)).await.map(drop)
    }
}
