//! Whatever happens: when inputs rest, the store holds what the last states ask for.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::objects::Change;
use crate::recording::ClusterCommand;
use world::Stored;

const CLUSTERS: [&str; 3] = ["w1", "w2", "w3"];
const DENIES: [Option<&str>; 3] = [None, Some("a"), Some("shop")];
const FOREIGN: &str = "/skydns/cluster/openmcp/w1/a/3dc2be40";

#[derive(Clone, Debug)]
enum Step {
    Set { cluster: usize, object: u8, host: u8, address: u8 },
    Remove { cluster: usize, object: u8 },
    List { cluster: usize },
    Govern { cluster: usize, denies: usize, fails: bool },
    Compare { cluster: usize, denies: usize },
    Ungovern { cluster: usize },
    Confirm { cluster: usize },
    Think,
    Hear,
    Commit,
    Fail,
    Echo,
    Reread,
    Restart,
    Wait { seconds: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let cluster = 0..CLUSTERS.len();
    let object = 0u8..5;
    let denies = 0..DENIES.len();
    let step = prop_oneof![
        8 => (cluster.clone(), object.clone(), 0u8..4, 1u8..4)
            .prop_map(|(cluster, object, host, address)| Step::Set { cluster, object, host, address }),
        4 => (cluster.clone(), object).prop_map(|(cluster, object)| Step::Remove { cluster, object }),
        3 => cluster.clone().prop_map(|cluster| Step::List { cluster }),
        3 => (cluster.clone(), denies.clone(), prop::bool::weighted(0.2))
            .prop_map(|(cluster, denies, fails)| Step::Govern { cluster, denies, fails }),
        1 => (cluster.clone(), denies).prop_map(|(cluster, denies)| Step::Compare { cluster, denies }),
        1 => cluster.clone().prop_map(|cluster| Step::Ungovern { cluster }),
        1 => cluster.prop_map(|cluster| Step::Confirm { cluster }),
        8 => Just(Step::Think),
        8 => Just(Step::Hear),
        8 => Just(Step::Commit),
        2 => Just(Step::Fail),
        8 => Just(Step::Echo),
        1 => Just(Step::Reread),
        1 => Just(Step::Restart),
        1 => (0u64..900).prop_map(|seconds| Step::Wait { seconds }),
    ];
    prop::collection::vec(step, 0..120)
}

/// What is there, by cluster: objects with host and address, and what the policy denies.
#[derive(Default)]
struct Landscape {
    objects: BTreeMap<(usize, u8), (String, String)>,
    denies: [Option<&'static str>; CLUSTERS.len()],
}

impl Landscape {
    fn list(&self, world: &mut World, cluster: usize) {
        let own = self.objects.iter().filter(|((of, _), _)| *of == cluster);
        let all = own.map(|((_, object), (host, address))| ingress(&format!("o{object}"), host, address));
        world.list(CLUSTERS[cluster], all.collect());
    }

    fn apply(&mut self, world: &mut World, step: Step) {
        match step {
            Step::Set { cluster, object, host, address } => {
                let host = match host {
                    0 => SHARED.to_owned(),
                    label => {
                        format!("{}.{}.{ZONE}", ["a", "b", "c"][usize::from(label) - 1], CLUSTERS[cluster])
                    }
                };
                let address = format!("10.0.0.{address}");
                let change = Change::Set(ingress(&format!("o{object}"), &host, &address));
                world.observe(CLUSTERS[cluster], change);
                self.objects.insert((cluster, object), (host, address));
            }
            Step::Remove { cluster, object } => {
                world.remove(CLUSTERS[cluster], &format!("o{object}"));
                self.objects.remove(&(cluster, object));
            }
            Step::List { cluster } => self.list(world, cluster),
            Step::Govern { cluster, denies, fails } => {
                self.denies[cluster] = DENIES[denies];
                world.govern(CLUSTERS[cluster], &Rules { denies: DENIES[denies], fails, ..Rules::default() });
            }
            Step::Compare { cluster, denies } => {
                let active = Rules { denies: self.denies[cluster], ..Rules::default() };
                let candidate = Rules { denies: DENIES[denies], ..Rules::default() };
                world.compare(CLUSTERS[cluster], &active, &candidate);
            }
            Step::Ungovern { cluster } => world.command(CLUSTERS[cluster], ClusterCommand::Ungovern),
            Step::Confirm { cluster } => world.confirm(CLUSTERS[cluster]),
            Step::Think => drop(world.think()),
            Step::Hear => drop(world.hear()),
            Step::Commit => drop(world.commit()),
            Step::Fail => drop(world.fail()),
            Step::Echo => drop(world.echo()),
            Step::Reread => world.reread(),
            Step::Restart => world.restart(),
            Step::Wait { seconds } => world.wait(std::time::Duration::from_secs(seconds)),
        }
    }

    fn wanted(&self) -> Stored {
        let allowed =
            |cluster: usize, host: &str| self.denies[cluster].is_none_or(|prefix| !host.starts_with(prefix));
        let claims = self.objects.iter().filter(|((cluster, _), (host, _))| allowed(*cluster, host));
        claims
            .map(|((cluster, _), (host, address))| {
                (host.clone(), CLUSTERS[*cluster].to_owned(), address.clone())
            })
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn when_inputs_rest_the_store_holds_what_the_last_states_ask_for(steps in steps()) {
        let (mut world, mut landscape) = (World::new(), Landscape::default());
        world.write_foreign(FOREIGN, r#"{"host":"10.0.0.9"}"#);
        for step in steps {
            landscape.apply(&mut world, step);
        }
        for (cluster, denies) in landscape.denies.into_iter().enumerate() {
            world.govern(CLUSTERS[cluster], &Rules { denies, ..Rules::default() });
            landscape.list(&mut world, cluster);
        }
        world.rest();
        // What is held goes on.
        world.wait(HOLD);
        world.rest();
        prop_assert_eq!(world.stored(), landscape.wanted());
        prop_assert!(world.has_key(FOREIGN));
        for cluster in CLUSTERS {
            let summary = world.summary(cluster);
            prop_assert_eq!((summary.pending, summary.held), (0, None), "{}", cluster);
        }
        // And so it does after a restart, without a change.
        world.restart();
        for (cluster, denies) in landscape.denies.into_iter().enumerate() {
            world.govern(CLUSTERS[cluster], &Rules { denies, ..Rules::default() });
            landscape.list(&mut world, cluster);
            prop_assert!(world.writes.is_empty());
        }
        let revision = world.revision();
        world.rest();
        prop_assert_eq!(world.revision(), revision);
    }
}
