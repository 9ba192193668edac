//! Probe: real DNS questions, whose answers are compared with what was decided.

mod ask;
mod prober;
mod probes;

pub use ask::Asker;
pub use openmcp_dns_core::expectation::{Answer, Expectation, Verdict};
pub use prober::{Probed, Prober, ProberHandle};
pub use probes::ProbeCounts;
