//! Histories of the store: what is seen late, refused, or written by somebody else.

use super::*;
use crate::kinds::Kind;
use crate::objects::Change;
use crate::recording::{Input, Observation, Report, WatchState};

const FOREIGN: &str = "/skydns/cluster/openmcp/w1/a/3dc2be40";

#[test]
fn nothing_is_planned_before_the_store_has_been_read() {
    let mut world = World::unread();
    world.govern("w1", &Rules::default());
    world.answer(Role::Incoming);
    assert!(!world.recording.knows_the_store());
    world.list_named("w1", &["a"]);
    world.answer(Role::Active);
    assert!(world.writes.is_empty());
    while world.echo() {}
    assert!(world.recording.knows_the_store());
    assert_eq!(world.writes.len(), 1);
}

#[test]
fn a_name_is_not_planned_anew_before_its_last_change_has_been_seen() {
    let mut world = published(&["a"]);
    let set = |world: &mut World, address: &str| {
        world.observe("w1", Change::Set(ingress("a", &format!("a.w1.{ZONE}"), address)));
        world.answer(Role::Active);
    };
    set(&mut world, "10.0.0.2");
    set(&mut world, "10.0.0.3");
    assert_eq!(world.writes.len(), 1);
    world.commit();
    assert!(world.writes.is_empty(), "the change has not been seen");
    world.echo();
    assert_eq!(world.writes.len(), 1);
    world.rest();
    assert!(world.stored().iter().all(|(.., value)| value == "10.0.0.3"));
}

#[test]
fn a_change_that_is_seen_before_its_transaction_is_answered_leaves_nothing_open() {
    let mut world = published(&["a"]);
    world.remove("w1", "a");
    let plan = world.writes[0].clone();
    let changes = plan.changes.iter().map(|change| crate::mirror::KeyValue {
        key: change.key.clone(),
        value: None,
        mod_revision: 2,
    });
    let changes = changes.collect();
    world.tell(Input::Store(crate::mirror::StoreEvent::Changed { revision: 2, changes }));
    assert_eq!(world.summary("w1").pending, 1);
    world.commit();
    assert_eq!(world.summary("w1").pending, 0);
}

#[test]
fn what_others_leave_at_a_name_is_told_without_the_cluster_that_has_left_it() {
    let mut world = published(&["a"]);
    world.write_foreign(FOREIGN, r#"{"host":"10.6.6.6"}"#);
    world.rest();
    world.remove("w1", "a");
    world.rest();
    let mut told = world.reports.iter().filter_map(|report| match report {
        Report::Recorded { expectation, .. } => Some((expectation.clusters.len(), expectation.values.len())),
        _ => None,
    });
    // Otherwise the probe would hold the cluster to what others do with it.
    assert_eq!(told.next_back(), Some((0, 1)));
}

#[test]
fn a_store_that_does_not_answer_is_told_after_a_while_and_tried_again_at_once() {
    let mut world = World::new();
    world.govern("w1", &Rules::default());
    world.list_named("w1", &["a"]);
    world.answer(Role::Incoming);
    world.answer(Role::Active);
    world.fail();
    assert_eq!((world.summary("w1").store_trouble, world.writes.len()), (None, 1), "it may pass at once");
    world.wait(std::time::Duration::from_secs(5));
    assert_eq!(world.summary("w1").store_trouble.as_deref(), Some("no leader"));
    world.rest();
    assert_eq!((world.names().len(), world.summary("w1").store_trouble), (1, None));
}

#[test]
fn what_somebody_else_has_written_is_never_touched_and_counted_beside_ours() {
    let mut world = World::new();
    world.write_foreign(FOREIGN, r#"{"host":"10.0.0.9"}"#);
    world.govern("w1", &Rules::default());
    world.list_named("w1", &["a", "b"]);
    world.rest();
    assert_eq!(world.summary("w1").foreign_names, 1);
    world.remove("w1", "a");
    world.rest();
    assert_eq!((world.names(), world.has_key(FOREIGN)), (vec!["b.w1".to_owned()], true));
}

#[test]
fn what_somebody_else_has_changed_of_ours_is_put_right() {
    let mut world = published(&["a"]);
    world.remove("w1", "a");
    let key = world.writes[0].changes[0].key.clone();
    world.rest();
    let owner = format!("{ZONE}/default/w1");
    world.write_foreign(
        &key,
        &format!(r#"{{"host":"10.0.0.9","owner":"{owner}","source":"Ingress/default/a"}}"#),
    );
    assert_eq!(world.names().len(), 1);
    world.rest();
    assert!(world.names().is_empty());
}

#[test]
fn a_transaction_that_meets_a_change_of_somebody_else_is_planned_again_when_that_is_seen() {
    let mut world = published(&["a"]);
    world.observe("w1", Change::Set(ingress("a", &format!("a.w1.{ZONE}"), "10.0.0.2")));
    world.answer(Role::Active);
    let key = world.writes[0].changes.iter().find(|change| change.value.is_none()).unwrap().key.clone();
    let owner = format!("{ZONE}/default/w1");
    world.write_foreign(&key, &format!(r#"{{"host":"10.0.0.1","ttl":9,"owner":"{owner}"}}"#));
    world.commit();
    assert_eq!(world.stored().len(), 1, "nothing was written");
    world.echo();
    world.rest();
    assert!(world.stored().iter().all(|(.., value)| value == "10.0.0.2"));
    assert_eq!(world.summary("w1").store_trouble, None);
}

#[test]
fn nothing_is_withdrawn_while_a_kind_that_it_depends_on_is_not_in_sync() {
    let mut world = published(&["a", "b", "c", "d"]);
    let trouble = Observation::Trouble(Kind::Ingress, "refused".to_owned());
    world.tell(Input::Observation(id("w1"), trouble));
    world.remove("w1", "a");
    world.rest();
    assert_eq!(world.names().len(), 4);
    let watches = world.summary("w1").watches;
    assert_eq!(watches[&Kind::Ingress], WatchState::Trouble("refused".to_owned()));
    world.list_named("w1", &["b", "c", "d"]);
    world.rest();
    assert_eq!(world.names(), ["b.w1", "c.w1", "d.w1"]);
}

#[test]
fn a_store_that_is_read_anew_is_compared_with_everything_that_is_wanted() {
    let mut world = published(&["a", "b", "c"]);
    world.remove("w1", "a");
    world.commit();
    // The event is lost with the watch.
    world.reread();
    world.rest();
    assert_eq!((world.names(), world.summary("w1").pending), (vec!["b.w1".to_owned(), "c.w1".to_owned()], 0));
}
