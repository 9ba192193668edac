//! What holds at every moment, by the numbers of the guarantees in the docs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::super::rules::{SHARED, ZONE, id};
use super::super::world::World;
use super::landscape::{Landscape, Objects};
use super::step::{CLUSTERS, DENIES, Step};
use crate::kinds::Kind;
use crate::name::HostName;
use crate::plan::NamePlan;
use crate::skydns::{Entry, Owner, Prefix, key_for, parse_key, value_id};

/// As in the policies of these tests.
const FREE_NAMES: usize = 2;
const SHARE_PERCENT: usize = 30;

/// For how long what was confirmed, or held long enough, may be deleted.
const CLEARED: Duration = Duration::from_secs(600);

/// What one cluster has been told since the service started.
#[derive(Default)]
struct Life {
    is_governed: bool,
    listed: BTreeSet<Kind>,
    /// The modules that may be in force, the newest last.
    modules: Vec<Module>,
    /// When somebody may last have let a large deletion go on.
    let_go: Option<Instant>,
    /// The most names that the store held lately.
    names: usize,
}

/// A module, as the rules of these tests know it.
#[derive(Clone, Copy, Default)]
struct Module {
    denies: Option<&'static str>,
    /// It decides nothing, so the one before it goes on.
    fails: bool,
}

/// Looks at every transaction before it is carried out.
#[derive(Default)]
pub(super) struct Guarantees {
    lives: [Life; CLUSTERS.len()],
    /// All that was ever asked for: cluster, host name, address.
    asked: BTreeSet<(usize, String, String)>,
    /// What any policy has ever denied, by cluster; the module of one that failed has allowed nothing.
    decided: [Vec<Option<&'static str>>; CLUSTERS.len()],
    /// Names that a cluster has ever been given.
    published: [BTreeSet<HostName>; CLUSTERS.len()],
    before: [Objects; CLUSTERS.len()],
}

impl Guarantees {
    /// Before a step happens.
    pub(super) fn prepare(&mut self, world: &World, landscape: &Landscape, step: &Step) {
        self.before = landscape.clusters.each_ref().map(|cluster| cluster.told.clone());
        if landscape.passes_over(step) {
            return;
        }
        match *step {
            Step::Restart => self.lives = Default::default(),
            Step::Govern { cluster, denies, fails, evacuated: _, ordered: _ } => {
                self.lives[cluster].is_governed = true;
                self.lives[cluster].modules.push(Module { denies: DENIES[denies], fails });
                if !fails {
                    self.decided[cluster].push(DENIES[denies]);
                }
            }
            // The active module may come into force for the first time: after a release it is another one than before.
            Step::Compare { cluster, .. } => {
                let active = Module { denies: landscape.clusters[cluster].denies, fails: false };
                self.lives[cluster].is_governed = true;
                self.lives[cluster].modules.push(active);
                self.decided[cluster].extend(DENIES);
            }
            Step::Ungovern { cluster } => {
                let life = &mut self.lives[cluster];
                (life.is_governed, life.listed) = (false, BTreeSet::new());
            }
            Step::List { cluster } | Step::ListNothing { cluster }
                if landscape.clusters[cluster].is_known =>
            {
                self.lives[cluster].listed = Kind::ALL.into();
            }
            Step::Confirm { cluster } => self.lives[cluster].let_go = Some(world.now),
            Step::Wait { seconds } => {
                for life in &mut self.lives {
                    life.let_go = Some(world.now + Duration::from_secs(seconds));
                }
            }
            _ => {}
        }
    }

    /// After a step has happened.
    pub(super) fn check(&mut self, world: &mut World, landscape: &Landscape) {
        for (cluster, of) in landscape.clusters.iter().enumerate() {
            let claims = of.told.claims();
            self.asked
                .extend(claims.map(|(_, host, address)| (cluster, host.to_owned(), address.to_owned())));
        }
        // 3: what is not ours is never touched.
        for (key, value) in &landscape.foreign {
            assert_eq!(world.value(key).as_deref(), Some(value.as_bytes()), "{key}");
        }
        let mut withdrawn: BTreeMap<usize, usize> = BTreeMap::new();
        let mut published: [BTreeSet<HostName>; CLUSTERS.len()] = Default::default();
        for plan in std::mem::take(&mut world.begun) {
            for cluster in self.check_plan(&plan, world) {
                published[cluster].insert(plan.name.clone());
            }
            for owner in &plan.withdrawn_from {
                let cluster = position(&owner.name);
                if !landscape.clusters[cluster].leaves {
                    *withdrawn.entry(cluster).or_default() += 1;
                    self.check_withdrawal(cluster, plan.name.as_str(), landscape);
                }
            }
        }
        for (cluster, names) in published.into_iter().enumerate() {
            // 7: there is one module that allows all that is new.
            let new: Vec<&HostName> = names.difference(&self.published[cluster]).collect();
            let allows_all = |module: &Module| new.iter().all(|name| allows(module.denies, name.as_str()));
            let modules = &self.lives[cluster].modules;
            assert!(new.is_empty() || modules.iter().any(allows_all), "{new:?} of several modules");
            self.published[cluster].extend(names);
        }
        for (cluster, life) in self.lives.iter_mut().enumerate() {
            let owner = Owner { zone: ZONE.parse().unwrap(), cluster: id(CLUSTERS[cluster]) };
            let names = world.recording.names.store().count_of(&owner).max(world.names_of(CLUSTERS[cluster]));
            life.names = life.names.max(names);
            // 5: what is much waits.
            let deleted = withdrawn.get(&cluster).copied().unwrap_or_default();
            let is_much = deleted > FREE_NAMES && deleted * 100 > life.names * SHARE_PERCENT;
            let may = life.let_go.is_some_and(|at| world.now <= at + CLEARED);
            assert!(!is_much || may, "{deleted} of {} names go at once", life.names);
            if world.jobs.is_empty() && world.answers.is_empty() {
                // What was asked last has been answered.
                let decides = life.modules.iter().rposition(|module| !module.fails);
                life.modules.drain(..decides.unwrap_or_default());
            }
        }
    }

    /// Gives the clusters that get a value.
    fn check_plan(&self, plan: &NamePlan, world: &World) -> BTreeSet<usize> {
        let mut given = BTreeSet::new();
        let prefix = Prefix::default();
        let mut keys = BTreeSet::new();
        for change in &plan.changes {
            assert!(keys.insert(&change.key), "a key twice");
            // 4: only the keys of this name, guarded by what was read.
            let name: HostName = parse_key(&prefix, &change.key).unwrap().host_name().unwrap();
            assert_eq!(name, plan.name);
            let Some(value) = &change.value else {
                assert!(change.expected_mod_revision > 0, "a deletion of what was not read");
                if world.revision_of(&change.key) == Some(change.expected_mod_revision) {
                    let stored = Entry::decode(&world.value(&change.key).unwrap()).unwrap();
                    assert!(stored.owner.is_some(), "{} is not ours", change.key);
                }
                continue;
            };
            // 3: it says whose it is, and where it comes from.
            let entry = Entry::decode(value).unwrap();
            assert!(entry.source.is_some());
            let owner: Owner = entry.owner.as_deref().unwrap().parse().unwrap();
            let cluster = position(&owner.cluster.name);
            // 1: in the cluster's own domain, or shared.
            let domain: HostName = format!("{}.{ZONE}", owner.cluster.name).parse().unwrap();
            assert!(name.is_within(&domain) || name.as_str() == SHARED, "{name} of {}", owner.cluster);
            // 2: the key follows from owner and value.
            let address = entry.value().unwrap();
            assert_eq!(change.key, key_for(&prefix, &name, &value_id(&owner, &address)));
            // 6: it was asked for, and a module has allowed it.
            let asked = (cluster, name.to_string(), address.to_string());
            assert!(self.asked.contains(&asked), "nobody asked for {asked:?}");
            let mut decided = self.decided[cluster].iter();
            assert!(decided.any(|denies| allows(*denies, name.as_str())), "nobody allowed {asked:?}");
            given.insert(cluster);
        }
        given
    }

    /// 5: nothing is deleted out of ignorance.
    fn check_withdrawal(&self, cluster: usize, name: &str, landscape: &Landscape) {
        let life = &self.lives[cluster];
        assert!(life.is_governed, "{name} is withdrawn of a cluster without a policy");
        assert!(Kind::ALL.iter().all(|kind| life.listed.contains(kind)), "{name} is withdrawn unseen");
        // What no module has said anything of may be wanted, too.
        let wants = |objects: &Objects| objects.claims().any(|(_, host, _)| host == name);
        let (before, after) = (&self.before[cluster], &landscape.clusters[cluster].told);
        let is_wanted =
            life.modules.iter().all(|module| allows(module.denies, name)) && wants(before) && wants(after);
        assert!(!is_wanted, "{name} is withdrawn, and {} still wants it", CLUSTERS[cluster]);
    }
}

/// Whether a module that denies names with a prefix allows this one.
fn allows(denies: Option<&str>, name: &str) -> bool {
    denies.is_none_or(|prefix| !name.starts_with(prefix))
}

fn position(name: &str) -> usize {
    CLUSTERS.iter().position(|cluster| *cluster == name).unwrap()
}
