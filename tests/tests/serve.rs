//! `openmcp-dns serve`, the built-in DNS server, on a real etcd that goes away and comes back.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType;
use openmcp_dns_tests::dns::{Answer, Dns, Transport};
use openmcp_dns_tests::etcd::{Durability, Etcd};
use openmcp_dns_tests::http::get;
use openmcp_dns_tests::manifests::ZONE;
use openmcp_dns_tests::ports::free_address;
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::openmcp_dns;
use openmcp_dns_tests::wait::wait_until;
use openmcp_dns_tests::way::Way;

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
    health: SocketAddr,
}

impl Server {
    fn start(etcd: &Etcd, address: SocketAddr, logs: &Path) -> anyhow::Result<Self> {
        Self::start_at(&etcd.endpoint, address, logs)
    }

    fn start_at(endpoint: &str, address: SocketAddr, logs: &Path) -> anyhow::Result<Self> {
        let health = free_address()?;
        let arguments = [
            "serve".to_owned(),
            format!("--etcd={endpoint}"),
            format!("--listen={address}"),
            format!("--base-domain={ZONE}"),
            format!("--health-listen={health}"),
            "--max-stale=10".to_owned(),
        ];
        let environment = [("NO_COLOR", "1")];
        let process = Process::start("openmcp-dns-serve", &openmcp_dns()?, &arguments, &environment, logs)?;
        let (udp, tcp) = (Dns::new(address, Transport::Udp)?, Dns::new(address, Transport::Tcp)?);
        Ok(Self { process, udp, tcp, health })
    }

    async fn wait_a(&self, name: &str, expected: &Answer, timeout: Duration) -> anyhow::Result<()> {
        self.udp.wait_a(name, expected, timeout).await?;
        self.tcp.wait_a(name, expected, timeout).await
    }

    /// Waits until `/readyz` has this status, and words of this kind in its answer.
    async fn wait_ready(&self, status: u16, words: &str) -> anyhow::Result<()> {
        wait_until(&format!("/readyz says {status}, {words}"), LATER, async || {
            let (now, body) = get(self.health, "/readyz").await?;
            let as_expected = now == status && body.contains(words);
            Ok(if as_expected { Ok(()) } else { Err(format!("{now}, {body}")) })
        })
        .await
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

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_server_is_ready_only_while_its_answers_are_fresh() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let mut etcd = Etcd::start("etcd", Durability::Unsynced, folder.path(), &logs).await.unwrap();
    etcd.put(FIRST_KEY, r#"{"host":"10.1.0.1"}"#).await.unwrap();
    etcd.stop();
    let server = Server::start(&etcd, free_address().unwrap(), &logs).unwrap();
    wait_until("the server says where health is served", SOON, async || {
        let log = server.process.log_tail();
        Ok(if log.contains("health is served") { Ok(()) } else { Err(log) })
    })
    .await
    .unwrap();
    server.wait_ready(503, "not been read completely").await.unwrap();
    assert_eq!(get(server.health, "/healthz").await.unwrap(), (200, "ok\n".to_owned()));

    etcd.resume().await.unwrap();
    server.wait_ready(200, "ok").await.unwrap();
    let first = Answer::of(["10.1.0.1"]);
    server.assert_a(FIRST, &first).await;
    let (_, metrics) = get(server.health, "/metrics").await.unwrap();
    assert!(metrics.contains("openmcp_dns_server_values 1"), "{metrics}");

    // An etcd that keeps its connections and says nothing: the answers go on, readiness goes.
    etcd.freeze(true).unwrap();
    server.wait_ready(503, "the store has been silent for").await.unwrap();
    server.assert_a(FIRST, &first).await;
    etcd.freeze(false).unwrap();
    server.wait_ready(200, "ok").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_on_one_etcd_have_its_revision_as_their_serial() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let etcd = Etcd::start("etcd", Durability::Unsynced, folder.path(), &logs).await.unwrap();
    etcd.put(FIRST_KEY, r#"{"host":"10.1.0.1"}"#).await.unwrap();
    let early = Server::start(&etcd, free_address().unwrap(), &logs.join("early")).unwrap();
    early.wait_a(FIRST, &Answer::of(["10.1.0.1"]), SOON).await.unwrap();
    // The last change leaves nothing behind from which a server that comes later could know of it.
    etcd.put(SECOND_KEY, r#"{"host":"10.2.0.1"}"#).await.unwrap();
    etcd.delete(SECOND_KEY).await.unwrap();
    let late = Server::start(&etcd, free_address().unwrap(), &logs.join("late")).unwrap();
    let serial = format!(" {} ", etcd.revision().await.unwrap());
    for server in [early, late] {
        wait_until("the serial is the revision", SOON, async || {
            let soa = server.udp.ask(ZONE, RecordType::SOA).await.to_string();
            Ok(if soa.contains(&serial) { Ok(()) } else { Err(soa) })
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etcd_that_was_restored_and_has_come_past_its_old_revision_is_noticed_and_no_answer_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let mut etcd = Etcd::start("etcd", Durability::Unsynced, folder.path(), &logs).await.unwrap();
    etcd.put(FIRST_KEY, r#"{"host":"10.1.0.1"}"#).await.unwrap();
    let backup = folder.path().join("backup");
    etcd.back_up(&backup).await.unwrap();
    let way = Way::to(etcd.endpoint.trim_start_matches("http://").parse().unwrap()).await.unwrap();
    let server =
        Server::start_at(&format!("http://{}", way.address), free_address().unwrap(), &logs).unwrap();
    etcd.put(SECOND_KEY, r#"{"host":"10.2.0.1"}"#).await.unwrap();
    let second = Answer::of(["10.2.0.1"]);
    server.wait_a(SECOND, &second, SOON).await.unwrap();

    // While nobody looks, it goes back to before the second name, and on to where its revision says nothing.
    way.cut(true);
    let told = etcd.revision().await.unwrap();
    etcd.restore(&backup).await.unwrap();
    while etcd.revision().await.unwrap() <= told {
        etcd.put(FIRST_KEY, r#"{"host":"10.1.0.9"}"#).await.unwrap();
    }
    way.cut(false);
    server.wait_a(FIRST, &Answer::of(["10.1.0.9"]), LATER).await.unwrap();
    assert!(server.process.log_tail().contains("the store was restored"), "{}", server.process.log_tail());
    // The service has not filled it again yet.
    server.assert_a(SECOND, &second).await;
    // And does not want to.
    server.wait_a(SECOND, &Answer::NoSuchName, LATER).await.unwrap();
}
