//! `openmcp-dns serve`, the built-in DNS server, on a real etcd that goes away and comes back.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use openmcp_dns_tests::dns::{Answer, Dns, Transport};
use openmcp_dns_tests::etcd::{Durability, Etcd};
use openmcp_dns_tests::manifests::ZONE;
use openmcp_dns_tests::ports::free_address;
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::openmcp_dns;
use openmcp_dns_tests::wait::wait_until;

/// For everything that takes milliseconds unless the machine is busy.
const SOON: Duration = Duration::from_secs(30);

/// A server whose watch broke waits longer and longer before it asks again.
const LATER: Duration = Duration::from_secs(90);

const FIRST: &str = "svc.workload01.openmcp.cluster";
const FIRST_KEY: &str = "/skydns/cluster/openmcp/workload01/svc/00000001";
const SECOND: &str = "shop.workload02.openmcp.cluster";
const SECOND_KEY: &str = "/skydns/cluster/openmcp/workload02/shop/00000001";

/// The server as clients see it: every answer has to be the same over both transports.
struct Server {
    process: Process,
    udp: Dns,
    tcp: Dns,
}

impl Server {
    fn start(etcd: &Etcd, address: SocketAddr, logs: &Path) -> anyhow::Result<Self> {
        let arguments = [
            "serve".to_owned(),
            format!("--etcd={}", etcd.endpoint),
            format!("--listen={address}"),
            format!("--base-domain={ZONE}"),
        ];
        let environment = [("NO_COLOR", "1")];
        let process = Process::start("openmcp-dns-serve", &openmcp_dns()?, &arguments, &environment, logs)?;
        let (udp, tcp) = (Dns::new(address, Transport::Udp)?, Dns::new(address, Transport::Tcp)?);
        Ok(Self { process, udp, tcp })
    }

    async fn wait_a(&self, name: &str, expected: &Answer, timeout: Duration) -> anyhow::Result<()> {
        self.udp.wait_a(name, expected, timeout).await?;
        self.tcp.wait_a(name, expected, timeout).await
    }

    /// What it answers now, without waiting.
    async fn assert_a(&self, name: &str, expected: &Answer) {
        assert_eq!((&self.udp.a(name).await, &self.tcp.a(name).await), (expected, expected), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_server_follows_etcd_and_answers_while_it_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let mut etcd = Etcd::start("etcd", Durability::Synced, folder.path(), &logs).await.unwrap();
    etcd.put(FIRST_KEY, r#"{"host":"10.1.0.1"}"#).await.unwrap();
    let server = Server::start(&etcd, free_address().unwrap(), &logs).unwrap();
    let first = Answer::of(["10.1.0.1"]);

    // What was there before it started, and what comes and goes.
    server.wait_a(FIRST, &first, SOON).await.unwrap();
    server.assert_a(SECOND, &Answer::NoSuchName).await;
    etcd.put(SECOND_KEY, r#"{"host":"10.2.0.1"}"#).await.unwrap();
    server.wait_a(SECOND, &Answer::of(["10.2.0.1"]), SOON).await.unwrap();
    etcd.put("/skydns/cluster/openmcp/workload02/shop/00000002", r#"{"host":"10.2.0.2"}"#).await.unwrap();
    server.wait_a(SECOND, &Answer::of(["10.2.0.1", "10.2.0.2"]), SOON).await.unwrap();
    etcd.delete("/skydns/cluster/openmcp/workload02/shop/00000002").await.unwrap();
    let second = Answer::of(["10.2.0.1"]);
    server.wait_a(SECOND, &second, SOON).await.unwrap();

    // etcd is killed. The server has noticed, and answers as before.
    etcd.stop();
    wait_until("the server says that it lost etcd", SOON, async || {
        let log = server.process.log_tail();
        Ok(if log.contains("unable to follow the store") { Ok(()) } else { Err(log) })
    })
    .await
    .unwrap();
    server.assert_a(FIRST, &first).await;
    server.assert_a(SECOND, &second).await;
    server.assert_a("unknown.openmcp.cluster", &Answer::NoSuchName).await;

    // It is back, with one name less and one changed before the server asks again.
    etcd.resume().await.unwrap();
    etcd.put(FIRST_KEY, r#"{"host":"10.1.0.9"}"#).await.unwrap();
    etcd.delete(SECOND_KEY).await.unwrap();
    server.wait_a(FIRST, &Answer::of(["10.1.0.9"]), LATER).await.unwrap();
    server.wait_a(SECOND, &Answer::NoSuchName, SOON).await.unwrap();
    // And what comes now is followed again.
    etcd.put(SECOND_KEY, r#"{"host":"10.2.0.3"}"#).await.unwrap();
    server.wait_a(SECOND, &Answer::of(["10.2.0.3"]), SOON).await.unwrap();

    let status = server.process.terminate(SOON).await.unwrap();
    assert!(status.success(), "openmcp-dns serve ended with {status} after SIGTERM");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_server_waits_for_an_etcd_that_is_not_there_yet() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let mut etcd = Etcd::start("etcd", Durability::Unsynced, folder.path(), &logs).await.unwrap();
    etcd.put(FIRST_KEY, r#"{"host":"10.1.0.1"}"#).await.unwrap();
    etcd.stop();
    let server = Server::start(&etcd, free_address().unwrap(), &logs).unwrap();
    wait_until("the server says that there is no etcd", SOON, async || {
        let log = server.process.log_tail();
        Ok(if log.contains("unable to follow the store") { Ok(()) } else { Err(log) })
    })
    .await
    .unwrap();
    // Nothing is known, so nothing may be denied: a cache would keep that.
    let answer = server.udp.a(FIRST).await;
    assert!(matches!(answer, Answer::Failure(_)), "{answer}");
    etcd.resume().await.unwrap();
    server.wait_a(FIRST, &Answer::of(["10.1.0.1"]), LATER).await.unwrap();
}
