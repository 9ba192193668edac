//! A small landscape: a platform cluster with the service's installation, a workload cluster, and an etcd for records.
//! No pod runs, and no DNS answers: what is looked at is what the service writes.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::api_server::ApiServer;
use crate::etcd::{Durability, Etcd};
use crate::kinds::{apply, apply_crds, documents};
use crate::manifests::{
    CLUSTERS, cluster, dns_policy, ingress, ingress_reference, kubeconfig_secret, namespace,
};
use crate::openmcp::cluster_crd;
use crate::programs::repository;
use crate::service::output_of;

/// Names of the `Cluster` objects; the first is that of the platform cluster, which has no Secret.
pub const NAMES: [&str; 2] = ["platform", "workload01"];

/// The servers.
pub struct TwoClusters {
    /// Where the service lives.
    pub platform: ApiServer,
    /// Where routes are.
    pub workload: ApiServer,
    /// Holds the records.
    pub etcd: Etcd,
    folder: tempfile::TempDir,
}

impl TwoClusters {
    /// Starts them.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path();
        let (platform, workload, etcd) = tokio::try_join!(
            ApiServer::start(NAMES[0], "10.114.0.0/16", path, path),
            ApiServer::start(NAMES[1], "10.115.0.0/16", path, path),
            Etcd::start("records", Durability::Unsynced, path, path),
        )?;
        Ok(Self { platform, workload, etcd, folder })
    }

    /// Clients of both clusters, as in [`NAMES`].
    #[must_use]
    pub fn clients(&self) -> [Client; 2] {
        [self.platform.client(), self.workload.client()]
    }

    /// Where logs and other files lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, and gives its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<String> {
        let file = self.folder().join(name);
        std::fs::write(&file, text).with_context(|| format!("failed to write {}", file.display()))?;
        Ok(file.display().to_string())
    }

    /// All that an operator installs before there are clusters, and each cluster's own DNS configuration.
    ///
    /// # Errors
    /// When an API server refuses something.
    pub async fn install(&self) -> anyhow::Result<()> {
        let platform = self.platform.client();
        apply_crds(&platform, &[output_of(&["crds"])?, cluster_crd()?]).await?;
        for object in installed()? {
            apply(&platform, &object).await?;
        }
        apply(&platform, &namespace(CLUSTERS)).await?;
        apply(&platform, &dns_policy()).await?;
        for client in self.clients() {
            let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"Corefile": corefile()?},
                "metadata": {"name": "coredns", "namespace": "kube-system"}});
            apply(&client, &map).await?;
        }
        Ok(())
    }

    /// Both clusters appear, and the workload cluster has an Ingress `shop` with an address. `kubeconfig` leads to the
    /// workload cluster.
    ///
    /// # Errors
    /// When an API server refuses something.
    pub async fn add_clusters(&self, kubeconfig: &str) -> anyhow::Result<()> {
        let [platform, workload] = self.clients();
        for name in NAMES {
            apply(&platform, &cluster(name, "workload", ([127, 0, 0, 1], 1).into())).await?;
        }
        apply(&platform, &kubeconfig_secret(NAMES[1], kubeconfig)).await?;
        self.ingress("shop", "shop.workload01.openmcp.cluster").await?;
        give_address(&workload, "shop", "10.0.0.7").await
    }

    /// An Ingress of the workload cluster has this host name.
    ///
    /// # Errors
    /// When its API server refuses.
    pub async fn ingress(&self, name: &str, host_name: &str) -> anyhow::Result<()> {
        apply(&self.workload.client(), &ingress(name, host_name)).await
    }
}

/// An Ingress controller's part.
///
/// # Errors
/// When the API server refuses.
pub async fn give_address(client: &Client, ingress: &str, address: &str) -> anyhow::Result<()> {
    let status = json!({"loadBalancer": {"ingress": [{"ip": address}]}});
    ingress_reference(ingress).merge_status(client, &status).await
}

/// What kubelet mounts as a file: what it says before the service is there.
///
/// # Errors
/// When it is not there.
pub fn corefile() -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(repository("host/core/tests/corefiles/kubeadm.Corefile"))?)
}

/// The Corefile of a cluster as it is now.
///
/// # Errors
/// When there is none.
pub async fn corefile_of(client: &Client) -> anyhow::Result<String> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "kube-system");
    let data = maps.get("coredns").await?.data.unwrap_or_default();
    data.get("Corefile").cloned().context("the ConfigMap coredns has no Corefile")
}

/// The objects of `deploy/install.yaml`.
///
/// # Errors
/// When it cannot be read.
pub fn installed() -> anyhow::Result<Vec<Value>> {
    documents(&std::fs::read_to_string(repository("deploy/install.yaml"))?)
}

/// Names of the bindings among some objects.
#[must_use]
pub fn bindings(objects: &[Value]) -> BTreeSet<String> {
    let is_binding = |object: &&Value| object["kind"].as_str().is_some_and(|kind| kind.ends_with("Binding"));
    let names = objects.iter().filter(is_binding).filter_map(|object| object["metadata"]["name"].as_str());
    names.map(str::to_owned).collect()
}
