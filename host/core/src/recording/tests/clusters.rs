//! Histories of several clusters: domains, shared names, release.

use std::time::Duration;

use super::*;
use crate::objects::Change;
use crate::recording::ClusterCommand;

fn release(world: &mut World, cluster: &str) {
    world.command(cluster, ClusterCommand::Release { zone: ZONE.parse().unwrap() });
}

#[test]
fn of_two_clusters_that_want_one_domain_the_older_has_it_until_it_is_released() {
    let mut world = World::new();
    let same = Rules { domain: Some("same"), ..Rules::default() };
    let host = format!("a.same.{ZONE}");
    for cluster in ["w2", "w1"] {
        world.govern(cluster, &same);
        world.list(cluster, vec![ingress("a", &host, "10.0.0.1")]);
        world.rest();
    }
    let domain = format!("same.{ZONE}").parse().unwrap();
    assert_eq!(world.summary("w1").domain, Some(Ok(format!("same.{ZONE}").parse().unwrap())));
    assert_eq!(world.summary("w2").domain, Some(Err(NoDomain::Taken { domain, by: id("w1") })));
    // Both were published once, and nobody takes that away without a decision.
    assert_eq!(world.stored().len(), 2);
    assert_eq!(world.summary("w2").undecided, 1);

    release(&mut world, "w1");
    world.rest();
    assert_eq!(world.released, [id("w1")]);
    assert_eq!(world.summary("w2").domain, Some(Ok(format!("same.{ZONE}").parse().unwrap())));
    assert_eq!((world.summary("w2").published, world.stored().len()), (1, 1));
}

#[test]
fn a_cluster_gives_a_domain_up_with_the_policy_that_gave_it() {
    let mut world = World::new();
    world.govern("w1", &Rules { domain: Some("same"), ..Rules::default() });
    world.govern("w2", &Rules { domain: Some("same"), ..Rules::default() });
    world.rest();
    assert!(matches!(world.summary("w2").domain, Some(Err(NoDomain::Taken { .. }))));
    world.govern("w1", &Rules::default());
    world.rest();
    assert_eq!(world.summary("w2").domain, Some(Ok(format!("same.{ZONE}").parse().unwrap())));
}

#[test]
fn a_released_cluster_withdraws_everything_at_once_and_only_its_own() {
    let mut world = published(&MANY);
    world.govern("w2", &Rules::default());
    world.list_named("w2", &["a"]);
    world.rest();
    release(&mut world, "w1");
    assert!(world.released.is_empty(), "the store still holds its records");
    // What its watches still say is not listened to.
    world.list_named("w1", &MANY);
    world.rest();
    assert_eq!((world.released.as_slice(), world.names()), ([id("w1")].as_slice(), vec!["a.w2".to_owned()]));
    assert_eq!(world.summary("w1"), Default::default());
}

#[test]
fn a_cluster_that_nobody_knows_is_released_by_what_the_store_holds_of_it() {
    let mut world = published(&["a", "b", "c"]);
    world.restart();
    release(&mut world, "w1");
    world.rest();
    assert_eq!((world.released.len(), world.names().len()), (1, 0));
}

#[test]
fn records_stay_when_no_policy_selects_their_cluster_and_are_taken_up_by_the_next() {
    let mut world = published(&["a", "b", "c", "d"]);
    world.command("w1", ClusterCommand::Ungovern);
    world.remove("w1", "a");
    world.rest();
    assert_eq!((world.names().len(), world.summary("w1").policy), (4, None));
    world.govern("w1", &Rules::default());
    world.rest();
    assert_eq!(world.names().len(), 4, "nothing is known well enough to be withdrawn");
    world.list_named("w1", &["b", "c", "d"]);
    world.rest();
    assert_eq!(world.names(), ["b.w1", "c.w1", "d.w1"]);
}

#[test]
fn values_of_several_clusters_stand_side_by_side_at_a_shared_name() {
    let mut world = World::new();
    for (cluster, address) in [("w1", "10.0.0.1"), ("w2", "10.0.0.2")] {
        world.govern(cluster, &Rules::default());
        world.list(cluster, vec![ingress("shop", SHARED, address)]);
    }
    world.rest();
    assert_eq!(world.stored().len(), 2);
    world.remove("w1", "shop");
    world.rest();
    let left = (SHARED.to_owned(), "w2".to_owned(), "10.0.0.2".to_owned());
    assert_eq!(world.stored().into_iter().collect::<Vec<_>>(), [left]);
}

#[test]
fn a_cname_gives_way_to_addresses_of_another_cluster_and_comes_back_after_them() {
    let mut world = World::new();
    for cluster in ["w1", "w2"] {
        world.govern(cluster, &Rules::default());
    }
    world.list(
        "w1",
        vec![ingress("shop", SHARED, "lb.example.com"), ingress("a", &format!("a.w1.{ZONE}"), "10.0.0.1")],
    );
    world.rest();
    world.list("w2", vec![ingress("shop", SHARED, "10.0.0.2")]);
    world.rest();
    let values = |world: &World| -> Vec<String> {
        world.stored().into_iter().filter(|(name, ..)| name == SHARED).map(|(.., value)| value).collect()
    };
    assert_eq!(values(&world), ["10.0.0.2"]);
    let conflict = world.reports.iter().find_map(|report| match report {
        Report::Conflict { uid, conflict } => Some((uid.as_str(), &conflict.loser.0)),
        _ => None,
    });
    assert_eq!(conflict, Some(("shop", &id("w1"))));
    let summary = world.summary("w1");
    assert_eq!((summary.conflicts, summary.problems[0].code.as_str()), (1, "conflict"));

    world.remove("w2", "shop");
    world.rest();
    assert_eq!((values(&world), world.summary("w1").conflicts), (vec!["lb.example.com".to_owned()], 0));
}

fn at_shared(world: &World) -> Vec<String> {
    world.stored().into_iter().filter(|(name, ..)| name == SHARED).map(|(.., value)| value).collect()
}

#[test]
fn an_alias_that_nobody_decides_on_any_more_keeps_its_name_until_it_goes() {
    let mut world = World::new();
    let mut expected = vec!["lb.example.com".to_owned()];
    world.govern("w1", &Rules::default());
    world.list("w1", vec![ingress("shop", SHARED, "lb.example.com")]);
    world.rest();
    world.command("w1", ClusterCommand::Ungovern);
    // Also after a restart, when nothing but the store says that it stands there.
    for restarts in [false, true] {
        if restarts {
            world.restart();
        }
        world.govern("w2", &Rules::default());
        world.list(
            "w2",
            vec![ingress("new", SHARED, "10.0.0.2"), ingress("other", SHARED, "lb2.example.com")],
        );
        world.rest();
        assert_eq!(at_shared(&world), expected);
        let problems = world.summary("w2").problems;
        assert_eq!(problems.len(), 2, "{problems:?}");
        for problem in problems {
            let who = "shop.openmcp.cluster is published for Ingress/default/shop of cluster default/w1: ";
            assert!(problem.message.starts_with(who), "{}", problem.message);
        }
    }
    // When somebody decides on it again, it gives way as ever; and so it does when it goes.
    let back = world.back_up();
    world.govern("w1", &Rules::default());
    world.list("w1", vec![ingress("shop", SHARED, "lb.example.com")]);
    world.rest();
    expected = vec!["10.0.0.2".to_owned()];
    assert_eq!(
        (at_shared(&world), world.summary("w1").conflicts, world.summary("w2").conflicts),
        (expected, 1, 1)
    );
    world.restore(back);
    world.rest();
    release(&mut world, "w1");
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.2"]);
}

#[test]
fn an_alias_whose_deletion_is_held_keeps_its_name_until_it_goes() {
    let own = |label: &str| ingress(label, &format!("{label}.w1.{ZONE}"), "10.0.0.9");
    let mut world = World::new();
    for cluster in ["w1", "w2"] {
        world.govern(cluster, &Rules::default());
        world.list(cluster, Vec::new());
    }
    world.list("w1", vec![ingress("shop", SHARED, "lb.example.com"), own("a"), own("b"), own("c")]);
    world.rest();
    world.list("w1", Vec::new());
    world.rest();
    assert!(world.summary("w1").held.is_some());
    world.list("w2", vec![ingress("shop", SHARED, "10.0.0.2")]);
    world.rest();
    assert_eq!((at_shared(&world), world.summary("w2").conflicts), (vec!["lb.example.com".to_owned()], 1));
    world.confirm("w1");
    world.rest();
    assert_eq!((at_shared(&world), world.summary("w2").conflicts), (vec!["10.0.0.2".to_owned()], 0));
}

/// Two clusters have a name, and the first has names of its own.
fn sharing(rules: [&Rules; 2]) -> World {
    let mut world = World::new();
    for (number, rules) in [1, 2].into_iter().zip(rules) {
        let cluster = format!("w{number}");
        world.govern(&cluster, rules);
        let own = |label: &str| ingress(label, &format!("{label}.{cluster}.{ZONE}"), "10.0.0.9");
        let shop = ingress("shop", SHARED, &format!("10.0.0.{number}"));
        world.list(&cluster, vec![shop, own("a"), own("b"), own("c"), own("d")]);
    }
    world.rest();
    world
}

#[test]
fn an_evacuated_cluster_leaves_a_shared_name_to_others_and_comes_back() {
    let evacuated = Rules { is_evacuated: true, ..Rules::default() };
    let mut world = sharing([&Rules::default(), &Rules::default()]);
    assert_eq!(at_shared(&world), ["10.0.0.1", "10.0.0.2"]);
    world.govern("w1", &evacuated);
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.2"]);
    let summary = world.summary("w1");
    assert!(summary.is_evacuated && summary.held.is_none() && summary.problems.is_empty(), "{summary:?}");
    assert_eq!(world.names_of("w1"), 4, "its own names stay: nobody else has them");

    // Nobody else has it any more: a name that leads to a cluster in trouble is better than none.
    world.remove("w2", "shop");
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.1"]);
    world.observe("w2", Change::Set(ingress("shop", SHARED, "10.0.0.2")));
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.2"]);

    world.govern("w1", &Rules::default());
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.1", "10.0.0.2"]);
}

#[test]
fn a_dead_cluster_is_evacuated_after_a_restart_though_nothing_is_known_of_its_objects() {
    let evacuated = Rules { is_evacuated: true, ..Rules::default() };
    for other_is_known in [false, true] {
        let mut world = sharing([&Rules::default(), &Rules::default()]);
        world.restart();
        world.govern("w1", &evacuated);
        world.rest();
        assert_eq!(at_shared(&world), ["10.0.0.1", "10.0.0.2"], "who has it, too, is not known yet");
        world.govern("w2", &Rules::default());
        if other_is_known {
            world.list("w2", vec![ingress("shop", SHARED, "10.0.0.2")]);
        }
        world.rest();
        assert_eq!(at_shared(&world), ["10.0.0.2"], "{other_is_known}");
        assert_eq!(world.names_of("w1"), 4);
    }
    // Where all are taken out, none is better than another.
    let mut world = sharing([&Rules::default(), &Rules::default()]);
    world.govern("w1", &evacuated);
    world.govern("w2", &evacuated);
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.1", "10.0.0.2"]);
}

#[test]
fn the_first_cluster_in_an_order_serves_a_name_and_the_next_takes_over() {
    let [first, second] = [0, 1].map(|place| Rules { place: Some(place), ..Rules::default() });
    let mut world = sharing([&first, &second]);
    assert_eq!(at_shared(&world), ["10.0.0.1"]);
    world.remove("w1", "shop");
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.2"]);
    world.observe("w1", Change::Set(ingress("shop", SHARED, "10.0.0.1")));
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.1"]);
    world.govern("w1", &Rules { is_evacuated: true, ..first });
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.2"]);
    // All of them again.
    world.govern("w1", &Rules::default());
    world.govern("w2", &Rules::default());
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.1", "10.0.0.2"]);
}

/// A first and a second cluster with a wait of a minute; the first one has left the name, and the second serves it.
fn failed_over() -> World {
    let with = |place| Rules { place: Some(place), failback_delay: MINUTE, ..Rules::default() };
    let mut world = sharing([&with(0), &with(1)]);
    assert_eq!(at_shared(&world), ["10.0.0.1"], "at first, nobody serves it, and nobody waits");
    world.remove("w1", "shop");
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.2"], "at once");
    world
}

const MINUTE: Duration = Duration::from_secs(60);

fn comes_back(world: &mut World) {
    world.observe("w1", Change::Set(ingress("shop", SHARED, "10.0.0.1")));
    world.rest();
}

#[test]
fn the_first_cluster_takes_over_again_when_it_has_been_back_for_a_while() {
    let mut world = failed_over();
    comes_back(&mut world);
    assert_eq!(at_shared(&world), ["10.0.0.2"]);
    // It comes and goes: each time, it waits anew.
    for _ in 0..3 {
        world.wait(MINUTE - Duration::from_secs(1));
        world.remove("w1", "shop");
        world.rest();
        comes_back(&mut world);
        assert_eq!(at_shared(&world), ["10.0.0.2"]);
    }
    let now = world.now;
    assert_eq!(world.recording.due(now), Some(now + MINUTE));
    world.wait(MINUTE - Duration::from_secs(1));
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.2"]);
    world.wait(Duration::from_secs(1));
    world.rest();
    assert_eq!((at_shared(&world), world.recording.due(world.now)), (vec!["10.0.0.1".to_owned()], None));
}

#[test]
fn nobody_waits_when_the_cluster_that_serves_goes_or_is_taken_out() {
    let mut world = failed_over();
    comes_back(&mut world);
    world.remove("w2", "shop");
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.1"]);

    let mut world = failed_over();
    comes_back(&mut world);
    let second = Rules { place: Some(1), failback_delay: MINUTE, ..Rules::default() };
    world.govern("w2", &Rules { is_evacuated: true, ..second.clone() });
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.1"]);
    // Who serves goes on when another policy says that it comes first.
    world.govern("w2", &second);
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.1"]);
}

#[test]
fn after_a_restart_what_stands_goes_on_and_the_wait_begins_anew() {
    let mut world = failed_over();
    comes_back(&mut world);
    world.wait(MINUTE - Duration::from_secs(1));
    world.restart();
    for (place, cluster) in ["w1", "w2"].into_iter().enumerate() {
        world.govern(cluster, &Rules { place: Some(place), failback_delay: MINUTE, ..Rules::default() });
        world.list(cluster, vec![ingress("shop", SHARED, &format!("10.0.0.{}", place + 1))]);
        world.rest();
    }
    world.wait(MINUTE - Duration::from_secs(1));
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.2"]);
    world.wait(Duration::from_secs(1));
    world.rest();
    assert_eq!(at_shared(&world), ["10.0.0.1"]);
}

#[test]
fn another_delay_holds_at_once() {
    let mut world = failed_over();
    comes_back(&mut world);
    world.wait(Duration::from_secs(20));
    let with =
        |seconds| Rules { place: Some(0), failback_delay: Duration::from_secs(seconds), ..Rules::default() };
    world.govern("w1", &with(90));
    world.rest();
    assert_eq!(world.recording.due(world.now), Some(world.now + Duration::from_secs(70)));
    world.govern("w1", &with(30));
    world.rest();
    assert_eq!(world.recording.due(world.now), Some(world.now + Duration::from_secs(10)));
    assert_eq!(at_shared(&world), ["10.0.0.2"]);
    world.govern("w1", &with(0));
    world.rest();
    assert_eq!((at_shared(&world), world.recording.due(world.now)), (vec!["10.0.0.1".to_owned()], None));
}
