//! Agents on real servers: an unmodified external-dns records through the gate, as if it were an etcd, and a cluster
//! goes over to its agent and back without a gap.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use etcd_client::{EventType, WatchOptions};
use openmcp_dns_tests::agent::{Agent, GateFiles};
use openmcp_dns_tests::conditions::wait_problem;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::kinds::apply;
use openmcp_dns_tests::landscape::Landscape;
use openmcp_dns_tests::manifests::{
    accept, give_addresses, ingress, ingress_reference, route, route_reference,
};
use openmcp_dns_tests::programs::Provided;
use openmcp_dns_tests::service::Service;
use openmcp_dns_tests::steps::{Steps, show};
use openmcp_dns_tests::wait::{Look, wait_until};
use serde_json::json;

/// What the service looks at every few seconds, and a CoreDNS keeps for up to half a minute, on a busy machine.
const LATER: Duration = Duration::from_secs(120);

const SEED: &str = "svc-abc123.workload01.openmcp.cluster";
const SHOP: &str = "shop.workload01.openmcp.cluster";
const OTHER: &str = "web.workload02.openmcp.cluster";

/// What the service keeps of agents.
const KEPT: &str = "openmcp-dns/agents/";

struct World {
    landscape: Landscape,
    service: Service,
    gate: GateFiles,
    /// With the registry that external-dns has by default.
    first: Agent,
    /// With none, and names told apart by their owner.
    second: Agent,
}

impl World {
    /// Waits until a name is answered so, and starts agents again that have ended meanwhile.
    async fn answered(&mut self, name: &str, expected: &Answer) -> anyhow::Result<()> {
        let (first, second, central) = (&mut self.first, &mut self.second, &self.landscape.central.udp);
        wait_until(&format!("{name} is answered with {expected:?}"), LATER, async || {
            first.external_dns.keep_alive()?;
            second.external_dns.keep_alive()?;
            let answer = central.a(name).await;
            Ok(if answer == *expected { Look::Ok(()) } else { Err(format!("{answer:?}")) })
        })
        .await
    }

    /// The keys of agents, without what stands before them.
    async fn kept(&self) -> anyhow::Result<BTreeSet<String>> {
        let all = self.landscape.store.below(KEPT).await?;
        Ok(all.into_keys().map(|key| key.splitn(4, '/').nth(3).unwrap_or_default().to_owned()).collect())
    }

    async fn until_kept(&self, what: &str, is_so: impl Fn(&BTreeSet<String>) -> bool) -> anyhow::Result<()> {
        wait_until(what, LATER, async || {
            let kept = self.kept().await?;
            Ok(if is_so(&kept) { Look::Ok(()) } else { Err(format!("{kept:?}")) })
        })
        .await
    }

    /// From which objects the values at a name of workload01 come.
    async fn sources(&self, first_label: &str) -> anyhow::Result<BTreeSet<String>> {
        let below = format!("/skydns/cluster/openmcp/workload01/{first_label}/");
        let source = |value: &str| -> anyhow::Result<String> {
            let value: serde_json::Value = serde_json::from_str(value)?;
            Ok(value["source"].as_str().unwrap_or_default().to_owned())
        };
        let stored = self.landscape.store.below(&below).await?;
        stored.values().map(|stored| source(&stored.value)).collect()
    }

    async fn until_source(&self, first_label: &str, prefix: &str) -> anyhow::Result<()> {
        wait_until(&format!("{first_label} comes from {prefix}"), LATER, async || {
            let sources = self.sources(first_label).await?;
            let is_so = sources.len() == 1 && sources.iter().all(|source| source.starts_with(prefix));
            Ok(if is_so { Look::Ok(()) } else { Err(format!("{sources:?}")) })
        })
        .await
    }

    /// At no revision after this one, the store held no value at a name of workload01.
    async fn never_empty_since(&self, revision: i64, first_label: &str) -> anyhow::Result<()> {
        let below = format!("/skydns/cluster/openmcp/workload01/{first_label}/");
        let mut client = self.landscape.store.client();
        let then = etcd_client::GetOptions::new().with_prefix().with_revision(revision);
        let then = client.get(below.as_str(), Some(then)).await?;
        let mut held: BTreeSet<Vec<u8>> = then.kvs().iter().map(|kv| kv.key().to_vec()).collect();
        ensure!(!held.is_empty(), "{first_label} was not there to begin with");
        // The last change that is looked at is one of ours.
        let mark = format!("{below}mark");
        self.landscape.store.put(&mark, "{}").await?;
        self.landscape.store.delete(&mark).await?;
        let options = WatchOptions::new().with_prefix().with_start_revision(revision + 1);
        let mut changes = client.watch(below.as_str(), Some(options)).await?;
        while let Some(told) = changes.message().await? {
            let mut events = told.events().iter().peekable();
            while let Some(event) = events.next() {
                let kv = event.kv().context("an event without a key")?;
                if kv.key() == mark.as_bytes() {
                    if event.event_type() == EventType::Delete {
                        return Ok(());
                    }
                    continue;
                }
                match event.event_type() {
                    EventType::Put => held.insert(kv.key().to_vec()),
                    EventType::Delete => held.remove(kv.key()),
                };
                // A transaction is seen as a whole.
                let is_last =
                    events.peek().and_then(|next| next.kv()).map(etcd_client::KeyValue::mod_revision)
                        != Some(kv.mod_revision());
                ensure!(!is_last || !held.is_empty(), "{first_label} was gone at {}", kv.mod_revision());
            }
        }
        anyhow::bail!("the watch has ended")
    }
}

async fn give_ingress(world: &World, name: &str, host: &str, addresses: &[&str]) -> anyhow::Result<()> {
    let client = world.landscape.workload01.client();
    apply(&client, &ingress(name, host)).await?;
    let entries: Vec<_> = addresses.iter().map(|address| json!({ "ip": address })).collect();
    ingress_reference(name).merge_status(&client, &json!({ "loadBalancer": { "ingress": entries } })).await
}

async fn names_are_recorded_natively(world: &mut World) -> anyhow::Result<()> {
    give_ingress(world, "shop", SHOP, &["172.18.201.7"]).await?;
    for (cluster, name, host, address) in [
        (&world.landscape.workload01, "example-route", SEED, "172.18.201.1"),
        (&world.landscape.workload02, "web", OTHER, "172.18.202.1"),
    ] {
        let client = cluster.client();
        apply(&client, &route(name, &[host])).await?;
        accept(&client, name).await?;
        world.landscape.central.udp.wait_a(host, &Answer::of([address]), LATER).await?;
    }
    world.landscape.central.udp.wait_a(SHOP, &Answer::of(["172.18.201.7"]), LATER).await?;
    ensure!(world.kept().await?.is_empty());
    world.until_source("svc-abc123", "HTTPRoute/").await
}

async fn clusters_go_over_to_their_agents_without_a_gap(world: &mut World) -> anyhow::Result<()> {
    let revision = world.landscape.store.revision().await?;
    world.gate.admit(&[&world.first, &world.second])?;
    world.first.external_dns.keep_alive()?;
    world.second.external_dns.keep_alive()?;
    let both = ["workload01", "workload02"].map(|name| format!("openmcp-clusters/{name}/handed-over"));
    let (first, second) = (&mut world.first, &mut world.second);
    let store = &world.landscape.store;
    wait_until("both clusters are handed over", LATER, async || {
        first.external_dns.keep_alive()?;
        second.external_dns.keep_alive()?;
        let kept: Vec<String> = store.below(KEPT).await?.into_keys().collect();
        let is_so = both.iter().all(|end| kept.iter().any(|key| key.ends_with(end)));
        Ok(if is_so { Look::Ok(()) } else { Err(format!("{kept:?}")) })
    })
    .await?;
    world.until_source("svc-abc123", "ExternalDNS/").await?;
    world.until_source("shop", "ExternalDNS/").await?;
    for name in ["svc-abc123", "shop"] {
        world.never_empty_since(revision, name).await?;
    }
    let central = &world.landscape.central.udp;
    assert_eq!(central.a(SEED).await, Answer::of(["172.18.201.1"]));
    assert_eq!(central.a(OTHER).await, Answer::of(["172.18.202.1"]));
    // Nothing of the registry is published.
    let texts = world.kept().await?.into_iter().filter(|key| key.contains("/a-")).count();
    ensure!(texts > 0, "the first agent notes whose names are");
    let published = world.landscape.store.below("/skydns/").await?;
    ensure!(published.keys().all(|key| !key.contains("/a-")), "{published:?}");
    Ok(())
}

async fn what_the_agents_see_is_followed(world: &mut World) -> anyhow::Result<()> {
    let late = "late.workload01.openmcp.cluster";
    let client = world.landscape.workload01.client();
    apply(&client, &route("late", &[late])).await?;
    accept(&client, "late").await?;
    world.answered(late, &Answer::of(["172.18.201.1"])).await?;
    world.landscape.workload02.dns.udp.wait_a(late, &Answer::of(["172.18.201.1"]), LATER).await?;
    give_addresses(&client, &["172.18.201.2"]).await?;
    world.answered(late, &Answer::of(["172.18.201.2"])).await?;
    world.answered(SEED, &Answer::of(["172.18.201.2"])).await?;
    route_reference("late").delete(&client).await?;
    world.answered(late, &Answer::NoSuchName).await?;
    world
        .until_kept("nothing is left of the route", |kept| !kept.iter().any(|key| key.contains("late")))
        .await
}

async fn two_addresses_of_two_families_stay(world: &mut World) -> anyhow::Result<()> {
    let both = "both.workload01.openmcp.cluster";
    give_ingress(world, "both", both, &["172.18.201.9", "fd00:201::9"]).await?;
    world.answered(both, &Answer::of(["172.18.201.9"])).await?;
    let keys = |kept: &BTreeSet<String>| -> BTreeSet<String> {
        kept.iter().filter(|key| key.contains("/both/")).cloned().collect()
    };
    let below = "/skydns/cluster/openmcp/workload01/both/";
    let store = &world.landscape.store;
    wait_until("both addresses are published", LATER, async || {
        let published = store.below(below).await?;
        Ok(if published.len() == 2 { Look::Ok(()) } else { Err(format!("{published:?}")) })
    })
    .await?;
    let revision = store.revision().await?;
    let before = keys(&world.kept().await?);
    // external-dns writes one of them anew with each synchronisation, or leaves both: then there is nothing to mend.
    let churns = wait_until("external-dns writes anew", Duration::from_secs(15), async || {
        let now = keys(&world.kept().await?);
        Ok(if now == before || now.len() < 2 { Err(format!("{now:?}")) } else { Look::Ok(()) })
    });
    let churns = churns.await.is_ok();
    show(&format!("external-dns writes addresses of two families anew: {churns}"));
    let published = world.landscape.store.below(below).await?;
    ensure!(published.len() == 2, "{published:?}");
    ensure!(published.values().all(|stored| stored.changed_at <= revision), "{published:?}");
    // Deleted as it is, external-dns may leave one of the two behind for ever: docs/agents.md.
    give_ingress(world, "both", both, &["172.18.201.9"]).await?;
    let store = &world.landscape.store;
    wait_until("one address is left", LATER, async || {
        let published = store.below(below).await?;
        Ok(if published.len() == 1 { Look::Ok(()) } else { Err(format!("{published:?}")) })
    })
    .await
}

async fn what_is_denied_keeps_no_other_name_away(world: &mut World) -> anyhow::Result<()> {
    let (denied, good) = ("aaa.workload01.openmcp.cluster", "zzz.workload01.openmcp.cluster");
    give_ingress(world, "denied", denied, &["127.0.0.1"]).await?;
    give_ingress(world, "good", good, &["172.18.201.8"]).await?;
    world.answered(good, &Answer::of(["172.18.201.8"])).await?;
    // It may have been written after the good one: then external-dns has ended only now.
    wait_until("the denied name is taken", LATER, async || {
        world.first.external_dns.keep_alive()?;
        let kept = world.kept().await?;
        Ok(if kept.iter().any(|key| key.contains("/aaa/")) { Look::Ok(()) } else { Err(format!("{kept:?}")) })
    })
    .await?;
    let source = format!("ExternalDNS//{denied}");
    let platform = world.landscape.platform.client();
    wait_problem(&platform, "workload01", &source, denied, "unreachable-target", LATER).await?;
    assert_eq!(world.landscape.central.udp.a(denied).await, Answer::NoSuchName);
    let log = world.first.external_dns.log()?;
    ensure!(log.contains("permission denied") && log.contains("unreachable-target"), "{log}");
    Ok(())
}

async fn a_restarted_service_writes_nothing(world: &mut World) -> anyhow::Result<()> {
    world.service.stop().await?;
    let stored = world.landscape.store.below("/skydns/").await?;
    world.service.resume()?;
    let fresh = "fresh.workload01.openmcp.cluster";
    give_ingress(world, "fresh", fresh, &["172.18.201.6"]).await?;
    world.answered(fresh, &Answer::of(["172.18.201.6"])).await?;
    let mut now = world.landscape.store.below("/skydns/").await?;
    now.retain(|key, _| !key.contains("/fresh/"));
    assert_eq!(now, stored);
    Ok(())
}

async fn a_cluster_comes_back_from_its_agent_without_a_gap(world: &mut World) -> anyhow::Result<()> {
    let revision = world.landscape.store.revision().await?;
    world.gate.admit(&[&world.second])?;
    world
        .until_kept("nothing is kept of the agent", |kept| {
            !kept.iter().any(|key| key.starts_with("openmcp-clusters/workload01/"))
        })
        .await?;
    world.until_source("svc-abc123", "HTTPRoute/").await?;
    world.until_source("shop", "Ingress/").await?;
    for name in ["svc-abc123", "shop", "fresh", "zzz"] {
        world.never_empty_since(revision, name).await?;
    }
    assert_eq!(world.landscape.central.udp.a(OTHER).await, Answer::of(["172.18.202.1"]));
    world
        .until_kept("the other agent has what it had", |kept| {
            kept.iter().any(|key| key.starts_with("openmcp-clusters/workload02/keys/skydns/"))
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unmodified_external_dns_records_through_the_gate() {
    if let Err(missing) = Provided::ExternalDns.path() {
        show(&format!("skipped: {missing:#}"));
        return;
    }
    let landscape = Landscape::start_with_gateway("172.18.201.1").await.unwrap();
    let client = landscape.workload02.client();
    apply(&client, &openmcp_dns_tests::manifests::gateway()).await.unwrap();
    give_addresses(&client, &["172.18.202.1"]).await.unwrap();
    let gate = GateFiles::create(&landscape).unwrap();
    let first = Agent::new(&landscape, &gate, &landscape.workload01, &["--registry=txt"]).unwrap();
    let strict = ["--registry=noop", "--coredns-strictly-owned"];
    let second = Agent::new(&landscape, &gate, &landscape.workload02, &strict).unwrap();
    let service = Service::start_with(&landscape, "openmcp-dns", &gate.arguments()).unwrap();
    let mut steps = Steps::new(landscape.logs());
    let mut world = World { landscape, service, gate, first, second };
    macro_rules! step {
        ($($step:ident)+) => {
            $(if steps.all_good() {
                steps.run(stringify!($step), Box::pin($step(&mut world))).await;
            })+
        };
    }
    step!(
        names_are_recorded_natively
        clusters_go_over_to_their_agents_without_a_gap
        what_the_agents_see_is_followed
        two_addresses_of_two_families_stay
        what_is_denied_keeps_no_other_name_away
        a_restarted_service_writes_nothing
        a_cluster_comes_back_from_its_agent_without_a_gap
    );
    steps.finish();
}
