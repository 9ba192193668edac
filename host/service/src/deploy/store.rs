//! Which etcd the records are in, as the DNSServiceConfig says.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use openmcp_dns_api::{DNSServiceConfig, Provider};
use openmcp_dns_core::deployment::client_endpoint;
use thiserror::Error;

use super::Deployer;
use super::observed::Observed;
use crate::certificates::{CertificateError, write_file};
use crate::leadership::Leadership;

/// The etcd that is used: it is prepared once, at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreAddress {
    /// Endpoints of one that exists; none where it is deployed.
    given: Vec<String>,
    /// Secret with the certificate for that one.
    secret: Option<String>,
}

/// Why the way to etcd cannot be prepared.
#[derive(Debug, Error)]
pub enum PrepareError {
    /// A certificate cannot be made or kept.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The platform cluster refused, or did not answer.
    #[error("unable to read {0}")]
    Read(String, #[source] Box<kube::Error>),
    /// The Secret lacks something.
    #[error("Secret {0} has no {1}, which etcd's client needs")]
    Incomplete(String, &'static str),
}

impl StoreAddress {
    /// The one that a configuration wants.
    pub(super) fn of(config: &DNSServiceConfig) -> Self {
        if config.spec.dns.provider != Some(Provider::External) {
            return Self::default();
        }
        let etcd = &config.spec.etcd;
        Self { given: etcd.endpoints.clone(), secret: etcd.client_secret_name.clone() }
    }

    /// Where clients reach it.
    pub fn endpoints(&self, namespace: &str) -> Vec<String> {
        if self.given.is_empty() { vec![client_endpoint(namespace)] } else { self.given.clone() }
    }

    /// Whether clients need a certificate.
    pub fn has_identity(&self) -> bool {
        self.given.is_empty() || self.secret.is_some()
    }
}

impl Deployer {
    /// Looks which etcd is wanted, and writes down the certificate for it: the store can be prepared then. Who leads
    /// makes what is missing; who stands by waits for it.
    ///
    /// # Errors
    /// When the platform cluster refuses or does not answer, a Secret is missing or not ours, or a file cannot be
    /// written.
    pub async fn prepare(&self, leadership: &Leadership) -> Result<StoreAddress, PrepareError> {
        let config = self.read_config().await?;
        if config.spec.dns.provider == Some(Provider::External) {
            self.write_given_identity(&config).await?;
        } else if !self.await_certificate(&config, leadership).await? {
            // Nothing is known yet of what runs: no authority takes over.
            self.certificates(&config, &Observed::default()).await?.writer.write(&self.identity)?;
        }
        Ok(StoreAddress::of(&config))
    }

    /// The configuration that counts; the defaults without one.
    pub(super) async fn read_config(&self) -> Result<DNSServiceConfig, PrepareError> {
        let configs = Api::<DNSServiceConfig>::all(self.platform.clone());
        let config = configs.get_opt(&self.config_name).await;
        let what = || format!("DNSServiceConfig {}", self.config_name);
        Ok(config.map_err(|error| PrepareError::Read(what(), Box::new(error)))?.unwrap_or_default())
    }

    /// Writes down the certificate that somebody gave, as it is now: it is renewed there.
    pub(super) async fn write_given_identity(&self, config: &DNSServiceConfig) -> Result<(), PrepareError> {
        let Some(name) = &config.spec.etcd.client_secret_name else { return Ok(()) };
        let secrets = Api::<Secret>::namespaced(self.platform.clone(), &self.namespace);
        let what = || format!("Secret {}/{name}", self.namespace);
        let secret = secrets.get(name).await.map_err(|error| PrepareError::Read(what(), Box::new(error)))?;
        let data = secret.data.unwrap_or_default();
        for file in ["ca.crt", "tls.crt", "tls.key"] {
            let Some(ByteString(bytes)) = data.get(file) else {
                return Err(PrepareError::Incomplete(name.clone(), file));
            };
            write_file(&self.identity.join(file), bytes)?;
        }
        Ok(())
    }
}
