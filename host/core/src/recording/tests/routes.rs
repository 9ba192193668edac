//! What is known of routes, for what is said in their status.

use serde_json::json;

use super::rules::{gateway, id, route};
use super::world::World;
use super::*;
use crate::cluster::SourceRef;
use crate::kinds::{CONTROLLER_NAME, Kind, Watched};
use crate::objects::Change;
use crate::recording::{ClusterCommand, Report};
use crate::route_status::{NameStanding, ParentFacts, RouteFacts, RouteNews};

fn host() -> String {
    format!("shop.w1.{ZONE}")
}

fn source() -> SourceRef {
    SourceRef::new(Kind::HttpRoute, "default", "shop")
}

/// The route `shop`, with more parents and an entry of ours that says this.
fn with_entry(says: &str) -> Watched {
    let parents = [
        json!({ "parentRef": { "name": "gateway" }, "conditions": [{ "type": "Accepted", "status": "True" }] }),
        json!({
            "parentRef": { "name": "gateway" }, "controllerName": CONTROLLER_NAME,
            "conditions": [{ "type": "Recorded", "status": "True", "message": says }],
        }),
    ];
    let route = json!({
        "metadata": { "name": "shop", "namespace": "default", "uid": "shop" },
        "spec": { "hostnames": [host()], "parentRefs": [{ "name": "gateway" }, { "name": "other" }] },
        "status": { "parents": parents },
    });
    Watched::from_json(Kind::HttpRoute, route).unwrap()
}

/// A world in which the route is published, and nothing is new.
fn routed_world() -> World {
    let mut world = World::new();
    world.govern("w1", &Rules::default());
    world.rest();
    for change in rules::routed("w1", &["shop"]) {
        world.observe("w1", change);
    }
    world.rest();
    take(&mut world);
    world.reports.clear();
    world
}

fn take(world: &mut World) -> Vec<RouteNews> {
    world.recording.take_changed_routes(&id("w1"), 100)
}

fn is_told(world: &World) -> bool {
    world.reports.iter().any(|report| matches!(report, Report::Routes(cluster) if *cluster == id("w1")))
}

fn facts(world: &mut World) -> RouteFacts {
    let mut news = take(world);
    assert_eq!(news.len(), 1, "{news:?}");
    news.remove(0).facts.unwrap()
}

fn standings(facts: &RouteFacts) -> Vec<&NameStanding> {
    let claims = facts.parents.iter().flat_map(|parent: &ParentFacts| &parent.claims);
    claims.flat_map(|claim| claim.published.iter().map(|(_, standing)| standing)).collect()
}

#[test]
fn a_route_is_news_when_it_is_decided_written_and_seen_and_then_no_more() {
    let mut world = World::new();
    world.govern("w1", &Rules::default());
    world.rest();
    for change in rules::routed("w1", &["shop"]) {
        world.observe("w1", change);
    }
    assert!(is_told(&world));
    let asked = facts(&mut world);
    assert_eq!((asked.parents.len(), standings(&asked).len()), (1, 0));
    while world.think() || world.hear() {}
    assert_eq!(standings(&facts(&mut world)), [&NameStanding::Open]);
    while world.commit() {}
    assert_eq!(standings(&facts(&mut world)), [&NameStanding::Open], "the store has not shown it");
    world.reports.clear();
    while world.echo() {}
    assert!(is_told(&world));
    let seen = facts(&mut world);
    let NameStanding::Stored(values) = standings(&seen)[0] else { panic!("{seen:?}") };
    assert_eq!(values.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.2"]);
    world.reports.clear();
    world.rest();
    assert!(take(&mut world).is_empty() && !is_told(&world));
}

/// Otherwise what we write would wake us, and we would write again.
#[test]
fn what_we_write_into_a_status_is_no_news_to_claims() {
    let mut world = routed_world();
    world.observe("w1", Change::Set(with_entry("a")));
    world.rest();
    take(&mut world);
    world.reports.clear();
    let _ = world.recording.take_claims();
    world.observe("w1", Change::Set(with_entry("b")));
    assert!(world.jobs.is_empty() && world.writes.is_empty());
    assert_eq!(world.recording.take_claims(), 0, "no claim was looked at");
    let others = world.reports.iter().filter(|report| !matches!(report, Report::Routes(_)));
    assert_eq!(others.count(), 0, "{:?}", world.reports);
    // It is news to who writes it, once.
    let own = facts(&mut world).own;
    assert!(!own.is_empty());
    world.observe("w1", Change::Set(with_entry("b")));
    assert!(take(&mut world).is_empty());
}

#[test]
fn who_gives_way_learns_it_and_learns_when_it_does_no_longer() {
    let mut world = routed_world();
    let alias = ingress("alias", &host(), "lb.example.com");
    world.observe("w1", Change::Set(alias));
    world.rest();
    // The alias gives way to the route: of that nothing is to be said on the route.
    assert!(take(&mut world).iter().all(|news| news.source == source()));
    let mut shop = route("shop", &host());
    shop.meta.generation = 2;
    world.observe("w1", Change::Set(gateway("lb2.example.com")));
    world.observe("w1", Change::Set(shop));
    world.rest();
    let facts_of = facts(&mut world);
    assert!(
        matches!(standings(&facts_of)[0], NameStanding::GaveWay(_) | NameStanding::Stored(_)),
        "{facts_of:?}"
    );
    assert_eq!(facts_of.generation, 2);
    world.remove("w1", "alias");
    world.rest();
    let after = facts(&mut world);
    assert!(matches!(standings(&after)[0], NameStanding::Stored(_)), "{after:?}");
}

#[test]
fn where_the_policy_says_no_more_nothing_is_to_be_said_and_what_was_is_to_go() {
    let mut world = routed_world();
    world.observe("w1", Change::Set(with_entry("a")));
    world.rest();
    take(&mut world);
    world.reports.clear();
    let silent =
        crate::cluster_policy::ClusterPolicy { route_status: false, ..Rules::default().policy("w1") };
    world.command("w1", ClusterCommand::Govern(Box::new(silent)));
    assert!(is_told(&world));
    let told = facts(&mut world);
    assert!(told.parents.is_empty() && !told.own.is_empty());
    // A route without an entry of ours is no news.
    world.observe("w1", Change::Set(route("other", &format!("other.w1.{ZONE}"))));
    world.rest();
    assert!(take(&mut world).is_empty());
}

#[test]
fn of_a_cluster_that_leaves_nothing_more_is_said() {
    let mut world = routed_world();
    world.command("w1", ClusterCommand::Release { zone: ZONE.parse().unwrap() });
    assert!(is_told(&world));
    assert_eq!(take(&mut world), [RouteNews { source: source(), facts: None }]);
    world.observe("w1", Change::Set(with_entry("a")));
    assert!(take(&mut world).is_empty());
}
