//! What there is, and how it becomes known.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::rules::{HOLD, Rules, SHARED, ZONE, gateway, ingress, route};
use super::super::world::{Backup, Stored, World};
use super::step::{CLUSTERS, DENIES, Step};
use crate::kinds::{Kind, Watched};
use crate::objects::Change;
use crate::recording::{ClusterCommand, Input, Observation};

/// From here on, objects are routes.
pub(super) const ROUTES: u8 = 4;

/// Some steps of waiting are shorter, some longer.
const FAILBACK_DELAY: Duration = Duration::from_secs(60);

/// What some of them lead to.
const ALIAS: &str = "lb.example.com";

/// The kinds whose watches may break: those that there are objects of, and those that they depend on.
const TROUBLED: [Kind; 4] = [Kind::Gateway, Kind::HttpRoute, Kind::Ingress, Kind::Namespace];

/// What there is of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Objects {
    /// Host name and, for an Ingress, the address.
    pub(super) objects: BTreeMap<u8, (String, String)>,
    /// Address of the Gateway.
    pub(super) gateway: Option<String>,
}

impl Objects {
    fn of_kind(&self, kind: Kind) -> Vec<Watched> {
        match kind {
            Kind::Gateway => self.gateway.as_deref().map(gateway).into_iter().collect(),
            Kind::Ingress | Kind::HttpRoute => {
                let all = self.objects.iter().filter(|(object, _)| kind_of(**object) == kind);
                all.map(|(object, (host, address))| watched(*object, host, address)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Host name and address of each object that has one.
    pub(super) fn claims(&self) -> impl Iterator<Item = (u8, &str, &str)> {
        self.objects.iter().filter_map(|(object, (host, address))| {
            let address = if *object < ROUTES { address } else { self.gateway.as_ref()? };
            Some((*object, host.as_str(), address.as_str()))
        })
    }
}

/// One cluster, as it is and as recording has been told.
#[derive(Default)]
pub(super) struct Cluster {
    pub(super) is: Objects,
    pub(super) told: Objects,
    /// What its policy denies.
    pub(super) denies: Option<&'static str>,
    /// Whether it is taken out.
    pub(super) is_evacuated: bool,
    /// Whether it has a place in the order of the clusters that have the shared name.
    pub(super) is_ordered: bool,
    /// It stands or stood under a policy: before, nobody hears what is observed of it.
    pub(super) is_known: bool,
    /// It is being deleted.
    pub(super) leaves: bool,
}

impl Cluster {
    fn unless_unknown(&mut self) {
        if !self.is_known {
            self.told = Objects::default();
        }
    }
}

#[derive(Default)]
pub(super) struct Landscape {
    pub(super) clusters: [Cluster; CLUSTERS.len()],
    /// What somebody else has written.
    pub(super) foreign: BTreeMap<String, &'static str>,
    backup: Option<(Backup, BTreeMap<String, &'static str>)>,
}

const FOREIGN: &str = r#"{"host":"10.0.0.9"}"#;

impl Landscape {
    pub(super) fn write_foreign(&mut self, world: &mut World, cluster: usize, label: u8) {
        let key = format!("/skydns/cluster/openmcp/{}/{}/3dc2be40", CLUSTERS[cluster], label_of(label));
        world.write_foreign(&key, FOREIGN);
        self.foreign.insert(key, FOREIGN);
    }

    /// All watches of a cluster begin anew.
    pub(super) fn list(&mut self, world: &mut World, cluster: usize) {
        let of = &mut self.clusters[cluster];
        tell_all(world, cluster, &of.is);
        of.told = of.is.clone();
        of.unless_unknown();
    }

    /// Every cluster that is leaving has gone, and comes again; all that there is becomes known.
    pub(super) fn rest(&mut self, world: &mut World) {
        world.rest();
        self.notice_gone(world);
        for (cluster, name) in CLUSTERS.iter().enumerate() {
            assert!(!self.clusters[cluster].leaves, "{name} stays for ever");
            self.govern_and_list(world, cluster);
        }
        world.rest();
        // What is held goes on.
        world.wait(HOLD);
        world.rest();
    }

    pub(super) fn govern_and_list(&mut self, world: &mut World, cluster: usize) {
        self.clusters[cluster].is_known = true;
        world.govern(CLUSTERS[cluster], &self.rules(cluster));
        self.list(world, cluster);
    }

    fn rules(&self, cluster: usize) -> Rules {
        let Cluster { denies, is_evacuated, is_ordered, .. } = self.clusters[cluster];
        let place = is_ordered.then_some(cluster);
        Rules { denies, is_evacuated, place, failback_delay: FAILBACK_DELAY, ..Rules::default() }
    }

    /// What the store should hold when all is known.
    pub(super) fn wanted(&self) -> Stored {
        let mut wanted = Stored::new();
        for (name, Cluster { is, denies, .. }) in CLUSTERS.iter().zip(&self.clusters) {
            let allowed = |host: &str| denies.is_none_or(|prefix| !host.starts_with(prefix));
            let claims = is.claims().filter(|(_, host, _)| allowed(host));
            wanted.extend(
                claims.map(|(_, host, address)| (host.to_owned(), (*name).to_owned(), address.to_owned())),
            );
        }
        // Who is taken out, or comes after others in the order, leaves a name to them.
        let rank = |host: &str, of: &str| {
            let place = CLUSTERS.iter().position(|cluster| *cluster == of).unwrap();
            let Cluster { is_evacuated, is_ordered, .. } = self.clusters[place];
            (is_evacuated, if is_ordered && host == SHARED { place } else { 0 })
        };
        let mut first = BTreeMap::new();
        for (host, of, _) in &wanted {
            let rank = rank(host, of);
            let first = first.entry(host.clone()).or_insert(rank);
            *first = rank.min(*first);
        }
        wanted.retain(|(host, of, _)| first[host] == rank(host, of));
        // An alias cannot stand beside addresses.
        let addressed = wanted.iter().filter(|(.., value)| value != ALIAS);
        let addressed: BTreeSet<String> = addressed.map(|(host, ..)| host.clone()).collect();
        wanted.retain(|(host, _, value)| value != ALIAS || !addressed.contains(host));
        wanted
    }

    /// Clusters that were released are gone, and may come again.
    pub(super) fn notice_gone(&mut self, world: &mut World) {
        for id in std::mem::take(&mut world.released) {
            let cluster = CLUSTERS.iter().position(|cluster| **cluster == *id.name).unwrap();
            (self.clusters[cluster].leaves, self.clusters[cluster].is_known) = (false, false);
        }
    }

    /// Whether a step does nothing: nothing is seen or wanted of a cluster that is leaving.
    pub(super) fn passes_over(&self, step: &Step) -> bool {
        step.cluster().is_some_and(|cluster| self.clusters[cluster].leaves)
    }

    /// Lets a step happen.
    pub(super) fn apply(&mut self, world: &mut World, step: &Step) {
        if self.passes_over(step) {
            return;
        }
        match *step {
            Step::Set { cluster, object, host, address, seen } => {
                let host = match host {
                    0 => SHARED.to_owned(),
                    label => format!("{}.{}.{ZONE}", label_of(label), CLUSTERS[cluster]),
                };
                let address = match address {
                    4 => ALIAS.to_owned(),
                    last => format!("10.0.0.{last}"),
                };
                let of = &mut self.clusters[cluster];
                if seen {
                    of.told.objects.insert(object, (host.clone(), address.clone()));
                    world.observe(CLUSTERS[cluster], Change::Set(watched(object, &host, &address)));
                }
                of.is.objects.insert(object, (host, address));
            }
            Step::Remove { cluster, object, seen } => {
                let of = &mut self.clusters[cluster];
                of.is.objects.remove(&object);
                if seen {
                    of.told.objects.remove(&object);
                    let key = ("default".to_owned(), format!("o{object}"));
                    world.observe(CLUSTERS[cluster], Change::Removed(kind_of(object), key));
                }
            }
            Step::Gateway { cluster, address } => {
                let of = &mut self.clusters[cluster];
                of.is.gateway = address.map(|address| format!("10.0.1.{address}"));
                of.told.gateway.clone_from(&of.is.gateway);
                let change = match &of.is.gateway {
                    Some(address) => Change::Set(gateway(address)),
                    None => Change::Removed(Kind::Gateway, ("default".to_owned(), "gateway".to_owned())),
                };
                world.observe(CLUSTERS[cluster], change);
            }
            Step::List { cluster } => self.list(world, cluster),
            Step::ListNothing { cluster } => {
                self.clusters[cluster].told = Objects::default();
                tell_all(world, cluster, &Objects::default());
            }
            Step::Trouble { cluster, kind } => {
                let trouble = Observation::Trouble(TROUBLED[kind], "refused".to_owned());
                let id = super::super::id(CLUSTERS[cluster]);
                world.tell(Input::Observation(id, trouble));
            }
            Step::Govern { cluster, denies, fails, evacuated, ordered } => {
                let of = &mut self.clusters[cluster];
                (of.denies, of.is_known) = (DENIES[denies], true);
                (of.is_evacuated, of.is_ordered) = (evacuated, ordered);
                world.govern(CLUSTERS[cluster], &Rules { fails, ..self.rules(cluster) });
            }
            Step::Compare { cluster, denies } => {
                self.clusters[cluster].is_known = true;
                let active = self.rules(cluster);
                let candidate = Rules { denies: DENIES[denies], ..Rules::default() };
                world.compare(CLUSTERS[cluster], &active, &candidate);
            }
            Step::Ungovern { cluster } => world.command(CLUSTERS[cluster], ClusterCommand::Ungovern),
            Step::Release { cluster } => {
                self.clusters[cluster] = Cluster { leaves: true, ..Cluster::default() };
                release(world, cluster);
            }
            Step::Confirm { cluster } => world.confirm(CLUSTERS[cluster]),
            Step::Think => drop(world.think()),
            Step::Hear => drop(world.hear()),
            Step::Commit => drop(world.commit()),
            Step::Fail => drop(world.fail()),
            Step::CommitUnheard => drop(world.commit_unheard()),
            Step::Refuse => drop(world.refuse()),
            Step::Echo => drop(world.echo()),
            Step::Reread => world.reread(),
            Step::BackUp => self.backup = Some((world.back_up(), self.foreign.clone())),
            Step::Restore => {
                if let Some((backup, foreign)) = self.backup.clone() {
                    world.restore(backup);
                    self.foreign = foreign;
                }
            }
            Step::WriteForeign { cluster, label } => self.write_foreign(world, cluster, label),
            Step::Restart => {
                world.restart();
                for cluster in 0..CLUSTERS.len() {
                    self.clusters[cluster].told = Objects::default();
                    self.clusters[cluster].is_known = false;
                    if self.clusters[cluster].leaves {
                        release(world, cluster);
                    }
                }
            }
            Step::Wait { seconds } => world.wait(Duration::from_secs(seconds)),
        }
        self.notice_gone(world);
        for cluster in &mut self.clusters {
            cluster.unless_unknown();
        }
    }
}

impl Step {
    /// The cluster of which something is seen or wanted.
    const fn cluster(&self) -> Option<usize> {
        match self {
            Self::Set { cluster, .. }
            | Self::Remove { cluster, .. }
            | Self::Gateway { cluster, .. }
            | Self::List { cluster }
            | Self::ListNothing { cluster }
            | Self::Trouble { cluster, .. }
            | Self::Govern { cluster, .. }
            | Self::Compare { cluster, .. }
            | Self::Ungovern { cluster }
            | Self::Release { cluster }
            | Self::Confirm { cluster } => Some(*cluster),
            _ => None,
        }
    }
}

fn release(world: &mut World, cluster: usize) {
    let zone = ZONE.parse().unwrap();
    world.command(CLUSTERS[cluster], ClusterCommand::Release { zone });
}

fn tell_all(world: &mut World, cluster: usize, objects: &Objects) {
    for kind in Kind::ALL {
        world.observe(CLUSTERS[cluster], Change::Replaced(kind, objects.of_kind(kind)));
    }
}

fn kind_of(object: u8) -> Kind {
    if object < ROUTES { Kind::Ingress } else { Kind::HttpRoute }
}

fn watched(object: u8, host: &str, address: &str) -> Watched {
    let name = format!("o{object}");
    if object < ROUTES { ingress(&name, host, address) } else { route(&name, host) }
}

fn label_of(label: u8) -> &'static str {
    ["a", "b", "c"][usize::from(label) - 1]
}
