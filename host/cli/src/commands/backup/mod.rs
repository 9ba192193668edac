//! `openmcp-dns export` and `restore`: records outside of etcd.

pub mod export;
pub mod restore;

use std::path::PathBuf;
use std::sync::Arc;

use openmcp_dns_core::mirror::Mirror;
use openmcp_dns_store::Store;

use super::deploy::deployed_etcd;
use super::etcd::EtcdOptions;

/// The etcd that holds the records.
#[derive(clap::Args, Debug)]
struct KeptIn {
    /// Endpoints of the etcd that holds the records; without it, the one that the service has deployed, as its pods reach it
    #[arg(long, env = "OPENMCP_DNS_ETCD", value_name = "URL", value_delimiter = ',')]
    etcd: Vec<String>,

    #[command(flatten)]
    etcd_options: EtcdOptions,

    /// Namespace of the service, without --etcd
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME", default_value = "openmcp-dns")]
    namespace: String,

    /// Folder in which the service keeps its certificate for etcd, without --etcd
    #[arg(long, env = "OPENMCP_DNS_STATE", value_name = "FOLDER")]
    state: Option<PathBuf>,
}

impl KeptIn {
    /// All records, and the revision at which they were read.
    async fn read(&self, store: Arc<dyn Store>) -> anyhow::Result<(i64, Mirror)> {
        self.etcd_options.read(store).await
    }

    async fn connect(&self) -> anyhow::Result<Arc<dyn Store>> {
        let Self { etcd, etcd_options, namespace, state } = self;
        match state {
            Some(state) if etcd.is_empty() => etcd_options.connect_to(deployed_etcd(namespace, state)).await,
            _ => etcd_options.connect(etcd.clone()).await,
        }
    }
}
