//! `openmcp-dns uninstall`: takes back what the service has done, and the service itself.

use anyhow::Context as _;
use openmcp_dns_core::agents::Root;
use openmcp_dns_core::deployment::{MANAGER, Reference};
use openmcp_dns_core::plan::transactions;
use openmcp_dns_core::skydns::Owner;
use openmcp_dns_core::withdrawal::Withdrawal;
use openmcp_dns_service::uninstall::Uninstall;
use openmcp_dns_store::{Commit, Keep, MAX_OPERATIONS};
use serde_json::Value;

use super::etcd::EtcdOptions;
use super::leading::leader_key;
use super::platform::PlatformArgs;
use crate::terminal::hint::{Hint as _, hinted};
use crate::terminal::output::{note, print};

/// What the service is installed with, and what has to go therefore.
const INSTALLED: &str = include_str!("../../../../deploy/install.yaml");

/// Takes back all that the service has done, and then the service itself: first agents and forward blocks in the clusters,
/// then annotations and finalizers, then the central DNS with its records, and last what it was installed with.
///
/// Where a cluster does not answer, nothing is done at all, unless --skip-unreachable is given. What people have
/// written, such as DNSPolicies, stays with the CRDs.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when everything is gone (or would be), 1 when a cluster is in the way, or on an error. Run it again to go on.

Examples:
  What would be removed:
    openmcp-dns uninstall --dry-run --kubeconfig platform.yaml

  All of it, also what people have written, and without a cluster that does not exist any more:
    openmcp-dns uninstall --crds --skip-unreachable --kubeconfig platform.yaml")]
pub struct UninstallArgs {
    #[command(flatten)]
    platform: PlatformArgs,

    /// Endpoints of an etcd that the service has not deployed: our records in it go too
    #[arg(long, env = "OPENMCP_DNS_ETCD", value_name = "URL", value_delimiter = ',')]
    etcd: Vec<String>,

    #[command(flatten)]
    etcd_options: EtcdOptions,

    /// Go on although a forward block or an agent may stay in clusters that cannot be reached
    #[arg(long)]
    skip_unreachable: bool,

    /// Remove the CRDs too, and with them all DNSPolicies and DNSServiceConfigs
    #[arg(long)]
    crds: bool,

    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub async fn run(args: UninstallArgs) -> anyhow::Result<()> {
    let UninstallArgs { platform: platform_args, etcd, etcd_options, skip_unreachable, crds, dry_run } = args;
    let platform = platform_args.client().await?;
    let leader_of = platform.clone();
    let uninstall = Uninstall {
        inventory: platform_args.inventory(&platform),
        platform,
        installed: installed(&platform_args.namespace, crds)?,
        namespace: platform_args.namespace,
    };
    let found = uninstall.look().await.hint("name a kubeconfig of the platform cluster with --kubeconfig")?;
    for obstacle in &found.obstacles {
        note(&format!("cluster {} is in the way: {}", obstacle.cluster, obstacle.why));
    }
    if !found.obstacles.is_empty() && !skip_unreachable {
        let what = format!("something may stay in {} clusters; nothing was done", found.obstacles.len());
        return Err(hinted(what, "make them reachable, or go on without them with --skip-unreachable"));
    }
    if dry_run {
        print(&found.lines().iter().map(|line| format!("{line}\n")).collect::<String>())?;
        note("nothing was removed: that was a dry run");
        return Ok(());
    }
    // Whoever reads the output may be gone; what was begun goes on.
    let tell = |line: &str| drop(print(&format!("removed {line}\n")));
    uninstall.carry_out(&found, tell).await.hint("run the command again: it goes on with what is left")?;
    if !etcd.is_empty() {
        withdraw_all(&leader_of, &etcd_options, etcd).await?;
    }
    note("openmcp-dns is removed");
    Ok(())
}

/// The objects of the installation, in its order.
fn installed(namespace: &str, crds: bool) -> anyhow::Result<Vec<Reference>> {
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(INSTALLED).context("install.yaml cannot be read")?;
    let references = objects.iter().filter(|object| !object.is_null()).map(Reference::of);
    let wanted = references.filter(|object| crds || object.kind != "CustomResourceDefinition");
    Ok(wanted
        .map(|mut object| {
            if object.namespace == MANAGER {
                namespace.clone_into(&mut object.namespace);
            }
            if object.kind == "Namespace" {
                namespace.clone_into(&mut object.name);
            }
            object
        })
        .collect())
}

/// Deletes the records of all clusters, and then what says who leads.
async fn withdraw_all(
    platform: &kube::Client,
    options: &EtcdOptions,
    etcd: Vec<String>,
) -> anyhow::Result<()> {
    let store = options.connect(etcd).await?;
    let leader_key = leader_key(platform).await;
    let (_, fence) = store.leader(&leader_key).await?;
    let (_, mirror) = options.read(store.clone()).await?;
    let owners: Vec<&Owner> = mirror.owners().collect();
    for owner in owners {
        let withdrawal = Withdrawal::of(&mirror, owner);
        for plans in transactions(withdrawal.plans()) {
            if store.commit(&fence, plans).await? == Commit::Conflict {
                return Err(hinted(
                    "somebody has changed records meanwhile".to_owned(),
                    "run the command again: it goes on with what is left",
                ));
            }
        }
        print(&format!("removed {} names of {owner} in etcd\n", withdrawal.plans().len()))?;
    }
    // What agents have written.
    let kept = store.kept(Root::of(&leader_key).all()).await?;
    for changes in kept.chunks(MAX_OPERATIONS) {
        let changes: Vec<Keep> =
            changes.iter().map(|(key, _)| Keep { key: key.clone(), value: None }).collect();
        store.keep(&fence, &changes).await?;
    }
    store.forget_leader(&fence).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_is_what_was_installed_wherever_that_was() {
        let objects = installed("dns", false).unwrap();
        assert!(objects.iter().any(|object| object.kind == "Deployment" && object.namespace == "dns"));
        assert!(objects.iter().any(|object| object.kind == "Namespace" && object.name == "dns"));
        assert!(objects.iter().all(|object| ["", "dns", "kube-system"].contains(&&*object.namespace)));
        assert_eq!(installed("dns", true).unwrap().len(), objects.len() + 3);
    }
}
