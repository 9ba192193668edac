//! Reports as an API server has them, what is known of names, and what is written when.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::cluster::SourceRef;
use crate::kinds::Kind;

/// An API server with reports, the recorder, and the machine between them.
struct World {
    machine: OpenReports,
    now: Instant,
    is_served: bool,
    may_write: bool,
    reports: BTreeMap<String, Value>,
    version: u64,
    written: usize,
    looks: usize,
    /// What the recorder knows.
    findings: BTreeMap<String, Vec<Finding>>,
    wanted: Wanted,
    epoch: u64,
    is_complete: bool,
    changed: BTreeSet<String>,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            machine: OpenReports::new(now),
            now,
            is_served: true,
            may_write: true,
            reports: BTreeMap::new(),
            version: 0,
            written: 0,
            looks: 0,
            findings: BTreeMap::new(),
            wanted: Wanted::Yes,
            epoch: 1,
            is_complete: true,
            changed: BTreeSet::new(),
        }
    }

    /// The service is started anew; what stands in the cluster stays.
    fn restart(&mut self) {
        self.machine = OpenReports::new(self.now);
        self.changed = self.findings.keys().cloned().collect();
        (self.written, self.looks) = (0, 0);
    }

    fn find(&mut self, namespace: &str, findings: Vec<Finding>) {
        self.findings.insert(namespace.to_owned(), findings);
        self.changed.insert(namespace.to_owned());
        self.hear();
    }

    /// As the policy says from now on.
    fn want(&mut self, wanted: Wanted) {
        (self.wanted, self.epoch) = (wanted, self.epoch + 1);
        self.changed =
            self.findings.iter().filter(|(_, all)| !all.is_empty()).map(|(name, _)| name.clone()).collect();
        self.hear();
    }

    /// The machine hears what the recorder knows, as far as it takes it.
    fn hear(&mut self) {
        loop {
            self.changed.extend(self.machine.take_again());
            let mut namespaces = Vec::new();
            while self.wanted == Wanted::Yes
                && namespaces.len() < self.machine.room()
                && let Some(name) = self.changed.pop_first()
            {
                let found = self.findings.get(&name).cloned().unwrap_or_default();
                namespaces.push((name, Findings::of("policy", found)));
            }
            let has_more = !self.changed.is_empty();
            let news = FindingsNews {
                wanted: self.wanted,
                epoch: self.epoch,
                is_complete: self.is_complete,
                namespaces,
                has_more,
            };
            self.machine.news(news, self.now);
            if self.machine.room() == 0
                || !(has_more && self.wanted == Wanted::Yes || self.machine.asks_again())
            {
                return;
            }
        }
    }

    fn put(&mut self, namespace: &str, mut report: Value) {
        self.version += 1;
        report["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.reports.insert(namespace.to_owned(), report);
    }

    fn version(&self, namespace: &str) -> String {
        self.reports[namespace]["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
    }

    /// What comes of a write, as of one of an API server.
    fn write(&mut self, Writing { namespace, findings }: &Writing) -> WriteEnd {
        if !self.may_write {
            return WriteEnd::Forbidden;
        }
        if !self.is_served {
            return WriteEnd::NotFound;
        }
        let standing = self.reports.get(namespace).cloned();
        if standing.as_ref().is_some_and(|standing| !is_our_report(standing)) {
            return WriteEnd::Failed;
        }
        let Some(findings) = findings else {
            self.written += usize::from(self.reports.remove(namespace).is_some());
            return WriteEnd::Gone;
        };
        let seconds = i64::try_from(self.written).unwrap();
        let report = match standing {
            None => Some(new_report(namespace, findings, seconds)),
            Some(standing) => changed_report(&standing, findings, seconds),
        };
        if let Some(report) = report {
            self.written += 1;
            self.put(namespace, report);
        }
        WriteEnd::Stands(self.version(namespace))
    }

    fn work(&mut self) {
        while let Some(todo) = self.machine.next(self.now) {
            match todo {
                Todo::LookOver if !self.is_served => {
                    self.looks += 1;
                    self.machine.looked_over(LookEnd::NotServed, self.now);
                }
                Todo::LookOver => {
                    self.looks += 1;
                    let ours = self.reports.iter().filter(|(_, report)| is_our_report(report));
                    let found = ours.map(|(name, _)| (name.clone(), self.version(name))).collect();
                    self.machine.looked_over(LookEnd::Found(found), self.now);
                }
                Todo::Write(writing) => {
                    let end = self.write(&writing);
                    self.machine.written(&writing, end, self.now);
                }
            }
            self.hear();
        }
    }

    /// Time passes, and what there is to do is done when it is due.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.hear();
        self.work();
        while let Some(at) = self.machine.wakes_at(self.now).filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.work();
        }
        self.now = end;
    }

    fn result(&self, namespace: &str, index: usize) -> &Value {
        &self.reports[namespace]["results"][index]
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(1000);

pub(super) fn finding(route: &str, host_name: &str, outcome: Outcome) -> Finding {
    Finding {
        source: SourceRef::new(Kind::HttpRoute, "ns", route),
        uid: format!("uid-{route}"),
        host_name: host_name.to_owned(),
        outcome,
        code: "no".to_owned(),
        message: format!("{host_name} is not published"),
        guard: None,
        winner: None,
    }
}

pub(super) fn denied(route: &str, host_name: &str) -> Finding {
    finding(route, host_name, Outcome::Denied)
}

#[test]
fn a_report_comes_changes_and_goes_with_what_is_found() {
    let mut world = World::new();
    world.find("ns", vec![denied("shop", "a.w1")]);
    world.pass(MINUTE);
    assert_eq!(world.result("ns", 0)["properties"]["hostName"], "a.w1");
    world.find("ns", vec![denied("shop", "b.w1")]);
    world.pass(MINUTE);
    assert_eq!(world.result("ns", 0)["properties"]["hostName"], "b.w1");
    assert_eq!(world.written, 2);
    world.find("ns", vec![denied("shop", "b.w1")]);
    world.pass(LONG);
    assert_eq!(world.written, 2, "the same is not written again");
    world.find("ns", Vec::new());
    world.pass(MINUTE);
    assert!(world.reports.is_empty());
    assert!(world.machine.namespaces.is_empty() && world.machine.with_room.is_empty());
}

#[test]
fn names_that_come_and_go_all_the_time_lead_to_a_write_every_other_second_at_most() {
    let mut world = World::new();
    for number in 0..600 {
        world.find("ns", vec![denied("shop", &format!("n{number}.w1"))]);
        world.pass(Duration::from_millis(100));
    }
    assert!((20..=31).contains(&world.written), "{}", world.written);
}

#[test]
fn many_namespaces_are_written_one_after_the_other() {
    let mut world = World::new();
    for number in 0..500 {
        world.find(&format!("ns-{number}"), vec![denied("shop", "a.w1")]);
    }
    world.pass(Duration::from_secs(50));
    assert!((200..=280).contains(&world.written), "{}", world.written);
    world.pass(LONG);
    assert_eq!(world.reports.len(), 500);
}

#[test]
fn too_many_namespaces_have_no_report_until_there_is_room() {
    let mut world = World::new();
    for number in 0..MOST_REPORTS + 5 {
        world.find(&format!("ns-{number:05}"), vec![denied("shop", "a.w1")]);
        world.pass(Duration::from_millis(300));
    }
    world.pass(LONG);
    assert_eq!((world.reports.len(), world.machine.standing()), (MOST_REPORTS, Standing::TooMany));
    for number in 0..5 {
        world.find(&format!("ns-{number:05}"), Vec::new());
    }
    world.pass(LONG);
    assert_eq!((world.reports.len(), world.machine.standing()), (MOST_REPORTS, Standing::Fine));
}

#[test]
fn after_a_restart_nothing_is_written_that_stands_there_and_what_is_no_more_goes() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.find(name, vec![denied("shop", "a.w1")]);
    }
    world.pass(MINUTE);
    world.restart();
    world.findings.remove("c");
    world.changed.remove("c");
    world.pass(MINUTE);
    assert_eq!(world.reports.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(world.written, 1, "only the last one has changed");
}

#[test]
fn after_a_restart_nothing_goes_before_all_is_decided() {
    let mut world = World::new();
    world.find("ns", vec![denied("shop", "a.w1"), denied("web", "b.w1")]);
    world.find("other", vec![denied("shop", "a.w1")]);
    world.pass(MINUTE);
    world.restart();
    world.is_complete = false;
    world.findings.clear();
    world.changed.clear();
    // Of one object it is known already; one namespace had no report.
    world.find("ns", vec![denied("shop", "a.w1")]);
    world.find("new", vec![denied("shop", "a.w1")]);
    world.pass(MINUTE / 2);
    assert_eq!(world.reports["ns"]["summary"]["fail"], 2);
    assert!(world.reports.contains_key("new"));
    world.pass(LONG);
    assert_eq!(world.reports["ns"]["summary"]["fail"], 1, "that is not waited for without end");
    assert!(world.reports.contains_key("other"), "it is not known that there is nothing");
    world.is_complete = true;
    world.pass(MINUTE);
    assert!(!world.reports.contains_key("other"));
}

#[test]
fn all_goes_when_reports_are_no_longer_wanted_also_after_a_restart() {
    for restarts in [false, true] {
        let mut world = World::new();
        world.find("ns", vec![denied("shop", "a.w1")]);
        world.pass(MINUTE);
        if restarts {
            world.restart();
            world.want(Wanted::Unknown);
            world.pass(MINUTE);
            assert_eq!((world.reports.len(), world.looks), (1, 0), "nobody knows yet");
        }
        world.want(Wanted::No);
        world.pass(MINUTE);
        assert!(world.reports.is_empty());
        let looks = world.looks;
        world.pass(LONG);
        assert_eq!(world.looks, looks, "nothing more is asked");
        world.want(Wanted::Yes);
        world.pass(MINUTE);
        assert_eq!(world.reports.len(), 1);
    }
}

#[test]
fn where_they_are_not_served_they_come_with_their_crd_and_come_back_with_it() {
    let mut world = World::new();
    world.is_served = false;
    world.find("ns", vec![denied("shop", "a.w1")]);
    world.pass(LONG);
    assert_eq!((world.machine.standing(), world.written), (Standing::NotServed, 0));
    assert!(world.looks < 45, "{}", world.looks);
    world.is_served = true;
    world.pass(MINUTE);
    assert_eq!((world.machine.standing(), world.reports.len()), (Standing::Fine, 1));
    // It goes, and all that there was with it; and comes back.
    (world.is_served, world.reports) = (false, BTreeMap::new());
    world.find("other", vec![denied("shop", "a.w1")]);
    world.pass(MINUTE);
    assert_eq!(world.machine.standing(), Standing::NotServed);
    world.is_served = true;
    world.pass(MINUTE);
    assert_eq!(world.reports.len(), 2);
}

#[test]
fn without_the_right_it_is_tried_once_a_minute() {
    let mut world = World::new();
    world.may_write = false;
    for number in 0..100 {
        world.find(&format!("ns-{number}"), vec![denied("shop", "a.w1")]);
    }
    let mut tries = 0;
    for _ in 0..600 {
        world.now += Duration::from_secs(1);
        while let Some(todo) = world.machine.next(world.now) {
            match todo {
                Todo::LookOver => world.machine.looked_over(LookEnd::Found(Vec::new()), world.now),
                Todo::Write(writing) => {
                    tries += 1;
                    world.machine.written(&writing, WriteEnd::Forbidden, world.now);
                }
            }
        }
    }
    assert!((8..=11).contains(&tries), "{tries}");
    world.may_write = true;
    world.pass(LONG);
    assert_eq!(world.reports.len(), 100);
}

#[test]
fn what_somebody_else_has_made_or_changed_is_left_alone_or_mended() {
    let mut world = World::new();
    world.put("theirs", json!({ "metadata": { "name": "openmcp-dns" } }));
    world.find("theirs", vec![denied("shop", "a.w1")]);
    world.find("ours", vec![denied("shop", "a.w1")]);
    world.pass(LONG);
    assert_eq!((world.written, world.reports["theirs"]["results"].is_null()), (1, true));
    let mut changed = world.reports["ours"].clone();
    changed["results"] = json!([]);
    world.put("ours", changed);
    world.pass(LONG);
    assert_eq!(world.result("ours", 0)["properties"]["hostName"], "a.w1");
    world.reports.remove("ours");
    world.pass(LONG);
    assert_eq!(world.reports.len(), 2);
    let writes = world.written;
    world.pass(LONG);
    assert_eq!(world.written, writes);
}

#[test]
fn writes_that_are_refused_in_many_namespaces_keep_no_others_waiting() {
    let mut world = World::new();
    for number in 0..200 {
        let name = format!("a-{number:03}");
        world.put(&name, json!({ "metadata": { "name": "openmcp-dns" } }));
        world.find(&name, vec![denied("shop", "a.w1")]);
    }
    world.pass(LONG);
    world.find("modest", vec![denied("shop", "a.w1")]);
    world.pass(MINUTE);
    assert_eq!(world.result("modest", 0)["properties"]["hostName"], "a.w1");
    // They have a report of ours when theirs is gone.
    world.reports.remove("a-000");
    world.pass(LONG);
    assert_eq!(world.result("a-000", 0)["properties"]["hostName"], "a.w1");
}

#[derive(Clone, Debug)]
enum Happening {
    Find(u8, u8),
    Want(bool),
    Serve(bool),
    Allow(bool),
    Change(u8),
    Remove(u8),
    Restart,
    Pass(u16),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        6 => (0..5u8, 0..4u8).prop_map(|(namespace, many)| Happening::Find(namespace, many)),
        1 => any::<bool>().prop_map(Happening::Want),
        1 => any::<bool>().prop_map(Happening::Serve),
        1 => any::<bool>().prop_map(Happening::Allow),
        1 => (0..5u8).prop_map(Happening::Change),
        1 => (0..5u8).prop_map(Happening::Remove),
        1 => Just(Happening::Restart),
        4 => (0..2000u16).prop_map(Happening::Pass),
    ];
    prop::collection::vec(one, 0..40)
}

proptest! {
    /// Whatever has happened, what stands there in the end is what is found, and nothing is written any more.
    #[test]
    fn in_the_end_what_stands_there_is_what_is_found(happenings in happenings()) {
        let mut world = World::new();
        for happening in happenings {
            match happening {
                Happening::Find(namespace, many) => {
                    let found = (0..many).map(|number| denied("shop", &format!("n{number}.w1")));
                    world.find(&format!("ns-{namespace}"), found.collect());
                }
                Happening::Want(is) => world.want(if is { Wanted::Yes } else { Wanted::No }),
                Happening::Serve(is) => {
                    if !is {
                        world.reports.clear();
                    }
                    world.is_served = is;
                }
                Happening::Allow(is) => world.may_write = is,
                Happening::Change(namespace) => {
                    let name = format!("ns-{namespace}");
                    if let Some(mut report) = world.reports.get(&name).cloned() {
                        report["results"] = json!([]);
                        world.put(&name, report);
                    }
                }
                Happening::Remove(namespace) => drop(world.reports.remove(&format!("ns-{namespace}"))),
                Happening::Restart => world.restart(),
                Happening::Pass(millis) => world.pass(Duration::from_millis(millis.into())),
            }
        }
        (world.is_served, world.may_write) = (true, true);
        world.pass(LONG * 3);
        let wanted: BTreeMap<String, usize> = match world.wanted {
            Wanted::Yes => {
                let some = world.findings.iter().filter(|(_, all)| !all.is_empty());
                some.map(|(name, all)| (name.clone(), all.len())).collect()
            }
            _ => BTreeMap::new(),
        };
        let results = |report: &Value| report["results"].as_array().unwrap().len();
        let stands: BTreeMap<String, usize> =
            world.reports.iter().map(|(name, report)| (name.clone(), results(report))).collect();
        prop_assert_eq!(stands, wanted);
        let written = world.written;
        world.pass(LONG * 3);
        prop_assert_eq!(world.written, written);
    }
}
