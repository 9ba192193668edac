//! A folder of cases with known answers, run through the resolver that the service has.
//!
//! ```text
//! folder ──read──► Case ──┬── a source case: objects ──resolve──► endpoints ──┐
//!                         └── a row of a table: one question of the same ─────┴──► Outcome ──► Report
//! ```
//! A source case holds Kubernetes objects with their status, what the reader of sources is told (`config`), and the
//! endpoints that come of it: host name, record type, targets, time to live. A table holds rows of one question,
//! such as how two host names intersect. The format is that of the cases made of external-dns's own tests; what only
//! means something to another implementation is skipped, and says so.

mod case;
mod config;
mod endpoint;
mod folder;
mod report;
mod selector;
mod vectors;

pub use case::SourceCase;
pub use folder::{Case, ReadError, read};
pub use report::{Outcome, Report, Tally};
