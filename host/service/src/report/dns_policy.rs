//! Writes the status of `DNSPolicy` objects.

use std::collections::BTreeMap;

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _, ResourceExt as _};
use serde_json::json;

use super::tally::Sum;
use openmcp_dns_api::conditions::Finding;
use openmcp_dns_api::dns_policy::{CandidateStatus, ModuleStatus};
use openmcp_dns_api::{DNSPolicy, DNSPolicyStatus, FIELD_MANAGER};

/// Writes the status of policies, and only when it has changed.
pub struct Writer {
    platform: kube::Client,
    written: BTreeMap<String, DNSPolicyStatus>,
}

impl Writer {
    /// Writes to the platform cluster.
    #[must_use]
    pub const fn new(platform: kube::Client) -> Self {
        Self { platform, written: BTreeMap::new() }
    }

    /// Forgets a policy that is gone.
    pub fn forget(&mut self, policy: &str) {
        self.written.remove(policy);
    }

    /// Writes one policy's status. A refusal is logged; the next call tries again.
    pub async fn write(
        &mut self,
        policy: &DNSPolicy,
        findings: &[(&str, Finding)],
        module: ModuleStatus,
        candidate: Option<CandidateStatus>,
        sum: Sum,
    ) {
        let name = policy.name_any();
        let generation = policy.metadata.generation.unwrap_or_default();
        // After a restart, what stands there keeps its transition times.
        let written = self.written.get(&name).or(policy.status.as_ref());
        let previous = written.map(|status| status.conditions.as_slice()).unwrap_or_default();
        let conditions = findings
            .iter()
            .map(|(condition_type, finding)| finding.condition(condition_type, Some(generation), previous))
            .collect();
        let Sum { clusters, published, denied, .. } = sum;
        let status = DNSPolicyStatus {
            observed_generation: generation,
            conditions,
            module,
            candidate,
            clusters,
            published,
            denied,
        };
        if written == Some(&status) {
            return;
        }
        let patch = json!({
            "apiVersion": DNSPolicy::api_version(&()),
            "kind": DNSPolicy::kind(&()),
            "metadata": { "name": name },
            "status": status,
        });
        let api: Api<DNSPolicy> = Api::all(self.platform.clone());
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match api.patch_status(&name, &params, &Patch::Apply(&patch)).await {
            Ok(_) => {
                self.written.insert(name, status);
            }
            Err(error) => {
                tracing::warn!(
                    policy = name,
                    error = openmcp_dns_core::chain(&error),
                    "unable to write the DNSPolicy's status"
                );
            }
        }
    }
}
