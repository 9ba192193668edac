//! How etcd is reached, also by a program that was built without it.

use std::sync::Arc;

use openmcp_dns_core::skydns::Prefix;
use thiserror::Error;

use crate::Store;

/// How to reach etcd.
#[derive(Clone, Debug)]
pub struct EtcdAddress {
    /// Endpoints, for example `http://127.0.0.1:2379`.
    pub endpoints: Vec<String>,
    /// Certificate authority of the servers, as PEM; the system's when it is not set.
    pub ca: Option<Vec<u8>>,
    /// Client certificate and key, as PEM.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// Why no connection can be prepared.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The program was built without etcd.
    #[error("this program was built without etcd; build it with the feature `etcd`, which is a default")]
    WithoutEtcd,
    /// An endpoint is no URL, or a certificate cannot be read.
    #[error(transparent)]
    Address(Box<dyn std::error::Error + Send + Sync>),
}

/// Prepares the connection to etcd; it is made with the first request, and made again when it breaks.
///
/// # Errors
/// When an endpoint is no URL, a certificate cannot be read, or the program was built without etcd.
#[cfg(feature = "etcd")]
pub async fn connect_etcd(address: &EtcdAddress, prefix: Prefix) -> Result<Arc<dyn Store>, ConnectError> {
    let connected = crate::etcd::EtcdStore::connect(address, prefix).await;
    connected
        .map(|store| Arc::new(store) as Arc<dyn Store>)
        .map_err(|error| ConnectError::Address(error.into()))
}

/// As it is without etcd: nothing can be prepared.
///
/// # Errors
/// Always.
#[cfg(not(feature = "etcd"))]
pub async fn connect_etcd(_: &EtcdAddress, _: Prefix) -> Result<Arc<dyn Store>, ConnectError> {
    Err(ConnectError::WithoutEtcd)
}
