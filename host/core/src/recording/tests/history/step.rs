//! What may happen next.

use proptest::prelude::*;

pub(super) const CLUSTERS: [&str; 3] = ["w1", "w2", "w3"];
pub(super) const DENIES: [Option<&str>; 3] = [None, Some("a"), Some("shop")];

/// One event. Objects below [`super::landscape::ROUTES`] are Ingresses, the others routes through the
/// Gateway of their cluster.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// An object is there, new or changed; seen by the watch, or only by the next list.
    Set {
        cluster: usize,
        object: u8,
        host: u8,
        address: u8,
        seen: bool,
    },
    Remove {
        cluster: usize,
        object: u8,
        seen: bool,
    },
    /// The cluster's Gateway has another address, or is gone.
    Gateway {
        cluster: usize,
        address: Option<u8>,
    },
    /// All watches begin anew.
    List {
        cluster: usize,
    },
    /// The same, but the API server says that there is nothing.
    ListNothing {
        cluster: usize,
    },
    /// A watch is broken until the next list.
    Trouble {
        cluster: usize,
        kind: usize,
    },
    Govern {
        cluster: usize,
        denies: usize,
        fails: bool,
        evacuated: bool,
        /// Whether one cluster at a time serves the shared name, in the order of [`CLUSTERS`].
        ordered: bool,
    },
    Compare {
        cluster: usize,
        denies: usize,
    },
    Ungovern {
        cluster: usize,
    },
    /// The cluster is being deleted; it may come again under the same name.
    Release {
        cluster: usize,
    },
    Confirm {
        cluster: usize,
    },
    /// A module answers.
    Think,
    /// That answer is heard.
    Hear,
    /// The store carries out a transaction.
    Commit,
    /// The store does not answer, and has not carried it out.
    Fail,
    /// The store does not answer, but has carried it out.
    CommitUnheard,
    Refuse,
    /// The store shows a change.
    Echo,
    /// The store has forgotten what has changed: it is read anew.
    Reread,
    BackUp,
    /// The store is what it was at the last backup.
    Restore,
    /// Somebody else writes at a name of a cluster.
    WriteForeign {
        cluster: usize,
        label: u8,
    },
    Restart,
    Wait {
        seconds: u64,
    },
}

/// So many of them, in any order.
pub(super) fn steps(many: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    let cluster = 0..CLUSTERS.len();
    let object = 0u8..6;
    let denies = 0..DENIES.len();
    let seen = prop::bool::weighted(0.9);
    let of = |step: fn(usize) -> Step| cluster.clone().prop_map(step);
    let step = prop_oneof![
        16 => (cluster.clone(), object.clone(), 0u8..4, 1u8..5, seen).prop_map(
            |(cluster, object, host, address, seen)| Step::Set { cluster, object, host, address, seen }
        ),
        8 => (cluster.clone(), object, seen)
            .prop_map(|(cluster, object, seen)| Step::Remove { cluster, object, seen }),
        3 => (cluster.clone(), prop::option::weighted(0.8, 1u8..4))
            .prop_map(|(cluster, address)| Step::Gateway { cluster, address }),
        6 => of(|cluster| Step::List { cluster }),
        1 => of(|cluster| Step::ListNothing { cluster }),
        1 => (cluster.clone(), 0..4usize).prop_map(|(cluster, kind)| Step::Trouble { cluster, kind }),
        6 => (cluster.clone(), denies.clone(), prop::bool::weighted(0.2), prop::bool::weighted(0.2), any::<bool>()).prop_map(
            |(cluster, denies, fails, evacuated, ordered)| Step::Govern { cluster, denies, fails, evacuated, ordered }
        ),
        2 => (cluster.clone(), denies).prop_map(|(cluster, denies)| Step::Compare { cluster, denies }),
        1 => of(|cluster| Step::Ungovern { cluster }),
        1 => of(|cluster| Step::Release { cluster }),
        2 => of(|cluster| Step::Confirm { cluster }),
        16 => Just(Step::Think),
        16 => Just(Step::Hear),
        16 => Just(Step::Commit),
        2 => Just(Step::Fail),
        2 => Just(Step::CommitUnheard),
        1 => Just(Step::Refuse),
        16 => Just(Step::Echo),
        2 => Just(Step::Reread),
        1 => Just(Step::BackUp),
        1 => Just(Step::Restore),
        1 => (cluster.clone(), 1u8..4)
            .prop_map(|(cluster, label)| Step::WriteForeign { cluster, label }),
        2 => Just(Step::Restart),
        2 => (0u64..900).prop_map(|seconds| Step::Wait { seconds }),
    ];
    prop::collection::vec(step, many)
}
