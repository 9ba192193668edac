//! Faults that were reported once, each as the history that led to it.

use super::*;
use crate::codes;
use crate::index::State;
use crate::kinds::Kind;
use crate::limits::Limits;
use crate::objects::Change;
use crate::policy::FailureKind;
use crate::recording::ClusterCommand;
use std::time::Duration;

fn host(name: &str) -> String {
    format!("{name}.w1.{ZONE}")
}

#[test]
fn more_addresses_at_a_name_than_it_can_have_are_a_conflict_of_their_authors_and_no_trouble_of_the_store() {
    let mut world = published(&["a"]);
    let many = (0..150).map(|last| ingress(&format!("i{last}"), &host("a"), &format!("10.0.0.{last}")));
    world.list("w1", many.collect());
    world.rest();
    let summary = world.summary("w1");
    assert_eq!((world.stored().len(), summary.conflicts), (64, 150 - 64));
    assert_eq!((summary.pending, summary.store_trouble), (0, None));
    // And from those back to one.
    world.list_named("w1", &["a"]);
    world.rest();
    world.confirm("w1");
    world.rest();
    assert_eq!(world.stored().len(), 1);
}

#[test]
fn a_module_that_failed_for_a_while_is_asked_again_with_a_back_off() {
    let mut world = World::new();
    for failure in [FailureKind::Deadline, FailureKind::Memory, FailureKind::Internal] {
        world.govern("w1", &Rules { fails: true, failure: Some(failure), ..Rules::default() });
        world.list_named("w1", &["a"]);
        world.rest();
        for seconds in [1, 2, 4] {
            world.wait(Duration::from_secs(seconds) - Duration::from_millis(1));
            assert!(world.jobs.is_empty(), "{failure:?}");
            world.wait(Duration::from_millis(1));
            assert_eq!(world.jobs.len(), 1, "{failure:?} after {seconds} s");
            world.rest();
        }
    }
    // A trap would trap again.
    world.govern("w1", &Rules { fails: true, ..Rules::default() });
    world.rest();
    world.wait(HOLD);
    assert!(world.jobs.is_empty());
}

#[test]
fn a_cluster_is_not_released_while_a_write_of_it_is_under_way() {
    let mut world = World::new();
    world.govern("w1", &Rules::default());
    world.list_named("w1", &["a"]);
    world.answer(Role::Incoming);
    world.answer(Role::Active);
    assert_eq!(world.writes.len(), 1);
    world.command("w1", ClusterCommand::Release { zone: ZONE.parse().unwrap() });
    assert!(world.released.is_empty(), "the write may still land");
    world.commit();
    assert!(world.released.is_empty(), "it has landed");
    world.rest();
    assert_eq!((world.released.len(), world.names().len()), (1, 0));
}

#[test]
fn a_token_that_was_used_confirms_no_later_deletion() {
    let mut world = published(&MANY);
    world.list("w1", Vec::new());
    let token = world.summary("w1").held.unwrap().token;
    world.command("w1", ClusterCommand::Confirm(token.clone()));
    world.rest();
    assert!(world.names().is_empty());
    world.list_named("w1", &MANY);
    world.rest();
    world.wait(Duration::from_secs(120));
    world.list("w1", Vec::new());
    world.command("w1", ClusterCommand::Confirm(token));
    world.rest();
    assert_eq!(world.names().len(), MANY.len());
}

#[test]
fn what_another_kind_wants_as_well_stays_until_that_kind_has_been_listed() {
    let mut world = World::new();
    world.govern("w1", &Rules::default());
    for change in routed("w1", &["a", "b", "c", "d"]) {
        world.observe("w1", change);
    }
    let both = ingress("a", &host("a"), "10.0.0.2");
    world.observe("w1", Change::Replaced(Kind::Ingress, vec![both.clone()]));
    world.rest();
    assert_eq!(world.names().len(), 4);
    world.restart();
    world.govern("w1", &Rules::default());
    // The route is gone; the Ingress that wants the same is listed last.
    for change in routed("w1", &["b", "c", "d"]) {
        if !matches!(change, Change::Replaced(Kind::Ingress, _)) {
            world.observe("w1", change);
            world.rest();
        }
    }
    assert_eq!(world.names().len(), 4, "deleted before all kinds were known");
    world.observe("w1", Change::Replaced(Kind::Ingress, vec![both]));
    world.rest();
    assert_eq!(world.names().len(), 4);
}

#[test]
fn an_object_with_large_labels_or_many_hosts_is_denied_with_a_code_and_nobody_else() {
    let mut world = World::new();
    world.govern("w1", &Rules::default());
    let mut large = ingress("large", &host("large"), "10.0.0.1");
    large.meta.labels = (0..2000).map(|number| (format!("label-{number}"), "x".repeat(63))).collect();
    let rules: Vec<_> =
        (0..500).map(|number| serde_json::json!({ "host": host(&format!("h{number:03}")) })).collect();
    let many = serde_json::json!({
        "metadata": { "name": "many", "namespace": "default", "uid": "many" },
        "spec": { "rules": rules },
        "status": { "loadBalancer": { "ingress": [{ "ip": "10.0.0.1" }] } },
    });
    let many = crate::kinds::Watched::from_json(Kind::Ingress, many).unwrap();
    world.list("w1", vec![large, many, ingress("a", &host("a"), "10.0.0.1")]);
    world.rest();
    let summary = world.summary("w1");
    assert_eq!((summary.published, summary.denied), (256 + 1, 2));
    let codes: Vec<&str> = summary.problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(codes, [codes::LABELS_TOO_LARGE, codes::TOO_MANY_HOST_NAMES]);
}

#[test]
fn a_cluster_publishes_as_many_names_as_it_may_and_another_one_when_there_is_room() {
    let limits = Limits { names_per_cluster: 3, ..Limits::default() };
    let rules = Rules { limits, ..Rules::default() };
    let mut world = World::new();
    world.govern("w1", &rules);
    world.list_named("w1", &["b", "c", "d"]);
    world.rest();
    world.observe("w1", Change::Set(ingress("a", &host("a"), "10.0.0.1")));
    world.rest();
    assert_eq!(world.names(), ["b.w1", "c.w1", "d.w1"], "what is published stays");
    assert_eq!(world.summary("w1").problems[0].code, codes::TOO_MANY_NAMES);
    // Also when the new one is listed first, after a restart.
    world.restart();
    world.govern("w1", &rules);
    world.list_named("w1", &["a", "b", "c", "d"]);
    world.rest();
    assert_eq!(world.names(), ["b.w1", "c.w1", "d.w1"]);
    world.remove("w1", "d");
    world.rest();
    world.wait(Duration::from_secs(600));
    world.rest();
    assert_eq!(world.names(), ["a.w1", "b.w1", "c.w1"]);
}

#[test]
fn a_cluster_that_moves_to_another_zone_takes_its_records_along() {
    let mut world = published(&["a"]);
    world.govern("w1", &Rules { zone: Some("other.example"), ..Rules::default() });
    let moved = ingress("a", "a.w1.other.example", "10.0.0.1");
    world.list("w1", vec![moved]);
    world.rest();
    world.wait(HOLD);
    world.rest();
    let names: Vec<String> = world.stored().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["a.w1.other.example"]);
    world.command("w1", ClusterCommand::Release { zone: "other.example".parse().unwrap() });
    world.rest();
    assert_eq!((world.stored().len(), world.released.len()), (0, 1));
}

#[test]
fn a_store_that_was_restored_keeps_no_name_busy_and_gets_what_it_lacks() {
    let mut world = World::new();
    world.govern("w1", &Rules::default());
    let backup = world.back_up();
    world.list_named("w1", &["a", "b", "c"]);
    world.answer(Role::Incoming);
    world.answer(Role::Active);
    world.commit();
    // Written, and not seen: the store is an older one now.
    world.restore(backup);
    world.rest();
    assert_eq!((world.names().len(), world.summary("w1").pending), (3, 0));
}

#[test]
fn a_domain_is_free_as_soon_as_its_cluster_stands_under_no_policy() {
    let mut world = World::new();
    let same = Rules { domain: Some("same"), ..Rules::default() };
    world.govern("w1", &same);
    world.govern("w2", &same);
    world.rest();
    world.command("w1", ClusterCommand::Ungovern);
    assert!(matches!(world.summary("w2").domain, Some(Ok(_))));
}

#[test]
fn a_list_that_shows_one_name_of_ten_deletes_nothing_at_once() {
    let mut world = published(&MANY);
    world.list_named("w1", &["a"]);
    world.rest();
    assert_eq!((world.names().len(), world.summary("w1").held.unwrap().names), (MANY.len(), 9));
    // What is seen to go meanwhile goes, and delays the held ones not.
    world.wait(HOLD / 2);
    world.remove("w1", "a");
    world.rest();
    assert_eq!(world.names().len(), MANY.len() - 1);
    world.wait(HOLD / 2);
    world.rest();
    assert!(world.names().is_empty());
}

#[test]
fn nobody_hears_that_a_route_has_no_gateway_before_the_gateways_are_known() {
    let mut world = World::new();
    world.govern("w1", &Rules::default());
    let mut changes = routed("w1", &["a"]);
    changes.sort_by_key(|change| matches!(change, Change::Replaced(Kind::Gateway, _)));
    for change in changes {
        world.observe("w1", change);
        world.rest();
    }
    let unresolved = |report: &&Report| matches!(report, Report::Claim { state: State::Unresolved(_), .. });
    assert_eq!(world.reports.iter().filter(unresolved).count(), 0);
    // But it is told when that is so.
    world.observe("w1", Change::Replaced(Kind::Gateway, Vec::new()));
    world.rest();
    assert_eq!(world.reports.iter().filter(unresolved).count(), 1);
}
