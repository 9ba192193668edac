//! Probe: real DNS questions, whose answers are compared with what was decided.

mod ask;
mod expectation;
mod verify;

pub use ask::{Answer, Asker};
pub use expectation::{Expectation, Verdict};
pub use verify::{ProbeCounts, Probed, Prober, Probes};
