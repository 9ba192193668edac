//! Two replicas of the service on real servers: one leads, the other stands by, and whatever befalls the one that
//! leads, the other goes on, and what the first sends after that changes nothing.
//!
//! One landscape serves all steps, in the order below; each step leaves one that leads and one that stands by behind.

mod install;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use openmcp_dns_tests::conditions::wait_all_good;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::kinds::apply;
use openmcp_dns_tests::landscape::Landscape;
use openmcp_dns_tests::manifests::{self, CLUSTERS, accept};
use openmcp_dns_tests::service::{Service, run};
use openmcp_dns_tests::steps::Steps;
use openmcp_dns_tests::wait::wait_until;
use rustix::process::Signal;
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);
const ADDRESS: &str = "172.18.201.1";

/// How long a Lease keeps others out: longer than by default, so that no busy machine makes a leader miss it.
const LEASE: Duration = Duration::from_secs(8);

/// What the exit code says when the lead is lost.
const LEAD_LOST: Option<i32> = Some(3);

struct World {
    landscape: Landscape,
    leader: Service,
    standby: Service,
}

impl World {
    async fn start() -> anyhow::Result<Self> {
        let landscape = Landscape::start_with_gateway(ADDRESS).await?;
        let leader = Service::start_replica(&landscape, "replica-1", LEASE.as_secs())?;
        wait_all_good(&landscape.platform.client(), "workload01", SOON).await?;
        let standby = Service::start_replica(&landscape, "replica-2", LEASE.as_secs())?;
        let world = Self { landscape, leader, standby };
        world.is_warm().await?;
        Ok(world)
    }

    /// Waits until the standby has read all lists.
    async fn is_warm(&self) -> anyhow::Result<()> {
        self.standby.wait_ready(SOON).await?;
        ensure!(self.standby.leads().await == Some(false) && self.leader.leads().await == Some(true));
        Ok(())
    }

    /// Creates a route that is accepted.
    async fn route(&self, route: &str) -> anyhow::Result<()> {
        let client = self.landscape.workload01.client();
        apply(&client, &manifests::route(route, &[&host_name(route)])).await?;
        accept(&client, route).await
    }

    async fn resolves(&self, route: &str) -> anyhow::Result<()> {
        self.landscape.central.udp.wait_a(&host_name(route), &Answer::of([ADDRESS]), SOON).await
    }

    async fn publish(&self, route: &str) -> anyhow::Result<()> {
        self.route(route).await?;
        self.resolves(route).await
    }

    /// The standby has taken the lead: the one that led before is started again, and stands by.
    async fn change_places(&mut self) -> anyhow::Result<()> {
        std::mem::swap(&mut self.leader, &mut self.standby);
        self.standby.resume()?;
        self.is_warm().await
    }

    /// Who leads, as the store has it, with the revision that it was written at.
    async fn in_the_store(&self) -> anyhow::Result<(Value, i64)> {
        let all = self.landscape.store.below("openmcp-dns/leader/").await?;
        ensure!(all.len() == 1, "{all:?}");
        let stored = all.into_values().next().context("there is one")?;
        Ok((serde_json::from_str(&stored.value)?, stored.changed_at))
    }
}

fn host_name(route: &str) -> String {
    format!("{route}.workload01.openmcp.cluster")
}

async fn a_standby_is_ready_and_writes_nothing(world: &World) -> anyhow::Result<()> {
    let before = world.in_the_store().await?;
    world.publish("first").await?;
    let revision = world.landscape.store.revision().await?;
    wait_all_good(&world.landscape.platform.client(), "workload01", SOON).await?;
    assert_eq!(world.landscape.store.revision().await?, revision, "the name was written once");
    assert_eq!(world.in_the_store().await?, before);
    Ok(())
}

async fn a_withdrawal_deletes_beside_the_leader(world: &World) -> anyhow::Result<()> {
    let (store, leads) = (&world.landscape.store, world.in_the_store().await?);
    let key = "/skydns/cluster/openmcp/gone/old/00000000000000a1";
    let owner = format!("openmcp.cluster/{CLUSTERS}/gone");
    store.put(key, &format!(r#"{{"host":"10.0.0.1","owner":"{owner}"}}"#)).await?;
    let kubeconfig = format!("--kubeconfig={}", world.leader.kubeconfig().display());
    let etcd = format!("--etcd={}", store.endpoint);
    let shown = run(&["withdraw", &owner, &kubeconfig, &etcd])?;
    let told = String::from_utf8_lossy(&shown.stderr).into_owned();
    let token = told.trim().rsplit_once("--confirm ").map(|(_, token)| token.to_owned()).context(told)?;
    let done = run(&["withdraw", &owner, &kubeconfig, &etcd, "--confirm", &token])?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    ensure!(!store.below("/skydns/").await?.contains_key(key));
    world.publish("beside-the-withdrawal").await?;
    assert_eq!(world.in_the_store().await?, leads);
    Ok(())
}

async fn a_leader_that_is_killed_is_followed_within_seconds(world: &mut World) -> anyhow::Result<()> {
    let (before, _) = world.in_the_store().await?;
    world.leader.kill();
    let killed = Instant::now();
    world.publish("after-the-kill").await?;
    ensure!(killed.elapsed() < LEASE * 5, "it took {:?}", killed.elapsed());
    let (after, _) = world.in_the_store().await?;
    ensure!(after["term"].as_u64() > before["term"].as_u64() && after["holder"] != before["holder"]);
    world.change_places().await
}

async fn a_leader_that_is_told_to_end_hands_over_at_once(world: &mut World) -> anyhow::Result<()> {
    world.route("handed-over").await?;
    let told = Instant::now();
    world.leader.stop().await?;
    wait_until("the standby leads", SOON, async || {
        let leads = world.standby.leads().await;
        Ok(if leads == Some(true) { Ok(()) } else { Err(format!("{leads:?}")) })
    })
    .await?;
    // A Lease that is left to its end takes longer; ending takes some of it on a busy machine.
    ensure!(told.elapsed() < LEASE, "it took {:?}", told.elapsed());
    world.resolves("handed-over").await?;
    world.change_places().await
}

async fn a_leader_that_was_stopped_and_wakes_up_writes_nothing_and_ends(
    world: &mut World,
) -> anyhow::Result<()> {
    world.leader.signal(Signal::STOP)?;
    world.publish("while-it-was-stopped").await?;
    let leads = world.in_the_store().await?;
    // What it would write: it knows nothing of this route, and of the Lease what it was.
    let stored = world.landscape.store.below("/skydns/").await?;
    world.leader.signal(Signal::CONT)?;
    let (code, log) = world.leader.ended().await?;
    ensure!(code == LEAD_LOST && log.contains("the lead is lost"), "{code:?}\n{log}");
    assert_eq!(world.landscape.store.below("/skydns/").await?, stored);
    assert_eq!(world.in_the_store().await?, leads);
    world.change_places().await
}

async fn without_the_api_server_of_the_lease_the_leader_ends_before_anybody_else_begins(
    world: &mut World,
) -> anyhow::Result<()> {
    let leads = world.in_the_store().await?;
    world.landscape.platform.api.freeze(true)?;
    let frozen = Instant::now();
    let (code, log) = world.leader.ended().await?;
    ensure!(code == LEAD_LOST && log.contains("could not be renewed in time"), "{code:?}\n{log}");
    // Four fifths of the Lease, and the time that a busy machine takes to end.
    let took = frozen.elapsed();
    // Nobody can lead meanwhile, and nobody writes.
    world.route("while-nobody-leads").await?;
    assert_eq!(world.in_the_store().await?, leads);
    ensure!(world.standby.leads().await == Some(false), "it leads after {took:?}");
    world.landscape.platform.api.freeze(false)?;
    world.resolves("while-nobody-leads").await?;
    world.change_places().await
}

async fn a_leader_of_the_store_that_no_lease_has_elected_ends_the_elected_one(
    world: &mut World,
) -> anyhow::Result<()> {
    let (mut other, _) = world.in_the_store().await?;
    let key = world.landscape.store.below("openmcp-dns/leader/").await?.into_keys().next();
    let key = key.context("somebody leads")?;
    other["term"] = Value::from(other["term"].as_u64().unwrap_or_default() + 7);
    other["holder"] = Value::from("somebody");
    world.landscape.store.put(&key, &other.to_string()).await?;
    world.route("after-somebody").await?;
    let (code, log) = world.leader.ended().await?;
    ensure!(code == LEAD_LOST && log.contains("somebody in term"), "{code:?}\n{log}");
    // Who is elected next has a later term, and writes.
    world.resolves("after-somebody").await?;
    let (after, _) = world.in_the_store().await?;
    ensure!(after["term"].as_u64() > other["term"].as_u64(), "{after}");
    world.change_places().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replicas_one_writes_and_the_other_takes_over() {
    let mut world = World::start().await.unwrap();
    let mut steps = Steps::new(world.landscape.logs());
    macro_rules! step {
        ($step:expr) => {
            if steps.all_good() {
                steps.run(stringify!($step).split('(').next().unwrap_or_default(), Box::pin($step)).await;
            }
        };
    }
    step!(a_standby_is_ready_and_writes_nothing(&world));
    step!(a_withdrawal_deletes_beside_the_leader(&world));
    step!(a_leader_that_is_killed_is_followed_within_seconds(&mut world));
    step!(a_leader_that_is_told_to_end_hands_over_at_once(&mut world));
    step!(a_leader_that_was_stopped_and_wakes_up_writes_nothing_and_ends(&mut world));
    step!(without_the_api_server_of_the_lease_the_leader_ends_before_anybody_else_begins(&mut world));
    step!(a_leader_of_the_store_that_no_lease_has_elected_ends_the_elected_one(&mut world));
    steps.finish();
}
