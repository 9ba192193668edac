//! Routes as an API server has them, what is known of them, and what is said of that when.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::index::State;
use crate::kinds::CONTROLLER_NAME;
use crate::policy::Denial;
use crate::probing::Standing;
use crate::record::{RecordType, RecordValue, Values};

/// An API server with routes, and the machine that writes their status.
struct World {
    statuses: RouteStatuses,
    now: Instant,
    /// `status.parents` of each route.
    parents: BTreeMap<SourceRef, Vec<Value>>,
    written: usize,
}

impl World {
    fn new() -> Self {
        Self { statuses: RouteStatuses::new(true), now: Instant::now(), parents: BTreeMap::new(), written: 0 }
    }

    /// The service is started anew; what stands in the routes stays.
    fn restart(&mut self) {
        self.statuses = RouteStatuses::new(true);
        self.written = 0;
    }

    fn news(&mut self, name: &str, parents: Vec<ParentFacts>) {
        let source = source(name);
        let own = own_entries(self.parents.entry(source.clone()).or_default());
        let facts = Some(RouteFacts { uid: name.to_owned(), generation: 3, parents, own });
        self.statuses.news(RouteNews { source, facts }, self.now);
    }

    fn answered(&mut self, name: &str, standing: Standing) {
        let name: HostName = name.parse().unwrap();
        let expectation = Expectation { values: values(), kept_seconds: 60, ..Expectation::nothing(&name) };
        let answer = NameAnswer { expectation: Arc::new(expectation), standing };
        self.statuses.answered(&name, Some(answer));
    }

    /// Does what there is to do now; every DNS server answers so.
    fn work(&mut self, servers: Result<(), &str>) {
        while let Some(todo) = self.statuses.next(self.now) {
            match todo {
                Todo::Ask(expectation) => {
                    self.statuses.asked(&expectation, servers.map_err(str::to_owned), self.now);
                }
                Todo::Write(writing) => {
                    let parents = self.parents.entry(writing.source.clone()).or_default();
                    if let Some(merged) = merged(parents, &writing.entries, "2026-01-01T00:00:00Z") {
                        self.written += 1;
                        *parents = merged;
                    }
                    let end = WriteEnd::Stands(own_entries(parents));
                    self.statuses.written(&writing, &end, self.now);
                }
            }
        }
    }

    /// Time passes, and what there is to do is done when it is due.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.work(Ok(()));
        while let Some(at) = self.statuses.wakes_at(self.now).filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.work(Ok(()));
        }
        self.now = end;
    }

    /// What stands in a route of ours: conditions as lines.
    fn said(&self, name: &str) -> Vec<String> {
        let own =
            self.parents[&source(name)].iter().filter(|entry| entry["controllerName"] == CONTROLLER_NAME);
        let line = |parent: &Value, condition: &Value| {
            let [kind, status, reason, message] =
                ["type", "status", "reason", "message"].map(|field| condition[field].as_str().unwrap());
            format!("{} {kind}={status} {reason}: {message}", parent["name"].as_str().unwrap())
        };
        own.flat_map(|entry| {
            let conditions = entry["conditions"].as_array().unwrap();
            conditions.iter().map(move |condition| line(&entry["parentRef"], condition))
        })
        .collect()
    }
}

fn source(name: &str) -> SourceRef {
    SourceRef::new(Kind::HttpRoute, "default", name)
}

fn values() -> Values {
    [RecordValue::parse(RecordType::A, "10.0.0.1").unwrap()].into_iter().collect()
}

fn parent(name: &str, claims: Vec<ClaimFacts>) -> ParentFacts {
    ParentFacts { parent: serde_json::from_value(json!({ "name": name })).unwrap(), claims }
}

fn published(name: &str, standing: NameStanding) -> ClaimFacts {
    let published = vec![(name.parse().unwrap(), standing)];
    ClaimFacts { host_name: name.to_owned(), state: State::Published, published }
}

fn stored(name: &str) -> ClaimFacts {
    published(name, NameStanding::Stored(values()))
}

fn denied(name: &str) -> ClaimFacts {
    let denial = Denial::new("prefix-denied", "not this one");
    ClaimFacts { host_name: name.to_owned(), state: State::Denied(denial), published: Vec::new() }
}

const NAME: &str = "shop.w1.openmcp.cluster";

#[test]
fn a_name_is_recorded_then_resolvable_then_propagated() {
    let mut world = World::new();
    world.news("shop", vec![parent("entry", vec![published(NAME, NameStanding::Open)])]);
    world.work(Ok(()));
    assert_eq!(world.written, 0, "what lasts a moment is not written");
    world.pass(Duration::from_secs(2));
    insta::assert_snapshot!(world.said("shop").join("\n"), @r"
    entry Recorded=Unknown InProgress: shop.w1.openmcp.cluster is being written
    entry Resolvable=Unknown InProgress: not all names are recorded
    entry Propagated=Unknown InProgress: not all names are resolvable
    ");
    world.news("shop", vec![parent("entry", vec![stored(NAME)])]);
    world.pass(Duration::from_secs(2));
    insta::assert_snapshot!(world.said("shop").join("\n"), @r"
    entry Recorded=True Succeeded: shop.w1.openmcp.cluster 10.0.0.1
    entry Resolvable=Unknown InProgress: shop.w1.openmcp.cluster is not answered yet
    entry Propagated=Unknown InProgress: not all names are resolvable
    ");
    world.answered(NAME, Standing::Matching);
    world.now += PAUSE;
    world.work(Err("the DNS server at 10.0.0.53:53 answers NXDOMAIN"));
    insta::assert_snapshot!(world.said("shop").join("\n"), @r"
    entry Recorded=True Succeeded: shop.w1.openmcp.cluster 10.0.0.1
    entry Resolvable=True Succeeded: the central DNS answers all names so
    entry Propagated=False Mismatch: shop.w1.openmcp.cluster: the DNS server at 10.0.0.53:53 answers NXDOMAIN
    ");
    world.pass(Duration::from_secs(5));
    insta::assert_snapshot!(world.said("shop").join("\n"), @r"
    entry Recorded=True Succeeded: shop.w1.openmcp.cluster 10.0.0.1
    entry Resolvable=True Succeeded: the central DNS answers all names so
    entry Propagated=Unknown InProgress: who asked before may keep an old answer for 60 s after every DNS server has the new one
    ");
    world.pass(Duration::from_secs(60));
    insta::assert_snapshot!(world.said("shop").join("\n"), @r"
    entry Recorded=True Succeeded: shop.w1.openmcp.cluster 10.0.0.1
    entry Resolvable=True Succeeded: the central DNS answers all names so
    entry Propagated=True Succeeded: every DNS server has them, and what was answered before has run out
    ");
    let written = world.written;
    world.pass(Duration::from_secs(3600));
    assert_eq!(world.written, written, "nothing more is to be said");
}

#[test]
fn the_worst_of_several_names_is_said_and_each_parent_has_its_own() {
    let mut world = World::new();
    let lost = "shop.w1.openmcp.cluster is published for HTTPRoute/default/older of cluster s/w2";
    let trap = crate::policy::PolicyFailure::new(crate::policy::FailureKind::Trap, "trap");
    let failed = ClaimFacts { state: State::Undecided(trap), ..denied("odd.w1.openmcp.cluster") };
    world.news(
        "shop",
        vec![
            parent("first", vec![stored(NAME), denied("deny-b.w1.openmcp.cluster"), failed.clone()]),
            parent("second", vec![published(NAME, NameStanding::GaveWay(lost.to_owned()))]),
            parent("third", vec![published(NAME, NameStanding::Refused("no space".to_owned()))]),
            parent("fourth", vec![stored(NAME), failed]),
            parent("fifth", vec![stored("wrong.w1.openmcp.cluster"), stored("silent.w1.openmcp.cluster")]),
            parent("none", Vec::new()),
        ],
    );
    world.answered("wrong.w1.openmcp.cluster", Standing::Mismatching("NXDOMAIN".into()));
    world.answered("silent.w1.openmcp.cluster", Standing::Unanswered("no answer: timeout".into()));
    world.work(Ok(()));
    insta::assert_snapshot!(world.said("shop").join("\n"), @r"
    first Recorded=False HostNameDenied: deny-b.w1.openmcp.cluster is not published (prefix-denied): not this one; odd.w1.openmcp.cluster is not published (policy-failed): the policy module failed (Trap): trap
    first Resolvable=False HostNameDenied: not all names are recorded
    first Propagated=False HostNameDenied: not all names are resolvable
    second Recorded=False HostNameConflict: shop.w1.openmcp.cluster is published for HTTPRoute/default/older of cluster s/w2
    second Resolvable=False HostNameConflict: not all names are recorded
    second Propagated=False HostNameConflict: not all names are resolvable
    third Recorded=False StoreUnavailable: shop.w1.openmcp.cluster: the store does not take it: no space
    third Resolvable=False StoreUnavailable: not all names are recorded
    third Propagated=False StoreUnavailable: not all names are resolvable
    fourth Recorded=Unknown PolicyFailed: odd.w1.openmcp.cluster is not published (policy-failed): the policy module failed (Trap): trap
    fourth Resolvable=Unknown PolicyFailed: not all names are recorded
    fourth Propagated=Unknown PolicyFailed: not all names are resolvable
    fifth Recorded=True Succeeded: wrong.w1.openmcp.cluster 10.0.0.1; silent.w1.openmcp.cluster 10.0.0.1
    fifth Resolvable=False Mismatch: wrong.w1.openmcp.cluster: the central DNS answers NXDOMAIN; silent.w1.openmcp.cluster: no answer: timeout
    fifth Propagated=False Mismatch: not all names are resolvable
    ");
}

#[test]
fn what_stands_there_after_a_restart_stays_until_all_is_known_and_is_not_written_again() {
    let mut world = World::new();
    let facts = || vec![parent("entry", vec![stored(NAME)])];
    world.news("shop", facts());
    world.answered(NAME, Standing::Matching);
    world.pass(Duration::from_secs(120));
    let said = world.said("shop");
    assert!(said[2].contains("Propagated=True"), "{said:?}");
    world.restart();
    world.news("shop", facts());
    world.pass(Duration::from_secs(5));
    world.answered(NAME, Standing::Matching);
    world.pass(Duration::from_secs(600));
    assert_eq!((world.written, world.said("shop")), (0, said));
    // But what the DNS servers answer otherwise by now is found out anew.
    let value = RecordValue::parse(RecordType::A, "10.0.0.2").unwrap();
    let other: Values = [value].into_iter().collect();
    world.news("shop", vec![parent("entry", vec![published(NAME, NameStanding::Stored(other))])]);
    world.pass(Duration::from_secs(5));
    assert!(world.said("shop")[2].contains("Propagated=Unknown"), "{:?}", world.said("shop"));
}

#[test]
fn a_route_that_claims_nothing_any_more_loses_our_entry_and_only_that() {
    let mut world = World::new();
    let theirs =
        json!({ "controllerName": "example.com/x", "parentRef": { "name": "entry" }, "conditions": [] });
    world.parents.insert(source("shop"), vec![theirs.clone()]);
    world.news("shop", vec![parent("entry", vec![denied(NAME)])]);
    world.work(Ok(()));
    assert_eq!(world.parents[&source("shop")].len(), 2);
    world.news("shop", Vec::new());
    world.pass(Duration::from_secs(2));
    assert_eq!(world.parents[&source("shop")], [theirs]);
    world.news("other", Vec::new());
    assert_eq!(world.statuses.routes.len(), 0, "of a route without anything, nothing is kept");
}

#[test]
fn many_routes_are_written_one_after_the_other_and_each_not_twice_in_a_second() {
    let mut world = World::new();
    let began = world.now;
    for number in 0..1_000 {
        world.news(&format!("r{number}"), vec![parent("entry", vec![denied(NAME)])]);
    }
    world.work(Ok(()));
    let at_once = usize::try_from(WRITES_PER_SECOND * BURST_SECONDS).unwrap();
    assert_eq!(world.written, at_once);
    while world.written < 1_000 {
        world.now = world.statuses.wakes_at(world.now).unwrap();
        world.work(Ok(()));
    }
    assert_eq!(
        world.now.duration_since(began).as_secs(),
        (1_000 - at_once as u64) / u64::from(WRITES_PER_SECOND)
    );
    world.now += Duration::from_secs(60);
    world.news("r1", vec![parent("entry", vec![denied("a.w1.openmcp.cluster")])]);
    world.work(Ok(()));
    world.news("r1", vec![parent("entry", vec![denied("b.w1.openmcp.cluster")])]);
    world.work(Ok(()));
    assert_eq!(world.written, 1_001);
    world.pass(PAUSE);
    assert_eq!(world.written, 1_002);
}

#[test]
fn who_takes_our_entries_away_again_and_again_is_given_way() {
    let mut world = World::new();
    let facts = || vec![parent("entry", vec![denied(NAME)])];
    world.news("shop", facts());
    world.work(Ok(()));
    let began = world.now;
    for _ in 0..20 {
        world.parents.insert(source("shop"), Vec::new());
        world.news("shop", facts());
        let written = world.written;
        world.work(Ok(()));
        while world.written == written {
            world.now = world.statuses.wakes_at(world.now).unwrap();
            world.work(Ok(()));
        }
    }
    assert!(world.now.duration_since(began) > LONGEST_PAUSE * 10, "{:?}", world.now.duration_since(began));
}

#[test]
fn a_kind_that_may_not_be_written_is_tried_once_in_a_while_and_holds_up_no_other() {
    let mut world = World::new();
    for number in 0..50 {
        world.news(&format!("r{number}"), vec![parent("entry", vec![denied(NAME)])]);
    }
    let tls = RouteNews {
        source: SourceRef::new(Kind::TlsRoute, "default", "tls"),
        facts: Some(RouteFacts {
            uid: "tls".to_owned(),
            generation: 1,
            parents: vec![parent("entry", vec![denied(NAME)])],
            own: OwnEntries::default(),
        }),
    };
    world.statuses.news(tls, world.now);
    let (mut tried, end) = (0, world.now + Duration::from_secs(600));
    let mut has_tls = false;
    while world.now < end {
        while let Some(todo) = world.statuses.next(world.now) {
            let Todo::Write(writing) = todo else { panic!("a question") };
            let is_tls = writing.source.kind == Kind::TlsRoute;
            has_tls |= is_tls;
            tried += usize::from(!is_tls);
            let stands = WriteEnd::Stands(OwnEntries::of(&writing.entries));
            let end = if is_tls { stands } else { WriteEnd::Forbidden };
            world.statuses.written(&writing, &end, world.now);
        }
        world.now = world.statuses.wakes_at(world.now).unwrap_or(end).min(end);
    }
    assert!(has_tls && (5..=15).contains(&tried), "{tried}");
}

#[test]
fn an_api_server_that_writes_otherwise_than_asked_is_not_asked_for_ever() {
    let mut world = World::new();
    world.news("shop", vec![parent("entry", vec![denied(NAME)])]);
    let Some(Todo::Write(writing)) = world.statuses.next(world.now) else { panic!("no write") };
    let others = OwnEntries::of(&[Entry { conditions: Vec::new(), ..writing.entries[0].clone() }]);
    world.statuses.written(&writing, &WriteEnd::Stands(others), world.now);
    world.now += Duration::from_secs(3600);
    assert!(world.statuses.next(world.now).is_none());
    // Also when the watch shows it.
    let mut facts = world.statuses.routes[&source("shop")].facts.clone();
    facts.own = others;
    world.statuses.news(RouteNews { source: source("shop"), facts: Some(facts) }, world.now);
    assert!(world.statuses.next(world.now).is_none());
}

#[test]
fn a_condition_keeps_its_time_while_its_status_stays() {
    let entry = |status, message: &str| Entry {
        parent: serde_json::from_value(json!({ "name": "entry", "sectionName": "http" })).unwrap(),
        conditions: vec![crate::kinds::EntryCondition {
            condition_type: "Recorded",
            status,
            reason: "Succeeded",
            message: message.to_owned(),
            observed_generation: 1,
        }],
    };
    let first = merged(&[], &[entry("True", "a")], "2026-01-01T00:00:00Z").unwrap();
    let second = merged(&first, &[entry("True", "b")], "2026-02-02T00:00:00Z").unwrap();
    assert_eq!(second[0]["conditions"][0]["message"], "b");
    assert_eq!(second[0]["conditions"][0]["lastTransitionTime"], "2026-01-01T00:00:00Z");
    let third = merged(&second, &[entry("False", "b")], "2026-03-03T00:00:00Z").unwrap();
    assert_eq!(third[0]["conditions"][0]["lastTransitionTime"], "2026-03-03T00:00:00Z");
    assert_eq!(merged(&third, &[entry("False", "b")], "2026-04-04T00:00:00Z"), None);
}

/// A list as it may stand there: entries of others, of ours, and what is neither.
fn any_parents() -> impl Strategy<Value = Vec<Value>> {
    let entry = (0..5u8, 0..3u8, any::<bool>()).prop_map(|(controller, parent, status)| match controller {
        0 => json!({
            "controllerName": CONTROLLER_NAME, "parentRef": { "name": format!("p{parent}") },
            "conditions": [{ "type": "Recorded", "status": status.to_string() }],
        }),
        1 => json!("no entry"),
        _ => json!({
            "controllerName": format!("example.com/{controller}"), "parentRef": { "name": format!("p{parent}") },
            "conditions": [{ "type": "Accepted", "status": status.to_string(), "more": parent }],
        }),
    });
    proptest::collection::vec(entry, 0..40)
}

proptest! {
    #[test]
    fn entries_of_others_survive_as_they_are(parents in any_parents(), wanted in 0..5usize) {
        let wanted: Vec<Entry> = (0..wanted).map(|number| Entry {
            parent: serde_json::from_value(json!({ "name": format!("p{number}") })).unwrap(),
            conditions: Vec::new(),
        }).collect();
        let is_other = |entry: &&Value| entry["controllerName"] != CONTROLLER_NAME;
        let others: Vec<&Value> = parents.iter().filter(is_other).collect();
        let after = merged(&parents, &wanted, "2026-01-01T00:00:00Z").unwrap_or_else(|| parents.clone());
        prop_assert_eq!(after.iter().filter(is_other).collect::<Vec<_>>(), others.clone());
        let own = after.len() - others.len();
        prop_assert_eq!(own, wanted.len().min(32usize.saturating_sub(others.len())));
        prop_assert_eq!(merged(&after, &wanted, "2026-02-02T00:00:00Z"), None, "a second time changes nothing");
    }
}
