//! Writes the status of `DNSPolicy` objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _, ResourceExt as _};
use serde_json::json;
use tokio::sync::mpsc;

use crate::counts::PolicyCounts;
use openmcp_dns_api::conditions::Finding;
use openmcp_dns_api::dns_policy::{CandidateStatus, ModuleStatus};
use openmcp_dns_api::{DNSPolicy, DNSPolicyStatus, FIELD_MANAGER};

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
}

/// Writes the status of policies, and only when it has changed.
struct Writer {
    platform: kube::Client,
    /// What stands in the status, by name and unique identifier.
    written: BTreeMap<Key, DNSPolicyStatus>,
    /// Why the last attempt failed. The same trouble is told once, not at every attempt.
    trouble: BTreeMap<Key, String>,
}

/// A policy that is deleted and made anew has no status yet.
type Key = (String, Option<String>);

fn key(policy: &DNSPolicy) -> Key {
    (policy.name_any(), policy.uid())
}

/// Writes the status of all policies whenever it gets what is known of them, until nobody sends any more.
/// A refusal is logged; the next time it is tried again.
pub async fn write(platform: kube::Client, mut reports: mpsc::Receiver<Vec<PolicyReport>>) {
    let mut writer = Writer { platform, written: BTreeMap::new(), trouble: BTreeMap::new() };
    while let Some(reports) = reports.recv().await {
        let keys: Vec<Key> = reports.iter().map(|report| key(&report.policy)).collect();
        writer.written.retain(|key, _| keys.contains(key));
        writer.trouble.retain(|key, _| keys.contains(key));
        for report in reports {
            writer.write(report).await;
        }
    }
}

impl Writer {
    async fn write(&mut self, report: PolicyReport) {
        let PolicyReport { policy, findings, module, candidate, counts } = report;
        let name = policy.name_any();
        let generation = policy.metadata.generation.unwrap_or_default();
        // After a restart, what stands there keeps its transition times.
        let written = self.written.get(&key(&policy)).or(policy.status.as_ref());
        let previous = written.map(|status| status.conditions.as_slice()).unwrap_or_default();
        let conditions = findings
            .iter()
            .map(|(condition_type, finding)| finding.condition(condition_type, Some(generation), previous))
            .collect();
        let PolicyCounts { clusters, published, denied, .. } = counts;
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
                self.trouble.remove(&key(&policy));
                self.written.insert(key(&policy), status);
            }
            Err(error) => {
                let error = openmcp_dns_core::chain(&error);
                if self.trouble.insert(key(&policy), error.clone()).as_ref() != Some(&error) {
                    tracing::warn!(policy = name, error, "unable to write the DNSPolicy's status");
                }
            }
        }
    }
}
