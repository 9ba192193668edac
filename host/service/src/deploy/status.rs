//! Says on the DNSServiceConfig how the central DNS stands.

use std::net::SocketAddr;

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _, ResourceExt as _};
use openmcp_dns_api::conditions::{Finding, Reason};
use openmcp_dns_api::{DNSServiceConfig, DNSServiceConfigSpec, DNSServiceConfigStatus, FIELD_MANAGER};
use openmcp_dns_core::deployment::Reference;
use serde_json::json;

use super::observed::Observed;

/// What is said of an attempt that was not refused.
pub(super) fn finding(
    config: &DNSServiceConfig,
    written: &[Reference],
    kept: &[String],
    observed: &Observed,
    addresses: &Result<Vec<SocketAddr>, String>,
) -> Finding {
    let mut missing = observed.missing();
    if let Err(why) = addresses {
        missing.push(why.clone());
    }
    if missing.is_empty() && !written.is_empty() {
        missing.push(format!("{} objects were changed and have to start", written.len()));
    }
    let mut remarks = kept.to_vec();
    if config.spec == DNSServiceConfigSpec::default() {
        remarks.push("nothing is set: the defaults apply".to_owned());
    }
    if observed.is_ephemeral() {
        remarks.push(
            "etcd has no volumes: its records are made anew from the clusters when it loses them".to_owned(),
        );
    }
    if missing.is_empty() {
        let addresses = addresses.iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        remarks.insert(0, format!("the central DNS server is deployed at {addresses}"));
        return Finding::good(remarks.join("; "));
    }
    Finding::unknown(Reason::InProgress, missing.into_iter().chain(remarks).collect::<Vec<_>>().join("; "))
}

pub(super) struct StatusWriter {
    api: Api<DNSServiceConfig>,
    name: String,
    /// What was last written, and to which object.
    written: Option<(Option<String>, DNSServiceConfigStatus)>,
}

impl StatusWriter {
    pub(super) fn new(platform: kube::Client, name: String) -> Self {
        Self { api: Api::all(platform), name, written: None }
    }

    /// Makes a DNSServiceConfig that sets nothing: somewhere it has to be said how the central DNS stands.
    pub(super) async fn create(&self) {
        let object = json!({
            "apiVersion": DNSServiceConfig::api_version(&()),
            "kind": DNSServiceConfig::kind(&()),
            "metadata": {"name": self.name},
            "spec": {},
        });
        let params = PatchParams::apply(FIELD_MANAGER);
        if let Err(error) = self.api.patch(&self.name, &params, &Patch::Apply(&object)).await {
            let error = openmcp_dns_core::chain(&error);
            tracing::warn!(name = self.name, error, "unable to make the DNSServiceConfig");
        }
    }

    /// Writes the status where it differs. Addresses that are not known at the moment stay as they are.
    pub(super) async fn write(
        &mut self,
        config: &DNSServiceConfig,
        finding: &Finding,
        addresses: Option<&[SocketAddr]>,
    ) {
        let before = match &self.written {
            Some((uid, status)) if *uid == config.uid() => Some(status),
            _ => config.status.as_ref(),
        };
        let generation = config.metadata.generation.unwrap_or_default();
        let conditions = before.map(|status| status.conditions.as_slice()).unwrap_or_default();
        let status = DNSServiceConfigStatus {
            observed_generation: generation,
            addresses: addresses.map_or_else(
                || before.map(|status| status.addresses.clone()).unwrap_or_default(),
                |addresses| addresses.iter().map(ToString::to_string).collect(),
            ),
            conditions: vec![finding.condition("Deployed", Some(generation), conditions)],
        };
        if before == Some(&status) {
            return;
        }
        let patch = json!({
            "apiVersion": DNSServiceConfig::api_version(&()),
            "kind": DNSServiceConfig::kind(&()),
            "metadata": {"name": self.name},
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match self.api.patch_status(&self.name, &params, &Patch::Apply(&patch)).await {
            Ok(_) => self.written = Some((config.uid(), status)),
            Err(error) => {
                let error = openmcp_dns_core::chain(&error);
                tracing::warn!(name = self.name, error, "unable to write the DNSServiceConfig's status");
            }
        }
    }
}
