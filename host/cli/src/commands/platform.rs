//! The way to the platform cluster.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::terminal::hint::Hint as _;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::deployment::MANAGER;
use openmcp_dns_service::api_client;
use openmcp_dns_service::inventory::{Insecure, SecretInventory};

/// Where the service is, and whose clusters it looks after: the same for who runs it and who takes it away.
#[derive(clap::Args, Clone, Debug)]
pub struct PlatformArgs {
    /// Kubeconfig of the platform cluster; without it, the service account of the pod or the usual
    /// places (KUBECONFIG, ~/.kube/config) are used
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Namespace of the service on the platform cluster, in which it deploys the central DNS
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME", default_value = MANAGER)]
    pub namespace: String,

    /// The `Cluster` that stands for the platform cluster: NAMESPACE/NAME. It needs no Secret with a kubeconfig
    #[arg(long, env = "OPENMCP_DNS_PLATFORM_CLUSTER", value_name = "CLUSTER", default_value = "openmcp-system/platform",
        value_parser = parse_cluster)]
    pub platform_cluster: ClusterId,

    /// Use also kubeconfigs of clusters without https, or with insecure-skip-tls-verify. Whoever sits on
    /// the way to such a cluster may read its token, and say what stands in it
    #[arg(long)]
    pub allow_insecure_kubeconfigs: bool,
}

impl PlatformArgs {
    /// A client of the platform cluster.
    ///
    /// # Errors
    /// See [`platform`].
    pub async fn client(&self) -> anyhow::Result<kube::Client> {
        platform(self.kubeconfig.as_deref()).await
    }

    /// How to get into the clusters.
    pub fn inventory(&self, platform: &kube::Client) -> SecretInventory {
        let insecure = Insecure::allowed_if(self.allow_insecure_kubeconfigs);
        SecretInventory::new(platform.clone(), insecure).with_own(self.platform_cluster.clone())
    }
}

/// NAMESPACE/NAME.
pub(super) fn parse_cluster(text: &str) -> Result<ClusterId, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(ClusterId::new(namespace, name))
        }
        _ => Err(format!("{text:?} is not NAMESPACE/NAME, for example openmcp-system/platform")),
    }
}

/// A client of the platform cluster: by a kubeconfig, or by the usual places.
///
/// # Errors
/// When there is no kubeconfig, or it is of no use.
pub async fn platform(kubeconfig: Option<&Path>) -> anyhow::Result<kube::Client> {
    let config = match kubeconfig {
        Some(file) => {
            let what = || format!("failed to use the kubeconfig {}", file.display());
            let hint = "name a kubeconfig of the platform cluster";
            let kubeconfig = Kubeconfig::read_from(file).with_context(what).hint(hint)?;
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                .await
                .with_context(what)
                .hint(hint)?
        }
        None => kube::Config::infer()
            .await
            .context("found no way to the platform cluster")
            .hint("give its kubeconfig with --kubeconfig, or run this in a pod with a service account")?,
    };
    api_client::client(config).context("failed to make a client for the platform cluster")
}
