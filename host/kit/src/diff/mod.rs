//! What another module or another configuration would change in a landscape.
//!
//! ```text
//! Landscape ──┬── module under its policy ──► Verdicts ──┐
//!             └── the other one ────────────► Verdicts ──┴──► Comparison
//! ```

mod comparison;
mod verdicts;

pub use comparison::{Comparison, Domain};
pub use verdicts::{ClaimKey, Verdicts};
