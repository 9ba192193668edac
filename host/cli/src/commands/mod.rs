//! The commands.
//!
//! Data goes to stdout; progress, logs and errors go to stderr. An error ends with a line that
//! starts with `hint:` where there is a next step to name.

mod backup;
mod completions;
mod confirm;
mod conformance;
mod corefile;
mod crds;
mod decision_log;
mod demo;
mod deploy;
mod etcd;
mod evacuate;
mod explain;
mod gate;
mod history;
mod init;
mod landscape;
mod leading;
mod limits;
mod manifests;
mod node_hosts;
mod plan;
mod platform;
mod policy;
mod probe;
mod provider;
mod reference;
mod remote;
mod run;
mod schema;
mod serve;
mod status;
mod uninstall;
mod withdraw;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use self::provider::Verbosity;
use crate::terminal::{hint, output};

/// Makes every host name of an openMCP landscape resolvable on every cluster of it.
#[derive(Parser, Debug)]
#[command(name = "openmcp-dns", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Demo(Box<demo::DemoArgs>),
    Run(Box<run::RunArgs>),
    Init(init::InitArgs),
    Status(status::StatusArgs),
    Probe(Box<probe::ProbeArgs>),
    Explain(Box<explain::ExplainArgs>),
    History(history::HistoryArgs),
    Plan(plan::PlanArgs),
    Serve(Box<serve::ServeArgs>),
    Evacuate(Box<evacuate::EvacuateArgs>),
    Withdraw(Box<withdraw::WithdrawArgs>),
    Export(Box<backup::export::ExportArgs>),
    Restore(Box<backup::restore::RestoreArgs>),
    Uninstall(Box<uninstall::UninstallArgs>),
    Policy(policy::PolicyArgs),
    Conformance(conformance::ConformanceArgs),
    Corefile(corefile::CorefileArgs),
    Crds(crds::CrdsArgs),
    Manifests(manifests::ManifestsArgs),
    Schema(schema::SchemaArgs),
    NodeHosts(node_hosts::NodeHostsArgs),
    Completions(completions::CompletionsArgs),
}

/// Reads the command line, runs the command and says how it ended.
pub fn main() -> ExitCode {
    // None of clap's commands: shells would offer it, hidden or not.
    if std::env::args_os().nth(1).is_some_and(|first| first == "docs-cli") {
        return ended(reference::run(Cli::command()).map(|()| ExitCode::SUCCESS));
    }
    let (cli, left_out) = match provider::parse::<Cli>(std::env::args_os().collect()) {
        Ok(read) => read,
        Err(error) => error.exit(),
    };
    start_logging(match &cli.command {
        // It tells in its own words what the service warns of.
        Command::Demo(_) => "error,kube_client=off",
        // What it has to say stands in its own output.
        Command::Probe(_)
        | Command::Explain(_)
        | Command::Status(_)
        | Command::History(_)
        | Command::Plan(_)
        | Command::Evacuate(_)
        | Command::Withdraw(_)
        | Command::Export(_)
        | Command::Restore(_)
        | Command::Uninstall(_)
        | Command::Policy(_)
        | Command::Conformance(_)
        | Command::Corefile(_)
        | Command::Crds(_)
        | Command::Manifests(_)
        | Command::Schema(_)
        | Command::Completions(_) => "warn,kube_client=off",
        Command::Run(args) => args.provider.verbosity.unwrap_or(Verbosity::Info).filter(),
        Command::Init(args) => args.provider.verbosity.unwrap_or(Verbosity::Info).filter(),
        Command::Serve(_) | Command::NodeHosts(_) => Verbosity::Info.filter(),
    });
    for flag in left_out {
        tracing::warn!(flag, "a flag that this version does not know is left out");
    }
    ended(match cli.command {
        Command::Demo(args) => block_on(demo::run(*args)),
        Command::Run(args) => block_on(run::run(*args)),
        Command::Init(args) => block_on(init::run(args)).map(|()| ExitCode::SUCCESS),
        Command::Status(args) => block_on(status::run(args)),
        Command::Probe(args) => block_on(probe::run(*args)),
        Command::Explain(args) => block_on(explain::run(*args)),
        Command::History(args) => history::run(&args),
        Command::Plan(args) => block_on(plan::run(args)),
        Command::Serve(args) => block_on(serve::run(*args)).map(|()| ExitCode::SUCCESS),
        Command::Evacuate(args) => block_on(evacuate::run(*args)),
        Command::Withdraw(args) => block_on(withdraw::run(*args)),
        Command::Export(args) => block_on(backup::export::run(*args)).map(|()| ExitCode::SUCCESS),
        Command::Restore(args) => block_on(backup::restore::run(*args)).map(|()| ExitCode::SUCCESS),
        Command::Uninstall(args) => block_on(uninstall::run(*args)).map(|()| ExitCode::SUCCESS),
        Command::Policy(args) => policy::run(args),
        Command::Conformance(args) => conformance::run(&args),
        Command::Corefile(args) => corefile::run(args),
        Command::Crds(args) => crds::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Manifests(args) => manifests::run(args).map(|()| ExitCode::SUCCESS),
        Command::Schema(args) => schema::run(&args).map(|()| ExitCode::SUCCESS),
        Command::NodeHosts(args) => block_on(node_hosts::run(args)),
        Command::Completions(args) => completions::run(&args, Cli::command()).map(|()| ExitCode::SUCCESS),
    })
}

fn ended(ended: anyhow::Result<ExitCode>) -> ExitCode {
    match ended {
        Ok(code) => code,
        // Whoever read the output has seen enough.
        Err(error) if output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&hint::describe(&error));
            ExitCode::FAILURE
        }
    }
}

/// Runs a command that waits for the outside. Several threads: a policy module may use one up for
/// as long as its deadline.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    // Blocking work that is still under way, such as compiling a module, must not hold up the end.
    runtime.shutdown_background();
    result
}

/// Logs go to stderr; `RUST_LOG` says which. By default without kube's client: it logs every request that
/// fails, and what fails is logged here with its reason.
fn start_logging(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(false)
        .init();
}
