//! PTR records of the addresses that host names have.

use super::*;
use crate::kinds::Watched;
use crate::objects::Change;
use crate::recording::{ClusterCommand, Report};

const LISTED: &[&str] = &["10.0.0.0/24"];
/// Where the PTR record of 10.0.0.1 lies.
const KEY: &str = "/skydns/arpa/in-addr/10/0/0/1";

fn listing(networks: &'static [&'static str]) -> Rules {
    Rules { networks, ..Rules::default() }
}

/// The host names to which addresses lead back: reverse name, cluster, host name.
fn leading_back(world: &World) -> Vec<String> {
    let stored = world.stored().into_iter();
    let reverse = stored.filter(|(name, ..)| name.ends_with(".arpa"));
    reverse.map(|(name, cluster, host)| format!("{name} {cluster} {host}")).collect()
}

fn hosts(cluster: &str, all: &[(&str, &str)]) -> Vec<Watched> {
    let one = |(name, address): &(&str, &str)| ingress(name, &format!("{name}.{cluster}.{ZONE}"), address);
    all.iter().map(one).collect()
}

/// Cluster w1 with these Ingresses, whose policy lists [`LISTED`].
fn recorded(all: &[(&str, &str)]) -> World {
    let mut world = World::new();
    world.govern("w1", &listing(LISTED));
    world.list("w1", hosts("w1", all));
    world.rest();
    world.reports.clear();
    world
}

#[test]
fn an_address_of_a_listed_network_leads_back_to_its_host_name_and_goes_with_it() {
    let mut world = recorded(&[("a", "10.0.0.1"), ("b", "10.0.1.1"), ("c", "10.0.0.3")]);
    assert_eq!(
        leading_back(&world),
        ["1.0.0.10.in-addr.arpa w1 a.w1.openmcp.cluster", "3.0.0.10.in-addr.arpa w1 c.w1.openmcp.cluster"]
    );
    let stored = String::from_utf8(world.value(KEY).unwrap()).unwrap();
    assert!(
        stored.starts_with(r#"{"host":"a.w1.openmcp.cluster","ttl":60,"group":"1.0.0.10.in-addr.arpa""#),
        "CoreDNS reads exactly this key: {stored}"
    );
    let summary = world.summary("w1");
    assert_eq!((summary.published, summary.conflicts, summary.pending), (3, 0, 0));
    // Another address.
    world.observe("w1", Change::Set(ingress("a", "a.w1.openmcp.cluster", "10.0.0.9")));
    world.rest();
    assert!(leading_back(&world)[1].starts_with("9.0.0.10.in-addr.arpa w1 a."), "{:?}", leading_back(&world));
    assert!(!world.has_key(KEY));
    world.remove("w1", "a");
    world.remove("w1", "c");
    world.rest();
    assert_eq!(world.names(), ["b.w1"]);
}

#[test]
fn of_several_host_names_at_an_address_the_first_leads_back_and_stays_until_it_goes() {
    let mut world = recorded(&[("b", "10.0.0.1"), ("c", "10.0.0.1")]);
    let expected = |host: &str| vec![format!("1.0.0.10.in-addr.arpa w1 {host}.w1.openmcp.cluster")];
    assert_eq!(leading_back(&world), expected("b"));
    // One that comes later changes nothing, nor does a restart.
    world.observe("w1", Change::Set(ingress("a", "a.w1.openmcp.cluster", "10.0.0.1")));
    world.rest();
    assert_eq!(leading_back(&world), expected("b"));
    let revision = world.revision();
    world.restart();
    world.govern("w1", &listing(LISTED));
    world.list("w1", hosts("w1", &[("a", "10.0.0.1"), ("b", "10.0.0.1"), ("c", "10.0.0.1")]));
    world.rest();
    assert_eq!((leading_back(&world), world.revision()), (expected("b"), revision));
    world.remove("w1", "b");
    world.rest();
    assert_eq!(leading_back(&world), expected("a"));
}

#[test]
fn an_address_of_several_clusters_leads_back_to_one_and_to_the_next_when_that_leaves() {
    let mut world = recorded(&[("a", "10.0.0.1")]);
    world.govern("w2", &listing(LISTED));
    world.list("w2", hosts("w2", &[("a", "10.0.0.1")]));
    world.rest();
    assert_eq!(leading_back(&world), ["1.0.0.10.in-addr.arpa w1 a.w1.openmcp.cluster"]);
    world.command("w1", ClusterCommand::Release { zone: ZONE.parse().unwrap() });
    world.rest();
    assert_eq!(leading_back(&world), ["1.0.0.10.in-addr.arpa w2 a.w2.openmcp.cluster"]);
    world.command("w2", ClusterCommand::Release { zone: ZONE.parse().unwrap() });
    world.rest();
    assert_eq!((world.names().len(), world.released.len()), (0, 2));
}

#[test]
fn a_network_that_is_listed_or_no_longer_is_followed_at_once_and_nobody_is_asked() {
    let mut world = published(&["a"]);
    assert_eq!(leading_back(&world).len(), 0);
    world.govern("w1", &listing(LISTED));
    assert!(world.jobs.is_empty(), "it decides nothing else");
    world.rest();
    assert_eq!(leading_back(&world).len(), 1);
    world.govern("w1", &listing(&["10.0.1.0/24"]));
    world.rest();
    assert_eq!(world.names(), ["a.w1"]);
    // Also what was taken out while nobody looked.
    world.govern("w1", &listing(LISTED));
    world.rest();
    world.restart();
    world.rest();
    assert_eq!(leading_back(&world).len(), 1, "the policy is not known yet");
    world.govern("w1", &Rules::default());
    world.list("w1", hosts("w1", &[("a", "10.0.0.1")]));
    world.rest();
    assert_eq!(world.names(), ["a.w1"]);
}

#[test]
fn without_a_policy_all_stays_and_what_comes_back_is_put_right() {
    let mut world = recorded(&[("a", "10.0.0.1")]);
    world.command("w1", ClusterCommand::Ungovern);
    world.rest();
    assert_eq!(leading_back(&world).len(), 1);
    world.govern("w1", &listing(LISTED));
    world.list("w1", hosts("w1", &[("b", "10.0.0.1")]));
    world.rest();
    // The list does not show it, so that it is held.
    world.confirm("w1");
    world.rest();
    assert_eq!(leading_back(&world), ["1.0.0.10.in-addr.arpa w1 b.w1.openmcp.cluster"]);
}

#[test]
fn a_held_deletion_holds_the_ptr_records_and_is_neither_larger_nor_smaller_for_them() {
    let all: Vec<(&str, String)> =
        MANY.iter().enumerate().map(|(last, name)| (*name, format!("10.0.0.{last}"))).collect();
    let all: Vec<(&str, &str)> = all.iter().map(|(name, address)| (*name, address.as_str())).collect();
    let mut world = recorded(&all);
    assert_eq!(leading_back(&world).len(), MANY.len());
    // 5 of 10 are 50 %; of 20 they would be less than the 30 % that are free.
    world.list("w1", hosts("w1", &all[..5]));
    world.rest();
    assert_eq!(world.summary("w1").held.map(|held| held.names), Some(5));
    assert_eq!(leading_back(&world).len(), MANY.len());
    world.confirm("w1");
    world.rest();
    assert_eq!((leading_back(&world).len(), world.names().len()), (5, 10));
}

#[test]
fn who_gives_way_at_a_shared_name_is_not_led_back_to_it() {
    let rules = |place| Rules { place: Some(place), ..listing(LISTED) };
    let mut world = World::new();
    for (cluster, place, address) in [("w1", 0, "10.0.0.1"), ("w2", 1, "10.0.0.2")] {
        world.govern(cluster, &rules(place));
        world.list(cluster, vec![ingress("shop", SHARED, address)]);
    }
    world.rest();
    assert_eq!(leading_back(&world), [format!("1.0.0.10.in-addr.arpa w1 {SHARED}")]);
    world.govern("w1", &Rules { is_evacuated: true, ..rules(0) });
    world.rest();
    assert_eq!(leading_back(&world), [format!("2.0.0.10.in-addr.arpa w2 {SHARED}")]);
    assert!(world.summary("w1").held.is_none());
}

#[test]
fn what_somebody_else_has_there_stays_and_ours_comes_when_it_goes() {
    let mut world = World::new();
    world.write_foreign(KEY, r#"{"host":"by.hand"}"#);
    world.govern("w1", &listing(LISTED));
    world.list("w1", hosts("w1", &[("a", "10.0.0.1")]));
    world.rest();
    assert_eq!(world.value(KEY).unwrap(), br#"{"host":"by.hand"}"#);
    // Of another landscape that shares the store, too.
    world.write_foreign(KEY, r#"{"host":"a.other.cluster","owner":"other.cluster/default/w1"}"#);
    world.rest();
    assert!(String::from_utf8(world.value(KEY).unwrap()).unwrap().contains("other.cluster"));
    world.write_foreign(KEY, &format!(r#"{{"host":"x.w1.{ZONE}","owner":"{ZONE}/default/w1"}}"#));
    world.rest();
    assert_eq!(leading_back(&world), ["1.0.0.10.in-addr.arpa w1 a.w1.openmcp.cluster"]);
}

#[test]
fn nothing_but_an_address_record_leads_back_and_a_tenant_cannot_ask_for_a_reverse_name() {
    let mut world = World::new();
    world.govern("w1", &listing(LISTED));
    let alias = ingress("alias", "alias.w1.openmcp.cluster", "lb.example.com");
    let reverse = ingress("reverse", "1.0.0.10.in-addr.arpa", "10.0.0.1");
    world.list("w1", vec![alias, reverse]);
    world.rest();
    assert_eq!(world.names(), ["alias.w1"]);
    assert_eq!(world.summary("w1").denied, 1);
    assert!(world.reports.iter().all(|report| !matches!(report, Report::Recorded { expectation, .. }
        if expectation.name.address().is_some())));
}
