//! Whatever happens: every transaction keeps the guarantees, and when inputs rest, the store holds what the
//! last states ask for.
//!
//! Seeds of failures come to lie in `host/core/proptest-regressions`, and are to be committed.

mod guarantees;
mod landscape;
mod step;

use proptest::prelude::*;

use super::*;
use guarantees::Guarantees;
use landscape::Landscape;
use step::{CLUSTERS, Step};

/// With [`CASES`], 10,000 events at least.
const STEPS: std::ops::Range<usize> = 125..200;
const CASES: u32 = 80;

fn live(steps: Vec<Step>) -> (World, Landscape) {
    let (mut world, mut landscape) = (World::new(), Landscape::default());
    let mut guarantees = Guarantees::default();
    landscape.write_foreign(&mut world, 0, 1);
    for step in steps {
        guarantees.prepare(&world, &landscape, &step);
        landscape.apply(&mut world, &step);
        guarantees.check(&mut world, &landscape);
    }
    (world, landscape)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn when_inputs_rest_the_store_holds_what_the_last_states_ask_for(steps in step::steps(STEPS)) {
        let (mut world, mut landscape) = live(steps);
        landscape.rest(&mut world);
        prop_assert_eq!(world.stored(), landscape.wanted());
        for key in landscape.foreign.keys() {
            prop_assert!(world.has_key(key));
        }
        for cluster in CLUSTERS {
            let summary = world.summary(cluster);
            prop_assert_eq!((summary.pending, summary.held), (0, None), "{}", cluster);
        }
        // And so it does after a restart, without a change.
        world.restart();
        for cluster in 0..CLUSTERS.len() {
            landscape.govern_and_list(&mut world, cluster);
            prop_assert!(world.writes.is_empty());
        }
        let revision = world.revision();
        world.rest();
        prop_assert_eq!(world.revision(), revision);
    }
}

/// A revision that was seen comes a second time, with something else in it.
#[test]
fn a_write_between_two_restores_is_written_again() {
    let steps = vec![
        Step::Govern { cluster: 2, denies: 0, fails: false, evacuated: false, ordered: false },
        Step::Think,
        Step::BackUp,
        Step::Echo,
        Step::WriteForeign { cluster: 1, label: 1 },
        Step::Hear,
        Step::Echo,
        Step::Set { cluster: 2, object: 1, host: 3, address: 1, seen: true },
        Step::Restore,
        Step::Think,
        Step::Hear,
        Step::Commit,
        Step::Restore,
    ];
    let (mut world, mut landscape) = live(steps);
    landscape.rest(&mut world);
    assert_eq!(world.stored(), landscape.wanted());
}
