//! Who still leads, and the Lease that says so. A service that runs outside of what is removed here, as a platform service of
//! openMCP does, would do everything again.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Resource as _};
use openmcp_dns_core::deployment::Reference;
use tokio::time::Instant;

use super::{Uninstall, UninstallError, failed};
use crate::leadership::LEASE;

/// How long a pod that was told to end may take, and some more.
const ENDING: Duration = Duration::from_secs(60);

/// What the Lease gives its holder, where it does not say it.
const USUAL: Duration = Duration::from_secs(15);

impl Uninstall {
    /// Waits until nobody leads: the Lease was released, or nobody has renewed it for its whole time.
    pub(super) async fn nobody_leads(&self) -> Result<(), UninstallError> {
        let leases: Api<Lease> = Api::namespaced(self.platform.clone(), &self.namespace);
        let began = Instant::now();
        let mut seen = None;
        loop {
            let lease = leases.get_opt(LEASE).await.map_err(failed(format!("read the Lease {LEASE}")))?;
            let Some(lease) = lease else { return Ok(()) };
            let version = lease.metadata.resource_version;
            let spec = lease.spec.unwrap_or_default();
            let holder = spec.holder_identity.unwrap_or_default();
            if holder.is_empty() || seen.as_ref().is_some_and(|seen| *seen == version) {
                return Ok(());
            }
            if began.elapsed() > ENDING {
                return Err(UninstallError::Leads { holder });
            }
            seen = Some(version);
            let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            tokio::time::sleep(seconds.map_or(USUAL, Duration::from_secs) + Duration::from_secs(1)).await;
        }
    }

    /// The Lease, where it is.
    pub(super) async fn lease(&self) -> Result<Option<Reference>, UninstallError> {
        let leases: Api<Lease> = Api::namespaced(self.platform.clone(), &self.namespace);
        let found = leases.get_metadata_opt(LEASE).await;
        let found = found.map_err(failed(format!("read the Lease {LEASE}")))?;
        Ok(found.map(|_| Reference {
            api_version: Lease::api_version(&()).into_owned(),
            kind: Lease::kind(&()).into_owned(),
            namespace: self.namespace.clone(),
            name: LEASE.to_owned(),
        }))
    }
}
