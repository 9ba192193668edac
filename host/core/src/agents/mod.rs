//! Agents: external-dns in a cluster, which records its names through a gate of ours.
//!
//! ```text
//! external-dns ──Request──► KeySpace::draft ──Draft──► decided, kept ──► KeySpace::take
//!                  Reply ◄──────┘                                              │
//!                                              recording ◄──an object a name───┘
//! ```
//! Each agent sees an etcd of its own, in the layout of external-dns: nothing of another cluster is in it. What it
//! writes there is no record but a wish: the hosts at a name become one object of [`crate::kinds::Kind::ExternalDns`],
//! which is recorded as objects of the other kinds are, under the same policy, rules, limits and deletion guard.

mod kept;
mod key;
mod lingering;
mod refusal;
mod request;
mod space;
mod switching;
mod syncing;
mod told;
mod value;

pub use kept::{KeptKey, Root};
pub use key::{MAX_KEY_BYTES, PREFIX};
pub use lingering::{LINGER, Lingering};
pub use refusal::Refusal;
pub use request::{
    Compare, Compared, Interval, MAX_OPERATIONS, Operation, Order, Outcome, Pair, Read, Relation, Reply,
    Request, SortBy,
};
pub use space::{Draft, Edit, KeySpace, MAX_BYTES, MAX_KEYS, MAX_TARGETS, Touched};
pub use switching::{Seen, Step};
pub use syncing::Syncing;
pub use told::Told;
pub use value::{MAX_VALUE_BYTES, Meaning};
