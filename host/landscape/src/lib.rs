//! Reads a landscape as a value: its clusters with their objects, its policies, and what is wrong.
//!
//! ```text
//! folder of manifests ──scan──► documents ──► raw objects ──► typed objects ──► Files ─┐
//!        ▲                                    (JSON, line)                             ├──► Landscape
//!        └── watcher: what changed                 API servers ────────list────────────┘
//! ```
//! Whoever takes a [`Landscape`] does not know where it was read. [`folder`] also says what changes
//! when somebody edits a file, and keeps every object as it stands there; [`live`] reads the API servers
//! of a platform cluster and of its clusters, and writes nothing.

#![allow(
    unreachable_pub,
    reason = "`pub` says what a module offers to the others, some of which are in here"
)]

pub mod folder;
mod landscape;
pub mod live;
mod problem;

pub use landscape::{Landscape, Member};
pub use problem::{Problem, Problems};
