//! What `run` and `manifests` need to know of the central DNS that the service deploys.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use openmcp_dns_api::Images;
use openmcp_dns_core::deployment::{MANAGER, client_endpoint};
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_service::certificates::Lifetimes;
use openmcp_dns_service::deploy::Deployer;
use openmcp_dns_service::enrolment::EnrolmentOptions;
use openmcp_dns_service::leadership::Leadership;
use openmcp_dns_service::run::Deployment;
use openmcp_dns_store::{EtcdAddress, Store, connect_etcd, connect_membership};
use tokio::sync::watch;

use crate::terminal::hint::Hint as _;

/// How the central DNS is deployed.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Central DNS")]
pub struct DeployArgs {
    /// The DNSServiceConfig that says how the central DNS is deployed [default: --provider-name, or openmcp-dns]
    #[arg(long, env = "OPENMCP_DNS_CONFIG_NAME", value_name = "NAME")]
    config_name: Option<String>,

    #[command(flatten)]
    images: ImageArgs,

    /// Folder for the certificate with which the service talks to etcd; without it, a new one among the
    /// temporary files
    #[arg(long, env = "OPENMCP_DNS_STATE", value_name = "FOLDER")]
    state: Option<PathBuf>,
}

/// What runs in the pods that are deployed.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Central DNS")]
pub struct ImageArgs {
    /// The image of CoreDNS, where the DNSServiceConfig names no other
    #[arg(long, env = "OPENMCP_DNS_COREDNS_IMAGE", value_name = "IMAGE", default_value = Images::CORE_DNS)]
    coredns_image: String,

    /// The image of etcd, where the DNSServiceConfig names no other
    #[arg(long, env = "OPENMCP_DNS_ETCD_IMAGE", value_name = "IMAGE", default_value = Images::ETCD)]
    etcd_image: String,

    /// The image of this service, for the DNS pods of the provider `builtIn`
    #[arg(long, env = "OPENMCP_DNS_IMAGE", value_name = "IMAGE", default_value = Images::OWN)]
    own_image: String,

    /// The image of external-dns, the agent of clusters that have one, where the DNSServiceConfig names no other
    #[arg(long, env = "OPENMCP_DNS_EXTERNAL_DNS_IMAGE", value_name = "IMAGE", default_value = Images::EXTERNAL_DNS)]
    external_dns_image: String,
}

impl ImageArgs {
    /// As they are rendered.
    pub fn images(self) -> Images {
        let Self { coredns_image, etcd_image, own_image, external_dns_image } = self;
        Images { core_dns: coredns_image, etcd: etcd_image, own: own_image, external_dns: external_dns_image }
    }
}

/// Where records are kept, and where they are asked for.
pub struct Records {
    /// Keeps them.
    pub store: Arc<dyn Store>,
    /// The central DNS server.
    pub upstreams: watch::Receiver<Vec<SocketAddr>>,
    /// Deploys both, where they are ours.
    pub deployer: Option<Deployment>,
}

/// Where the etcd is that the service deploys, and the certificate with which the service talks to it, in a folder.
pub fn deployed_etcd(namespace: &str, identity: &Path) -> EtcdAddress {
    let [ca, certificate, key] = identity_files(identity);
    let endpoints = vec![client_endpoint(namespace)];
    EtcdAddress { endpoints, ca: Some(ca), identity: Some((certificate, key)), user: None }
}

/// Certificate of the authority, certificate and key of the service.
fn identity_files(folder: &Path) -> [PathBuf; 3] {
    ["ca.crt", "tls.crt", "tls.key"].map(|name| folder.join(name))
}

impl DeployArgs {
    /// With the name of the PlatformService, after which the DNSServiceConfig is called unless something else is said.
    #[must_use]
    pub fn named(mut self, provider_name: Option<String>) -> Self {
        self.config_name = self.config_name.or(provider_name);
        self
    }

    /// The DNSServiceConfig that counts.
    pub fn config_name(&self) -> String {
        self.config_name.clone().unwrap_or_else(|| MANAGER.to_owned())
    }

    /// The image of the service itself.
    pub fn own_image(&self) -> String {
        self.images.clone().images().own
    }

    /// What is to be known of agents, of a service in this namespace.
    pub fn enrolment(
        &self,
        platform: &kube::Client,
        namespace: &str,
        pod: Option<IpAddr>,
        port: Option<u16>,
    ) -> EnrolmentOptions {
        EnrolmentOptions {
            platform: platform.clone(),
            namespace: namespace.to_owned(),
            config_name: self.config_name(),
            images: self.images.clone().images(),
            lifetimes: Lifetimes::default(),
            pod,
            port,
        }
    }

    /// Prepares to deploy into this namespace: from then on, there is a way to etcd, and etcd itself as soon as it is deployed.
    ///
    /// # Errors
    /// When the platform cluster does not let the certificates be made.
    pub async fn records(
        self,
        platform: &kube::Client,
        namespace: &str,
        prefix: Prefix,
        leadership: &Leadership,
    ) -> anyhow::Result<Records> {
        let config_name = self.config_name();
        let Self { config_name: _, images, state } = self;
        let identity = match state {
            Some(folder) => folder,
            None => std::env::temp_dir().join(format!("openmcp-dns-{}", std::process::id())),
        };
        std::fs::create_dir_all(&identity)
            .with_context(|| format!("failed to make the folder {}", identity.display()))
            .hint("name a folder that can be written with --state")?;
        let (addresses, upstreams) = watch::channel(Vec::new());
        let files = identity_files(&identity);
        let deployer = Deployer {
            platform: platform.clone(),
            namespace: namespace.to_owned(),
            config_name,
            images: images.images(),
            lifetimes: Lifetimes::default(),
            prefix: prefix.clone(),
            identity,
            addresses,
        };
        let wanted = deployer
            .prepare(leadership)
            .await
            .with_context(|| format!("failed to prepare the central DNS in namespace {namespace}"))
            .hint("look at the permissions in deploy/; with --etcd, nothing is deployed")?;
        let [ca, certificate, key] = files;
        let address = EtcdAddress {
            endpoints: wanted.endpoints(namespace),
            ca: wanted.has_identity().then_some(ca),
            identity: wanted.has_identity().then_some((certificate, key)),
            user: None,
        };
        let what = || format!("failed to prepare the connection to etcd at {}", address.endpoints.join(","));
        let store = connect_etcd(&address, prefix).await.with_context(what)?;
        let etcd = connect_membership(&address).await.with_context(what)?;
        let deployer = Some(Deployment { deployer, store: wanted, etcd });
        Ok(Records { store, upstreams, deployer })
    }
}
