//! The certificate of the service, while another replica leads and makes what is missing.

use std::time::Duration;

use openmcp_dns_api::{CertificateSource, DNSServiceConfig, Provider};
use openmcp_dns_core::deployment::WRITER_SECRET;
use tokio::time::timeout;

use super::{Deployer, INTERVAL, PrepareError};
use crate::leadership::Leadership;

/// How often a standby looks for the certificate that the leader makes.
const LOOK: Duration = Duration::from_secs(1);

impl Deployer {
    /// Waits until the certificate is there, which it writes down, or until we lead; gives whether it is there.
    pub(super) async fn await_certificate(
        &self,
        config: &DNSServiceConfig,
        leadership: &Leadership,
    ) -> Result<bool, PrepareError> {
        while !leadership.is_leading() {
            if self.take_over(config).await? {
                return Ok(true);
            }
            // Looked at again, also when we lead.
            let _ = timeout(LOOK, leadership.leading()).await;
        }
        Ok(false)
    }

    /// Has the certificate of the service as it is, until we lead.
    pub(super) async fn stand_by(&self, leadership: &Leadership) {
        while timeout(INTERVAL, leadership.leading()).await.is_err() {
            let taken = async { self.take_over(&self.read_config().await?).await };
            if let Err(error) = taken.await {
                let error = openmcp_dns_core::chain(&error);
                tracing::warn!(error, "unable to read the certificate with which the service talks to etcd");
            }
        }
    }

    /// Writes down the certificate as who leads has made it, or somebody has given it; gives whether there is one.
    async fn take_over(&self, config: &DNSServiceConfig) -> Result<bool, PrepareError> {
        if config.spec.dns.provider == Some(Provider::External) {
            self.write_given_identity(config).await?;
            return Ok(true);
        }
        let keeper = self.keeper();
        let writer = match config.spec.etcd.certificates.unwrap_or_default() {
            CertificateSource::Own => keeper.pair(WRITER_SECRET).await?,
            CertificateSource::Given => Some(keeper.given(WRITER_SECRET).await?),
        };
        let Some(writer) = writer else { return Ok(false) };
        writer.write(&self.identity)?;
        Ok(true)
    }
}
