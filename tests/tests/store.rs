//! The store on a real etcd: the battery that the store in memory passes, and what only a real one can do.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use etcd_client::CompactionOptions;
use futures::future::LocalBoxFuture;
use openmcp_dns_core::leadership::LeaderKey;
use openmcp_dns_core::plan::{Change, NamePlan};
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_store::battery::{self, Opened, Site};
use openmcp_dns_store::{
    Commit, EtcdAddress, KeyValue, Refusal, Store, StoreError, StoreEvent, connect_etcd, read_once,
};
use openmcp_dns_tests::etcd::{Durability, Etcd};
use openmcp_dns_tests::wait::wait_until;
use openmcp_dns_tests::way::Way;
use tokio::sync::{Mutex, mpsc};

/// How long anything may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than the store's own limits together, and far below what would be called hanging.
const NOTICED: Duration = Duration::from_secs(15);

struct Real {
    etcd: Mutex<Etcd>,
    endpoint: String,
    way: Way,
    backup: PathBuf,
}

async fn open(endpoints: &[String], prefix: Prefix) -> anyhow::Result<Arc<dyn Store>> {
    let address = EtcdAddress { endpoints: endpoints.to_vec(), ..EtcdAddress::default() };
    Ok(connect_etcd(&address, prefix).await?)
}

impl Site for Real {
    fn open(&self, prefix: Prefix) -> LocalBoxFuture<'_, anyhow::Result<Opened>> {
        Box::pin(async move {
            let store = open(&[format!("http://{}", self.way.address)], prefix.clone()).await?;
            Ok(Opened { store, direct: open(std::slice::from_ref(&self.endpoint), prefix).await? })
        })
    }

    fn cut(&self, is_cut: bool) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        self.way.cut(is_cut);
        Box::pin(std::future::ready(Ok(())))
    }

    fn compact(&self) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async {
            let etcd = self.etcd.lock().await;
            let options = CompactionOptions::new().with_physical();
            etcd.client().compact(etcd.revision().await?, Some(options)).await?;
            Ok(())
        })
    }

    fn back_up(&self) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async { self.etcd.lock().await.back_up(&self.backup).await })
    }

    fn restore(&self) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async { self.etcd.lock().await.restore(&self.backup).await })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd_passes_the_battery_that_the_store_in_memory_passes() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let etcd = Etcd::start("etcd", Durability::Unsynced, folder.path(), &logs).await.unwrap();
    let endpoint = etcd.endpoint.clone();
    let way = Way::to(endpoint.trim_start_matches("http://").parse().unwrap()).await.unwrap();
    let backup = folder.path().join("backup");
    battery::run(&Real { etcd: Mutex::new(etcd), endpoint, way, backup }).await.unwrap();
}

fn plan(changes: Vec<Change>) -> NamePlan {
    let name = "a.example".parse().unwrap();
    NamePlan { name, changes, withdrawn_from: BTreeSet::new() }
}

fn put(key: &str, value: Vec<u8>) -> Change {
    Change { key: format!("/skydns/{key}"), expected_mod_revision: 0, value: Some(value) }
}

async fn write(store: &dyn Store, key: &str) -> Result<Commit, StoreError> {
    commit(store, plan(vec![put(key, b"1".to_vec())])).await
}

/// Nobody has ever led there.
async fn commit(store: &dyn Store, plan: NamePlan) -> Result<Commit, StoreError> {
    let (_, fence) = store.leader(&LeaderKey::of_platform("nobody")).await?;
    store.commit(&fence, &[plan]).await
}

fn follow(store: &Arc<dyn Store>) -> mpsc::Receiver<StoreEvent> {
    let (sender, events) = mpsc::channel(64);
    let store = Arc::clone(store);
    tokio::spawn(async move { store.follow(sender).await });
    events
}

async fn until(events: &mut mpsc::Receiver<StoreEvent>, mut is_it: impl FnMut(&StoreEvent) -> bool) {
    let waiting = async { while !is_it(&events.recv().await.expect("following goes on")) {} };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the store says it in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_values_are_read_however_many_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let etcd = Etcd::start("etcd", Durability::Unsynced, folder.path(), &logs).await.unwrap();
    let store = open(std::slice::from_ref(&etcd.endpoint), Prefix::default()).await.unwrap();
    // 6 MB, of which the client takes 4 in one message by default.
    let keys: Vec<String> = (0..5000).map(|number| format!("{number:05}")).collect();
    for some in keys.chunks(100) {
        let puts = some.iter().map(|key| put(key, vec![b'x'; 1240])).collect();
        assert!(matches!(commit(&*store, plan(puts)).await.unwrap(), Commit::Done(_)));
    }
    assert_eq!(read_once(Arc::clone(&store)).await.unwrap().1.len(), 5000);

    // 25 MB within one page, which the store takes in no message.
    let large = vec![b'x'; 1_250_000];
    for number in 0..20 {
        commit(&*store, plan(vec![put(&format!("large-{number:02}"), large.clone())])).await.unwrap();
    }
    let (_, entries) = read_once(Arc::clone(&store)).await.unwrap();
    assert_eq!(entries.len(), 5020);
    assert_eq!(
        entries.iter().filter_map(|entry| entry.value.as_ref()).filter(|value| **value == large).count(),
        20
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_without_space_is_refused_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let quota = ["--unsafe-no-fsync", "--quota-backend-bytes=2000000"];
    let etcd = Etcd::start_with("etcd", &quota, folder.path(), &logs).await.unwrap();
    let store = open(std::slice::from_ref(&etcd.endpoint), Prefix::default()).await.unwrap();
    let mut number = 0;
    let error = loop {
        number += 1;
        assert!(number < 100, "nothing is refused");
        let filling = plan(vec![put(&format!("filling-{number}"), vec![b'x'; 100_000])]);
        match commit(&*store, filling).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Refused { refusal: Refusal::NoSpace, .. }), "{error:?}");
    assert!(error.to_string().contains("no space left"), "{error}");
    // What is there is read. The one that fills it is refused, and may have been carried out all the same: etcd looks at
    // its quota once more when it has (`quotaApplierV3`).
    let there = read_once(store).await.unwrap().1.len();
    assert!((number - 1..=number).contains(&there), "{there} of {number}");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_go_on_without_one_member_of_three_and_are_told_unavailable_without_two() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let mut members = Etcd::start_three(folder.path(), &logs).await.unwrap();
    let endpoints: Vec<String> = members.iter().map(|member| member.endpoint.clone()).collect();
    let store = open(&endpoints, Prefix::default()).await.unwrap();
    let mut events = follow(&store);
    until(&mut events, |event| matches!(event, StoreEvent::Read { .. })).await;
    members[0].stop();
    // If it was the leader, the others need a moment to choose another one.
    wait_until("a leader takes writes", PATIENCE, async || {
        Ok(write(&*store, "first").await.map_err(|error| error.to_string()))
    })
    .await
    .unwrap();
    for number in 0..100 {
        let written = write(&*store, &format!("key-{number}")).await;
        assert!(matches!(written, Ok(Commit::Done(_))), "write {number}: {written:?}");
    }
    let mut seen = 0;
    until(&mut events, |event| {
        match event {
            StoreEvent::Changed { changes, .. } => seen += changes.len(),
            StoreEvent::Reading => panic!("it is read again"),
            _ => {}
        }
        seen == 101
    })
    .await;

    members[1].stop();
    let error = write(&*store, "without-quorum").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }) && !error.is_refusal(), "{error:?}");
    until(&mut events, |event| matches!(event, StoreEvent::Trouble(_))).await;
    members[0].resume().await.unwrap();
    until(&mut events, |event| match event {
        StoreEvent::Reading => panic!("it is read again"),
        event => matches!(event, StoreEvent::Changed { .. }),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_etcd_is_noticed_within_seconds_and_followed_on_when_it_thaws() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let etcd = Etcd::start("etcd", Durability::Unsynced, folder.path(), &logs).await.unwrap();
    let store = open(std::slice::from_ref(&etcd.endpoint), Prefix::default()).await.unwrap();
    let mut events = follow(&store);
    until(&mut events, |event| matches!(event, StoreEvent::Read { .. })).await;
    etcd.freeze(true).unwrap();
    let frozen = Instant::now();
    until(&mut events, |event| matches!(event, StoreEvent::Trouble(_))).await;
    assert!(frozen.elapsed() < NOTICED, "{:?}", frozen.elapsed());
    let asked = Instant::now();
    let error = write(&*store, "frozen").await.unwrap_err();
    assert!(!error.is_refusal() && asked.elapsed() < NOTICED, "{error:?} after {:?}", asked.elapsed());
    etcd.freeze(false).unwrap();
    wait_until("writes go on", PATIENCE, async || {
        Ok(write(&*store, "thawed").await.map_err(|error| error.to_string()))
    })
    .await
    .unwrap();
    until(&mut events, |event| match event {
        StoreEvent::Reading => panic!("it is read again"),
        StoreEvent::Changed { changes, .. } => {
            changes.iter().any(|KeyValue { key, .. }| key == "/skydns/thawed")
        }
        _ => false,
    })
    .await;
}
