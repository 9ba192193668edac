//! `openmcp-dns policy`: everything that the author of a policy module needs, without a cluster.
//!
//! ```text
//! scaffold ──► build ──► inspect, test, run, bench ──► diff ──► push ──► DNSPolicy
//! ```
//! Every command asks a module as the service does: in fresh instances, within the same limits.
//! Exit codes are those of `diff` and `grep`: 0 for yes, 1 for no, 2 when there is no answer.

pub(super) mod bench;
mod build;
pub(super) mod choice;
mod compiled;
mod configuration;
mod debug;
pub(super) mod diff;
mod difference;
pub(super) mod guards;
pub(super) mod inspect;
mod login;
mod manifests;
pub(super) mod module;
mod pull;
mod push;
pub(super) mod replay;
pub(super) mod run;
mod scaffold;
mod subject;
pub(super) mod test;

use std::process::ExitCode;

use crate::terminal::ending::or_code;
use crate::terminal::output::note;

/// Writes, tests and tries out policy modules.
///
/// A module is given as a file (a WebAssembly component), or as `standard`, the module that is built in.
/// It is asked within the limits of `openmcp-dns run`: the defaults, or what the same environment variables
/// (OPENMCP_DNS_POLICY_FUEL and others) say.
#[derive(clap::Args, Debug)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Exit code of each command: 0 for yes (admitted, allowed, passed, the same), 1 for no, 2 when that
cannot be said.

Examples:
  openmcp-dns policy scaffold my-policy --language rust
  openmcp-dns policy build my-policy
  openmcp-dns policy test my-policy/my-policy.wasm"
)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Scaffold(scaffold::ScaffoldArgs),
    Build(build::BuildArgs),
    Inspect(inspect::InspectArgs),
    Test(test::TestArgs),
    Run(Box<run::RunArgs>),
    Bench(bench::BenchArgs),
    Diff(diff::DiffArgs),
    Replay(replay::ReplayArgs),
    Push(push::PushArgs),
    Pull(pull::PullArgs),
}

/// How a command ended that could be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Yes,
    No,
    /// The module gave no answer.
    Unknown,
}

/// Runs the command.
pub fn run(args: PolicyArgs) -> anyhow::Result<ExitCode> {
    let outcome = match args.command {
        Command::Scaffold(args) => scaffold::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Push(args) => push::run(&args),
        Command::Pull(args) => pull::run(&args),
    };
    let code = |outcome| match outcome {
        Outcome::Yes => ExitCode::SUCCESS,
        Outcome::No => ExitCode::from(1),
        Outcome::Unknown => ExitCode::from(2),
    };
    or_code(outcome.map(code), 2)
}
