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
    /// What the policies deny that may be in force.
    denies: Vec<Option<&'static str>>,
    /// Whether the module of the last one fails.
    fails: bool,
    /// Objects and host names of which a module has said something.
    known: BTreeSet<(u8, String)>,
    /// When somebody may last have let a large deletion go on.
    let_go: Option<Instant>,
    /// The most names that the store held lately.
    names: usize,
}

/// Looks at every transaction before it is carried out.
#[derive(Default)]
pub(super) struct Guarantees {
    lives: [Life; CLUSTERS.len()],
    /// All that was ever asked for: cluster, host name, address.
    asked: BTreeSet<(usize, String, String)>,
    /// What any policy has ever denied, by cluster; the module of one that failed has allowed nothing.
    decided: [Vec<Option<&'static str>>; CLUSTERS.len()],
    before: [Objects; CLUSTERS.len()],
}

impl Guarantees {
    /// Before a step happens.
    pub(super) fn prepare(&mut self, world: &World, landscape: &Landscape, step: &Step) {
        self.before = landscape.clusters.each_ref().map(|cluster| cluster.told.clone());
        match *step {
            Step::Restart => self.lives = Default::default(),
            Step::Govern { cluster, denies, fails } => {
                self.lives[cluster].is_governed = true;
                self.lives[cluster].denies.push(DENIES[denies]);
                self.lives[cluster].fails = fails;
                if !fails {
                    self.decided[cluster].push(DENIES[denies]);
                }
            }
            // The active module may come into force for the first time.
            Step::Compare { cluster, .. } => {
                let denies = self.lives[cluster].denies.last().copied().flatten();
                self.lives[cluster].is_governed = true;
                self.lives[cluster].fails = false;
                self.lives[cluster].denies.push(denies);
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
        for plan in std::mem::take(&mut world.begun) {
            self.check_plan(&plan, world);
            for owner in &plan.withdrawn_from {
                let cluster = position(&owner.name);
                if !landscape.clusters[cluster].leaves {
                    *withdrawn.entry(cluster).or_default() += 1;
                    self.check_withdrawal(cluster, plan.name.as_str(), landscape);
                }
            }
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
            let told: BTreeSet<(u8, String)> = landscape.clusters[cluster]
                .told
                .claims()
                .map(|(object, host, _)| (object, host.to_owned()))
                .collect();
            life.known.retain(|known| told.contains(known));
            if world.jobs.is_empty() && world.answers.is_empty() {
                if life.is_governed && !life.fails {
                    life.known = told;
                }
                // What was asked last has been answered.
                let last = life.denies.pop();
                life.denies.clear();
                life.denies.extend(last);
            }
        }
    }

    fn check_plan(&self, plan: &NamePlan, world: &World) {
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
            let allows =
                |denies: &Option<&str>| denies.is_none_or(|prefix| !name.as_str().starts_with(prefix));
            assert!(self.decided[cluster].iter().any(allows), "nobody allowed {asked:?}");
        }
    }

    /// 5: nothing is deleted out of ignorance.
    fn check_withdrawal(&self, cluster: usize, name: &str, landscape: &Landscape) {
        let life = &self.lives[cluster];
        assert!(life.is_governed, "{name} is withdrawn of a cluster without a policy");
        assert!(Kind::ALL.iter().all(|kind| life.listed.contains(kind)), "{name} is withdrawn unseen");
        let allowed = |denies: &Option<&str>| denies.is_none_or(|prefix| !name.starts_with(prefix));
        // A claim that no module has said anything of holds nothing up.
        let (before, after) = (&self.before[cluster], &landscape.clusters[cluster].told);
        let stays = |(object, host, _): (u8, &str, &str)| {
            host == name
                && life.known.contains(&(object, host.to_owned()))
                && after.claims().any(|(other, host, _)| (other, host) == (object, name))
        };
        let is_wanted = life.denies.iter().all(allowed) && before.claims().any(stays);
        assert!(!is_wanted, "{name} is withdrawn, and {} still wants it", CLUSTERS[cluster]);
    }
}

fn position(name: &str) -> usize {
    CLUSTERS.iter().position(|cluster| *cluster == name).unwrap()
}
