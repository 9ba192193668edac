//! `openmcp-dns explain`: the whole way of one name.

mod answers;
mod show;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use openmcp_dns_core::mirror::Mirror;
use openmcp_dns_kit::explain::{Explanation, Subject};
use openmcp_dns_service::address::parse_server;

use super::decision_log;
use super::landscape::folder;
use super::landscape::live::LiveArgs;
use super::policy::choice::ModuleChoice;
use super::policy::guards::Place;
use super::policy::module::engine;
use super::probe::servers::{self, Asked};
use crate::terminal::ending::or_code;
use crate::terminal::output::{OutputFormat, json, print};

/// What the exit code says when the way could not be followed.
const NOT_KNOWN: u8 = 2;

/// Follows one name, or all names of one object, from the objects that ask for it to the answers of DNS servers, and
/// says where it ends and what to do about it.
///
/// Which objects claim the name, where that leads or why nowhere, what the policy module answers, who wins, and
/// which keys hold it. The landscape is a folder of manifests, as `openmcp-dns demo` reads it, or one that runs, with
/// --kubeconfig. What stands in etcd is looked at with --etcd, and DNS servers are asked with --server and --all.
/// Nothing is written.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when all is as it should be, 1 when something is left to do, 2 when the way could not be
followed, or not in every cluster.

Examples:
  openmcp-dns explain svc-abc123.workload01.openmcp.cluster examples/landscape
  openmcp-dns explain HTTPRoute/default/example-route examples/landscape --output json
  openmcp-dns explain svc-abc123.workload01.openmcp.cluster --kubeconfig platform.yaml --all \\
    --etcd http://127.0.0.1:2379 --server 172.18.200.53")]
pub struct ExplainArgs {
    /// The name, or an object: KIND/NAMESPACE/NAME
    #[arg(value_name = "NAME|OBJECT")]
    subject: Subject,

    /// The landscape: a folder with one folder of manifests for each cluster
    #[arg(value_name = "FOLDER", required_unless_present = "kubeconfig")]
    folder: Option<PathBuf>,

    /// The module that decides: a file, `standard`, or `active` for the one that the DNSPolicy of a running
    /// landscape names [default: the one that the DNSPolicy names]
    #[arg(long, value_name = "MODULE")]
    module: Option<ModuleChoice>,

    /// Endpoints of the etcd that holds the records
    #[arg(long, env = "OPENMCP_DNS_ETCD", value_name = "URL", value_delimiter = ',')]
    etcd: Vec<String>,

    #[command(flatten)]
    etcd_options: super::etcd::EtcdOptions,

    /// A DNS server to ask: IP or IP:port, default port 53; several are possible, the first is the central one
    #[arg(
        long = "server",
        env = "OPENMCP_DNS_SERVER",
        value_name = "ADDRESS",
        value_delimiter = ',',
        value_parser = parse_server
    )]
    servers: Vec<SocketAddr>,

    /// Also ask each cluster's own DNS, whose address stands in its ClusterDNS on the platform cluster
    #[arg(long, requires = "kubeconfig")]
    all: bool,

    /// The directory of a decision log, which says since when it is so
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,

    /// `text` for people, `json` for programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,

    #[command(flatten)]
    live: LiveArgs,
}

/// Runs the command.
pub async fn run(args: ExplainArgs) -> anyhow::Result<ExitCode> {
    or_code(explain(args).await, NOT_KNOWN)
}

async fn explain(args: ExplainArgs) -> anyhow::Result<ExitCode> {
    let ExplainArgs { subject, folder, module, etcd, etcd_options, servers, all, log, output, live } = args;
    let log = log.as_deref().map(decision_log::read).transpose()?;
    let given = module.as_ref().and_then(ModuleChoice::given);
    let engine = engine(&given.into_iter().collect::<Vec<_>>())?;
    let (landscape, loader) = match &folder {
        Some(folder) => (folder::read(folder)?, None),
        None => {
            let (landscape, loader) = live.read(&engine).await?;
            (landscape, Some(loader))
        }
    };
    let module = match module {
        Some(module) => module,
        None if loader.is_some() => ModuleChoice::Active,
        None => folder::module(folder.as_deref().unwrap_or(Path::new("")), &landscape)?,
    };
    let place = Place::of(folder.as_deref(), loader.as_ref());
    let policy = module.policy(&engine, None, &landscape, place).await?;
    let store: Option<Mirror> = match etcd.is_empty() {
        true => None,
        false => Some(etcd_options.read(etcd_options.connect(etcd).await?).await?.1),
    };
    let mut asked: Vec<Asked> = servers::given(servers);
    if all {
        asked.extend(servers::of_clusters(live.kubeconfig()).await?);
    }
    let mut explanation = Explanation::of(&policy, &landscape, &subject, store.as_ref());
    if let Some(log) = &log {
        explanation.logged(log);
    }
    answers::ask(&mut explanation, &asked).await?;
    print(&match output {
        OutputFormat::Text => show::text(&explanation),
        OutputFormat::Json => json(&explanation)?,
    })?;
    Ok(if !explanation.unknown.is_empty() {
        ExitCode::from(NOT_KNOWN)
    } else if explanation.next_steps.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
