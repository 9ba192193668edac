//! Records in etcd, where CoreDNS's `etcd` plugin reads them.
//!
//! ```text
//! connection ──client──► commit
//!                   └──► follow: header, pages, watch ──► StoreEvent
//! ```

mod connection;
mod error;
mod follow;
mod membership;
mod pages;

pub use membership::EtcdMembership;

use std::time::Duration;

use async_trait::async_trait;
use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use openmcp_dns_core::plan::NamePlan;
use openmcp_dns_core::skydns::Prefix;
use tokio::sync::mpsc;

use crate::connect::{ConnectError, EtcdAddress};
use crate::{Commit, Store, StoreError, StoreEvent};
use connection::Connection;
use error::{Failure, in_time};

/// How long one transaction may take. etcd without a leader answers nothing at all.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a request is sent that reached no member: while some are dead, another one may answer.
const SENDINGS: usize = 4;

/// Records below a prefix in etcd.
pub struct EtcdStore {
    connection: Connection,
    prefix: Prefix,
}

impl EtcdStore {
    /// Prepares the connection; it is made with the first request, and made again when it breaks.
    ///
    /// # Errors
    /// When an endpoint is no URL, or a file cannot be read.
    pub async fn connect(address: &EtcdAddress, prefix: Prefix) -> Result<Self, ConnectError> {
        Ok(Self { connection: Connection::prepare(address.clone()).await?, prefix })
    }

    fn root(&self) -> Vec<u8> {
        format!("{}/", self.prefix).into_bytes()
    }

    async fn send(&self, transaction: Txn) -> Result<Commit, Failure> {
        let mut sent = 1;
        loop {
            let mut client = self.connection.client().await?.kv_client();
            match in_time(COMMIT_TIMEOUT, client.txn(transaction.clone())).await {
                Ok(response) if response.succeeded() => {
                    return Ok(Commit::Done(
                        response.header().map_or(0, etcd_client::ResponseHeader::revision),
                    ));
                }
                Ok(_) => return Ok(Commit::Conflict),
                Err(failure) if sent < SENDINGS && failure.is_without_connection() => sent += 1,
                Err(failure) => return Err(failure),
            }
        }
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn commit(&self, plans: &[NamePlan]) -> Result<Commit, StoreError> {
        let changes = || plans.iter().flat_map(|plan| &plan.changes);
        let guards: Vec<Compare> = changes()
            .map(|change| {
                Compare::mod_revision(change.key.as_str(), CompareOp::Equal, change.expected_mod_revision)
            })
            .collect();
        let operations: Vec<TxnOp> = changes()
            .map(|change| match &change.value {
                Some(value) => TxnOp::put(change.key.as_str(), value.as_slice(), None),
                None => TxnOp::delete(change.key.as_str(), None),
            })
            .collect();
        let transaction = Txn::new().when(guards).and_then(operations);
        self.send(transaction).await.map_err(StoreError::from)
    }

    async fn follow(&self, events: mpsc::Sender<StoreEvent>) {
        follow::follow(self, &events).await;
    }
}
