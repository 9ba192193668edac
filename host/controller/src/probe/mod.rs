//! Probe: real DNS questions, whose answers are compared with what was decided.

mod ask;
mod expectation;
mod server;
mod verify;

pub use ask::{Answer, Asker, AskerError};
pub use expectation::{Expectation, Verdict};
pub use server::parse_server;
pub use verify::{ProbeCounts, Probed, Prober, Probes};
