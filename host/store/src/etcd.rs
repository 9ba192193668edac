//! Records in etcd, where CoreDNS's `etcd` plugin reads them.

use std::time::Duration;

use async_trait::async_trait;
use etcd_client::{
    Client, Compare, CompareOp, ConnectOptions, EventType, GetOptions, SortOrder, SortTarget, Txn, TxnOp,
    WatchOptions,
};
use openmcp_dns_core::plan::NamePlan;
use openmcp_dns_core::skydns::Prefix;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::connect::EtcdAddress;
use crate::{Commit, KeyValue, Store, StoreError, StoreEvent};

/// How long one transaction may take. etcd without a leader answers nothing at all.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Keys in one page of the first read: about 1 MiB, a quarter of what gRPC takes by default.
const PAGE_KEYS: i64 = 4000;

/// How long to wait before reading anew after trouble.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Records below a prefix in etcd.
#[derive(Clone)]
pub struct EtcdStore {
    client: Client,
    prefix: Prefix,
}

impl EtcdStore {
    /// Prepares the connection; it is made with the first request, and made again when it breaks.
    ///
    /// # Errors
    /// When an endpoint is no URL, or a certificate cannot be read.
    pub async fn connect(address: &EtcdAddress, prefix: Prefix) -> Result<Self, etcd_client::Error> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(Duration::from_secs(3))
            .with_keep_alive(Duration::from_secs(10), Duration::from_secs(5))
            .with_keep_alive_while_idle(true)
            // A watch on a member that has lost its leader would be silent for ever.
            .with_require_leader(true);
        if address.ca.is_some() || address.identity.is_some() {
            let mut tls = etcd_client::TlsOptions::new();
            if let Some(ca) = &address.ca {
                tls = tls.ca_certificate(etcd_client::Certificate::from_pem(ca));
            }
            if let Some((certificate, key)) = &address.identity {
                tls = tls.identity(etcd_client::Identity::from_pem(certificate, key));
            }
            options = options.with_tls(tls);
        }
        let client = Client::connect(&address.endpoints, Some(options)).await?;
        Ok(Self { client, prefix })
    }

    fn root(&self) -> String {
        format!("{}/", self.prefix)
    }

    /// Everything below the prefix, at one revision.
    async fn read_all(&self) -> Result<(i64, Vec<KeyValue>), etcd_client::Error> {
        let mut client = self.client.kv_client();
        let mut entries = Vec::new();
        let mut from = self.root().into_bytes();
        let end = prefix_end(&from);
        let mut revision = 0;
        loop {
            let options = GetOptions::new()
                .with_range(end.clone())
                .with_limit(PAGE_KEYS)
                .with_revision(revision)
                .with_sort(SortTarget::Key, SortOrder::Ascend);
            let mut page = client.get(from.clone(), Some(options)).await?;
            if revision == 0 {
                revision = page.header().map_or(0, etcd_client::ResponseHeader::revision);
            }
            let more = page.more();
            for kv in page.take_kvs() {
                // The smallest key after this one.
                from = kv.key().to_vec();
                from.push(0);
                let mod_revision = kv.mod_revision();
                let (key, value) = kv.into_key_value();
                // Keys of ours are ASCII; others are none of our business.
                if let Ok(key) = String::from_utf8(key) {
                    entries.push(KeyValue { key, value: Some(value), mod_revision });
                }
            }
            if !more {
                return Ok((revision, entries));
            }
        }
    }

    /// Reads everything and reports changes until the connection breaks or nobody listens.
    async fn follow_once(&self, events: &mpsc::Sender<StoreEvent>) -> Result<(), etcd_client::Error> {
        let (revision, entries) = self.read_all().await?;
        if events.send(StoreEvent::Replaced { revision, entries }).await.is_err() {
            return Ok(());
        }
        let options = WatchOptions::new().with_prefix().with_start_revision(revision + 1);
        let mut watch = self.client.watch_client().watch(self.root(), Some(options)).await?;
        while let Some(response) = watch.message().await? {
            if response.canceled() {
                return Err(etcd_client::Error::WatchError(response.cancel_reason().to_owned()));
            }
            let revision = response.header().map_or(0, etcd_client::ResponseHeader::revision);
            let changes: Vec<KeyValue> = response
                .events()
                .iter()
                .filter_map(|event| {
                    let kv = event.kv()?;
                    let value = (event.event_type() == EventType::Put).then(|| kv.value().to_vec());
                    let key = kv.key_str().ok()?.to_owned();
                    Some(KeyValue { key, value, mod_revision: kv.mod_revision() })
                })
                .collect();
            if !changes.is_empty() && events.send(StoreEvent::Changed { revision, changes }).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn commit(&self, plan: &NamePlan) -> Result<Commit, StoreError> {
        let guards: Vec<Compare> = plan
            .changes
            .iter()
            .map(|change| {
                Compare::mod_revision(change.key.as_str(), CompareOp::Equal, change.expected_mod_revision)
            })
            .collect();
        let operations: Vec<TxnOp> = plan
            .changes
            .iter()
            .map(|change| match &change.value {
                Some(value) => TxnOp::put(change.key.as_str(), value.as_slice(), None),
                None => TxnOp::delete(change.key.as_str(), None),
            })
            .collect();
        let mut client = self.client.kv_client();
        let response = timeout(COMMIT_TIMEOUT, client.txn(Txn::new().when(guards).and_then(operations)))
            .await
            .map_err(|_| StoreError::Timeout(COMMIT_TIMEOUT.as_secs()))?
            .map_err(|error| StoreError::Etcd(error.into()))?;
        if !response.succeeded() {
            return Ok(Commit::Conflict);
        }
        Ok(Commit::Done(response.header().map_or(0, etcd_client::ResponseHeader::revision)))
    }

    async fn follow(&self, events: mpsc::Sender<StoreEvent>) {
        while !events.is_closed() {
            if let Err(error) = self.follow_once(&events).await {
                let message = openmcp_dns_core::chain(&error);
                if events.send(StoreEvent::Trouble(message)).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }
}

/// The first key after all keys with this prefix.
fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    // The prefix ends with `/`, so the last byte can always be counted up.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}
