//! The Lease on the platform cluster.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease as LeaseObject, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use openmcp_dns_api::FIELD_MANAGER;
use openmcp_dns_core::leadership::{Lease, LeaseWrite};
use serde_json::json;

/// Name of the Lease of the service.
pub const LEASE: &str = "openmcp-dns";

/// Which Lease. Its name is a DNS subdomain, as the API server asks.
#[derive(Clone, Debug)]
pub struct LeaseName {
    /// Where it lies: the namespace of the service.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Reads and writes the Lease.
pub(super) struct LeaseClient {
    api: Api<LeaseObject>,
    name: String,
    /// For how long it keeps others out.
    duration: Duration,
}

impl LeaseClient {
    pub(super) fn new(platform: kube::Client, lease: LeaseName, duration: Duration) -> Self {
        let LeaseName { namespace, name } = lease;
        Self { api: Api::namespaced(platform, &namespace), name, duration }
    }

    /// As it is; `None` where there is none.
    pub(super) async fn read(&self) -> kube::Result<Option<Lease>> {
        Ok(self.api.get_opt(&self.name).await?.map(lease))
    }

    /// Writes it; gives the new version, or `None` when it is another one than the write takes the place of.
    pub(super) async fn write(&self, write: &LeaseWrite) -> kube::Result<Option<String>> {
        let LeaseWrite { holder, term, over, is_taken } = write;
        // For people: nobody compares the clocks of two nodes.
        let now = MicroTime(Timestamp::now());
        let spec = LeaseSpec {
            holder_identity: holder.clone(),
            lease_duration_seconds: i32::try_from(self.duration.as_secs()).ok(),
            lease_transitions: i32::try_from(*term).ok(),
            acquire_time: is_taken.then(|| now.clone()),
            renew_time: Some(now),
            ..LeaseSpec::default()
        };
        let written = match over {
            None => {
                let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
                let params =
                    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
                self.api.create(&params, &LeaseObject { metadata, spec: Some(spec) }).await
            }
            Some(version) => {
                // A field that is null is taken away.
                let mut spec = json!(spec);
                spec["holderIdentity"] = json!(holder);
                let patch = Patch::Merge(json!({ "metadata": { "resourceVersion": version }, "spec": spec }));
                let field_manager = Some(FIELD_MANAGER.to_owned());
                let params = PatchParams { field_manager, ..PatchParams::default() };
                self.api.patch(&self.name, &params, &patch).await
            }
        };
        match written {
            Ok(written) => Ok(Some(written.resource_version().unwrap_or_default())),
            // 404: it was deleted.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn lease(object: LeaseObject) -> Lease {
    let version = object.resource_version().unwrap_or_default();
    let spec = object.spec.unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Lease {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        term: spec.lease_transitions.and_then(|term| u64::try_from(term).ok()).unwrap_or_default(),
        duration: seconds.map(Duration::from_secs),
        version,
    }
}
