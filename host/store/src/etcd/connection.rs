//! The connection, which is prepared anew when the files that it was made with hold something else.

use std::path::Path;
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::error::{Failure, in_time};
use crate::connect::{ConnectError, EtcdAddress};

/// How often the files are read: a renewed certificate lies there hours before the old one ends.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// How long a log-in may take; without a user, preparing a connection waits for nobody.
const LOG_IN_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Connection {
    address: EtcdAddress,
    current: Mutex<Current>,
}

struct Current {
    material: Material,
    looked_at: Instant,
    /// `None` until somebody asks, or when the log-in failed.
    client: Option<Client>,
}

/// What the files hold.
#[derive(Clone, PartialEq, Eq)]
struct Material {
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    password: Option<Vec<u8>>,
}

impl Connection {
    /// Checks the address and the files.
    pub(super) async fn prepare(address: EtcdAddress) -> Result<Self, ConnectError> {
        let material = Material::read(&address)?;
        let options = options(&material);
        // Without a user: this is no time to wait for etcd.
        Client::connect(&address.endpoints, Some(options)).await.map_err(unusable)?;
        let current = Mutex::new(Current { material, looked_at: Instant::now(), client: None });
        Ok(Self { address, current })
    }

    /// A client that was made with what the files hold, or held a moment ago.
    pub(super) async fn client(&self) -> Result<Client, Failure> {
        let mut current = self.current.lock().await;
        if current.looked_at.elapsed() >= LOOK_INTERVAL {
            current.looked_at = Instant::now();
            match Material::read(&self.address) {
                Ok(material) if material != current.material => match self.log_in(&material).await {
                    Ok(client) => {
                        tracing::info!("the files of the connection to etcd have changed; it is made anew");
                        (current.material, current.client) = (material, Some(client));
                    }
                    Err(error) => warn(&error),
                },
                Ok(_) => {}
                Err(error) => warn(&error),
            }
        }
        if let Some(client) = &current.client {
            return Ok(client.clone());
        }
        let client = self.log_in(&current.material).await?;
        current.client = Some(client.clone());
        Ok(client)
    }

    /// A client of these endpoints only, made as the other one is.
    pub(super) async fn client_of(&self, endpoints: &[String]) -> Result<Client, Failure> {
        let material = self.current.lock().await.material.clone();
        // A member that has no leader is to say so.
        let options = options(&material).with_require_leader(false);
        in_time(LOG_IN_TIMEOUT, Client::connect(endpoints, Some(options))).await
    }

    async fn log_in(&self, material: &Material) -> Result<Client, Failure> {
        let mut options = options(material);
        if let (Some((user, _)), Some(password)) = (&self.address.user, &material.password) {
            let password = String::from_utf8_lossy(password);
            options = options.with_user(user, password.trim_end()).with_auto_token_refresh(true);
        }
        in_time(LOG_IN_TIMEOUT, Client::connect(&self.address.endpoints, Some(options))).await
    }
}

impl Material {
    fn read(address: &EtcdAddress) -> Result<Self, ConnectError> {
        let EtcdAddress { endpoints: _, ca, identity, user } = address;
        let identity = identity.as_ref();
        Ok(Self {
            ca: ca.as_deref().map(read).transpose()?,
            identity: identity.map(|(certificate, key)| Ok((read(certificate)?, read(key)?))).transpose()?,
            password: user.as_ref().map(|(_, password)| read(password)).transpose()?,
        })
    }
}

fn options(material: &Material) -> ConnectOptions {
    let options = ConnectOptions::new()
        .with_connect_timeout(Duration::from_secs(3))
        // etcd ends connections that ask more often than every 5 s.
        .with_keep_alive(Duration::from_secs(6), Duration::from_secs(3))
        .with_keep_alive_while_idle(true)
        // A watch on a member that has lost its leader would be silent for ever.
        .with_require_leader(true);
    let Material { ca, identity, password: _ } = material;
    if ca.is_none() && identity.is_none() {
        return options;
    }
    let mut tls = TlsOptions::new();
    if let Some(ca) = ca {
        tls = tls.ca_certificate(Certificate::from_pem(ca));
    }
    if let Some((certificate, key)) = identity {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    options.with_tls(tls)
}

fn read(file: &Path) -> Result<Vec<u8>, ConnectError> {
    std::fs::read(file).map_err(|source| ConnectError::File { file: file.to_owned(), source })
}

fn unusable(error: etcd_client::Error) -> ConnectError {
    ConnectError::Address(error.into())
}

fn warn(error: &(dyn std::error::Error + 'static)) {
    let error = openmcp_dns_core::chain(error);
    tracing::warn!(%error, "unable to use the changed files of the connection to etcd; the old ones count");
}
