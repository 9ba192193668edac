//! A `Cluster` is cleaned up and released whatever has been lost before: a matrix of all that can be, and of pairs of it.

use std::time::Duration;

use openmcp_dns_api::{NotGranted, ZONE_ANNOTATION};
use openmcp_dns_kube_memory::{Effect, Fault, Server};
use openmcp_dns_service::inventory::Access;
use openmcp_dns_service::run::LeavingBounds;
use serde_json::{Value, json};

use crate::objects::{
    CLUSTER, CLUSTER_DNS, CLUSTERS, CONFIG, COREFILE, DNS_POLICY, DNS_SERVICE_CONFIG, POLICY,
    dns_service_config,
};
use crate::world::{World, corefile, events, eventually, message};

const HOST: &str = "shop.w1.openmcp.cluster";

/// How long a `Cluster` that leaves may be held here.
const SOON: LeavingBounds = LeavingBounds { cluster: Duration::from_secs(2), access: Duration::from_secs(3) };

/// What is lost before, or while, the `Cluster` is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// The DNSServiceConfig is deleted.
    Config,
    /// The DNSPolicy is deleted.
    Policy,
    /// The provider denies the access that it had granted.
    Denied,
    /// Somebody removes the annotation that says the zone, when no policy writes it anew.
    Zone,
    /// What grants access is gone.
    Access,
    /// The API server is dead for good.
    Target,
    /// The store is away for a while.
    Store,
    /// The service is deleted, and comes back later.
    Service,
    /// The provider never takes back the access.
    Provider,
}

use Lost::{Access as NoAccess, Config, Denied, Policy, Provider, Service, Store, Target, Zone};

impl Lost {
    /// Whether the cluster cannot be got into any more.
    const fn cuts_off(self) -> bool {
        matches!(self, Denied | NoAccess | Target)
    }

    async fn happen(self, world: &mut World, w1: &Server) {
        match self {
            Config => DNS_SERVICE_CONFIG.delete(&world.platform, "", CONFIG),
            Policy => DNS_POLICY.delete(&world.platform, "", POLICY),
            Denied => {
                let why = NotGranted { is_denied: true, message: "the provider denies it".to_owned() };
                world.access.grant("w1", Access::not_granted("AccessRequest", why));
            }
            Zone => {
                world.condition("w1", "Annotated", "False", "NoPolicy").await;
                world
                    .change_cluster("w1", json!({"metadata": {"annotations": {ZONE_ANNOTATION: null}}}))
                    .await;
            }
            NoAccess => world.access.withdraw("w1"),
            Target => {
                w1.fail(Fault::new(Effect::Disconnect));
                w1.drop_watches();
            }
            Store => world.faulty_store.go_away(true),
            Service => world.stop().await,
            Provider => world.access.keep(),
        }
    }
}

/// What stands in the `ClusterDNS` of `w1` at the end of its life, with the reason of each condition.
fn said(world: &World) -> String {
    let status = world.status("w1");
    let all = status["conditions"].as_array().cloned().unwrap_or_default();
    let one = |condition: &Value| {
        format!("{} {}: {}\n", condition["type"], condition["reason"], condition["message"])
    };
    all.iter().map(one).collect()
}

async fn is_released(lost: &[Lost]) {
    let mut world = World::empty().await;
    world.leaving = SOON;
    let (mut world, w1) = world.and_ingress(&[HOST]).await;
    world.platform.put(dns_service_config(json!({}))).unwrap();
    for one in lost {
        one.happen(&mut world, &w1).await;
    }
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    if lost.contains(&Service) {
        assert!(world.is_held("w1"), "{lost:?}: nobody is there who would release it");
        world.start();
    }
    if lost.contains(&Store) {
        // Our own store is waited for: what stays in it would be answered for ever.
        let what = format!("{lost:?}: the store is waited for, and that is said");
        eventually(&what, || match message(&world.status("w1"), "Recorded") {
            said if said.starts_with("the records are being withdrawn: ") => Ok(()),
            _ => Err(said(&world)),
        })
        .await;
        assert!(world.is_held("w1") && world.holds(HOST), "{lost:?}");
        world.faulty_store.go_away(false);
    }
    eventually(&format!("{lost:?}: the Cluster is released"), || match world.cluster("w1") {
        None => Ok(()),
        Some(_) => Err(said(&world)),
    })
    .await;
    assert!(world.names().is_empty(), "{lost:?}: {:?}", world.names());
    let is_cut_off = lost.iter().any(|lost| lost.cuts_off());
    assert_eq!(corefile(&w1) == COREFILE, !is_cut_off, "{lost:?}: {}", corefile(&w1));
    let left: Vec<String> =
        events(&world.platform, "LeftBehind").iter().map(|event| event["note"].to_string()).collect();
    let is_told = |what: &str| left.iter().any(|note| note.contains(what));
    assert_eq!(is_told("what forwards the zone"), is_cut_off, "{lost:?}: {left:?}");
    assert_eq!(is_told("finalizers of its provider"), lost.contains(&Provider), "{lost:?}: {left:?}");
    assert!(
        events(&world.platform, "LeftBehind").iter().all(|event| event["regarding"]["kind"] == "Cluster")
    );
}

/// Each is a landscape of its own; they take as long as one of them.
async fn are_released(all: &[&[Lost]]) {
    futures::future::join_all(all.iter().map(|lost| is_released(lost))).await;
}

#[tokio::test]
async fn a_cluster_is_released_whatever_is_lost() {
    are_released(&[
        &[Config],
        &[Policy],
        &[Denied],
        &[NoAccess],
        &[Target],
        &[Store],
        &[Service],
        &[Provider],
    ])
    .await;
}

#[tokio::test]
async fn a_cluster_is_released_when_two_things_are_lost_at_once() {
    are_released(&[
        &[Config, Policy],
        &[Policy, Denied],
        &[Policy, Target],
        &[Policy, Store],
        &[Policy, Service],
        &[Policy, Zone],
        &[Target, Store],
        &[NoAccess, Store],
        &[Target, Service],
        &[Denied, Service],
        &[Target, Provider],
    ])
    .await;
}

#[tokio::test]
async fn a_cluster_is_released_when_all_is_lost() {
    are_released(&[&[Config, Policy, Zone, Target, Provider, Store, Service], &[Policy, Zone, Service]])
        .await;
}

#[tokio::test]
async fn a_cluster_of_whose_zone_nothing_is_known_any_more_is_released_and_what_stays_is_told() {
    let (mut world, w1) = World::empty().await.and_ingress(&[HOST]).await;
    for lost in [Policy, Zone, Service] {
        lost.happen(&mut world, &w1).await;
    }
    CLUSTER_DNS.delete(&world.platform, CLUSTERS, "w1");
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    world.start();
    eventually("the Cluster is released", || match world.cluster("w1") {
        None => Ok(()),
        Some(_) => Err(said(&world)),
    })
    .await;
    let notes: Vec<String> =
        events(&world.platform, "LeftBehind").iter().map(|event| event["note"].to_string()).collect();
    let [note] = notes.as_slice() else { panic!("{notes:?}") };
    assert!(note.contains("openmcp-dns withdraw openmcp.cluster/openmcp/w1 shows"), "{note}");
    assert!(world.holds(HOST), "the store may be that of another landscape, too");
}
