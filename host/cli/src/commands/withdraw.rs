//! `openmcp-dns withdraw`: deletes the records of a cluster that does not exist any more.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use kube::{Api, ResourceExt as _};
use openmcp_dns_api::Cluster;
use openmcp_dns_core::mirror::{Mirror, Stored, StoredName};
use openmcp_dns_core::plan::transactions;
use openmcp_dns_core::skydns::Owner;
use openmcp_dns_core::withdrawal::Withdrawal;
use openmcp_dns_store::{Commit, StoreError};

use super::etcd::EtcdOptions;
use super::leading::leader_key;
use super::platform::platform;
use crate::terminal::hint::{Hint as _, hinted};
use crate::terminal::output::{note, print};

/// What the exit code says when something would be deleted, and nobody has confirmed it.
const NOT_CONFIRMED: u8 = 1;

/// Deletes the records of a cluster that no Cluster object stands for any more, as the condition
/// `OwnersKnown` of a DNSPolicy names it. First it only shows them.
///
/// What others have at the same names stays. While the Cluster exists this is refused: delete the Cluster,
/// and the service takes back its records.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when nothing is left of it, 1 when something is and has to be confirmed, or on an error.

Examples:
  What would be deleted, and the token that confirms it:
    openmcp-dns withdraw openmcp.cluster/openmcp-system/workload01 --etcd http://10.0.0.5:2379

  Delete exactly that:
    openmcp-dns withdraw openmcp.cluster/openmcp-system/workload01 --etcd http://10.0.0.5:2379 --confirm 4f1c...")]
pub struct WithdrawArgs {
    /// Whose records: BASE_DOMAIN/NAMESPACE/CLUSTER, as the condition `OwnersKnown` names them
    #[arg(value_name = "OWNER")]
    owner: Owner,

    /// Endpoints of the etcd that holds the records
    #[arg(long, env = "OPENMCP_DNS_ETCD", value_name = "URL", value_delimiter = ',', required = true)]
    etcd: Vec<String>,

    #[command(flatten)]
    etcd_options: EtcdOptions,

    /// Kubeconfig of the platform cluster [default: the pod's service account, KUBECONFIG, or
    /// ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Delete, if what would be deleted is still what was shown with this token
    #[arg(long, value_name = "TOKEN")]
    confirm: Option<String>,
}

/// Runs the command.
pub async fn run(args: WithdrawArgs) -> anyhow::Result<ExitCode> {
    let WithdrawArgs { owner, etcd, etcd_options, kubeconfig, confirm } = args;
    let platform = platform(kubeconfig.as_deref()).await?;
    let clusters: Api<Cluster> = Api::namespaced(platform.clone(), &owner.cluster.namespace);
    let cluster = clusters
        .get_opt(&owner.cluster.name)
        .await
        .with_context(|| format!("failed to see whether the Cluster {} exists", owner.cluster))
        .hint("name a kubeconfig of the platform cluster with --kubeconfig")?;
    if let Some(cluster) = cluster {
        let what =
            format!("the Cluster {} exists, with uid {}", owner.cluster, cluster.uid().unwrap_or_default());
        return Err(hinted(what, "delete the Cluster: the service takes back its records then"));
    }
    // Who leads goes on leading, and so do we not go on when somebody else begins to: what was read before that may
    // be old.
    let store = etcd_options.connect(etcd).await?;
    let (_, fence) = store.leader(&leader_key(&platform).await).await?;
    let (_, mirror) = etcd_options.read(store.clone()).await?;
    let withdrawal = Withdrawal::of(&mirror, &owner);
    let token = withdrawal.token();
    let names = withdrawal.plans().len();
    if names == 0 {
        note(&format!("etcd holds nothing of {owner}"));
        return Ok(ExitCode::SUCCESS);
    }
    print(&shown(&mirror, &owner))?;
    match confirm {
        None => {
            note(&format!("{names} names would be withdrawn; to do that, add --confirm {token}"));
            return Ok(ExitCode::from(NOT_CONFIRMED));
        }
        Some(confirmed) if confirmed != token => {
            return Err(hinted(
                format!("{confirmed} confirms another deletion: what is shown now has the token {token}"),
                "look at the names again, and confirm them with the new token",
            ));
        }
        Some(_) => {}
    }
    for plans in transactions(withdrawal.plans()) {
        let why = match store.commit(&fence, plans).await {
            Ok(Commit::Done(_)) => continue,
            Ok(Commit::Conflict) => "somebody has changed records meanwhile",
            Err(StoreError::Fenced) => "another replica of the service leads now",
            Err(error) => return Err(error.into()),
        };
        return Err(hinted(
            format!("{why}; some are withdrawn already"),
            "run the command again: it shows what is left",
        ));
    }
    note(&format!("{names} names are withdrawn"));
    Ok(ExitCode::SUCCESS)
}

/// The values of an owner, a line each.
fn shown(mirror: &Mirror, owner: &Owner) -> String {
    let mut text = String::new();
    for name in mirror.names_of(owner) {
        let values = mirror.at(name).into_iter().flat_map(StoredName::iter);
        for value in values.filter(|stored| stored.owner() == Some(owner)).filter_map(Stored::value) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name} {} {value}", value.record_type());
        }
    }
    text
}
