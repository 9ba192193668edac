//! How long a new route takes until it resolves, beside what nobody can be faster than.
//!
//! All is measured in one run, on the same servers, with the same way of asking: one question after
//! the other until the answer is right.
//!
//! - floor: a value is written to etcd by hand, until CoreDNS answers with it;
//! - watch: a route is created and accepted, until a watch of our own shows it accepted;
//! - route: the same route, until CoreDNS answers for its host name;
//! - external-dns: the same, once our service has ended and the real external-dns records in the same etcd: told by
//!   events, as fast as its flags allow, and looking at everything each second. It takes seconds, so there are few.
//!
//! Aim: the p50 of the route is at most three times that of the floor, plus that of the watch.
//!
//! usage: `make bench`, or `scripts/bench 50` for 50 routes instead of 200.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::StreamExt as _;
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use openmcp_dns_tests::agent::ExternalDns;
use openmcp_dns_tests::conditions::wait_all_good;
use openmcp_dns_tests::dns::Dns;
use openmcp_dns_tests::kinds::apply;
use openmcp_dns_tests::landscape::Landscape;
use openmcp_dns_tests::manifests::{accept, route, route_reference};
use openmcp_dns_tests::measure::{TOO_LONG, ask_until, percentile};
use openmcp_dns_tests::programs::{Provided, openmcp_dns};
use openmcp_dns_tests::service::Service;

const ROUTES: usize = 200;
const ADDRESS: &str = "172.18.201.1";
/// Of the routes that external-dns records, in each way.
const FEW: usize = 10;
const DOMAIN: &str = "workload01.openmcp.cluster";
/// external-dns waits for five seconds after an event, and looks each second whether they have passed.
const EVENTS: [&str; 3] = ["--events", "--min-event-sync-interval=1ms", "--interval=1h"];
const EACH_SECOND: [&str; 1] = ["--interval=1s"];
const READY: Duration = Duration::from_secs(120);

/// When a watch showed each route as accepted.
#[derive(Clone, Default)]
struct Update(Arc<Mutex<BTreeMap<String, Instant>>>);

impl Update {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes routes as a watch shows them.
    async fn follow(self, api: Api<DynamicObject>) {
        let mut events = pin!(watcher(api, watcher::Config::default()));
        while let Some(event) = events.next().await {
            if let Ok(Event::Apply(object) | Event::InitApply(object)) = event
                && object.data.pointer("/status/parents/0").is_some()
            {
                self.lock().entry(object.name_any()).or_insert_with(Instant::now);
            }
        }
    }
}

fn main() -> anyhow::Result<()> {
    let routes = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(ROUTES);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(routes))
}

async fn measure(routes: usize) -> anyhow::Result<()> {
    let program = openmcp_dns()?;
    let landscape = Landscape::start_with_gateway(ADDRESS).await?;
    let client = landscape.workload01.client();
    let service = Service::start(&landscape)?;
    for cluster in landscape.clusters() {
        wait_all_good(&landscape.platform.client(), cluster.name, READY).await?;
    }
    let seen = Update::default();
    tokio::spawn(seen.clone().follow(route_reference("").api(&client)?));
    let central = &landscape.central.udp;
    // What happens only the first time is not what is measured.
    publish(&client, central, "warm-up").await?;

    let mut floor = Vec::new();
    for index in 0..routes {
        floor.push(put_until_answer(&landscape, index).await?);
    }
    let (mut watch, mut answer) = (Vec::new(), Vec::new());
    for index in 0..routes {
        let name = format!("route-{index}");
        let started = Instant::now();
        publish(&client, central, &name).await?;
        answer.push(started.elapsed());
        let shown = loop {
            if let Some(shown) = seen.lock().get(&name).copied() {
                break shown;
            }
            ensure!(started.elapsed() < TOO_LONG, "the watch never showed {name}");
            tokio::task::yield_now().await;
        };
        watch.push(shown.duration_since(started));
    }
    drop(service);
    let mut by_events = external_dns(&landscape, "events", &EVENTS).await?;
    let mut each_second = external_dns(&landscape, "second", &EACH_SECOND).await?;

    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{routes} routes, {cores} cores, {}", program.display());
    println!("{:<64}{:>12}{:>12}", "", "p50", "p99");
    let rows = [
        ("floor: etcd put, until CoreDNS answers", &mut floor),
        ("watch: route created and accepted, until a watch shows it", &mut watch),
        ("route: route created and accepted, until CoreDNS answers", &mut answer),
        ("external-dns --events: the same", &mut by_events),
        ("external-dns --interval=1s: the same", &mut each_second),
    ];
    let mut p50 = Vec::new();
    for (what, times) in rows {
        if times.is_empty() {
            println!("{what}: not measured");
            continue;
        }
        times.sort_unstable();
        p50.push(percentile(times, 50));
        println!("{what:<64}{:>9.2} ms{:>9.2} ms", percentile(times, 50), percentile(times, 99));
    }
    let (ours, aim) = (p50[2], 3.0 * p50[0] + p50[1]);
    println!("aim: 3 x floor + watch = {aim:.2} ms at p50; the route takes {:.2} times that", ours / aim);
    println!("{FEW} routes for each external-dns; ours had {routes}");
    println!("on top of the watch: {:.2} ms = {:.2} x floor", ours - p50[1], (ours - p50[1]) / p50[0]);
    Ok(())
}

/// Creates a route, has it accepted, and asks until it resolves.
async fn publish(client: &Client, central: &Dns, name: &str) -> anyhow::Result<()> {
    let host_name = format!("{name}.{DOMAIN}");
    apply(client, &route(name, &[&host_name])).await?;
    accept(client, name).await?;
    ask_until(central, &host_name, ADDRESS).await
}

/// How long routes take that external-dns records with these flags; nothing where it is not there.
async fn external_dns(landscape: &Landscape, how: &str, flags: &[&str]) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    if Provided::ExternalDns.path().is_err() {
        return Ok(times);
    }
    let (client, central) = (landscape.workload01.client(), &landscape.central.udp);
    let mut external_dns =
        ExternalDns::on_store(landscape, &landscape.workload01, &format!("{how}.{DOMAIN}"), flags)?;
    external_dns.keep_alive()?;
    // Until it has read everything, nothing that it does is what is measured.
    publish(&client, central, &format!("warm-up.{how}")).await?;
    for index in 0..FEW {
        let started = Instant::now();
        publish(&client, central, &format!("route-{index}.{how}")).await?;
        times.push(started.elapsed());
    }
    Ok(times)
}

async fn put_until_answer(landscape: &Landscape, index: usize) -> anyhow::Result<Duration> {
    // Below a name of its own, and no name of a cluster: the service has nothing to do with it.
    let key = format!("/skydns/cluster/openmcp/floor/f{index}/1");
    let value = format!(r#"{{"host":"{ADDRESS}","ttl":60}}"#);
    let started = Instant::now();
    landscape.store.put(&key, &value).await?;
    ask_until(&landscape.central.udp, &format!("f{index}.floor.openmcp.cluster"), ADDRESS).await?;
    Ok(started.elapsed())
}
