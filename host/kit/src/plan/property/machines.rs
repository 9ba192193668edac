//! The recording machines, with a store and modules that answer at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use openmcp_dns_core::kinds::Kind;
use openmcp_dns_core::mirror::{KeyValue, StoreEvent};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::objects::Change;
use openmcp_dns_core::recording::{
    ClusterCommand, Effect, Input, Job, Observation, Recording, Role, WriteResult, Written,
};
use openmcp_dns_core::skydns::{Entry, Owner, Prefix, parse_key};

use super::super::NotPublished;
use super::picture::{Picture, id, resource};
use crate::loaded_policy::LoadedPolicy;

/// A claim that is not published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    cluster: String,
    object: String,
    host_name: String,
    code: String,
    message: String,
}

impl Problem {
    pub(super) fn of(claim: NotPublished) -> Self {
        let NotPublished { host_name, cluster, object, code, message, stays: _ } = claim;
        Self { cluster, object, host_name, code, message }
    }
}

/// The machines, and what is around them.
pub(super) struct Machines {
    recording: Recording,
    now: Instant,
    jobs: Vec<Job>,
    revision: i64,
    entries: BTreeMap<String, (Vec<u8>, i64)>,
    clusters: BTreeSet<usize>,
}

impl Default for Machines {
    fn default() -> Self {
        let mut machines = Self {
            recording: Recording::new(Prefix::default()),
            now: Instant::now(),
            jobs: Vec::new(),
            revision: 1,
            entries: BTreeMap::new(),
            clusters: BTreeSet::new(),
        };
        let read = StoreEvent::Read { revision: machines.revision, restored: false };
        machines.tell([Input::Store(StoreEvent::Reading), Input::Store(read)]);
        machines
    }
}

impl Machines {
    /// What there is changes, as watches show it, and as policies and clusters are given.
    pub(super) fn go(&mut self, before: &Picture, after: &Picture, policy: &LoadedPolicy) {
        let mut inputs = Vec::new();
        for (cluster, _) in
            before.clusters.iter().filter(|(cluster, _)| !after.clusters.contains_key(cluster))
        {
            let release = ClusterCommand::Release { zone: policy.zone.clone() };
            inputs.push(Input::Command(id(*cluster), release));
        }
        let is_another = before.policy_differs(after);
        for (cluster, picture) in &after.clusters {
            let (id, resource) = (id(*cluster), resource(*cluster));
            if !policy.selects(&resource) {
                inputs.push(Input::Command(id, ClusterCommand::Ungovern));
                continue;
            }
            let is_new = !self.clusters.contains(cluster);
            if is_another || is_new {
                let govern = ClusterCommand::Govern(Box::new(policy.cluster_policy(&id, &resource)));
                inputs.push(Input::Command(id.clone(), govern));
            }
            let new = picture.objects(*cluster);
            let mut see = |change| inputs.push(Input::Observation(id.clone(), Observation::Change(change)));
            if is_new {
                // A watch begins with a list of each kind; that there is no agent is known, too.
                for kind in Kind::ALL {
                    let of_kind = new.iter().filter(|((of, _), _)| *of == kind);
                    see(Change::Replaced(kind, of_kind.map(|(_, object)| object.clone()).collect()));
                }
                continue;
            }
            let old = before.clusters.get(cluster).map(|old| old.objects(*cluster)).unwrap_or_default();
            for (key, object) in &new {
                if old.get(key) != Some(object) {
                    see(Change::Set(object.clone()));
                }
            }
            for (kind, name) in old.into_keys().filter(|key| !new.contains_key(key)) {
                see(Change::Removed(kind, ("default".to_owned(), name)));
            }
        }
        self.clusters =
            after.clusters.keys().copied().filter(|cluster| policy.selects(&resource(*cluster))).collect();
        self.tell(inputs);
        self.settle();
    }

    /// Confirms what is held.
    pub(super) fn confirm(&mut self) {
        let held = self.clusters.iter().filter_map(|cluster| {
            let held = self.recording.summary(&id(*cluster), self.now).held?;
            Some(Input::Command(id(*cluster), ClusterCommand::Confirm(held.token)))
        });
        let held: Vec<Input> = held.collect();
        self.tell(held);
        self.settle();
    }

    /// The clusters of which something is held.
    pub(super) fn held(&self) -> BTreeSet<String> {
        let clusters = self.clusters.iter().map(|cluster| id(*cluster));
        let held = clusters.filter(|id| self.recording.summary(id, self.now).held.is_some());
        held.map(|id| id.to_string()).collect()
    }

    /// The claims that are not published.
    pub(super) fn problems(&self) -> BTreeSet<Problem> {
        let mut problems = BTreeSet::new();
        for cluster in self.clusters.iter().map(|cluster| id(*cluster)) {
            for problem in self.recording.summary(&cluster, self.now).problems {
                problems.insert(Problem {
                    cluster: cluster.to_string(),
                    object: problem.source.to_string(),
                    host_name: problem.host_name,
                    code: problem.code,
                    message: problem.message,
                });
            }
        }
        problems
    }

    /// What the store holds, as a plan says it.
    pub(super) fn stored(&self) -> BTreeMap<HostName, Vec<String>> {
        let mut stored = BTreeMap::<HostName, Vec<_>>::new();
        for (key, (value, _)) in &self.entries {
            let name = parse_key(&Prefix::default(), key).unwrap().host_name().unwrap();
            let entry = Entry::decode(value).unwrap();
            let owner: Owner = entry.owner.as_deref().unwrap().parse().unwrap();
            let value = entry.value().unwrap();
            let line = format!(
                "{} {} {value} ({} of cluster {})",
                entry.ttl_seconds(),
                value.record_type(),
                entry.source.as_deref().unwrap(),
                owner.cluster
            );
            stored.entry(name).or_default().push((owner.cluster.clone(), value, line));
        }
        let sorted = stored.into_iter().map(|(name, mut values)| {
            values.sort();
            (name, values.into_iter().map(|(.., line)| line).collect())
        });
        sorted.collect()
    }

    /// Inputs of one round.
    fn tell(&mut self, inputs: impl IntoIterator<Item = Input>) {
        let mut effects = Vec::new();
        for input in inputs {
            effects.extend(self.recording.handle(input, self.now));
        }
        effects.extend(self.recording.round(self.now));
        let mut caused = Vec::new();
        for effect in effects {
            match effect {
                Effect::Ask(job) => self.jobs.push(job),
                Effect::Cancel(cluster, role) => {
                    self.jobs.retain(|job| job.cluster != cluster || job.role != role);
                }
                Effect::Write(plan) => {
                    self.revision += 1;
                    let changes = plan.changes.iter().map(|change| {
                        match &change.value {
                            Some(value) => {
                                self.entries.insert(change.key.clone(), (value.clone(), self.revision));
                            }
                            None => drop(self.entries.remove(&change.key)),
                        }
                        KeyValue {
                            key: change.key.clone(),
                            value: change.value.clone(),
                            mod_revision: self.revision,
                        }
                    });
                    let changes = changes.collect();
                    let result = WriteResult::Done(self.revision);
                    caused.push(Input::Written(Written { plan, result }));
                    caused.push(Input::Store(StoreEvent::Changed { revision: self.revision, changes }));
                }
                Effect::Tell(_) | Effect::Released(_) => {}
            }
        }
        if !caused.is_empty() {
            self.tell(caused);
        }
    }

    /// Until nothing is left to do. What a new policy needs is answered first; all that is answered beside each other is
    /// heard together.
    fn settle(&mut self) {
        for _ in 0..1000 {
            let mut jobs = std::mem::take(&mut self.jobs);
            if jobs.iter().any(|job| job.role == Role::Incoming) {
                self.jobs = jobs.extract_if(.., |job| job.role != Role::Incoming).collect();
            }
            if !jobs.is_empty() {
                let answers: Vec<Input> = jobs.into_iter().map(|job| Input::Answer(job.answer())).collect();
                self.tell(answers);
            } else if self.recording.due(self.now).is_some_and(|due| due <= self.now + Duration::from_secs(1))
            {
                self.now += Duration::from_secs(1);
                self.tell([Input::Tick]);
            } else {
                return;
            }
        }
        panic!("it does not come to rest");
    }
}
