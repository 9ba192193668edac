//! Probe: real DNS questions, whose answers are compared with what was decided.

mod ask;
mod expectation;
mod prober;
mod probes;

pub use ask::{Answer, Asker};
pub use expectation::{Expectation, Verdict};
pub use prober::{Probed, Prober, ProberHandle};
pub use probes::ProbeCounts;
