//! Deploy: the central DNS of the landscape, on the platform cluster.
//!
//! ```text
//! DNSServiceConfig, zones, Observed ──► core::deployment::render ──► Applier ──► status, addresses
//! ```
//! Nothing else in the service waits for it: recording begins as soon as etcd answers, and the clusters are made to
//! forward as soon as an address is known.

mod certificates;
mod finding;
mod inputs;
pub mod members;
mod observed;
mod snapshots;
mod standby;
mod store;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _};
use openmcp_dns_api::conditions::{Finding, Reason};
use openmcp_dns_api::{CertificateSource, DNSServiceConfig, FIELD_MANAGER, Operation, Provider, operation};
use openmcp_dns_core::deployment::{
    COMPONENTS, Facts, MemberAction, Reference, next_step, peer_urls, render,
};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_store::Membership;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use self::certificates::{AUTHORITY, Issued};
use self::inputs::Inputs;
use self::observed::Observed;
use crate::api_client::take_reconcile;
use crate::apply::{Applier, Rendered};
use crate::central::Zones;
use crate::certificates::{CertificateError, Keeper, Lifetimes};
use crate::leadership::Leadership;
use crate::report::dns_service_config::{CENTRAL_DNS, ConfigReport};
use crate::report::statuses::Statuses;
use crate::watch::tell;

pub use self::store::{PrepareError, StoreAddress};
pub use openmcp_dns_api::Images;

/// The kinds that are rendered.
const KINDS: [Rendered; 7] = [
    Rendered("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Rendered("v1", "Service", "services"),
    Rendered("v1", "ConfigMap", "configmaps"),
    Rendered("apps/v1", "StatefulSet", "statefulsets"),
    Rendered("apps/v1", "Deployment", "deployments"),
    Rendered("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Rendered("batch/v1", "CronJob", "cronjobs"),
];

/// How long events are collected before something is done about them.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// How often everything is compared, also what no watch shows.
const INTERVAL: Duration = Duration::from_secs(300);

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
    /// How long the certificates that it makes are good for.
    pub lifetimes: Lifetimes,
    /// Where the records lie in etcd.
    pub prefix: Prefix,
    /// The folder into which the service's own certificate for etcd is written, for its store.
    pub identity: PathBuf,
    /// Told where the clusters reach the central DNS server.
    pub addresses: watch::Sender<Vec<SocketAddr>>,
}

/// What the deployment is told, and where it tells.
pub struct Surroundings {
    /// The etcd whose store the service was started with.
    pub store: StoreAddress,
    /// Its members.
    pub etcd: Arc<dyn Membership>,
    /// The zones that are to be served.
    pub zones: watch::Receiver<Zones>,
    /// How the DNS pods answer the canary.
    pub canary: watch::Receiver<Option<Finding>>,
    /// Where to say how it stands.
    pub statuses: Statuses<ConfigReport>,
}

impl Deployer {
    /// Deploys, and corrects what differs, as long as it is polled and we lead. Ends when another etcd is wanted
    /// than the one that the service was started with.
    pub async fn run(self, surroundings: Surroundings, leadership: Leadership) {
        self.stand_by(&leadership).await;
        let Surroundings { store, etcd, zones, canary, statuses } = surroundings;
        let mut inputs = Inputs::watch(&self.platform, &self.namespace, &self.config_name, zones, canary);
        loop {
            let patience = match inputs.config() {
                None => AGAIN,
                Some(None) => {
                    self.create_config().await;
                    AGAIN
                }
                Some(Some(config)) if StoreAddress::of(config) != store => {
                    tracing::error!("the DNSServiceConfig names another etcd: start again with it");
                    return;
                }
                // It is known where the clusters reach what is there, and nothing else is done.
                Some(Some(config)) if inputs.ignored_by().is_some() => {
                    match Observed::read(&self.platform, &self.namespace).await {
                        Ok(observed) => {
                            if let Ok(addresses) = observed.addresses(config) {
                                tell(&self.addresses, addresses);
                            }
                            INTERVAL
                        }
                        Err(_) => AGAIN,
                    }
                }
                Some(Some(config)) => {
                    let config = Arc::clone(config);
                    // Everything is looked at anew each time.
                    if let Some((Operation::Reconcile, annotation)) = operation(&*config) {
                        let api = Api::<DNSServiceConfig>::all(self.platform.clone());
                        take_reconcile(&api, &self.config_name, annotation).await;
                    }
                    let (finding, addresses) = self.once(&config, &inputs.zones(), &*etcd).await;
                    if let Ok(addresses) = &addresses {
                        tell(&self.addresses, addresses.clone());
                    }
                    let well = finding.status == Some(true);
                    let mut findings =
                        vec![("Accepted", finding::accepted(&config.spec)), ("Deployed", finding)];
                    findings.extend(inputs.canary().map(|finding| (CENTRAL_DNS, finding)));
                    statuses.say(ConfigReport { config, findings, addresses: addresses.ok() });
                    if well { INTERVAL } else { AGAIN }
                }
            };
            inputs.changed(Instant::now() + patience, DEBOUNCE).await;
        }
    }

    /// The certificates, as the configuration has them made; `before` says what runs.
    async fn certificates(
        &self,
        config: &DNSServiceConfig,
        before: &Observed,
    ) -> Result<Issued, CertificateError> {
        let keeper = self.keeper();
        match config.spec.etcd.certificates.unwrap_or_default() {
            CertificateSource::Own => Issued::ensure(&keeper, |issued| before.runs_with(issued)).await,
            CertificateSource::Given => Issued::given(&keeper).await,
        }
    }

    /// Where certificates are kept.
    fn keeper(&self) -> Keeper {
        let Self { platform, namespace, lifetimes, .. } = self;
        let (platform, namespace) = (platform.clone(), namespace.clone());
        Keeper { platform, namespace, lifetimes: *lifetimes, authority: AUTHORITY }
    }

    /// Makes a DNSServiceConfig that sets nothing: somewhere it has to be said how the central DNS stands.
    async fn create_config(&self) {
        let object = json!({
            "apiVersion": DNSServiceConfig::api_version(&()),
            "kind": DNSServiceConfig::kind(&()),
            "metadata": {"name": self.config_name},
            "spec": {},
        });
        let params = PatchParams::apply(FIELD_MANAGER);
        let api = Api::<DNSServiceConfig>::all(self.platform.clone());
        if let Err(error) = api.patch(&self.config_name, &params, &Patch::Apply(&object)).await {
            let error = openmcp_dns_core::chain(&error);
            tracing::warn!(name = self.config_name, error, "unable to make the DNSServiceConfig");
        }
    }

    /// Does what is missing. Gives how it stands, and the addresses or why there are none.
    async fn once(
        &self,
        config: &DNSServiceConfig,
        zones: &Zones,
        etcd: &dyn Membership,
    ) -> (Finding, Result<Vec<SocketAddr>, String>) {
        // Without the zones, the DNS servers would be made to forget those that they serve.
        let Some(zones) = zones else {
            let why = "the DNSPolicies have not been read yet".to_owned();
            return (Finding::unknown(Reason::InProgress, why.clone()), Err(why));
        };
        let attempt = if config.spec.dns.provider == Some(Provider::External) {
            self.attempt_external(config).await
        } else {
            self.attempt(config, zones.clone(), etcd).await
        };
        attempt.unwrap_or_else(|error| {
            let error = openmcp_dns_core::chain(&*error);
            (Finding::bad(Reason::WriteFailed, error.clone()), Err(error))
        })
    }

    async fn attempt_external(&self, config: &DNSServiceConfig) -> Result<Attempt, Error> {
        self.write_given_identity(config).await?;
        let observed = Observed::read(&self.platform, &self.namespace).await?;
        let addresses = observed.addresses(config)?;
        Ok((finding::external(&observed, &addresses), Ok(addresses)))
    }

    async fn attempt(
        &self,
        config: &DNSServiceConfig,
        zones: BTreeSet<HostName>,
        etcd: &dyn Membership,
    ) -> Result<Attempt, Error> {
        let before = Observed::read(&self.platform, &self.namespace).await?;
        let issued = self.certificates(config, &before).await?;
        issued.writer.write(&self.identity)?;
        let mut wanted = config.spec.config(before.default_class(), &self.images);
        let mut kept = before.keep(&mut wanted);
        let peer_urls = peer_urls(&self.namespace);
        let current = before.etcd_cluster();
        // One that was not deployed yet answers nobody.
        let listed = if current.is_some() { members::list(etcd, &peer_urls).await } else { None };
        let step = next_step(wanted.members, current.as_ref(), listed.as_deref(), &before.lost());
        kept.extend(step.remark.clone());
        let facts = Facts {
            namespace: self.namespace.clone(),
            etcd: step.cluster,
            zones,
            address: before.address_to_ask_for(config),
            trust_digest: issued.server.trust(),
            reader_digest: issued.reader.digest(),
            prefix: self.prefix.to_string(),
        };
        let applier = Applier {
            client: self.platform.clone(),
            namespace: self.namespace.clone(),
            kinds: &KINDS,
            components: &COMPONENTS,
        };
        let written: Vec<Reference> = applier.apply(&render(&wanted, &facts)).await?;
        for object in &written {
            tracing::info!(%object, "applied an object of the central DNS");
        }
        let observed = Observed::read(&self.platform, &self.namespace).await?;
        let addresses = observed.addresses(config);
        let mut finding = finding::finding(config, &written, &kept, &observed, &addresses);
        let is_well = finding.status == Some(true);
        if step.remark.is_some() && is_well {
            finding = Finding::unknown(Reason::InProgress, finding.message);
        }
        self.look_after_etcd(etcd, step.action, &peer_urls, is_well).await;
        Ok((finding, addresses))
    }

    /// Takes the step that is due; where there is none and all is well, makes files small. What etcd refuses or does not
    /// answer is tried again: a learner that lacks records is refused for a while.
    async fn look_after_etcd(
        &self,
        etcd: &dyn Membership,
        action: Option<MemberAction>,
        peer_urls: &[String],
        is_well: bool,
    ) {
        let done = match action {
            Some(action) => {
                tracing::info!(?action, "the members of etcd change");
                if let MemberAction::Remake(pod) = action {
                    members::remake(&self.platform, &self.namespace, pod).await;
                }
                members::carry_out(etcd, action, peer_urls).await
            }
            None if is_well => members::defragment(etcd).await.map(drop),
            None => Ok(()),
        };
        if let Err(error) = done {
            tracing::warn!(error = openmcp_dns_core::chain(&error), ?action, "etcd is asked again");
        }
    }
}

/// How it stands, and the addresses or why there are none.
type Attempt = (Finding, Result<Vec<SocketAddr>, String>);

type Error = Box<dyn std::error::Error + Send + Sync>;
