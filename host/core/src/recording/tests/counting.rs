//! Histories of modules that say how many names a namespace may have.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::objects::Change;

fn limited(most: u32) -> Rules {
    Rules { at_most: Some(most), ..Rules::default() }
}

fn set(world: &mut World, name: &str, target: &str) {
    world.observe("w1", Change::Set(ingress(name, &format!("{name}.w1.{ZONE}"), target)));
}

/// A namespace that has all the names that it may, and asks for one more.
fn full() -> World {
    let mut world = World::new();
    world.govern("w1", &limited(2));
    world.list_named("w1", &["c", "d", "e"]);
    world.rest();
    assert_eq!(world.names(), ["c.w1", "d.w1"]);
    world
}

#[test]
fn those_who_came_first_keep_their_names() {
    let mut world = full();
    set(&mut world, "a", "10.0.0.1");
    set(&mut world, "d", "10.0.0.9");
    world.rest();
    assert_eq!(world.names(), ["c.w1", "d.w1"]);
    assert!(world.stored().contains(&(format!("d.w1.{ZONE}"), "w1".to_owned(), "10.0.0.9".to_owned())));
}

#[test]
fn a_place_that_is_free_is_taken_by_one_of_those_who_were_denied() {
    let mut world = full();
    set(&mut world, "a", "10.0.0.1");
    world.rest();
    world.remove("w1", "c");
    world.rest();
    assert_eq!(world.names(), ["d.w1"]);
    world.wait(Duration::from_secs(1));
    world.rest();
    assert_eq!(world.names(), ["a.w1", "d.w1"]);
    world.wait(Duration::from_secs(600));
    assert!(world.jobs.is_empty(), "nobody is asked again without need");
}

#[test]
fn what_is_counted_already_is_no_other_question() {
    let mut world = full();
    world.list_named("w1", &["c", "d", "e"]);
    assert!(world.jobs.is_empty());
    world.remove("w1", "e");
    world.rest();
    world.wait(Duration::from_secs(600));
    assert!(world.jobs.is_empty());
}

#[test]
fn after_a_restart_those_who_stand_go_before_others() {
    let mut world = full();
    world.restart();
    world.govern("w1", &limited(2));
    world.list_named("w1", &["a", "b", "c", "d"]);
    world.rest();
    world.wait(Duration::from_secs(600));
    world.rest();
    assert_eq!(world.names(), ["c.w1", "d.w1"]);
}

#[test]
fn a_lower_limit_leaves_those_who_came_first() {
    let mut world = full();
    set(&mut world, "a", "10.0.0.1");
    world.govern("w1", &limited(1));
    world.rest();
    world.confirm("w1");
    world.rest();
    assert_eq!(world.names(), ["c.w1"]);
}

#[test]
fn a_limit_that_comes_later_counts_those_who_stand() {
    let mut world = published(&["a", "b", "c"]);
    world.govern("w1", &limited(3));
    world.rest();
    set(&mut world, "0", "10.0.0.1");
    world.rest();
    assert_eq!(world.names(), ["a.w1", "b.w1", "c.w1"]);
}

#[test]
fn two_who_are_asked_about_at_once_do_not_get_one_place() {
    let mut world = World::new();
    world.govern("w1", &limited(1));
    world.list_named("w1", &[]);
    world.rest();
    set(&mut world, "a", "10.0.0.1");
    set(&mut world, "b", "10.0.0.1");
    assert_eq!(world.jobs.len(), 2);
    world.rest();
    assert_eq!(world.names(), ["a.w1"]);
}

/// What was written for it before is shown after it has come back.
#[test]
fn a_claim_that_was_given_up_for_a_moment_has_no_older_right_than_others() {
    let mut world = World::new();
    world.govern("w1", &limited(2));
    world.list_named("w1", &[]);
    world.rest();
    set(&mut world, "a", "10.0.0.1");
    set(&mut world, "b", "10.0.0.1");
    world.think();
    world.hear();
    set(&mut world, "c", "10.0.0.1");
    world.remove("w1", "a");
    set(&mut world, "a", "10.0.0.1");
    world.commit();
    world.echo();
    world.rest();
    world.wait(Duration::from_secs(600));
    world.rest();
    assert_eq!(world.names().len(), 2, "{:?}", world.names());
}

#[derive(Clone, Debug)]
enum Step {
    Set(usize),
    Remove(usize),
    List,
    Restart,
    Think,
    Hear,
    Commit,
    Echo,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..NAMES.len()).prop_map(Step::Set),
        2 => (0..NAMES.len()).prop_map(Step::Remove),
        1 => Just(Step::List),
        1 => Just(Step::Restart),
        3 => Just(Step::Think),
        3 => Just(Step::Hear),
        2 => Just(Step::Commit),
        2 => Just(Step::Echo),
        1 => Just(Step::Wait),
    ]
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const MOST: u32 = 2;

proptest! {
    /// In the end, a namespace has as many names as it may, however its objects came, and whoever had one before the
    /// last restart and asked for it all the time has it still.
    #[test]
    fn every_history_ends_with_as_many_names_as_there_may_be(
        steps in proptest::collection::vec(step(), 0..40),
    ) {
        let mut world = World::new();
        world.govern("w1", &limited(MOST));
        world.list_named("w1", &[]);
        let mut wanted: BTreeSet<usize> = BTreeSet::new();
        let list = |world: &mut World, wanted: &BTreeSet<usize>| {
            world.list_named("w1", &wanted.iter().map(|name| NAMES[*name]).collect::<Vec<_>>());
        };
        for step in steps {
            match step {
                Step::Set(name) => {
                    wanted.insert(name);
                    set(&mut world, NAMES[name], "10.0.0.1");
                }
                Step::Remove(name) => {
                    wanted.remove(&name);
                    world.remove("w1", NAMES[name]);
                }
                Step::List => list(&mut world, &wanted),
                Step::Restart => {
                    world.restart();
                    world.govern("w1", &limited(MOST));
                    list(&mut world, &wanted);
                }
                Step::Think => drop(world.think()),
                Step::Hear => drop(world.hear()),
                Step::Commit => drop(world.commit()),
                Step::Echo => drop(world.echo()),
                Step::Wait => world.wait(Duration::from_secs(2)),
            }
        }
        for _ in 0..3 {
            world.rest();
            world.confirm("w1");
            world.wait(Duration::from_secs(600));
        }
        world.rest();
        prop_assert_eq!(world.names().len(), wanted.len().min(MOST as usize));
        let settled = world.names();
        world.wait(Duration::from_secs(600));
        prop_assert!(world.jobs.is_empty());
        list(&mut world, &wanted);
        world.rest();
        prop_assert_eq!(world.names(), settled);
    }
}
