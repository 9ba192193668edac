//! `openmcp-dns status`: how a running landscape is, and what is not well in it.

pub(super) mod overview;
mod read;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use openmcp_dns_core::deployment::MANAGER;

use super::platform::platform;
use crate::terminal::ending::or_code;
use crate::terminal::output::{OutputFormat, json, note, print, print_styled};
use overview::Overview;

/// What the exit code says when nothing could be read.
const UNREADABLE: u8 = 2;

/// How often it is looked again while it is waited.
const LOOK: Duration = Duration::from_secs(1);

/// Shows how the landscape is: which instance leads, every policy with its module, every cluster with its duties, and
/// what is not well, with the words of the service on what to do next.
///
/// It reads what the service says in the status of its objects on the platform cluster, and asks nobody else.
/// `openmcp-dns explain NAME` shows the whole way of one name, `openmcp-dns probe` asks the DNS servers.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when all is well, 1 when something is not (or not yet), 2 when the platform cluster cannot be read.

Examples:
  openmcp-dns status
  openmcp-dns status --kubeconfig platform.kubeconfig --all

  In a script, after a change:
    openmcp-dns status --wait 120 || exit 1

  What is not well, for programs:
    openmcp-dns status --output json | jq -r '.findings[] | \"\\(.object) \\(.type): \\(.message)\"'")]
pub struct StatusArgs {
    /// Kubeconfig of the platform cluster [default: the pod's service account, KUBECONFIG, or
    /// ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Namespace of the service on the platform cluster
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME", default_value = MANAGER)]
    namespace: String,

    /// Wait until all is well, for so many seconds at most
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,

    /// Show all clusters, also where there are many and they are well
    #[arg(long)]
    all: bool,

    /// How the result is printed
    #[arg(long, short, value_enum, default_value_t)]
    output: OutputFormat,
}

/// Runs the command.
pub async fn run(args: StatusArgs) -> anyhow::Result<ExitCode> {
    or_code(show(args).await, UNREADABLE)
}

async fn show(args: StatusArgs) -> anyhow::Result<ExitCode> {
    let StatusArgs { kubeconfig, namespace, wait, all, output } = args;
    let platform = platform(kubeconfig.as_deref()).await?;
    let (started, patience) = (Instant::now(), Duration::from_secs(wait));
    let mut told = None;
    let overview = loop {
        let overview = Overview::of(&read::objects(&platform, &namespace).await?);
        if overview.is_well || started.elapsed() >= patience {
            break overview;
        }
        let left = overview.findings.len();
        if told != Some(left) {
            note(&format!("waiting: {}", text::count_of_findings(left)));
            told = Some(left);
        }
        tokio::time::sleep(LOOK).await;
    };
    match output {
        OutputFormat::Json => print(&json(&overview)?)?,
        OutputFormat::Text => print_styled(&text::text(&overview, all))?,
    }
    Ok(if overview.is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
