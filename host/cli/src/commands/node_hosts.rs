//! `openmcp-dns node-hosts`: keeps names in the hosts file of the node that it runs on.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use openmcp_dns_core::name::HostName;
use openmcp_dns_service::node_hosts::{Looked, NodeHosts};

use crate::terminal::output;
use crate::terminal::shutdown::Shutdown;

/// How often the files are compared. Programs written in Go read a hosts file again after as long.
const INTERVAL: Duration = Duration::from_secs(5);

/// Keeps names and their addresses in a hosts file, and all else in it as it is.
///
/// The service runs it on the nodes of a cluster (DNSServiceConfig, spec.clusters[].forward.nodes), so that the API server
/// resolves them, too. What it has written stays when it ends: a pod that is restarted must not take names away.
/// Without --names, it takes away what was written before.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  On a node, take away what a DaemonSet has left that is gone:
    openmcp-dns node-hosts --once

  Are the names of a file in the hosts file?
    openmcp-dns node-hosts --names names --check

Exit codes:
  0  all is as it should be
  1  something is not; it is said on stderr")]
pub struct NodeHostsArgs {
    /// File with an address and a name in each line; without it, no name is kept
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,

    /// Digest that the file of names is to have: until then, all stays as it is
    #[arg(long, value_name = "DIGEST", requires = "names")]
    revision: Option<String>,

    /// The hosts file; it is renamed over where that can be, so what is mounted has to be its folder
    #[arg(long, value_name = "FILE", default_value = "/etc/hosts")]
    hosts: PathBuf,

    /// The kubelet's folder of pods: the copy of the hosts file that the static pod of a kube-apiserver has is kept, too
    #[arg(long, value_name = "FOLDER")]
    static_pods: Option<PathBuf>,

    /// Change nothing: say whether all is as it should be
    #[arg(long, conflicts_with = "once")]
    check: bool,

    /// Do it once, instead of again and again
    #[arg(long)]
    once: bool,
}

/// Runs the command, until it is told to end.
pub async fn run(args: NodeHostsArgs) -> anyhow::Result<ExitCode> {
    let NodeHostsArgs { names, revision, hosts, static_pods, check, once } = args;
    let node = NodeHosts { names, revision, hosts, static_pods };
    if check {
        return Ok(code(&node.check()));
    }
    let mut shutdown = Shutdown::listen().context("failed to catch signals")?;
    let mut told = Told::default();
    told.tell(&node.mend());
    loop {
        let looked = node.keep();
        if once {
            return Ok(code(&looked));
        }
        told.tell(&looked);
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = shutdown.requested() => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn code(looked: &Looked) -> ExitCode {
    for line in looked.lines() {
        output::note(&line);
    }
    if looked.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What was said: the same is said once.
#[derive(Default)]
struct Told {
    lines: Vec<String>,
    theirs: BTreeSet<HostName>,
}

impl Told {
    fn tell(&mut self, looked: &Looked) {
        for path in &looked.written {
            tracing::info!(path = %path.display(), "written");
        }
        let lines = looked.lines();
        for line in lines.iter().filter(|line| !self.lines.contains(line)) {
            tracing::warn!("{line}");
        }
        for name in looked.theirs.difference(&self.theirs) {
            tracing::warn!(%name, "a hosts file already says something of the name, which counts; ours is left out");
        }
        self.lines = lines;
        self.theirs.clone_from(&looked.theirs);
    }
}
