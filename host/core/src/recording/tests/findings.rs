//! What is known of namespaces, for the reports on them.

use std::collections::BTreeSet;

use super::rules::{id, ingress};
use super::world::World;
use super::*;
use crate::cluster_policy::ClusterPolicy;
use crate::open_reports::{Findings, FindingsNews, Outcome, Wanted};
use crate::recording::ClusterCommand;

/// As it is asked by who knows all up to this epoch; the first one is 1.
fn take_since(world: &mut World, epoch: u64) -> FindingsNews {
    world.recording.take_findings(&id("w1"), epoch, BTreeSet::new(), 100)
}

fn take(world: &mut World) -> FindingsNews {
    take_since(world, 1)
}

fn is_told(world: &mut World) -> bool {
    let is_told = |report: &Report| matches!(report, Report::Findings(cluster) if *cluster == id("w1"));
    let told = world.reports.iter().any(is_told);
    world.reports.clear();
    told
}

/// What was found in the only namespace.
fn only(world: &mut World) -> Findings {
    let mut namespaces = take(world).namespaces;
    assert_eq!(namespaces.len(), 1, "{namespaces:?}");
    let (namespace, findings) = namespaces.remove(0);
    assert_eq!(namespace, "default");
    findings
}

#[test]
fn a_denial_is_found_with_what_its_author_is_told_and_is_news_until_it_is_taken() {
    let mut world = World::new();
    assert_eq!(take(&mut world), FindingsNews::default(), "nobody knows the cluster");
    world.govern("w1", &Rules::denying("evil"));
    assert_eq!(take(&mut world).wanted, Wanted::Unknown, "the module has not said a word");
    world.rest();
    assert!(is_told(&mut world));
    let news = take(&mut world);
    assert_eq!((news.wanted, news.is_complete, news.namespaces.len()), (Wanted::Yes, false, 0));
    world.list_named("w1", &["evil-1", "good"]);
    world.rest();
    assert!(is_told(&mut world));
    let news = take(&mut world);
    assert!(news.is_complete && !news.has_more);
    let [(namespace, findings)] = &news.namespaces[..] else { panic!("{news:?}") };
    assert_eq!((namespace.as_str(), findings.policy.as_str()), ("default", "policy"));
    let [finding] = &findings.listed[..] else { panic!("{findings:?}") };
    assert_eq!(
        (finding.outcome, finding.code.as_str(), finding.uid.as_str()),
        (Outcome::Denied, "prefix", "evil-1")
    );
    let host = format!("evil-1.w1.{ZONE}");
    assert_eq!(finding.message, format!("{host:?} is not published (prefix): "));
    world.rest();
    assert!(!is_told(&mut world) && take(&mut world).namespaces.is_empty());
    // Of names that are published there is nothing to say.
    world.observe(
        "w1",
        crate::objects::Change::Set(ingress("good", &format!("good-2.w1.{ZONE}"), "10.0.0.9")),
    );
    world.rest();
    assert!(!is_told(&mut world));
    world.remove("w1", "evil-1");
    world.rest();
    assert!(is_told(&mut world));
    assert!(only(&mut world).is_empty());
}

#[test]
fn who_gives_way_is_found_until_it_does_no_more() {
    let mut world = published(&["shop"]);
    take(&mut world);
    let host = format!("shop.w1.{ZONE}");
    world.observe("w1", crate::objects::Change::Set(ingress("alias", &host, "lb.example.com")));
    world.rest();
    assert!(is_told(&mut world));
    let findings = only(&mut world);
    let [finding] = &findings.listed[..] else { panic!("{findings:?}") };
    assert_eq!((finding.outcome, finding.code.as_str()), (Outcome::GaveWay, "conflict"));
    assert_eq!((finding.source.name.as_str(), finding.uid.as_str()), ("alias", "alias"));
    assert_eq!(finding.winner.as_deref(), Some("Ingress/default/shop of cluster default/w1"));
    assert!(finding.message.starts_with(&format!("{host}: {host} is published for")), "{}", finding.message);
    assert_eq!(take_since(&mut world, 0).namespaces.len(), 1, "who knows nothing is told of it, too");
    world.remove("w1", "shop");
    world.rest();
    assert!(is_told(&mut world));
    assert!(only(&mut world).is_empty());
}

#[test]
fn what_the_module_fails_on_is_found_as_an_error() {
    let mut world = World::new();
    world.govern("w1", &Rules { fails: true, ..Rules::default() });
    world.list_named("w1", &["a"]);
    world.rest();
    assert_eq!(only(&mut world).listed[0].outcome, Outcome::Failed);
}

#[test]
fn nothing_is_found_unless_the_policy_wants_it_and_all_of_it_when_it_does() {
    let mut world = World::new();
    let rules = Rules::denying("evil");
    let policy = |open_reports| Box::new(ClusterPolicy { open_reports, ..rules.policy("w1") });
    world.command("w1", ClusterCommand::Govern(policy(false)));
    world.list_named("w1", &["evil-1"]);
    world.rest();
    // That all is decided is news to who removes what is left from before.
    let news = take(&mut world);
    assert_eq!((news.wanted, news.namespaces.len()), (Wanted::No, 0));
    world.command("w1", ClusterCommand::Govern(policy(true)));
    world.rest();
    assert!(is_told(&mut world));
    let on = take_since(&mut world, news.epoch);
    assert_eq!((on.wanted, on.namespaces.len()), (Wanted::Yes, 1));
    assert_eq!(take_since(&mut world, on.epoch).namespaces.len(), 0);
    assert_eq!(take_since(&mut world, 0).namespaces.len(), 1, "who knows nothing is told all");
    for end in [ClusterCommand::Govern(policy(false)), ClusterCommand::Ungovern] {
        world.command("w1", ClusterCommand::Govern(policy(true)));
        world.rest();
        world.reports.clear();
        world.command("w1", end);
        world.rest();
        assert!(is_told(&mut world));
        let off = take(&mut world);
        assert_eq!((off.wanted, off.namespaces.len()), (Wanted::No, 0));
        assert_ne!(off.epoch, on.epoch);
    }
}

#[test]
fn what_is_asked_for_again_is_told_whether_or_not_it_has_changed_and_no_more_than_there_is_room_for() {
    let mut world = World::new();
    world.govern("w1", &Rules::denying("evil"));
    world.list_named("w1", &["evil-1"]);
    world.rest();
    take(&mut world);
    let again: BTreeSet<String> = ["default", "empty"].map(str::to_owned).into();
    let first = world.recording.take_findings(&id("w1"), 1, again, 1);
    assert_eq!((first.namespaces.len(), first.has_more), (1, true));
    assert_eq!(first.namespaces[0].1.total(), 1);
    let second = world.recording.take_findings(&id("w1"), 1, BTreeSet::new(), 1);
    assert_eq!((second.namespaces[0].0.as_str(), second.has_more), ("empty", false));
    assert!(second.namespaces[0].1.is_empty());
}
