//! How etcd is reached, also by a program that was built without it.

use std::path::PathBuf;
use std::sync::Arc;

use openmcp_dns_core::skydns::Prefix;
use thiserror::Error;

use crate::{Membership, Store};

/// How to reach etcd. The files are read again while the store is used, so that a certificate or a
/// password that is renewed in them counts without a restart.
#[derive(Clone, Debug, Default)]
pub struct EtcdAddress {
    /// Endpoints, for example `http://127.0.0.1:2379`.
    pub endpoints: Vec<String>,
    /// File with the certificate authority of the servers, as PEM; the system's when it is not set.
    pub ca: Option<PathBuf>,
    /// Files with the client certificate and its key, as PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// A user, and the file with the password.
    pub user: Option<(String, PathBuf)>,
}

/// Why no connection can be prepared.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The program was built without etcd.
    #[error("this program was built without etcd; build it with the feature `etcd`, which is a default")]
    WithoutEtcd,
    /// A file cannot be read.
    #[error("failed to read {}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// An endpoint is no URL, or what a file holds is no certificate or key.
    #[error(transparent)]
    Address(Box<dyn std::error::Error + Send + Sync>),
}

/// Prepares the connection to etcd; it is made with the first request, and made again when it breaks.
///
/// # Errors
/// When an endpoint is no URL, a file cannot be read, or the program was built without etcd.
#[cfg(feature = "etcd")]
pub async fn connect_etcd(address: &EtcdAddress, prefix: Prefix) -> Result<Arc<dyn Store>, ConnectError> {
    Ok(Arc::new(crate::etcd::EtcdStore::connect(address, prefix).await?))
}

/// As it is without etcd: nothing can be prepared.
///
/// # Errors
/// Always.
#[cfg(not(feature = "etcd"))]
pub async fn connect_etcd(_: &EtcdAddress, _: Prefix) -> Result<Arc<dyn Store>, ConnectError> {
    Err(ConnectError::WithoutEtcd)
}

/// Prepares a connection to look after the members of etcd.
///
/// # Errors
/// As for [`connect_etcd`].
#[cfg(feature = "etcd")]
pub async fn connect_membership(address: &EtcdAddress) -> Result<Arc<dyn Membership>, ConnectError> {
    Ok(Arc::new(crate::etcd::EtcdMembership::connect(address).await?))
}

/// As it is without etcd: nothing can be prepared.
///
/// # Errors
/// Always.
#[cfg(not(feature = "etcd"))]
pub async fn connect_membership(_: &EtcdAddress) -> Result<Arc<dyn Membership>, ConnectError> {
    Err(ConnectError::WithoutEtcd)
}
