//! `openmcp-dns restore`: puts exported records back into etcd.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use kube::Api;
use kube::api::ListParams;
use openmcp_dns_api::conditions::DutyName;
use openmcp_dns_api::{ClusterDNS, cluster_id};
use openmcp_dns_core::backup::{Restoration, parse};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::leadership::LeaderKey;
use openmcp_dns_core::plan::{NamePlan, transactions};
use openmcp_dns_store::{Commit, Fence, Store, StoreError};

use super::KeptIn;
use crate::commands::leading::leader_key;
use crate::commands::platform::platform;
use crate::terminal::hint::{Hint as _, hinted};
use crate::terminal::output::{note, print};

/// How many lines with an error are shown.
const MOST_ERRORS: usize = 20;

/// After so many names, it is said how far it has come.
const PROGRESS_NAMES: usize = 1000;

/// Puts records back that `export` has printed.
///
/// Only what is missing is added: a name at which anything stands is left as it is, and nothing is deleted. Records
/// of clusters that the service reaches (`Reachable` of their ClusterDNS is True) are left to it: it fills them in by
/// itself, and knows better. So this is for clusters that are away, and for an etcd without the service.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  What would be added:
    openmcp-dns restore records.jsonl --dry-run --etcd http://10.0.0.5:2379 --kubeconfig platform.yaml

  Into the etcd that the service has deployed:
    kubectl exec -i -n openmcp-dns deploy/openmcp-dns -- openmcp-dns restore - < records.jsonl")]
pub struct RestoreArgs {
    /// What `export` has printed, as lines of JSON; - reads it from stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    kept_in: KeptIn,

    /// Kubeconfig of the platform cluster [default: the pod's service account, KUBECONFIG, or
    /// ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// The platform cluster is gone, and no service keeps any of the records
    #[arg(long, conflicts_with = "kubeconfig")]
    without_platform: bool,

    /// Only say what would be added
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub async fn run(args: RestoreArgs) -> anyhow::Result<()> {
    let RestoreArgs { file, kept_in, kubeconfig, without_platform, dry_run } = args;
    let records = parse(&read(&file)?).map_err(|errors| {
        let mut text = format!("{} is not what export prints:", file.display());
        for error in errors.iter().take(MOST_ERRORS) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {error}");
        }
        if errors.len() > MOST_ERRORS {
            let _ = write!(text, "\n  and {} more", errors.len() - MOST_ERRORS);
        }
        hinted(text, "correct these lines, or take them out; nothing was written")
    })?;
    let (kept_up, leader_key) = if without_platform {
        // Nobody leads there.
        (BTreeSet::new(), LeaderKey::of_platform(""))
    } else {
        let platform = platform(kubeconfig.as_deref()).await?;
        (kept_up(&platform).await?, leader_key(&platform).await)
    };
    // When somebody else begins to lead, what was read before that may be old.
    let store = kept_in.connect().await?;
    let (_, fence) = store.leader(&leader_key).await?;
    let (_, mirror) = kept_in.read(store.clone()).await?;
    let restoration = Restoration::of(&mirror, records, |cluster| kept_up.contains(cluster));
    print(&shown(&restoration))?;
    let names = restoration.plans.len();
    if dry_run {
        note(&format!("{names} names would be added"));
        return Ok(());
    }
    write(&*store, &fence, &restoration.plans).await?;
    note(&format!("{names} names were added"));
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    read.with_context(|| format!("failed to read {}", file.display()))?;
    Ok(text)
}

/// The clusters that a running service reaches.
async fn kept_up(platform: &kube::Client) -> anyhow::Result<BTreeSet<ClusterId>> {
    let clusters: Api<ClusterDNS> = Api::all(platform.clone());
    let clusters = clusters
        .list(&ListParams::default())
        .await
        .context("failed to see which clusters the service reaches")
        .hint("name a kubeconfig of the platform cluster with --kubeconfig, or add --without-platform where it is gone")?;
    let is_reached = |cluster: &ClusterDNS| {
        let conditions = cluster.status.iter().flat_map(|status| &status.conditions);
        conditions
            .into_iter()
            .any(|condition| condition.type_ == DutyName::Reachable.as_str() && condition.status == "True")
    };
    let reached = clusters.items.into_iter().filter(is_reached);
    Ok(reached.map(|cluster| cluster_id(&cluster)).collect())
}

/// What is added, a line for each value; and what is not, with the reason.
fn shown(restoration: &Restoration) -> String {
    let Restoration { plans, there, different, kept_up } = restoration;
    let mut text = String::new();
    for NamePlan { name, changes, .. } in plans {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "add {name}, {} values", changes.len());
    }
    for name in different {
        let _ = writeln!(text, "leave {name}: something else stands there");
    }
    for (cluster, names) in kept_up {
        let _ = writeln!(text, "leave {names} names of {cluster} to the service, which reaches the cluster");
    }
    if *there > 0 {
        let _ = writeln!(text, "{there} names are there already");
    }
    text
}

async fn write(store: &dyn Store, fence: &Fence, plans: &[NamePlan]) -> anyhow::Result<()> {
    let mut written = 0;
    for plans in transactions(plans) {
        let why = match store.commit(fence, plans).await {
            Ok(Commit::Done(_)) => None,
            Ok(Commit::Conflict) => Some("somebody writes to the same names"),
            Err(StoreError::Fenced) => Some("another replica of the service leads now"),
            Err(error) => return Err(error.into()),
        };
        if let Some(why) = why {
            return Err(hinted(
                format!("{why}; {written} names were added"),
                "run the command again: it adds what is still missing",
            ));
        }
        let before = written / PROGRESS_NAMES;
        written += plans.len();
        if written / PROGRESS_NAMES > before {
            note(&format!("{written} names ..."));
        }
    }
    Ok(())
}
