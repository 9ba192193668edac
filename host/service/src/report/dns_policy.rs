//! Writes the status of `DNSPolicy` objects.

use std::sync::Arc;

use async_trait::async_trait;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _, ResourceExt as _};
use serde_json::json;

use super::statuses::{Object, Said};
use crate::counts::PolicyCounts;
use openmcp_dns_api::conditions::{Finding, Reason};
use openmcp_dns_api::dns_policy::{CandidateStatus, ModuleStatus};
use openmcp_dns_api::{DNSPolicy, DNSPolicyStatus, FIELD_MANAGER, Phase};

/// What is known of one policy.
pub struct PolicyReport {
    /// Its object.
    pub policy: Arc<DNSPolicy>,
    /// Its conditions.
    pub findings: Vec<(&'static str, Finding)>,
    /// Its modules.
    pub module: ModuleStatus,
    /// The module that is compared.
    pub candidate: Option<CandidateStatus>,
    /// Its clusters.
    pub counts: PolicyCounts,
    /// Whether all of them have been looked at, and the landscape.
    pub is_settled: bool,
}

#[async_trait]
impl Said for PolicyReport {
    type Status = DNSPolicyStatus;

    fn object(&self) -> Object {
        (String::new(), self.policy.name_any())
    }

    fn uid(&self) -> Option<String> {
        self.policy.uid()
    }

    fn is_settled(&self) -> bool {
        self.is_settled && !self.findings.iter().any(|(_, finding)| finding.reason == Reason::InProgress)
    }

    /// After a restart, what stands there keeps its transition times.
    async fn read(&self, _: &kube::Client) -> kube::Result<DNSPolicyStatus> {
        Ok(self.policy.status.clone().unwrap_or_default())
    }

    fn status(&self, previous: &DNSPolicyStatus) -> DNSPolicyStatus {
        let Self { policy, findings, module, candidate, counts, is_settled: _ } = self;
        let generation = policy.metadata.generation.unwrap_or_default();
        let conditions: Vec<_> = findings
            .iter()
            .map(|(kind, finding)| finding.condition(kind, Some(generation), &previous.conditions))
            .collect();
        DNSPolicyStatus {
            observed_generation: generation,
            phase: Phase::of(&conditions, policy.metadata.deletion_timestamp.is_some()),
            conditions,
            module: module.clone(),
            candidate: candidate.clone(),
            clusters: counts.clusters,
            published: counts.published,
            denied: counts.denied,
        }
    }

    async fn write(&self, platform: &kube::Client, status: &DNSPolicyStatus) -> kube::Result<()> {
        let name = self.policy.name_any();
        let patch = json!({
            "apiVersion": DNSPolicy::api_version(&()),
            "kind": DNSPolicy::kind(&()),
            "metadata": { "name": name },
            "status": status,
        });
        let api: Api<DNSPolicy> = Api::all(platform.clone());
        let params = PatchParams::apply(FIELD_MANAGER).force();
        api.patch_status(&name, &params, &Patch::Apply(&patch)).await.map(drop)
    }
}
