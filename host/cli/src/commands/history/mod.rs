//! `openmcp-dns history`: what was decided on one name, and when.

mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use openmcp_dns_core::decision_log::History;
use openmcp_dns_core::name::HostName;

use super::decision_log;
use crate::terminal::ending::or_code;
use crate::terminal::output::{OutputFormat, json, print};

/// What the exit code says when there is no log to read.
const NOT_KNOWN: u8 = 2;

/// Shows every claim on a name that a decision log knows, with each answer in order: what was published, denied or led
/// nowhere, which module said so, at which revision the store had it, and since when it is as it is.
///
/// The log is written by `openmcp-dns run --decision-log DIR`. It may be read while it is being written.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when the log knows the name, 1 when it does not, 2 when there is no log to read.

Examples:
  openmcp-dns history shop.workload01.openmcp.cluster --log /var/lib/openmcp-dns/decisions
  openmcp-dns history shop.workload01.openmcp.cluster --log decisions --output json")]
pub(super) struct HistoryArgs {
    /// The name
    #[arg(value_parser = HostName::of_record)]
    name: HostName,

    /// The directory of the log, or a copy of it
    #[arg(long, env = "OPENMCP_DNS_DECISION_LOG", value_name = "DIR")]
    log: PathBuf,

    /// `text` for people, `json` for programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,
}

/// Runs the command.
pub(super) fn run(args: &HistoryArgs) -> anyhow::Result<ExitCode> {
    or_code(history(args), NOT_KNOWN)
}

fn history(HistoryArgs { name, log, output }: &HistoryArgs) -> anyhow::Result<ExitCode> {
    let history = History::of(&decision_log::read(log)?, name);
    print(&match output {
        OutputFormat::Text => show::text(&history),
        OutputFormat::Json => json(&history)?,
    })?;
    Ok(if history.knows_the_name() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
