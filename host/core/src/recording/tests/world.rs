//! Plays modules, store, watches and time, one step at a time and without a thread.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::rules::{Rules, ZONE, id, ingress};
use crate::cluster::ClusterId;
use crate::cluster_policy::ClusterPolicy;
use crate::expectation::Expectation;
use crate::kinds::{Kind, Watched};
use crate::mirror::StoredName;
use crate::mirror::{KeyValue, StoreEvent};
use crate::objects::Change;
use crate::plan::NamePlan;
use crate::record::{RecordType, RecordValue};
use crate::recording::{
    Answer, ClusterCommand, Effect, Input, Job, Observation, Recording, Report, Role, Summary, WriteResult,
    Written,
};
use crate::skydns::{Entry, Prefix, parse_key};

/// What the store holds: names, and at each the cluster and value of every record.
pub(super) type Stored = BTreeSet<(String, String, String)>;

/// Revision and contents of a store.
pub(super) type Backup = (i64, BTreeMap<String, (Vec<u8>, i64)>);

#[derive(Default)]
struct Store {
    revision: i64,
    entries: BTreeMap<String, (Vec<u8>, i64)>,
}

pub(super) struct World {
    pub(super) recording: Recording,
    pub(super) now: Instant,
    pub(super) reports: Vec<Report>,
    pub(super) released: Vec<ClusterId>,
    /// Not answered.
    pub(super) jobs: VecDeque<Job>,
    /// Not heard.
    pub(super) answers: VecDeque<Answer>,
    /// Not carried out.
    pub(super) writes: VecDeque<NamePlan>,
    /// What was begun since somebody looked.
    pub(super) begun: Vec<NamePlan>,
    /// Not seen.
    pub(super) events: VecDeque<StoreEvent>,
    store: Store,
}

impl World {
    /// Nothing is stored, and that is not known yet.
    pub(super) fn unread() -> Self {
        let mut world = Self {
            recording: Recording::new(Prefix::default()).telling_decisions(),
            now: Instant::now(),
            reports: Vec::new(),
            released: Vec::new(),
            jobs: VecDeque::new(),
            answers: VecDeque::new(),
            writes: VecDeque::new(),
            begun: Vec::new(),
            events: VecDeque::new(),
            store: Store::default(),
        };
        world.reread();
        world
    }

    pub(super) fn new() -> Self {
        let mut world = Self::unread();
        while world.echo() {}
        world
    }

    /// Everything is forgotten but what the store holds.
    pub(super) fn restart(&mut self) {
        let store = std::mem::take(&mut self.store);
        *self = Self { now: self.now, store, ..Self::unread() };
        self.events.clear();
        self.reread();
        while self.echo() {}
    }

    /// The watch of the store begins anew.
    pub(super) fn reread(&mut self) {
        // Whoever follows the store does not forget that it was restored before that was told.
        let is_restored = |event: &StoreEvent| matches!(event, StoreEvent::Read { restored: true, .. });
        let restored = self.events.iter().any(is_restored);
        self.events.clear();
        let entries = self.store.entries.iter().map(|(key, (value, revision))| KeyValue {
            key: key.clone(),
            value: Some(value.clone()),
            mod_revision: *revision,
        });
        let entries: Vec<KeyValue> = entries.collect();
        self.events.push_back(StoreEvent::Reading);
        self.events.extend(entries.chunks(3).map(|page| StoreEvent::Page(page.to_vec())));
        self.events.push_back(StoreEvent::Read { revision: self.store.revision, restored });
    }

    /// What the store holds now.
    pub(super) fn back_up(&self) -> Backup {
        (self.store.revision, self.store.entries.clone())
    }

    /// The store is what it was then, and its watch begins anew.
    pub(super) fn restore(&mut self, (revision, entries): Backup) {
        self.store = Store { revision, entries };
        self.reread();
        if let Some(StoreEvent::Read { restored, .. }) = self.events.back_mut() {
            *restored = true;
        }
    }

    // === inputs ===

    pub(super) fn tell(&mut self, input: Input) {
        self.tell_together([input]);
    }

    /// Inputs of one round.
    pub(super) fn tell_together(&mut self, inputs: impl IntoIterator<Item = Input>) {
        for input in inputs {
            let effects = self.recording.handle(input, self.now);
            self.take(effects);
        }
        let effects = self.recording.round(self.now);
        self.take(effects);
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Ask(job) => self.jobs.push_back(job),
                Effect::Cancel(cluster, role) => {
                    self.jobs.retain(|job| job.cluster != cluster || job.role != role);
                }
                Effect::Write(plan) => {
                    let busy = self.writes.iter().any(|other| other.name == plan.name);
                    assert!(!busy, "two transactions at {} at once", plan.name);
                    self.check_types(&plan);
                    self.begun.push(plan.clone());
                    self.writes.push_back(plan);
                }
                Effect::Tell(report) => {
                    if let Report::Held { held: Some(held), published, .. } = &report {
                        assert!(0 < held.names && 0 < *published);
                    }
                    self.reports.push(report);
                }
                Effect::Released(cluster) => self.released.push(cluster),
            }
        }
    }

    /// No plan puts anything beside a CNAME, by what is known of the store.
    fn check_types(&self, plan: &NamePlan) {
        let store = self.recording.names.store();
        let stored = store.at(&plan.name);
        let has_foreign =
            stored.into_iter().flat_map(StoredName::iter).any(|stored| stored.owner().is_none());
        let is_mixed = |expectation: &Expectation| {
            let is_cname = |value: &RecordValue| value.record_type() == RecordType::Cname;
            expectation.values.iter().any(is_cname)
                && (expectation.values.len() > 1 || !expectation.values.iter().all(is_cname))
        };
        let before = Expectation::from_stored(&plan.name, stored);
        let after = Expectation::after(plan, &Prefix::default(), stored, 0);
        let may = has_foreign || is_mixed(&before);
        assert!(may || !is_mixed(&after), "{:?} becomes {:?}", before.values, after.values);
    }

    pub(super) fn command(&mut self, cluster: &str, command: ClusterCommand) {
        self.tell(Input::Command(id(cluster), command));
    }

    pub(super) fn govern(&mut self, cluster: &str, rules: &Rules) {
        self.command(cluster, ClusterCommand::Govern(Box::new(rules.policy(cluster))));
    }

    pub(super) fn compare(&mut self, cluster: &str, rules: &Rules, candidate: &Rules) {
        let policy = ClusterPolicy { candidate: Some(candidate.module(cluster)), ..rules.policy(cluster) };
        self.command(cluster, ClusterCommand::Govern(Box::new(policy)));
    }

    pub(super) fn observe(&mut self, cluster: &str, change: Change) {
        self.tell(Input::Observation(id(cluster), Observation::Change(change)));
    }

    /// These are all Ingresses, and there is nothing else.
    pub(super) fn list(&mut self, cluster: &str, ingresses: Vec<Watched>) {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Ingress) {
            self.observe(cluster, Change::Replaced(kind, Vec::new()));
        }
        self.observe(cluster, Change::Replaced(Kind::Ingress, ingresses));
    }

    /// These are all Ingresses, each with its name as the first label of its host.
    pub(super) fn list_named(&mut self, cluster: &str, names: &[&str]) {
        let ingress = |name: &&str| ingress(name, &format!("{name}.{cluster}.{ZONE}"), "10.0.0.1");
        self.list(cluster, names.iter().map(ingress).collect());
    }

    pub(super) fn remove(&mut self, cluster: &str, name: &str) {
        let key = ("default".to_owned(), name.to_owned());
        self.observe(cluster, Change::Removed(Kind::Ingress, key));
    }

    pub(super) fn confirm(&mut self, cluster: &str) {
        if let Some(held) = self.summary(cluster).held {
            self.command(cluster, ClusterCommand::Confirm(held.token));
        }
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.now += time;
        self.tell(Input::Tick);
    }

    // === what others do; each gives whether there was anything to do ===

    /// A module answers, but nobody hears it yet.
    pub(super) fn think(&mut self) -> bool {
        let Some(job) = self.jobs.pop_front() else { return false };
        self.answers.push_back(job.answer());
        true
    }

    pub(super) fn hear(&mut self) -> bool {
        let Some(answer) = self.answers.pop_front() else { return false };
        self.tell(Input::Answer(answer));
        true
    }

    /// All modules answer that are asked in this role.
    pub(super) fn answer(&mut self, role: Role) {
        while let Some(at) = self.jobs.iter().position(|job| job.role == role) {
            let answer = self.jobs.remove(at).unwrap().answer();
            self.tell(Input::Answer(answer));
        }
    }

    /// The store carries out a transaction, and does not show it yet.
    pub(super) fn commit(&mut self) -> bool {
        let Some(plan) = self.writes.pop_front() else { return false };
        let result = self.carry_out(&plan);
        self.tell(Input::Written(Written { plan, result }));
        true
    }

    /// As [`Self::commit`], but nobody hears that it was done.
    pub(super) fn commit_unheard(&mut self) -> bool {
        let Some(plan) = self.writes.pop_front() else { return false };
        self.carry_out(&plan);
        let result = WriteResult::Unavailable("timeout".to_owned());
        self.tell(Input::Written(Written { plan, result }));
        true
    }

    fn carry_out(&mut self, plan: &NamePlan) -> WriteResult {
        let Store { revision, entries } = &mut self.store;
        let current = |key: &String| entries.get(key).map_or(0, |(_, revision)| *revision);
        if plan.changes.iter().any(|change| current(&change.key) != change.expected_mod_revision) {
            return WriteResult::Conflict;
        }
        *revision += 1;
        let mut changes = Vec::new();
        for change in plan.changes.iter().cloned() {
            match change.value.clone() {
                Some(value) => entries.insert(change.key.clone(), (value, *revision)),
                None => entries.remove(&change.key),
            };
            changes.push(KeyValue { key: change.key, value: change.value, mod_revision: *revision });
        }
        self.events.push_back(StoreEvent::Changed { revision: *revision, changes });
        WriteResult::Done(*revision)
    }

    /// The store refuses a transaction.
    pub(super) fn refuse(&mut self) -> bool {
        let Some(plan) = self.writes.pop_front() else { return false };
        let result = WriteResult::Refused("no space".to_owned());
        self.tell(Input::Written(Written { plan, result }));
        true
    }

    /// The store does not answer.
    pub(super) fn fail(&mut self) -> bool {
        let Some(plan) = self.writes.pop_front() else { return false };
        let result = WriteResult::Unavailable("no leader".to_owned());
        self.tell(Input::Written(Written { plan, result }));
        true
    }

    /// The store shows a change.
    pub(super) fn echo(&mut self) -> bool {
        let Some(event) = self.events.pop_front() else { return false };
        self.tell(Input::Store(event));
        true
    }

    /// Somebody else writes a value at a name.
    pub(super) fn write_foreign(&mut self, key: &str, json: &str) {
        self.store.revision += 1;
        let (revision, value) = (self.store.revision, json.as_bytes().to_vec());
        self.store.entries.insert(key.to_owned(), (value.clone(), revision));
        let change = KeyValue { key: key.to_owned(), value: Some(value), mod_revision: revision };
        self.events.push_back(StoreEvent::Changed { revision, changes: vec![change] });
    }

    /// Until nothing is left to do.
    pub(super) fn rest(&mut self) {
        for _ in 0..10_000 {
            if !(self.think() || self.hear() || self.echo() || self.commit()) {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    // === what can be seen ===

    pub(super) fn summary(&self, cluster: &str) -> Summary {
        self.recording.summary(&id(cluster), self.now)
    }

    /// What of ours the store holds.
    pub(super) fn stored(&self) -> Stored {
        let ours = self.store.entries.iter().filter_map(|(key, (value, _))| {
            let name = parse_key(&Prefix::default(), key)?.host_name().ok()?;
            let entry = Entry::decode(value).ok()?;
            let cluster = entry.owner.as_deref()?.rsplit('/').next()?.to_owned();
            Some((name.to_string(), cluster, entry.value().ok()?.to_string()))
        });
        ours.collect()
    }

    /// The names of ours that the store holds, without the zone.
    pub(super) fn names(&self) -> Vec<String> {
        let names: BTreeSet<String> = self.stored().into_iter().map(|(name, ..)| name).collect();
        names.into_iter().map(|name| name.trim_end_matches(ZONE).trim_end_matches('.').to_owned()).collect()
    }

    /// At how many names the store holds something of a cluster.
    pub(super) fn names_of(&self, cluster: &str) -> usize {
        let stored = self.stored();
        let names: BTreeSet<&String> =
            stored.iter().filter(|(_, of, _)| of == cluster).map(|(name, ..)| name).collect();
        names.len()
    }

    pub(super) fn value(&self, key: &str) -> Option<Vec<u8>> {
        self.store.entries.get(key).map(|(value, _)| value.clone())
    }

    pub(super) fn revision_of(&self, key: &str) -> Option<i64> {
        self.store.entries.get(key).map(|(_, revision)| *revision)
    }

    pub(super) fn has_key(&self, key: &str) -> bool {
        self.store.entries.contains_key(key)
    }

    /// Of the store; grows with every change.
    pub(super) fn revision(&self) -> i64 {
        self.store.revision
    }
}
