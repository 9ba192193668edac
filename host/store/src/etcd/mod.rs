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
mod witness;

pub use membership::EtcdMembership;

use std::time::Duration;

use async_trait::async_trait;
use etcd_client::{Compare, CompareOp, Txn, TxnOp, TxnOpResponse, TxnResponse};
use openmcp_dns_core::leadership::{Leader, LeaderKey};
use openmcp_dns_core::plan::NamePlan;
use openmcp_dns_core::skydns::Prefix;
use tokio::sync::mpsc;

use crate::connect::{ConnectError, EtcdAddress};
use crate::{Commit, Fence, Keep, Store, StoreError, StoreEvent};
use connection::Connection;
use error::{Failure, in_time};

/// How long one transaction may take. etcd without a leader answers nothing at all.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a request is sent that reached no member: while some are dead, another one may answer. One of three that is
/// dead may well be chosen several times in a row.
const SENDINGS: usize = 12;

/// The revision of what is there now.
const CURRENT: i64 = 0;

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

    async fn send(&self, transaction: Txn) -> Result<TxnResponse, Failure> {
        let mut sent = 1;
        loop {
            let mut client = self.connection.client().await?.kv_client();
            match in_time(COMMIT_TIMEOUT, client.txn(transaction.clone())).await {
                Err(failure) if sent < SENDINGS && failure.is_without_connection() => sent += 1,
                ended => return ended,
            }
        }
    }
}

/// Compares the leader key too; where anything is another, gives the key as it is.
fn fenced(fence: &Fence, mut guards: Vec<Compare>, operations: Vec<TxnOp>) -> Txn {
    let key = fence.key.as_str();
    guards.push(Compare::mod_revision(key, CompareOp::Equal, fence.revision));
    Txn::new().when(guards).and_then(operations).or_else([TxnOp::get(key, None)])
}

/// The value of the leader key, if it has one, and its revision.
fn leader_in(response: &TxnResponse) -> (Option<Leader>, i64) {
    let found = response.op_responses().into_iter().find_map(|response| match response {
        TxnOpResponse::Get(found) => {
            found.kvs().first().map(|kv| (Leader::decode(kv.value()), kv.mod_revision()))
        }
        _ => None,
    });
    found.unwrap_or((None, 0))
}

fn revision_of(response: &TxnResponse) -> i64 {
    response.header().map_or(0, etcd_client::ResponseHeader::revision)
}

#[async_trait]
impl Store for EtcdStore {
    async fn leader(&self, key: &LeaderKey) -> Result<(Option<Leader>, Fence), StoreError> {
        let response = self.send(Txn::new().and_then([TxnOp::get(key.as_str(), None)])).await?;
        let (leader, revision) = leader_in(&response);
        Ok((leader, Fence { key: key.clone(), revision }))
    }

    async fn lead(&self, over: &Fence, leader: &Leader) -> Result<Fence, StoreError> {
        let write = TxnOp::put(over.key.as_str(), leader.encode(), None);
        let response = self.send(fenced(over, Vec::new(), vec![write])).await?;
        if !response.succeeded() {
            return Err(StoreError::Fenced);
        }
        Ok(Fence { key: over.key.clone(), revision: revision_of(&response) })
    }

    async fn forget_leader(&self, fence: &Fence) -> Result<(), StoreError> {
        let delete = TxnOp::delete(fence.key.as_str(), None);
        let response = self.send(fenced(fence, Vec::new(), vec![delete])).await?;
        if response.succeeded() { Ok(()) } else { Err(StoreError::Fenced) }
    }

    async fn commit(&self, fence: &Fence, plans: &[NamePlan]) -> Result<Commit, StoreError> {
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
        let response = self.send(fenced(fence, guards, operations)).await?;
        if response.succeeded() {
            return Ok(Commit::Done(revision_of(&response)));
        }
        let (_, revision) = leader_in(&response);
        if revision == fence.revision { Ok(Commit::Conflict) } else { Err(StoreError::Fenced) }
    }

    async fn kept(&self, below: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let client = self.connection.client().await?.kv_client();
        let (sender, mut pages) = mpsc::channel(4);
        let sent = async move { pages::send(client, below.as_bytes(), CURRENT, &sender).await };
        let collected = async {
            let mut all = Vec::new();
            while let Some(event) = pages.recv().await {
                if let StoreEvent::Page(page) = event {
                    all.extend(page.into_iter().filter_map(|entry| Some((entry.key, entry.value?))));
                }
            }
            all
        };
        let (sent, all) = tokio::join!(sent, collected);
        sent?;
        Ok(all)
    }

    async fn keep(&self, fence: &Fence, changes: &[Keep]) -> Result<(), StoreError> {
        let operation = |Keep { key, value }: &Keep| match value {
            Some(value) => TxnOp::put(key.as_str(), value.as_slice(), None),
            None => TxnOp::delete(key.as_str(), None),
        };
        let operations = changes.iter().map(operation).collect();
        let response = self.send(fenced(fence, Vec::new(), operations)).await?;
        if response.succeeded() { Ok(()) } else { Err(StoreError::Fenced) }
    }

    async fn follow(&self, events: mpsc::Sender<StoreEvent>) {
        follow::follow(self, &events).await;
    }
}
