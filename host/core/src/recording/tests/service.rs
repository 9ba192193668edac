//! What the service publishes of itself.

use super::*;
use crate::recording::Input;
use crate::service_names::{ServiceNames, record_sets};

const OWN: [&str; 3] = ["apex.dns", "canary.dns", "ns.dns"];

fn wanted(zones: &[&str], address: &str, canary: &str) -> ServiceNames {
    let one = |zone: &&str| {
        let zone = zone.parse().unwrap();
        let sets = record_sets(&zone, &[address.parse().unwrap()], Some(canary));
        (zone, sets)
    };
    zones.iter().map(one).collect()
}

#[test]
fn a_zone_has_its_own_names_as_soon_as_the_store_is_known_and_follows_what_changes() {
    let mut world = World::unread();
    world.tell(Input::Serve(wanted(&[ZONE], "172.18.100.1", "1")));
    assert!(world.writes.is_empty());
    world.rest();
    assert_eq!(world.names(), OWN);
    assert!(world.reports.is_empty(), "the canary changes all the time: {:?}", world.reports);
    world.tell(Input::Serve(wanted(&[ZONE], "172.18.100.2", "1")));
    world.rest();
    let values: Vec<String> = world.stored().into_iter().map(|(_, _, value)| value).collect();
    assert_eq!(values, ["172.18.100.2", "\"1\"", "172.18.100.2"]);
    let expected = world.recording.expectation(&format!("canary.dns.{ZONE}").parse().unwrap());
    assert_eq!(expected.values.len(), 1);
    // The same again is no write.
    let revision = world.revision();
    world.tell(Input::Serve(wanted(&[ZONE], "172.18.100.2", "1")));
    world.rest();
    assert_eq!(world.revision(), revision);
}

#[test]
fn a_zone_that_goes_takes_its_own_names_along_also_after_a_restart_and_nothing_before_it_is_known() {
    let mut world = published(&["a"]);
    world.tell(Input::Serve(wanted(&[ZONE, "b.example"], "172.18.100.1", "1")));
    world.rest();
    assert_eq!(world.stored().len(), 7);
    world.restart();
    world.rest();
    assert_eq!(world.stored().len(), 7, "what the service wants is not known");
    world.tell(Input::Serve(wanted(&[ZONE], "172.18.100.1", "1")));
    world.rest();
    assert_eq!(world.names(), ["a.w1", "apex.dns", "canary.dns", "ns.dns"]);
}

#[test]
fn its_names_belong_to_no_cluster_and_are_not_counted_as_those_of_an_unknown_one() {
    let mut world = published(&["a"]);
    world.tell(Input::Serve(wanted(&[ZONE], "172.18.100.1", "1")));
    world.rest();
    assert_eq!(world.recording.owners().unwrap().len(), 1);
    assert_eq!(world.summary("w1").foreign_names, 0);
    world.command("w1", crate::recording::ClusterCommand::Release { zone: ZONE.parse().unwrap() });
    world.rest();
    assert_eq!(world.names(), OWN);
}

#[test]
fn what_somebody_has_changed_of_its_names_is_put_right_and_what_is_not_ours_stays() {
    let mut world = World::new();
    world.write_foreign("/skydns/cluster/openmcp/dns/ns/3dc2be40", r#"{"host":"10.0.0.9"}"#);
    world.tell(Input::Serve(wanted(&[ZONE], "172.18.100.1", "1")));
    let key = world.writes.iter().find(|plan| plan.name.as_str().starts_with("ns.")).unwrap().changes[0]
        .key
        .clone();
    world.rest();
    world.write_foreign(&key, &format!(r#"{{"host":"10.0.0.8","owner":"{ZONE}/_service/dns"}}"#));
    world.rest();
    let stored = String::from_utf8(world.value(&key).unwrap()).unwrap();
    assert!(
        stored.contains("172.18.100.1") && world.has_key("/skydns/cluster/openmcp/dns/ns/3dc2be40"),
        "{stored}"
    );
}
