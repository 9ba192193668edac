//! `openmcp-dns demo`: the whole service on a folder of manifests.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::limits::LimitArgs;
use super::remote::RemoteArgs;
use crate::demo::{Settings, Until, run as run_demo};
use crate::terminal::output::OutputFormat;
use openmcp_dns_modules::SourceOptions;
use openmcp_dns_service::address::parse_listen;

/// Runs the whole service on a folder of manifests, without Kubernetes and etcd.
///
/// The folder holds one folder for each cluster: `platform` with the `Cluster` resources and the DNSPolicies;
/// and one for each cluster, which has the cluster's name, with its Gateways, HTTPRoutes, Ingresses and
/// Namespaces (*.yaml, *.yml, *.json). They are written into a Kubernetes API in memory for each cluster,
/// status included, and the service works on these as in production: an HTTPRoute counts when its status says
/// that its Gateway has accepted it. Without a DNSPolicy the demo makes one with the defaults; a cluster
/// without a ConfigMap kube-system/coredns gets that of kubeadm.
///
/// Policy modules may come from everywhere: built in, a ConfigMap in `platform`, a registry, a web server, or a
/// file, whose path is relative to the landscape's folder. Modes, pull secrets and deletion holds work as in
/// production; a held deletion comes with the command that confirms it.
///
/// The demo serves the records with the built-in DNS server and probes each of them. Then it watches the
/// folder: what is edited, added or deleted changes the answers. A file that cannot be read changes nothing:
/// what it published before stays. A folder that is moved away is a cluster that cannot be reached: its names stay,
/// too. Of an object that stands in two files of a cluster, the one in the first
/// file by name counts.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when the demo was ended by Ctrl-C or SIGTERM; with --once only if every file could be
read, every policy is in force and every name is answered as recorded, otherwise 1; with --tour when each
step led to what it tells.

Examples:
  openmcp-dns demo examples/landscape
  openmcp-dns demo examples/landscape --tour
  openmcp-dns demo examples/landscape --page
  openmcp-dns demo examples/landscape --once --output json
  openmcp-dns demo examples/landscape --listen 127.0.0.1:5300 --policy my-policy.wasm")]
pub struct DemoArgs {
    /// The landscape: a folder with one folder of manifests for each cluster
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,

    /// Show the landscape and end, instead of watching the folder
    #[arg(long)]
    once: bool,

    /// Tell the whole story in steps, on a copy of the landscape: Enter shows the next one; where nobody sits at a
    /// terminal, it comes at once
    #[arg(long, conflicts_with_all = ["once", "policy"])]
    tour: bool,

    /// `text` for people; `json` for programs: one document with --once, else one line for each event
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,

    /// Where the DNS server listens, over UDP and TCP; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0", value_parser = parse_listen)]
    listen: SocketAddr,

    /// A DNSPolicy to use instead of those in the folder, or a policy module (a WebAssembly component) that
    /// decides instead of theirs; the file is not watched
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Show the landscape on a page in the browser, too, which follows what changes; without an address on
    /// http://127.0.0.1:8053/. Whoever reaches the address can read it
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, require_equals = true, conflicts_with = "once",
        default_missing_value = "127.0.0.1:8053", value_parser = parse_listen)]
    page: Option<SocketAddr>,

    #[command(flatten)]
    remote: RemoteArgs,

    #[command(flatten)]
    limits: LimitArgs,
}

/// How often to look whether the tag of a module has moved: as often as the service does by default.
const TAG_CHECK: Duration = Duration::from_secs(300);

/// Runs the command.
pub async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let DemoArgs { folder, once, tour, output, listen, policy, page, remote, limits } = args;
    let sources =
        SourceOptions { untrusted_http: remote.untrusted_http(), allow_files: true, tag_check: TAG_CHECK };
    let until = if tour {
        Until::Told
    } else if once {
        Until::Shown
    } else {
        Until::Stopped
    };
    run_demo(Settings { folder, until, output, listen, policy, page, engine: limits.engine()?, sources })
        .await
}
