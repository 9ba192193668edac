//! Histories of a cluster that goes over to an agent, and back.

use super::*;
use crate::kinds::{Kind, Watched, endpoint};
use crate::objects::Change;
use crate::recording::{Input, Observation, WatchState};

fn claimed(name: &str, target: &str) -> Watched {
    endpoint(&format!("{name}.w1.{ZONE}").parse().unwrap(), [target.to_owned()].into())
}

/// All names that the agent asks for.
fn agent_has(world: &mut World, names: &[&str]) {
    let objects = names.iter().map(|name| claimed(name, "10.0.0.1")).collect();
    world.observe("w1", Change::Replaced(Kind::ExternalDns, objects));
    world.rest();
}

fn leave_to_agent(world: &mut World) {
    world.tell(Input::Observation(id("w1"), Observation::LeftToAgent));
    world.rest();
}

#[test]
fn a_cluster_goes_over_to_its_agent_and_back_and_no_name_is_gone_in_between() {
    let mut world = published(&["a", "b"]);
    agent_has(&mut world, &["a", "b"]);
    assert_eq!(world.names(), ["a.w1", "b.w1"]);
    world.begun.clear();
    leave_to_agent(&mut world);
    assert_eq!(world.names(), ["a.w1", "b.w1"]);
    assert!(world.begun.iter().all(|plan| plan.withdrawn_from.is_empty()), "{:?}", world.begun);
    let summary = world.summary("w1");
    assert!(!summary.is_in_sync());
    assert_eq!((summary.published, summary.held, summary.problems.len()), (2, None, 0));
    assert!(summary.watches.values().all(|state| *state == WatchState::LeftToAgent));

    world.begun.clear();
    world.list("w1", ["a", "b"].map(|name| ingress(name, &format!("{name}.w1.{ZONE}"), "10.0.0.1")).into());
    agent_has(&mut world, &["a", "b"]);
    assert!(world.summary("w1").is_in_sync());
    agent_has(&mut world, &[]);
    assert_eq!(world.names(), ["a.w1", "b.w1"]);
    assert!(world.begun.iter().all(|plan| plan.withdrawn_from.is_empty()), "{:?}", world.begun);
}

#[test]
fn names_that_the_agent_does_not_have_are_held_as_if_a_list_did_not_show_them() {
    let mut world = published(&["a", "b", "c"]);
    agent_has(&mut world, &["a"]);
    leave_to_agent(&mut world);
    assert_eq!(world.names(), ["a.w1", "b.w1", "c.w1"]);
    let token = world.summary("w1").held.map(|held| (held.names, held.token)).unwrap();
    assert_eq!(token.0, 2);
    world.command("w1", crate::recording::ClusterCommand::Confirm(token.1));
    world.rest();
    assert_eq!(world.names(), ["a.w1"]);
}

#[test]
fn after_a_restart_nothing_is_withdrawn_before_it_is_known_what_the_agent_asks_for() {
    let mut world = published(&["a", "b"]);
    agent_has(&mut world, &["a", "b"]);
    leave_to_agent(&mut world);
    world.restart();
    world.govern("w1", &Rules::default());
    world.rest();
    leave_to_agent(&mut world);
    assert_eq!((world.names().len(), world.summary("w1").held), (2, None));
    agent_has(&mut world, &["a", "b"]);
    assert_eq!((world.names().len(), world.summary("w1").published), (2, 2));
    world.observe("w1", Change::Removed(Kind::ExternalDns, (String::new(), format!("a.w1.{ZONE}"))));
    world.rest();
    assert_eq!(world.names(), ["b.w1"]);
}

#[test]
fn nobody_is_told_that_a_route_lacks_what_is_not_looked_at_any_more() {
    let mut world = World::new();
    world.govern("w1", &Rules::default());
    for change in routed("w1", &["a", "b"]) {
        world.observe("w1", change);
    }
    world.rest();
    agent_has(&mut world, &["a", "b"]);
    world.reports.clear();
    leave_to_agent(&mut world);
    let told = world.reports.iter().filter(|report| matches!(report, Report::Claim { .. })).count();
    assert_eq!((told, world.summary("w1").unresolved), (0, 0));
}
