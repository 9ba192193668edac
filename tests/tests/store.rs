//! What the store in memory is held against: the same battery of tests, on a real etcd.

use std::sync::Arc;

use openmcp_dns_store::{EtcdAddress, battery, connect_etcd};
use openmcp_dns_tests::etcd::{Durability, Etcd};

#[tokio::test(flavor = "multi_thread")]
async fn etcd_passes_the_battery_that_the_store_in_memory_passes() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let etcd = Etcd::start("etcd", Durability::Unsynced, folder.path(), &logs).await.unwrap();
    let address = Arc::new(EtcdAddress { endpoints: vec![etcd.endpoint.clone()], ca: None, identity: None });
    let open: Box<battery::Open> = Box::new(move |prefix| {
        let address = Arc::clone(&address);
        Box::pin(async move { Ok(connect_etcd(&address, prefix).await?) })
    });
    battery::run(&*open).await.unwrap();
}
