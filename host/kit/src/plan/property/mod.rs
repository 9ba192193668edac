//! What a plan says is what then happens when the recording machines go from the one landscape to the other.
//!
//! Seeds of failures come to lie in `host/kit/proptest-regressions`, and are to be committed.

mod machines;
mod picture;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use openmcp_dns_policy::{Engine, Limits, Module, STANDARD};
use proptest::prelude::*;

use super::{Plan, Side};
use machines::{Machines, Problem};
use picture::Picture;

/// How many landscapes, each before and after.
const CASES: u32 = 1000;

static MODULE: LazyLock<Arc<Module>> = LazyLock::new(|| {
    let engine = Engine::new(Limits::default()).unwrap();
    Arc::new(engine.load(STANDARD, "{}").unwrap())
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn a_plan_says_what_then_happens(pictures in picture::pictures()) {
        let (before, after) = pictures;
        let (old, new) = (before.landscape(), after.landscape());
        let (old_policy, new_policy) = (before.policy(&MODULE), after.policy(&MODULE));
        let plan = Plan::of(
            Side { policy: &old_policy, landscape: &old },
            Side { policy: &new_policy, landscape: &new },
        );

        let mut machines = Machines::default();
        machines.go(&Picture::default(), &before, &old_policy);
        let (mut expected, told) = (machines.stored(), machines.problems());
        machines.go(&before, &after, &new_policy);
        let held: BTreeSet<String> = plan.held.iter().map(|held| held.cluster.clone()).collect();
        prop_assert_eq!(machines.held(), held, "{:#?}", plan);
        machines.confirm();

        for change in plan.names {
            let before = expected.remove(&change.name).unwrap_or_default();
            prop_assert_eq!(before, change.before, "{}", change.name);
            if !change.after.is_empty() {
                expected.insert(change.name, change.after);
            }
        }
        prop_assert_eq!(machines.stored(), expected);
        let not_published = plan.not_published.into_iter().map(Problem::of);
        let not_published: BTreeSet<Problem> = not_published.filter(|problem| !told.contains(problem)).collect();
        let problems: BTreeSet<Problem> = machines.problems().difference(&told).cloned().collect();
        prop_assert_eq!(problems, not_published);
    }
}
