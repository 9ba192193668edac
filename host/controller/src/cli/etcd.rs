//! How commands are told where etcd is.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use openmcp_dns_core::skydns::Prefix;

use crate::record::{EtcdAddress, EtcdStore};

/// Where the records are kept.
#[derive(clap::Args, Debug)]
pub struct EtcdArgs {
    /// Endpoints of the etcd that holds the records
    #[arg(long, env = "OPENMCP_DNS_ETCD", value_name = "URL", value_delimiter = ',', required = true)]
    etcd: Vec<String>,

    /// Certificate authority of etcd's servers (PEM)
    #[arg(long, env = "OPENMCP_DNS_ETCD_CA", value_name = "FILE")]
    etcd_ca: Option<PathBuf>,

    /// Client certificate for etcd (PEM)
    #[arg(long, env = "OPENMCP_DNS_ETCD_CERT", value_name = "FILE", requires = "etcd_key")]
    etcd_cert: Option<PathBuf>,

    /// Key of the client certificate (PEM)
    #[arg(long, env = "OPENMCP_DNS_ETCD_KEY", value_name = "FILE", requires = "etcd_cert")]
    etcd_key: Option<PathBuf>,

    /// Where the records lie in etcd: the `path` of CoreDNS's etcd plugin
    #[arg(long, env = "OPENMCP_DNS_ETCD_PREFIX", value_name = "PATH", default_value = "/skydns")]
    etcd_prefix: String,
}

impl EtcdArgs {
    /// Prepares the connection; nothing is asked of etcd yet.
    ///
    /// # Errors
    /// When an option is unusable.
    pub async fn connect(self) -> anyhow::Result<(EtcdStore, Prefix)> {
        let Self { etcd, etcd_ca, etcd_cert, etcd_key, etcd_prefix } = self;
        let prefix: Prefix = etcd_prefix.parse().with_context(|| format!("--etcd-prefix {etcd_prefix:?}"))?;
        let identity = match (etcd_cert, etcd_key) {
            (Some(certificate), Some(key)) => Some((read(&certificate)?, read(&key)?)),
            _ => None,
        };
        let ca = etcd_ca.as_deref().map(read).transpose()?;
        let address = EtcdAddress { endpoints: etcd, ca, identity };
        let store = EtcdStore::connect(&address, prefix.clone()).await.with_context(|| {
            format!("failed to prepare the connection to etcd at {}", address.endpoints.join(","))
        })?;
        Ok((store, prefix))
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("failed to read {}", file.display()))
}
