//! `openmcp-dns demo`: the whole service on a folder of manifests.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use super::limits::LimitArgs;
use crate::demo::{Settings, run as run_demo};
use crate::terminal::output::OutputFormat;
use openmcp_dns_service::address::parse_listen;

/// Runs the whole service on a folder of manifests, without Kubernetes and etcd.
///
/// The folder holds one folder for each cluster: `platform` with the `Cluster` resources and, if the
/// defaults shall not hold, a `DNSPolicy`; and one for each cluster, which has the cluster's name, with its
/// Gateways, HTTPRoutes, Ingresses and Namespaces (*.yaml, *.yml, *.json). Status is read from the
/// manifests too: an HTTPRoute counts when its status says that its Gateway has accepted it.
///
/// The demo decides with the policy module, records, serves the records with the built-in DNS server and
/// probes each of them. Then it watches the folder: what is edited, added or deleted changes the answers.
/// A file that cannot be read changes nothing: what it published before stays. Of an object that stands in
/// two files of a cluster, the one in the first file by name counts.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when the demo was ended by Ctrl-C or SIGTERM; with --once only if every file could be
read and every name is answered as recorded, otherwise 1.

Examples:
  openmcp-dns demo examples/landscape
  openmcp-dns demo examples/landscape --once --output json
  openmcp-dns demo examples/landscape --listen 127.0.0.1:5300 --policy my-policy.wasm")]
pub struct DemoArgs {
    /// The landscape: a folder with one folder of manifests for each cluster
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,

    /// Show the landscape and end, instead of watching the folder
    #[arg(long)]
    once: bool,

    /// `text` for people; `json` for programs: one document with --once, else one line for each event
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,

    /// Where the DNS server listens, over UDP and TCP; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0", value_parser = parse_listen)]
    listen: SocketAddr,

    /// A DNSPolicy to use instead of the one in the folder, or a policy module (a WebAssembly component)
    /// to use instead of the built-in standard one; the file is not watched
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    #[command(flatten)]
    limits: LimitArgs,
}

/// Runs the command.
pub async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let DemoArgs { folder, once, output, listen, policy, limits } = args;
    run_demo(Settings { folder, once, output, listen, policy, engine: limits.engine()? }).await
}
