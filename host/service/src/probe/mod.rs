//! Probe: real DNS questions, whose answers are compared with what was decided.

mod ask;
mod expectation;
mod probes;
mod verify;

pub use ask::{Answer, Asker};
pub use expectation::{Expectation, Verdict};
pub use probes::{ProbeCounts, Probes};
pub use verify::{Probed, Prober};
