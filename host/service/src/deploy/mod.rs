//! Deploy: the central DNS of the landscape, on the platform cluster.
//!
//! ```text
//! DNSServiceConfig, DNSPolicies, Observed ──► core::deployment::render ──► Applier ──► status, addresses
//! ```
//! Nothing else in the service waits for it: recording begins as soon as etcd answers, and the clusters are made to
//! forward as soon as an address is known.

mod apply;
mod certificates;
mod inputs;
mod observed;
mod status;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use openmcp_dns_api::conditions::{Finding, Reason};
use openmcp_dns_api::{DNSServiceConfig, Images};
use openmcp_dns_core::deployment::{Facts, Reference, render};
use openmcp_dns_core::skydns::Prefix;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use self::apply::Applier;
use self::certificates::Certificates;
use self::inputs::{Inputs, Zones};
use self::observed::Observed;
use self::status::StatusWriter;
use crate::leadership::Leadership;

pub use self::certificates::CertificateError;

/// How long events are collected before something is done about them.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// How often everything is compared, also what no watch shows.
const INTERVAL: Duration = Duration::from_secs(300);

/// How often a standby looks for the certificate that the leader makes.
const LOOK: Duration = Duration::from_secs(1);

/// How soon it is looked again while something is missing.
const AGAIN: Duration = Duration::from_secs(5);

/// Deploys the central DNS.
pub struct Deployer {
    /// The platform cluster.
    pub platform: kube::Client,
    /// Where the objects lie: the namespace of the service.
    pub namespace: String,
    /// The name of the DNSServiceConfig that counts.
    pub config_name: String,
    /// The images, where it names no other.
    pub images: Images,
    /// Where the records lie in etcd.
    pub prefix: Prefix,
    /// The folder into which the service's own certificate for etcd is written, for its store.
    pub identity: PathBuf,
    /// Told where the clusters reach the central DNS server.
    pub addresses: watch::Sender<Vec<SocketAddr>>,
}

impl Deployer {
    /// Writes down the certificate of the service: the store can be prepared then. Who leads makes what is missing; who
    /// stands by waits for it.
    ///
    /// # Errors
    /// When the platform cluster refuses or does not answer, a Secret of the same name is not ours, or a file cannot be
    /// written.
    pub async fn prepare(&self, leadership: &Leadership) -> Result<(), CertificateError> {
        while !leadership.is_leading() {
            if self.take_over().await? {
                return Ok(());
            }
            // Looked at again, also when we lead.
            let _ = timeout(LOOK, leadership.leading()).await;
        }
        self.certificates().ensure().await?.writer.write(&self.identity)
    }

    /// Writes down the certificate of the service as it was made by who leads; gives whether there is one.
    async fn take_over(&self) -> Result<bool, CertificateError> {
        let Some(writer) = self.certificates().writer().await? else { return Ok(false) };
        writer.write(&self.identity)?;
        Ok(true)
    }

    /// Has the certificate of the service as it is, until we lead.
    async fn stand_by(&self, leadership: &Leadership) {
        while timeout(INTERVAL, leadership.leading()).await.is_err() {
            if let Err(error) = self.take_over().await {
                let error = openmcp_dns_core::chain(&error);
                tracing::warn!(error, "unable to read the certificate with which the service talks to etcd");
            }
        }
    }

    /// Deploys, and corrects what differs, as long as it is polled and we lead.
    pub async fn run(self, leadership: Leadership) {
        self.stand_by(&leadership).await;
        let mut inputs = Inputs::watch(&self.platform, &self.namespace, &self.config_name);
        let mut status = StatusWriter::new(self.platform.clone(), self.config_name.clone());
        loop {
            let patience = match inputs.current() {
                None => AGAIN,
                Some((None, _)) => {
                    status.create().await;
                    AGAIN
                }
                Some((Some(config), zones)) => {
                    let (finding, addresses) = self.once(config, zones).await;
                    if let Ok(addresses) = &addresses {
                        self.tell(addresses);
                    }
                    let well = finding.status == Some(true);
                    status.write(config, &finding, addresses.as_deref().ok()).await;
                    if well { INTERVAL } else { AGAIN }
                }
            };
            inputs.changed(Instant::now() + patience, DEBOUNCE).await;
        }
    }

    fn certificates(&self) -> Certificates {
        Certificates { platform: self.platform.clone(), namespace: self.namespace.clone() }
    }

    fn tell(&self, addresses: &[SocketAddr]) {
        self.addresses.send_if_modified(|known| {
            let changed = known != addresses;
            *known = addresses.to_vec();
            changed
        });
    }

    /// Does what is missing. Gives how it stands, and the addresses or why there are none.
    async fn once(
        &self,
        config: &DNSServiceConfig,
        zones: &Zones,
    ) -> (Finding, Result<Vec<SocketAddr>, String>) {
        match self.attempt(config, zones).await {
            Ok((written, kept, observed)) => {
                let addresses = observed.addresses(config);
                (status::finding(config, &written, &kept, &observed, &addresses), addresses)
            }
            Err(error) => {
                let error = openmcp_dns_core::chain(&*error);
                (Finding::bad(Reason::WriteFailed, error.clone()), Err(error))
            }
        }
    }

    async fn attempt(
        &self,
        config: &DNSServiceConfig,
        zones: &Zones,
    ) -> Result<(Vec<Reference>, Vec<String>, Observed), Box<dyn std::error::Error + Send + Sync>> {
        let issued = self.certificates().ensure().await?;
        issued.writer.write(&self.identity)?;
        let before = Observed::read(&self.platform, &self.namespace).await?;
        let mut wanted = config.spec.config(before.default_class(), &self.images);
        let kept = before.keep(&mut wanted);
        let facts = Facts {
            namespace: self.namespace.clone(),
            zones: zones.clone(),
            address: before.address_to_ask_for(config),
            reader_digest: issued.reader.digest(),
            prefix: self.prefix.to_string(),
        };
        let applier = Applier { platform: self.platform.clone(), namespace: self.namespace.clone() };
        let written = applier.apply(&render(&wanted, &facts)).await?;
        for object in &written {
            tracing::info!(%object, "applied an object of the central DNS");
        }
        Ok((written, kept, Observed::read(&self.platform, &self.namespace).await?))
    }
}
