//! `openmcp-dns evacuate`: takes a cluster out of the names that others have as well, and brings it back.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use openmcp_dns_api::{Cluster, EVACUATE_ANNOTATION, FIELD_MANAGER, cluster_id, is_evacuated};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::evacuation::Evacuation;
use serde_json::json;

use super::etcd::EtcdOptions;
use super::platform::{parse_cluster, platform};
use crate::terminal::hint::{Hint as _, hinted};
use crate::terminal::output::{note, print};

/// How many names of a kind are shown without `--all`.
const SHOWN: usize = 20;

/// How long the store is looked at after the annotation has been written.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often.
const LOOK: Duration = Duration::from_millis(250);

/// What the exit code says when the service has not done it within the time.
const NOT_DONE: u8 = 2;

/// Takes a cluster out of all names that other clusters have as well, in one step: from then on they lead to those.
///
/// For a cluster that is dead, or is to be worked at. It sets the annotation `dns.openmcp.cloud/evacuate: "true"` on the
/// `Cluster`; the service does the rest, whether the cluster answers or not. A name that nobody else has goes on leading
/// to the cluster: no name loses its last address. Without the annotation, all is as before.
///
/// What is shown goes by what the store holds. A shared name with `serve: First` leads to one cluster at a time; it moves
/// to the next in the order, if that one asks for it.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when it is done (or shown, with --dry-run), 1 on an error, 2 when the service has not done it within a minute.

Examples:
  What would change:
    openmcp-dns evacuate openmcp-system/workload01 --etcd http://10.0.0.5:2379 --dry-run

  Do it, and take it back:
    openmcp-dns evacuate openmcp-system/workload01 --etcd http://10.0.0.5:2379
    openmcp-dns evacuate openmcp-system/workload01 --etcd http://10.0.0.5:2379 --undo")]
pub struct EvacuateArgs {
    /// The cluster: NAMESPACE/NAME of its `Cluster`
    #[arg(value_name = "CLUSTER", value_parser = parse_cluster)]
    cluster: ClusterId,

    /// Endpoints of the etcd that holds the records
    #[arg(long, env = "OPENMCP_DNS_ETCD", value_name = "URL", value_delimiter = ',', required = true)]
    etcd: Vec<String>,

    #[command(flatten)]
    etcd_options: EtcdOptions,

    /// Kubeconfig of the platform cluster [default: the pod's service account, KUBECONFIG, or
    /// ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Bring the cluster back
    #[arg(long, conflicts_with = "dry_run")]
    undo: bool,

    /// Show all names, not only the first
    #[arg(long)]
    all: bool,
}

/// Runs the command.
pub async fn run(args: EvacuateArgs) -> anyhow::Result<ExitCode> {
    let EvacuateArgs { cluster, etcd, etcd_options, kubeconfig, dry_run, undo, all } = args;
    let platform = platform(kubeconfig.as_deref()).await?;
    let evacuated = evacuated(&platform, &cluster).await?;
    if undo {
        annotate(&platform, &cluster, false).await?;
        note(&format!("{cluster} is brought back: the service adds it to its names again as it sees them"));
        return Ok(ExitCode::SUCCESS);
    }
    let store = etcd_options.connect(etcd).await?;
    let look = async || {
        let (_, mirror) = etcd_options.read(store.clone()).await?;
        anyhow::Ok(Evacuation::of(&mirror, &cluster, &evacuated))
    };
    let before = look().await?;
    print(&shown(&before, all))?;
    let (leaves, stays) = (before.leaves.len(), before.stays.len());
    if dry_run {
        note(&format!(
            "{leaves} names would be left to others, {stays} go on leading to {cluster}; nothing is changed"
        ));
        return Ok(ExitCode::SUCCESS);
    }
    let started = Instant::now();
    annotate(&platform, &cluster, true).await?;
    let mut left = leaves;
    while left > 0 && started.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK).await;
        let now = look().await?.leaves.len();
        if now != left {
            note(&format!("{} of {leaves} names are left to others", leaves.saturating_sub(now)));
        }
        left = now;
    }
    if left > 0 {
        note(&format!(
            "{cluster} is marked as evacuated, but {left} names still lead to it; see that the service runs and its \
             condition Recorded of the ClusterDNS {cluster}"
        ));
        return Ok(ExitCode::from(NOT_DONE));
    }
    note(&format!("{cluster} is evacuated: {leaves} names lead to others, {stays} go on leading to it"));
    Ok(ExitCode::SUCCESS)
}

/// The clusters that are evacuated, besides the one that is meant, which must exist.
async fn evacuated(platform: &Client, cluster: &ClusterId) -> anyhow::Result<BTreeSet<ClusterId>> {
    let clusters: Api<Cluster> = Api::all(platform.clone());
    let hint = "name a kubeconfig of the platform cluster with --kubeconfig";
    let all =
        clusters.list(&ListParams::default()).await.context("failed to read the Clusters").hint(hint)?;
    if !all.iter().any(|known| cluster_id(known) == *cluster) {
        let known: Vec<String> = all.iter().map(|known| cluster_id(known).to_string()).collect();
        let hint = format!("there are: {}", known.join(", "));
        return Err(hinted(format!("there is no Cluster {cluster}"), hint));
    }
    let evacuated = all.iter().filter(|known| is_evacuated(known)).map(cluster_id);
    Ok(evacuated.filter(|other| other != cluster).collect())
}

async fn annotate(platform: &Client, cluster: &ClusterId, evacuate: bool) -> anyhow::Result<()> {
    let clusters: Api<Cluster> = Api::namespaced(platform.clone(), &cluster.namespace);
    let value = evacuate.then_some("true");
    let patch = json!({ "metadata": { "annotations": { EVACUATE_ANNOTATION: value } } });
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    clusters
        .patch(&cluster.name, &params, &Patch::Merge(&patch))
        .await
        .with_context(|| format!("failed to annotate the Cluster {cluster}"))
        .hint("the command needs the right to patch Clusters on the platform cluster")?;
    Ok(())
}

fn shown(evacuation: &Evacuation, all: bool) -> String {
    let Evacuation { leaves, stays } = evacuation;
    let most = if all { usize::MAX } else { SHOWN };
    let mut text = String::new();
    // Writing to a String cannot fail.
    for (name, others) in leaves.iter().take(most) {
        let others: Vec<String> = others.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "leaves  {name}  (stays with {})", others.join(", "));
    }
    for name in stays.iter().take(most) {
        let _ = writeln!(text, "stays   {name}  (nobody else has it)");
    }
    let more = leaves.len().saturating_sub(most) + stays.len().saturating_sub(most);
    if more > 0 {
        let _ = writeln!(text, "... and {more} more: see --all");
    }
    text
}
