//! What whoever looks at claims is shown.

use std::collections::BTreeSet;

use super::rules::{SHARED, ingress};
use super::*;
use crate::index::State;
use crate::objects::Change;
use crate::recording::{Look, Place, Seen, Which};
use crate::route_status::NameStanding;

fn look() -> Look {
    Look { after: None, which: Which::All, only_problems: false, most: 100, visits: 100 }
}

fn host_names(seen: &Seen) -> Vec<&str> {
    let names = seen.claims.iter().map(|claim| claim.place.host_name.as_str());
    names.map(|name| name.trim_end_matches(ZONE).trim_end_matches('.')).collect()
}

/// Two clusters with ten names each, of which the module denies five.
fn two_clusters() -> World {
    let mut world = World::new();
    for cluster in ["w1", "w2"] {
        world.govern(cluster, &Rules::denying("evil"));
        world.list_named(cluster, &MANY);
    }
    world.rest();
    world
}

#[test]
fn all_claims_are_seen_once_however_few_are_looked_at_together() {
    let world = two_clusters();
    let all = world.recording.look(&look());
    assert_eq!((all.claims.len(), &all.next), (20, &None));
    for (most, visits) in [(1, 100), (7, 100), (100, 1), (100, 3), (3, 7)] {
        let (mut places, mut after) = (Vec::new(), None);
        loop {
            let seen = world.recording.look(&Look { after, most, visits, ..look() });
            assert!(seen.claims.len() <= most.min(visits), "{most} {visits}");
            places.extend(seen.claims.into_iter().map(|claim| claim.place));
            after = seen.next;
            if after.is_none() {
                break;
            }
        }
        let expected: Vec<Place> = all.claims.iter().map(|claim| claim.place.clone()).collect();
        assert_eq!(places, expected, "{most} {visits}");
    }
}

#[test]
fn claims_are_found_by_texts_by_names_and_by_not_being_published() {
    let world = two_clusters();
    let with = |texts: &[&str]| Which::With(texts.iter().map(ToString::to_string).collect());
    let found = |which| world.recording.look(&Look { which, ..look() });
    assert_eq!(host_names(&found(with(&["evil-1", "w2"]))), ["evil-1.w2"]);
    assert_eq!(host_names(&found(with(&["nobody"]))), [""; 0]);
    let text = format!("a.w1.{ZONE}");
    let names = BTreeSet::from([text.parse().unwrap()]);
    let at = found(Which::At { text, names });
    assert!(at.store_is_known);
    assert_eq!(host_names(&at), ["a.w1"]);
    assert!(matches!(at.claims[0].published[..], [(_, NameStanding::Stored(_))]), "{at:?}");
    let problems = world.recording.look(&Look { only_problems: true, most: 6, ..look() });
    let denied = |number: usize| problems.claims[number].state.clone();
    assert_eq!(host_names(&problems)[..2], ["evil-1.w1", "evil-2.w1"]);
    assert!(matches!(denied(5), State::Denied(_)) && problems.next.is_some());
}

#[test]
fn of_many_claims_a_look_visits_as_many_as_it_may() {
    let mut world = World::new();
    let names: Vec<String> = (0..10_000).map(|number| format!("n{number:05}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for number in 0..2 {
        let cluster = format!("w{number}");
        // All are denied, so that nothing has to be written.
        world.govern(&cluster, &Rules::denying("n"));
        world.list_named(&cluster, &names);
    }
    world.rest();
    let (mut looks, mut found, mut after) = (0, 0, None);
    loop {
        let which = Which::With(vec!["n09999".to_owned()]);
        let seen = world.recording.look(&Look { after, which, visits: 1_000, ..look() });
        assert_eq!(seen.visited, 1_000);
        (looks, found) = (looks + 1, found + seen.claims.len());
        after = seen.next;
        if after.is_none() || looks == 20 {
            break;
        }
    }
    assert_eq!((looks, found), (20, 2));
    let problems = world.recording.look(&Look { only_problems: true, most: 20, visits: 5_000, ..look() });
    assert_eq!((problems.claims.len(), problems.visited), (20, 20));
}

#[test]
fn who_gives_way_is_among_the_problems_and_the_way_of_a_claim_says_where_it_ends() {
    let mut world = World::new();
    for (cluster, target) in [("w1", "one.example"), ("w2", "two.example")] {
        world.govern(cluster, &Rules::default());
        world.list(cluster, vec![ingress("shop", SHARED, target)]);
    }
    world.rest();
    let problems = world.recording.look(&Look { only_problems: true, ..look() });
    let [lost] = &problems.claims[..] else { panic!("{problems:?}") };
    assert_eq!(lost.place.cluster, id("w2"));
    assert!(matches!(lost.published[..], [(_, NameStanding::GaveWay(_))]), "{lost:?}");

    let way = world.recording.way(&lost.place).unwrap();
    assert_eq!(way.policy.as_deref(), Some("policy"));
    assert_eq!(way.domain.unwrap().unwrap().as_str(), format!("w2.{ZONE}"));
    assert_eq!(way.resolution.wanted[0].targets, ["two.example"]);
    let other = Place { host_name: "other".to_owned(), ..lost.place.clone() };
    assert!(world.recording.way(&other).is_none());

    // Nobody gives way any more.
    world.observe("w1", Change::Set(ingress("shop", &format!("shop.w1.{ZONE}"), "one.example")));
    world.rest();
    assert_eq!(world.recording.look(&Look { only_problems: true, ..look() }).claims.len(), 0);
}

#[test]
fn a_held_deletion_is_shown_with_its_first_names() {
    let mut world = published(&MANY);
    assert!(world.recording.held(5).is_empty());
    world.list("w1", Vec::new());
    world.rest();
    let held = world.recording.held(3);
    assert_eq!((held.len(), held[0].names.len()), (1, 3));
    assert_eq!(held[0].deletion.names, MANY.len());
    assert!(world.recording.look(&look()).claims.is_empty(), "nobody asks for them");
}

#[test]
fn of_many_who_give_way_all_are_seen_a_few_at_a_time() {
    let mut world = World::new();
    // The order of the names is not that of the objects.
    let object = |target: &str, number: usize| {
        ingress(&format!("o{number}"), SHARED, &format!("{target}-{}.example", 9 - number))
    };
    for (cluster, target) in [("w1", "one"), ("w2", "two")] {
        world.govern(cluster, &Rules::default());
        world.list(cluster, (0..9).map(|number| object(target, number)).collect());
    }
    world.rest();
    let all = world.recording.look(&Look { only_problems: true, ..look() }).claims.len();
    assert_eq!(all, 17, "all but one give way");
    let (mut seen, mut after) = (BTreeSet::new(), None);
    loop {
        let some = world.recording.look(&Look { after, only_problems: true, visits: 2, ..look() });
        seen.extend(some.claims.into_iter().map(|claim| claim.place));
        after = some.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), all);
}
