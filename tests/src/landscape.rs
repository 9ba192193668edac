//! All servers of a landscape.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use kube::Client;
use tempfile::TempDir;

use crate::api_server::ApiServer;
use crate::cluster_dns::ClusterDns;
use crate::coredns::CentralDns;
use crate::etcd::{Durability, Etcd};
use crate::kinds::{apply, apply_crds};
use crate::manifests::{self, CLUSTERS, ZONE};
use crate::openmcp::cluster_crd;
use crate::programs::Provided;
use crate::service::output_of;
use crate::steps::show;

/// One cluster: an API server and a DNS.
pub struct Cluster {
    /// Name of its `Cluster` object.
    pub name: &'static str,
    /// Its API server.
    pub api: ApiServer,
    /// Its DNS.
    pub dns: ClusterDns,
}

impl Cluster {
    /// A client of its API server.
    #[must_use]
    pub fn client(&self) -> Client {
        self.api.client()
    }
}

/// All servers; dropping it ends them.
pub struct Landscape {
    /// The cluster that holds the `Cluster` objects.
    pub platform: Cluster,
    /// A cluster with the example's Gateway.
    pub workload01: Cluster,
    /// Another one, from which names are looked up.
    pub workload02: Cluster,
    /// Holds the records.
    pub store: Etcd,
    /// Answers from the store.
    pub central: CentralDns,
    folder: Folder,
}

/// A folder that is kept when the test panics.
struct Folder(Option<TempDir>);

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.0.take()
        {
            show(&format!("all logs are kept in {}", folder.keep().join("logs").display()));
        }
    }
}

impl Landscape {
    /// Starts all servers, and waits until each answers.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let started = Instant::now();
        show("starting 3 kube-apiservers, 4 etcds and 4 CoreDNSes ...");
        let folder = tempfile::Builder::new()
            .prefix("openmcp-dns-landscape-")
            .tempdir()
            .context("failed to create a folder for the servers")?;
        let path = folder.path();
        let logs = path.join("logs");
        std::fs::create_dir_all(&logs).context("failed to create a folder for logs")?;

        let store_folder = path.join("store");
        let store = Etcd::start("store-etcd", Durability::Synced, &store_folder, &logs).await?;
        let central = CentralDns::start(ZONE, &store, path, &logs).await?;
        let outside = central.outside;
        let cluster = |name, network: u8| {
            let (path, logs) = (path, &logs);
            async move {
                let range = format!("10.{network}.0.0/16");
                let api = ApiServer::start(name, &range, path, logs).await?;
                let own_address = format!("10.{network}.0.1");
                let dns = ClusterDns::start(name, &api, &own_address, outside, path, logs).await?;
                anyhow::Ok(Cluster { name, api, dns })
            }
        };
        let (platform, workload01, workload02) = tokio::try_join!(
            cluster("platform", 100),
            cluster("workload01", 101),
            cluster("workload02", 102)
        )?;
        show(&format!("all servers answer after {:.1} s", started.elapsed().as_secs_f64()));
        Ok(Self { platform, workload01, workload02, store, central, folder: Folder(Some(folder)) })
    }

    /// All clusters.
    #[must_use]
    pub const fn clusters(&self) -> [&Cluster; 3] {
        [&self.platform, &self.workload01, &self.workload02]
    }

    /// Starts one that is installed, with a policy, and a Gateway of this address on workload01: a service can run and
    /// routes can come.
    ///
    /// # Errors
    /// When a server does not start, or refuses something.
    pub async fn start_with_gateway(address: &str) -> anyhow::Result<Self> {
        let landscape = Self::start().await?;
        landscape.install().await?;
        let client = landscape.workload01.client();
        apply(&client, &manifests::gateway()).await?;
        manifests::give_addresses(&client, &[address]).await?;
        apply(&landscape.platform.client(), &manifests::dns_policy()).await?;
        Ok(landscape)
    }

    /// What an administrator installs before the service runs: its CRDs and the openMCP ones, the `Cluster`
    /// objects with their Secrets, and the Gateway API on the workload clusters.
    ///
    /// # Errors
    /// When an API server refuses something.
    pub async fn install(&self) -> anyhow::Result<()> {
        for cluster in [&self.workload01, &self.workload02] {
            apply_crds(&cluster.client(), &gateway_api_crds()?).await?;
        }
        let platform = self.platform.client();
        apply_crds(&platform, &[output_of(&["crds"])?, cluster_crd()?]).await?;
        apply(&platform, &manifests::namespace(CLUSTERS)).await?;
        for cluster in self.clusters() {
            let purpose = if cluster.name == "platform" { "platform" } else { "workload" };
            apply(&platform, &manifests::kubeconfig_secret(cluster.name, &cluster.api.kubeconfig())).await?;
            apply(&platform, &manifests::cluster(cluster.name, purpose, cluster.dns.udp.address())).await?;
            // The cluster provider's part.
            let ready = serde_json::json!({ "phase": "Ready", "observedGeneration": 1 });
            manifests::cluster_reference(cluster.name).merge_status(&platform, &ready).await?;
        }
        Ok(())
    }

    /// The folder with everything that the servers need.
    ///
    /// # Panics
    /// Never: the folder is there as long as the landscape.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.0.as_ref().map(TempDir::path).expect("the folder is taken only when it is dropped")
    }

    /// The folder with the logs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.folder().join("logs")
    }
}

/// The CRDs of the Gateway API.
///
/// # Errors
/// When they are not there.
pub fn gateway_api_crds() -> anyhow::Result<Vec<String>> {
    manifests_of(Provided::GatewayApi)
}

/// The texts of a folder of manifests.
///
/// # Errors
/// When they are not there.
pub fn manifests_of(provided: Provided) -> anyhow::Result<Vec<String>> {
    let folder = provided.path()?;
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("failed to list {}", folder.display()))? {
        let path = entry?.path();
        texts.push(
            std::fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?,
        );
    }
    Ok(texts)
}
