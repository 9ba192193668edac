//! A thousand `Cluster` objects on a real API server, most of them unreachable: what the service asks when it starts, and at
//! rest. Requests and connections are counted, no time is measured; time is told by a Lease that the API server renews.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use kube::Client;
use kube::api::ListParams;
use openmcp_dns_tests::conditions::find;
use openmcp_dns_tests::kinds::{apply, apply_crds};
use openmcp_dns_tests::manifests::{cluster, cluster_dns_reference, cluster_reference, kubeconfig_secret};
use openmcp_dns_tests::openmcp::access_request_crd;
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::openmcp_dns;
use openmcp_dns_tests::steps::show;
use openmcp_dns_tests::two_clusters::TwoClusters;
use openmcp_dns_tests::wait::wait_until;
use tokio::net::TcpListener;

const LATER: Duration = Duration::from_secs(200);

/// Clusters that answer: workerless ones, all of them the same API server.
const ANSWER: usize = 20;
/// Clusters whose API server takes connections, and never says a word.
const SILENT: usize = 200;
/// Clusters at whose address nobody is.
const CLOSED: usize = 180;
/// Clusters that nobody has let the service into yet.
const ASKED: usize = 600;

/// A server that takes connections and is silent.
#[derive(Clone, Default)]
struct BlackHole {
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    all: Arc<AtomicUsize>,
}

impl BlackHole {
    async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hole = self.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                hole.all.fetch_add(1, Ordering::Relaxed);
                let open = hole.open.fetch_add(1, Ordering::Relaxed) + 1;
                hole.most.fetch_max(open, Ordering::Relaxed);
                let hole = hole.clone();
                tokio::spawn(async move {
                    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                    hole.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        address
    }

    fn all(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }
}

/// How often an API server has answered, by verb and resource; how many watches run there.
#[derive(Clone, Debug, Default)]
struct Counted {
    requests: BTreeMap<String, u64>,
    watches: u64,
}

impl Counted {
    async fn at(server: &Client) -> Self {
        let request = http::Request::get("/metrics").body(Vec::new()).unwrap();
        let text = server.request_text(request).await.unwrap();
        let mut counted = Self::default();
        for line in text.lines() {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let value: u64 = value.parse().unwrap_or_default();
            let label = |name: &str| {
                let (_, rest) = series.split_once(&format!("{name}=\""))?;
                Some(rest.split_once('"')?.0.to_owned())
            };
            let [verb, resource, part] =
                ["verb", "resource", "subresource"].map(|name| label(name).unwrap_or_default());
            if series.starts_with("apiserver_request_total{") && verb != "WATCH" {
                let name = format!("{verb} {resource}/{part}");
                *counted.requests.entry(name.trim_end_matches(['/', ' ']).to_owned()).or_default() += value;
            }
            if series.starts_with("apiserver_longrunning_requests{") && verb == "WATCH" {
                counted.watches += value;
            }
        }
        counted
    }

    /// What came since.
    fn since(&self, before: &Self) -> BTreeMap<String, u64> {
        let new = |(name, count): (&String, &u64)| {
            let count = count - before.requests.get(name).copied().unwrap_or_default();
            (count > 0).then(|| (name.clone(), count))
        };
        self.requests.iter().filter_map(new).collect()
    }
}

fn name(number: usize) -> String {
    format!("c{number:04}")
}

async fn each<F: Future<Output = anyhow::Result<()>>>(
    numbers: std::ops::Range<usize>,
    make: impl Fn(usize) -> F,
) {
    futures::stream::iter(numbers)
        .map(|number| Ok(make(number)))
        .try_buffer_unordered(16)
        .try_for_each(|()| async { Ok(()) })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clusters_are_met_in_turn_and_left_in_peace() {
    let world = TwoClusters::start().await.unwrap();
    world.install().await.unwrap();
    let [platform, workload] = world.clients();
    apply_crds(&platform, &[access_request_crd().unwrap()]).await.unwrap();
    let hole = BlackHole::default();
    let silent = hole.listen().await;
    let answers = world.workload.kubeconfig();
    let own = answers.lines().find(|line| line.contains("server: ")).unwrap().to_owned();
    let at = |address: &str| answers.replace(&own, &format!("    server: https://{address}"));
    let (silent, closed) = (at(&silent.to_string()), at("127.0.0.1:1"));
    let known = ANSWER + SILENT + CLOSED;
    let all = known + ASKED;
    each(0..all, |number| {
        let (platform, name) = (platform.clone(), name(number));
        let kubeconfig = match number {
            number if number < ANSWER => Some(answers.clone()),
            number if number < ANSWER + SILENT => Some(silent.clone()),
            number if number < known => Some(closed.clone()),
            _ => None,
        };
        async move {
            if let Some(kubeconfig) = kubeconfig {
                apply(&platform, &kubeconfig_secret(&name, &kubeconfig)).await?;
            }
            apply(&platform, &cluster(&name, "workload", ([127, 0, 0, 1], 1).into())).await
        }
    })
    .await;

    let before = [Counted::at(&platform).await, Counted::at(&workload).await];
    let kubeconfig = world.write("kubeconfig.yaml", &world.platform.kubeconfig()).unwrap();
    let arguments = [
        "run",
        "--provider-name=dns",
        "--kubeconfig",
        &kubeconfig,
        "--etcd",
        &world.etcd.endpoint,
        "--state",
        &world.folder().join("state").display().to_string(),
        "--metrics-listen=0",
    ]
    .map(ToOwned::to_owned);
    let logs = world.folder();
    let service =
        Process::start("openmcp-dns", &openmcp_dns().unwrap(), arguments, &[("NO_COLOR", "1")], logs)
            .unwrap();

    // Each says how it stands.
    let statuses = cluster_dns_reference("").api(&platform).unwrap();
    let reasons = async || {
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for object in statuses.list(&ListParams::default()).await? {
            let reachable = find(&object.data, "Reachable").cloned().unwrap_or_default();
            let reason = reachable["reason"].as_str().unwrap_or_default();
            *reasons.entry(reason.to_owned()).or_default() += 1;
        }
        anyhow::Ok(reasons)
    };
    let wanted = [("KindNotServed", ANSWER), ("Unreachable", SILENT + CLOSED), ("AccessPending", ASKED)]
        .map(|(reason, count)| (reason.to_owned(), count));
    let all_there = BTreeMap::from(wanted.clone());
    wait_until("all clusters say how they stand", LATER, async || {
        let reasons = reasons().await?;
        Ok(if reasons == all_there { Ok(()) } else { Err(format!("{reasons:?}\n{}", service.log_tail())) })
    })
    .await
    .unwrap();
    let started = [Counted::at(&platform).await, Counted::at(&workload).await];
    let [of_platform, of_clusters] = [0, 1].map(|server| started[server].since(&before[server]));
    let most = hole.most.load(Ordering::Relaxed);
    show(&format!("start, platform: {of_platform:?}, {} watches", started[0].watches));
    show(&format!("start, {ANSWER} clusters: {of_clusters:?}, {} watches", started[1].watches));
    show(&format!("start, {SILENT} silent clusters: {} connections, {most} at once", hole.all()));
    let count =
        |requests: &BTreeMap<String, u64>, name: &str| requests.get(name).copied().unwrap_or_default();
    let sum = |requests: &BTreeMap<String, u64>| {
        // The API servers ask for the first two, and the test itself for the others.
        let not_ours =
            ["PUT leases", "GET /openapi/v3", "LIST clusterdnses", "LIST clusters", "DELETE clusters"];
        requests
            .iter()
            .filter(|(name, _)| !not_ours.contains(&name.as_str()))
            .map(|(_, count)| count)
            .sum::<u64>()
    };
    let (all, asked, answering) = (to_u64(all), to_u64(ASKED), to_u64(ANSWER));
    assert_eq!(count(&of_platform, "POST accessrequests"), asked);
    assert!(count(&of_platform, "GET accessrequests") <= asked * 2, "{of_platform:?}");
    assert!(count(&of_platform, "PATCH clusters") <= all + all / 10, "each is held once: {of_platform:?}");
    assert!(count(&of_platform, "APPLY clusters") <= 2 * all + all / 10, "annotated once: {of_platform:?}");
    assert!(sum(&of_platform) <= 15 * all, "{of_platform:?}");
    assert!(sum(&of_clusters) <= 20 * answering, "{of_clusters:?}");
    // An API server has some forty of its own.
    assert!(started[1].watches <= 10 * answering + 50, "{}", started[1].watches);
    assert!(most <= SILENT + SILENT / 10, "one connection to each that is silent: {most}");

    // Half a minute of rest, as the API server tells it: it renews a Lease of its own every ten seconds.
    let met = hole.all();
    wait_until("half a minute has passed", LATER, async || {
        let renewed = count(&Counted::at(&platform).await.since(&started[0]), "PUT leases");
        Ok(if renewed >= 3 { Ok(()) } else { Err(renewed.to_string()) })
    })
    .await
    .unwrap();
    let of_platform = Counted::at(&platform).await.since(&started[0]);
    let of_clusters = Counted::at(&workload).await.since(&started[1]);
    let met = hole.all() - met;
    show(&format!("rest, platform: {of_platform:?}"));
    show(&format!("rest, {ANSWER} clusters: {of_clusters:?}"));
    show(&format!("rest, {SILENT} silent clusters: {met} connections"));
    assert!(sum(&of_platform) <= all / 2, "{of_platform:?}");
    assert!(sum(&of_clusters) <= answering, "{of_clusters:?}");
    assert!(met <= 3 * SILENT, "{met}");

    // Two hundred go at once, some of each sort: all are released, and the others are as they were.
    let before = Counted::at(&platform).await;
    let deleted = (known + ASKED) / 5;
    let clusters = cluster_reference("").api(&platform).unwrap();
    each(0..deleted, |number| {
        let (platform, name) = (platform.clone(), name(number * 5));
        async move { cluster_reference(&name).delete(&platform).await }
    })
    .await;
    let left = BTreeMap::from(wanted.map(|(reason, count)| (reason, count - count / 5)));
    wait_until("all that were deleted are released", LATER, async || {
        let there = clusters.list_metadata(&ListParams::default()).await?.items.len();
        let reasons = reasons().await?;
        Ok(if there == 4 * deleted && reasons == left {
            Ok(())
        } else {
            Err(format!("{there} clusters, {reasons:?}\n{}", service.log_tail()))
        })
    })
    .await
    .unwrap();
    let of_platform = Counted::at(&platform).await.since(&before);
    show(&format!("{deleted} go, platform: {of_platform:?}"));
    assert!(sum(&of_platform) <= 20 * to_u64(deleted), "{of_platform:?}");
    // Each is taken back once, also where the watch shows it a moment longer.
    let removed = count(&of_platform, "DELETE clusterdnses");
    assert!(removed <= to_u64(deleted * 11 / 10), "{of_platform:?}");
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap()
}
