//! Of several services of one landscape, one writes.
//!
//! ```text
//! Lease of the platform cluster ──Election──► who leads, in which term, and until when
//!                                                     │
//! leader key in the store ◄──Fencing: the term────────┘     every transaction compares it
//! ```
//! The Lease says who should write; a leader that was stopped, swapped out or cut off does not know that it is the
//! leader no longer. So the leader writes its term to a key in the store itself, and every transaction compares that
//! key: what an earlier leader sends comes to nothing, whenever it arrives.

mod election;
mod fencing;

pub use election::{Election, Lease, LeaseWrite, Next, Timing};
pub use fencing::{Claim, Leader, LeaderKey, claim};
