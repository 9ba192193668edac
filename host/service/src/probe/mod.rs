//! Probe: real DNS questions, whose answers are compared with what was decided.

mod ask;
mod probes;
mod verify;

pub use ask::Asker;
pub use openmcp_dns_core::expectation::{Answer, Expectation, Verdict};
pub use probes::{ProbeCounts, Probes};
pub use verify::{Probed, Prober};
