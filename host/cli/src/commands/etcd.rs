//! How to reach etcd, for the commands that read or write records.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use openmcp_dns_core::mirror::Mirror;
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_store::{EtcdAddress, Store, connect_etcd, read_once};

use crate::terminal::hint::{Hint as _, hinted};

/// How long a person waits for the records.
const PATIENCE: Duration = Duration::from_secs(10);

/// How to reach etcd, besides its endpoints.
#[derive(clap::Args, Clone, Debug)]
pub struct EtcdOptions {
    /// Certificate authority of etcd's servers (PEM)
    #[arg(long, env = "OPENMCP_DNS_ETCD_CA", value_name = "FILE")]
    etcd_ca: Option<PathBuf>,

    /// Client certificate for etcd (PEM)
    #[arg(long, env = "OPENMCP_DNS_ETCD_CERT", value_name = "FILE", requires = "etcd_key")]
    etcd_cert: Option<PathBuf>,

    /// Key of the client certificate (PEM)
    #[arg(long, env = "OPENMCP_DNS_ETCD_KEY", value_name = "FILE", requires = "etcd_cert")]
    etcd_key: Option<PathBuf>,

    /// User of etcd, where it asks for one
    #[arg(long, env = "OPENMCP_DNS_ETCD_USER", value_name = "NAME", requires = "etcd_password_file")]
    etcd_user: Option<String>,

    /// File with the user's password
    #[arg(long, env = "OPENMCP_DNS_ETCD_PASSWORD_FILE", value_name = "FILE", requires = "etcd_user")]
    etcd_password_file: Option<PathBuf>,

    /// Where the records lie in etcd: the `path` of CoreDNS's etcd plugin
    #[arg(long, env = "OPENMCP_DNS_ETCD_PREFIX", value_name = "PATH", default_value = "/skydns")]
    etcd_prefix: Prefix,
}

impl EtcdOptions {
    /// Where the records lie.
    pub const fn prefix(&self) -> &Prefix {
        &self.etcd_prefix
    }

    /// Prepares the connection.
    ///
    /// # Errors
    /// When a file cannot be read, or an endpoint is no URL.
    pub async fn connect(&self, endpoints: Vec<String>) -> anyhow::Result<Arc<dyn Store>> {
        let Self { etcd_ca, etcd_cert, etcd_key, etcd_user, etcd_password_file, etcd_prefix: _ } = self;
        let address = EtcdAddress {
            endpoints,
            ca: etcd_ca.clone(),
            identity: etcd_cert.clone().zip(etcd_key.clone()),
            user: etcd_user.clone().zip(etcd_password_file.clone()),
        };
        self.connect_to(address).await
    }

    /// As [`Self::connect`], to an address that others have made.
    ///
    /// # Errors
    /// When a file cannot be read, or an endpoint is no URL.
    pub async fn connect_to(&self, address: EtcdAddress) -> anyhow::Result<Arc<dyn Store>> {
        connect_etcd(&address, self.etcd_prefix.clone())
            .await
            .with_context(|| {
                format!("failed to prepare the connection to etcd at {}", address.endpoints.join(","))
            })
            .hint("give the endpoints as URLs, for example http://127.0.0.1:2379, and files in PEM format")
    }

    /// Reads all records once, and at which revision.
    ///
    /// # Errors
    /// When etcd cannot be reached in time.
    pub async fn read(&self, store: Arc<dyn Store>) -> anyhow::Result<(i64, Mirror)> {
        let what = "failed to read the records from etcd";
        let hint = "check --etcd and the certificates";
        match tokio::time::timeout(PATIENCE, read_once(store)).await {
            Ok(Ok((revision, entries))) => {
                let mut mirror = Mirror::new(self.etcd_prefix.clone());
                for entry in entries {
                    mirror.apply(&entry.key, entry.value.as_deref().map(|value| (value, entry.mod_revision)));
                }
                Ok((revision, mirror))
            }
            Ok(Err(trouble)) => Err(hinted(format!("{what}: {trouble}"), hint)),
            Err(_) => Err(hinted(format!("{what}: no answer within {} s", PATIENCE.as_secs()), hint)),
        }
    }
}
