//! Where the decision log lies, for `run` and for those that read it.

use std::path::{Path, PathBuf};

use openmcp_dns_service::decision_log::{self, DecisionLogOptions};

use crate::terminal::hint::Hint as _;
use crate::terminal::output::note;

/// Whether a log of decisions is kept.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Decision log")]
pub(super) struct DecisionLogArgs {
    /// Keep a log of all decisions in this directory, for `openmcp-dns history` and `openmcp-dns policy replay`; without
    /// it, none is kept
    #[arg(long, env = "OPENMCP_DNS_DECISION_LOG", value_name = "DIR")]
    decision_log: Option<PathBuf>,

    /// How many bytes the decision log may have: what is older goes, and of that what is still so is kept while it has
    /// room
    #[arg(long, env = "OPENMCP_DNS_DECISION_LOG_BYTES", value_name = "BYTES", default_value_t = 64 * 1024 * 1024,
        value_parser = clap::value_parser!(u64).range(1024 * 1024..))]
    decision_log_bytes: u64,
}

impl DecisionLogArgs {
    /// Where it is kept, if it is.
    pub(super) fn options(self) -> Option<DecisionLogOptions> {
        let Self { decision_log, decision_log_bytes: max_bytes } = self;
        Some(DecisionLogOptions { directory: decision_log?, max_bytes })
    }
}

/// Reads a log, and says what of it cannot be read.
pub(super) fn read(directory: &Path) -> anyhow::Result<openmcp_dns_core::decision_log::DecisionLog> {
    let log = decision_log::read(directory)
        .hint("name the directory that `openmcp-dns run` has as --decision-log, or a copy of it")?;
    if log.unreadable > 0 {
        note(&format!(
            "lines of the log that cannot be read: {}; where the service was killed, half a line may stand",
            log.unreadable
        ));
    }
    Ok(log)
}
