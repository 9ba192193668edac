//! Probe: real DNS questions, whose answers are compared with what was decided.

mod ask;
mod central;
mod check;
pub mod message;
mod prober;
mod servers;

pub use ask::{Asker, wire_type};
pub use central::Central;
pub use openmcp_dns_core::expectation::{Answer, Expectation, Verdict};
pub use openmcp_dns_core::probing::{Pace, ProbeCounts};
pub use prober::{Probed, Prober, ProberHandle};
pub use servers::Servers;
