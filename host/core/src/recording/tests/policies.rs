//! Histories of policies: swaps, failures, candidates, and deletions that are held.

use super::*;
use crate::index::State;
use crate::kinds::Kind;
use crate::objects::Change;
use crate::policy::FailureKind;

#[test]
fn what_an_object_asks_for_is_decided_recorded_and_told() {
    let mut world = World::new();
    world.govern("w1", &Rules::denying("evil"));
    world.list_named("w1", &["a", "evil"]);
    world.rest();
    assert_eq!(world.names(), ["a.w1"]);
    let told =
        |wanted: &dyn Fn(&Report) -> bool| world.reports.iter().filter(|report| wanted(report)).count();
    assert_eq!(told(&|report| matches!(report, Report::Domain(_, Ok(_)))), 1);
    assert_eq!(told(&|report| matches!(report, Report::Claim { state: State::Published, .. })), 1);
    assert_eq!(told(&|report| matches!(report, Report::Claim { state: State::Denied(_), .. })), 1);
    assert_eq!(told(&|report| matches!(report, Report::Recorded { revision: Some(_), .. })), 1);
    let problems = world.summary("w1").problems;
    assert_eq!((problems.len(), problems[0].code.as_str()), (1, "prefix"));
}

#[test]
fn a_policy_that_is_told_again_asks_nothing_and_says_nothing() {
    let mut world = published(&["a"]);
    world.govern("w1", &Rules::default());
    assert!(world.jobs.is_empty() && world.writes.is_empty() && world.reports.is_empty());
}

#[test]
fn a_list_that_is_read_anew_costs_no_question_and_no_transaction() {
    let mut world = published(&MANY);
    world.list_named("w1", &MANY);
    assert!(world.jobs.is_empty() && world.writes.is_empty());
}

#[test]
fn an_old_module_decides_until_the_new_one_has_decided_everything() {
    let mut world = published(&["a", "b", "c", "d", "e", "f"]);
    world.govern("w1", &Rules::denying("a"));
    world.observe("w1", Change::Set(ingress("avocado", &format!("avocado.w1.{ZONE}"), "10.0.0.1")));
    world.answer(Role::Active);
    world.commit();
    assert_eq!(world.names().len(), 7, "the old one decides at once");
    world.rest();
    assert_eq!(
        world.names(),
        ["b.w1", "c.w1", "d.w1", "e.w1", "f.w1"],
        "the new one has been asked about what came later, too"
    );
}

#[test]
fn a_module_that_takes_the_place_of_an_incoming_one_is_the_only_one_that_is_asked() {
    let mut world = published(&["a", "b", "c", "d"]);
    world.govern("w1", &Rules::denying("a"));
    world.think();
    world.govern("w1", &Rules::denying("b"));
    assert_eq!(world.jobs.len(), 1);
    world.hear();
    assert!(world.writes.is_empty(), "a late answer of the first one decides nothing");
    world.rest();
    assert_eq!(world.names(), ["a.w1", "c.w1", "d.w1"]);
}

#[test]
fn a_late_answer_on_an_object_that_has_changed_since_is_not_taken() {
    let mut world = published(&["a"]);
    let host = format!("x.w1.{ZONE}");
    world.observe("w1", Change::Set(ingress("x", &host, "10.0.0.1")));
    world.think();
    world.observe("w1", Change::Set(ingress("x", &host, "10.0.0.2")));
    world.hear();
    assert_eq!((world.writes.len(), world.jobs.len()), (0, 1), "only the newer question is open");
    world.rest();
    assert!(world.stored().contains(&(host, "w1".to_owned(), "10.0.0.2".to_owned())));
}

#[test]
fn a_new_module_is_held_as_a_whole_before_anything_is_written() {
    let mut world = published(&MANY);
    world.govern("w1", &Rules::denying("evil"));
    world.rest();
    let summary = world.summary("w1");
    assert_eq!((summary.denied, summary.held.map(|held| held.names)), (5, Some(5)));
    assert_eq!(world.names().len(), MANY.len(), "something was deleted");
    world.command("w1", crate::recording::ClusterCommand::Confirm("another".to_owned()));
    assert_eq!(world.names().len(), MANY.len(), "another deletion was confirmed");
    world.confirm("w1");
    world.rest();
    assert_eq!((world.names().len(), world.summary("w1").held), (5, None));
    let told = world.reports.iter().filter_map(|report| match report {
        Report::Held { held, published, .. } => Some((held.as_ref().map(|held| held.names), *published)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [(Some(5), MANY.len()), (None, MANY.len())]);
}

#[test]
fn a_held_deletion_goes_on_after_the_hold_time() {
    let mut world = published(&MANY);
    world.govern("w1", &Rules::denying("evil"));
    world.rest();
    world.wait(HOLD / 2);
    world.rest();
    assert_eq!(world.names().len(), MANY.len());
    world.wait(HOLD / 2);
    world.rest();
    assert_eq!(world.names().len(), 5);
}

#[test]
fn a_held_deletion_is_forgotten_when_its_names_are_wanted_again() {
    let mut world = published(&MANY);
    world.govern("w1", &Rules::denying("evil"));
    world.rest();
    assert!(world.summary("w1").held.is_some());
    world.govern("w1", &Rules::default());
    world.rest();
    assert_eq!((world.names().len(), world.summary("w1").held), (MANY.len(), None));
}

#[test]
fn an_empty_list_is_held_and_a_deletion_that_was_seen_is_not() {
    let mut world = published(&["a"]);
    world.list_named("w1", &[]);
    world.rest();
    assert_eq!((world.names().len(), world.summary("w1").held.map(|held| held.names)), (1, Some(1)));
    let mut world = published(&["a"]);
    world.remove("w1", "a");
    world.rest();
    assert_eq!((world.names().len(), world.summary("w1").held), (0, None));
}

#[test]
fn a_module_that_fails_changes_nothing_that_is_published_and_publishes_nothing_new() {
    let mut world = published(&["a", "b"]);
    world.govern("w1", &Rules { fails: true, ..Rules::default() });
    world.list_named("w1", &["a", "b", "c"]);
    world.rest();
    assert_eq!((world.names().len(), world.summary("w1").undecided), (2, 3));
}

#[test]
fn a_module_without_a_valid_domain_leaves_the_cluster_without_one_and_its_records_as_they_are() {
    let mut world = published(&["a"]);
    world.govern("w1", &Rules { domain: Some("any"), ..Rules::default() });
    world.rest();
    let summary = world.summary("w1");
    let Some(Err(NoDomain::Policy(failure))) = summary.domain else { panic!("{:?}", summary.domain) };
    assert_eq!((failure.kind, summary.undecided), (FailureKind::InvalidAnswer, 1));
    assert_eq!(world.names(), ["a.w1"]);
}

#[test]
fn a_candidate_is_compared_follows_what_changes_and_decides_nothing() {
    let mut world = published(&MANY);
    world.compare("w1", &Rules::default(), &Rules::denying("evil"));
    world.list_named("w1", &MANY[..9]);
    assert!(!world.summary("w1").comparison.unwrap().complete);
    world.rest();
    let comparison = world.summary("w1").comparison.unwrap();
    assert_eq!((comparison.complete, comparison.compared, comparison.differing), (true, 9, 4));
    let first = &comparison.first[0];
    assert_eq!((first.host_name.as_str(), first.change), ("evil-1.w1.openmcp.cluster", "newly denied"));
    assert_eq!(first.active, "evil-1.w1.openmcp.cluster 60 A 10.0.0.1");
    world.observe("w1", Change::Set(ingress("evil-9", &format!("evil-9.w1.{ZONE}"), "10.0.0.1")));
    world.rest();
    assert_eq!(world.summary("w1").comparison.unwrap().differing, 5);
    world.govern("w1", &Rules::default());
    assert_eq!(world.summary("w1").comparison, None);
    assert_eq!(world.names().len(), 10);
}

#[test]
fn a_candidate_that_does_not_answer_keeps_nobody_waiting() {
    let mut world = published(&["a"]);
    world.compare("w1", &Rules::default(), &Rules::denying("a"));
    world.list_named("w1", &["a", "b"]);
    world.answer(Role::Active);
    world.commit();
    world.echo();
    assert_eq!((world.names().len(), world.summary("w1").pending), (2, 0));
    world.govern("w1", &Rules::default());
    assert!(world.jobs.is_empty(), "nobody waits for it any more");
}

/// Every order of four lists.
/// All orders of the lists on which a route depends, and of another source; those of all other kinds, which are
/// empty, come before them or after.
fn orders(changes: &[Change]) -> Vec<Vec<Change>> {
    let matters = |change: &Change| match change {
        Change::Replaced(kind, _) => {
            *kind == Kind::Ingress || Kind::HttpRoute.needs().any(|need| need == *kind)
        }
        _ => true,
    };
    let (those, others): (Vec<Change>, Vec<Change>) = changes.iter().cloned().partition(matters);
    let around = permutations(&those).into_iter().enumerate().map(|(number, order)| {
        if number % 2 == 0 { [order, others.clone()].concat() } else { [others.clone(), order].concat() }
    });
    around.collect()
}

fn permutations(changes: &[Change]) -> Vec<Vec<Change>> {
    if changes.is_empty() {
        return vec![Vec::new()];
    }
    let with_first = |at: usize| {
        let others: Vec<Change> = [&changes[..at], &changes[at + 1..]].concat();
        permutations(&others).into_iter().map(move |order| [&changes[at..=at], &order].concat())
    };
    (0..changes.len()).flat_map(with_first).collect()
}

fn routed_world() -> World {
    let mut world = World::new();
    world.govern("w1", &Rules::default());
    for change in routed("w1", &MANY) {
        world.observe("w1", change);
    }
    world.rest();
    assert_eq!(world.names().len(), MANY.len());
    world
}

#[test]
fn a_restart_changes_nothing_in_whatever_order_things_become_known() {
    let mut world = routed_world();
    let before = world.stored();
    for (order, answers_at_once) in
        orders(&routed("w1", &MANY)).into_iter().flat_map(|order| [(order.clone(), false), (order, true)])
    {
        world.restart();
        world.govern("w1", &Rules::default());
        for change in order {
            if answers_at_once {
                while world.think() && world.hear() {}
            }
            world.observe("w1", change);
            assert!(world.writes.is_empty());
        }
        world.rest();
        let summary = world.summary("w1");
        assert_eq!((summary.published, summary.held), (MANY.len(), None));
        assert_eq!(world.stored(), before);
    }
}

/// Whatever comes first after a restart: a list, an answer, or the swap to another module.
#[test]
fn a_module_that_is_swapped_right_after_a_restart_withdraws_only_what_it_denies() {
    for (number, order) in orders(&routed("w1", &MANY)).into_iter().enumerate() {
        for swapped_at in 0..=order.len() {
            let mut world = routed_world();
            world.restart();
            world.govern("w1", &Rules::default());
            for (at, change) in order.iter().enumerate() {
                if at == swapped_at {
                    world.govern("w1", &Rules::denying("evil-1"));
                }
                world.observe("w1", change.clone());
                if (number >> at) % 2 == 0 {
                    world.think();
                    world.hear();
                }
            }
            world.govern("w1", &Rules::denying("evil-1"));
            world.rest();
            let (summary, what) = (world.summary("w1"), format!("order {number}, swapped at {swapped_at}"));
            assert_eq!((summary.held, summary.denied), (None, 1), "{what}");
            assert_eq!(world.names().len(), MANY.len() - 1, "{what}");
        }
    }
}
