//! `openmcp-dns corefile`: what the service does to a cluster's Corefile, on files, for people and for Git.

pub(super) mod show;

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use openmcp_dns_core::corefile::{CorefileError, Edited, remove_forward, set_forward};
use openmcp_dns_core::name::HostName;
use openmcp_dns_service::address::parse_server;

use crate::terminal::ending::or_code;
use crate::terminal::hint::Hint as _;
use crate::terminal::output::{OutputFormat, json, note, print};

/// The exit code where the answer is no.
const NO: u8 = 1;

/// The exit code where there is no answer.
const NO_ANSWER: u8 = 2;

/// Checks and changes Corefiles as the service does in clusters.
///
/// For who keeps a cluster's Corefile in Git, or wants to see what would happen. Only the block for the zone changes, and what is not
/// understood is left alone. Files that a Corefile imports are not looked into.
#[derive(clap::Args, Debug)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Exit code of each command: 0 for yes, 1 for no, 2 when a file cannot be read or written.

Examples:
  Can the service change the Corefile of this cluster, and what would it change?
    kubectl get configmap -n kube-system coredns -o jsonpath='{.data.Corefile}' > Corefile
    openmcp-dns corefile check --zone openmcp.cluster Corefile
    openmcp-dns corefile diff --zone openmcp.cluster --to 172.18.200.3 Corefile

  Change it, and change it back:
    openmcp-dns corefile add --zone openmcp.cluster --to 172.18.200.3 Corefile
    openmcp-dns corefile remove --zone openmcp.cluster Corefile"
)]
pub struct CorefileArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Says whether the zone can be forwarded, and what may surprise
    #[command(
        after_help = "Exit code: 0 when every file can be changed or is as it should be, 1 when one would be left alone, 2 when \
                            one cannot be read."
    )]
    Check(CheckArgs),
    /// Writes the block into each file, or updates it
    #[command(
        after_help = "Exit code: 0 when every file has the block, 1 when one is left alone, 2 when one cannot be read or written."
    )]
    Add(ChangeArgs),
    /// Takes the block out of each file
    #[command(
        after_help = "Exit code: 0 when no file has the block, 1 when one is left alone, 2 when one cannot be read or written."
    )]
    Remove(CheckArgs),
    /// Shows what `add` would change
    #[command(
        after_help = "Exit code: 0 when nothing would change, 1 when something would, 2 when a file would be left alone or cannot \
                            be read."
    )]
    Diff(ChangeArgs),
}

#[derive(clap::Args, Debug)]
struct CheckArgs {
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(clap::Args, Debug)]
struct ChangeArgs {
    /// The central DNS server, IP or IP:port; several with commas between
    #[arg(long, value_name = "SERVER", value_delimiter = ',', required = true, value_parser = parse_server)]
    to: Vec<SocketAddr>,

    #[command(flatten)]
    common: CommonArgs,
}

#[derive(clap::Args, Debug)]
struct CommonArgs {
    /// Corefiles; `-` for stdin, whose text goes to stdout where it is changed
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The zone to forward
    #[arg(long, env = "OPENMCP_DNS_ZONE", value_name = "ZONE")]
    zone: HostName,

    /// `text` for people, `json` for programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,
}

/// What is wanted of each file.
enum Wanted {
    Check,
    Add(Vec<SocketAddr>),
    Remove,
    Diff(Vec<SocketAddr>),
}

/// One file, and what became of it.
struct Outcome {
    file: PathBuf,
    text: String,
    edited: Result<Edited, CorefileError>,
}

/// Runs the command.
pub fn run(args: CorefileArgs) -> anyhow::Result<ExitCode> {
    let (wanted, common) = match args.command {
        Command::Check(args) => (Wanted::Check, args.common),
        Command::Add(args) => (Wanted::Add(args.to), args.common),
        Command::Remove(args) => (Wanted::Remove, args.common),
        Command::Diff(args) => (Wanted::Diff(args.to), args.common),
    };
    or_code(work(&wanted, common).map(ExitCode::from), NO_ANSWER)
}

/// Gives the exit code.
fn work(wanted: &Wanted, common: CommonArgs) -> anyhow::Result<u8> {
    let CommonArgs { files, zone, output } = common;
    let mut outcomes = Vec::new();
    for file in files {
        let text = read(&file)?;
        let edited = wanted.edit(&text, &zone);
        outcomes.push(Outcome { file, text, edited });
    }
    match output {
        OutputFormat::Json => print(&json(&show::reports(wanted, &outcomes))?)?,
        OutputFormat::Text => {
            let (said, data) = show::text(wanted, &outcomes, &zone);
            if !said.is_empty() {
                note(said.trim_end());
            }
            print(&data)?;
        }
    }
    if wanted.writes() {
        for Outcome { file, edited, .. } in &outcomes {
            match edited {
                Ok(Edited { text, changed: true, .. }) if !is_stdin(file) => std::fs::write(file, text)
                    .with_context(|| format!("failed to write {}", file.display()))
                    .hint("see whether the file may be written")?,
                Ok(_) | Err(_) => {}
            }
        }
    }
    Ok(wanted.exit_code(&outcomes))
}

impl Wanted {
    fn edit(&self, text: &str, zone: &HostName) -> Result<Edited, CorefileError> {
        let zone = zone.as_str();
        match self {
            // Whether it can be done does not depend on the servers: this one is for documentation (RFC 5737).
            Self::Check => set_forward(text, zone, &[SocketAddr::from(([192, 0, 2, 1], 53))]),
            Self::Add(servers) | Self::Diff(servers) => set_forward(text, zone, servers),
            Self::Remove => remove_forward(text, zone),
        }
    }

    const fn writes(&self) -> bool {
        matches!(self, Self::Add(_) | Self::Remove)
    }

    fn exit_code(&self, outcomes: &[Outcome]) -> u8 {
        let is_refused = outcomes.iter().any(|outcome| outcome.edited.is_err());
        let changes = |outcome: &Outcome| outcome.edited.as_ref().is_ok_and(|edited| edited.changed);
        match self {
            Self::Diff(_) if is_refused => NO_ANSWER,
            Self::Diff(_) if outcomes.iter().any(changes) => NO,
            _ if is_refused => NO,
            _ => 0,
        }
    }
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn read(file: &Path) -> anyhow::Result<String> {
    let what = || format!("failed to read {}", file.display());
    let hint = "name a text file with a Corefile, or - for stdin";
    if is_stdin(file) {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).with_context(what).hint(hint)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(what).hint(hint)
}
