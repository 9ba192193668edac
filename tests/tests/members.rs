//! etcd grows from one member to three and shrinks back, on real servers, while records are written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions};
use openmcp_dns_core::deployment::{EtcdCluster, MemberStep, Members, next_step};
use openmcp_dns_service::deploy::members::{carry_out, defragment, list};
use openmcp_dns_store::{EtcdAddress, EtcdMembership, Membership};
use openmcp_dns_tests::ports::free_address;
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::Provided;
use openmcp_dns_tests::wait::wait_until;

/// For elections and new members, on a busy machine.
const SOON: Duration = Duration::from_secs(120);

/// How long a write may take: an election is within it.
const WRITE: Duration = Duration::from_secs(15);

/// Starts and ends processes as a StatefulSet would start and end pods.
struct Pods {
    folder: PathBuf,
    client_urls: Vec<String>,
    peer_urls: Vec<String>,
    running: Vec<Process>,
}

impl Pods {
    fn new(folder: &Path) -> anyhow::Result<Self> {
        let urls =
            || (0..3).map(|_| Ok(format!("http://{}", free_address()?))).collect::<anyhow::Result<Vec<_>>>();
        Ok(Self { folder: folder.to_owned(), client_urls: urls()?, peer_urls: urls()?, running: Vec::new() })
    }

    fn set(&mut self, cluster: &EtcdCluster) -> anyhow::Result<()> {
        while self.running.len() > usize::from(cluster.pods) {
            self.running.pop();
            // With a pod goes its volume.
            std::fs::remove_dir_all(self.data(self.running.len()))?;
        }
        while self.running.len() < usize::from(cluster.pods) {
            let pod = self.running.len();
            let (client, peer) = (&self.client_urls[pod], &self.peer_urls[pod]);
            let members =
                cluster.members.iter().map(|pod| format!("pod-{pod}={}", self.peer_urls[usize::from(*pod)]));
            let arguments = [
                format!("--name=pod-{pod}"),
                format!("--data-dir={}", self.data(pod).display()),
                format!("--listen-client-urls={client}"),
                format!("--advertise-client-urls={client}"),
                format!("--listen-peer-urls={peer}"),
                format!("--initial-advertise-peer-urls={peer}"),
                format!("--initial-cluster={}", members.collect::<Vec<_>>().join(",")),
                format!("--initial-cluster-state={}", if cluster.begins { "new" } else { "existing" }),
                "--unsafe-no-fsync".to_owned(),
                "--log-level=warn".to_owned(),
            ];
            let name = format!("pod-{pod}");
            self.running.push(Process::start(&name, &Provided::Etcd.path()?, &arguments, &[], &self.folder)?);
        }
        Ok(())
    }

    fn data(&self, pod: usize) -> PathBuf {
        self.folder.join(format!("data-{pod}"))
    }
}

/// Takes one step after the other until nothing is left to do.
async fn until_done(
    wanted: Members,
    pods: &mut Pods,
    cluster: &mut EtcdCluster,
    etcd: &EtcdMembership,
) -> anyhow::Result<()> {
    let (pods, cluster) = (tokio::sync::Mutex::new(pods), tokio::sync::Mutex::new(cluster));
    wait_until("all members are as they are wanted", SOON, async || {
        let (mut pods, mut cluster) = (pods.lock().await, cluster.lock().await);
        let listed = list(etcd, &pods.peer_urls).await;
        let step = next_step(wanted, Some(&**cluster), listed.as_deref(), &BTreeSet::new());
        let MemberStep { cluster: next, action, remark } = step;
        pods.set(&next)?;
        **cluster = next;
        if let Some(action) = action
            && let Err(error) = carry_out(etcd, action, &pods.peer_urls).await
        {
            // A learner that lacks records is asked for again.
            return Ok(Err(format!("{action:?}: {}", openmcp_dns_core::chain(&error))));
        }
        let is_done = remark.is_none() && action.is_none() && listed.is_some();
        Ok(if is_done { Ok(()) } else { Err(format!("{remark:?} {action:?} {listed:?}")) })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd_grows_and_shrinks_while_records_are_written_and_keeps_all_of_them() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut pods = Pods::new(folder.path())?;
    let mut cluster = EtcdCluster::new(Members::One);
    pods.set(&cluster)?;
    // As by the Service of all pods.
    let endpoints = pods.client_urls.clone();
    let etcd =
        EtcdMembership::connect(&EtcdAddress { endpoints: endpoints.clone(), ..EtcdAddress::default() })
            .await?;
    until_done(Members::One, &mut pods, &mut cluster, &etcd).await?;

    let (written, ends) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writer = tokio::spawn({
        let (written, ends, endpoints) = (Arc::clone(&written), Arc::clone(&ends), endpoints.clone());
        async move {
            let options = ConnectOptions::new().with_connect_timeout(Duration::from_secs(1));
            let mut client = Client::connect(&endpoints, Some(options)).await?;
            while !ends.load(Ordering::Relaxed) {
                let key = format!("/skydns/record-{}", written.load(Ordering::Relaxed));
                let began = std::time::Instant::now();
                loop {
                    let write =
                        tokio::time::timeout(Duration::from_secs(3), client.put(key.as_str(), "value", None));
                    match write.await {
                        Ok(Ok(_)) => break,
                        _ if began.elapsed() < WRITE => tokio::task::yield_now().await,
                        other => anyhow::bail!("{key} could not be written: {other:?}"),
                    }
                }
                written.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        }
    });
    let more = async |than: u64| {
        wait_until("more is written", SOON, async || {
            let now = written.load(Ordering::Relaxed);
            Ok(if now > than + 20 { Ok(()) } else { Err(now.to_string()) })
        })
        .await
    };
    more(0).await?;
    for (wanted, count) in [(Members::Three, 3), (Members::One, 1)] {
        until_done(wanted, &mut pods, &mut cluster, &etcd).await?;
        assert_eq!((etcd.list().await?.len(), pods.running.len()), (count, count), "{wanted:?}");
        assert_eq!(cluster, EtcdCluster::new(wanted));
        more(written.load(Ordering::Relaxed)).await?;
    }
    ends.store(true, Ordering::Relaxed);
    writer.await??;
    wait_until("so small a file is not worth it", SOON, async || {
        Ok(match defragment(&etcd).await {
            Ok(false) => Ok(()),
            other => Err(format!("{other:?}")),
        })
    })
    .await?;

    let mut client = Client::connect([&pods.client_urls[0]], None).await?;
    let options = etcd_client::GetOptions::new().with_prefix().with_count_only();
    let count = client.get("/skydns/record-", Some(options)).await?.count();
    assert_eq!(count.unsigned_abs(), written.load(Ordering::Relaxed));
    // Two of the endpoints are gone: who is asked may be one of them, and the next time another one.
    wait_until("the member gives back what it does not use", SOON, async || {
        let given_back = async {
            for member in etcd.list().await? {
                etcd.defragment(member.id).await?;
            }
            Ok::<(), openmcp_dns_store::StoreError>(())
        };
        Ok(given_back.await.map_err(|error| openmcp_dns_core::chain(&error)))
    })
    .await
}
