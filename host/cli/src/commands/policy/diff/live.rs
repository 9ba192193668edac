//! A landscape as it runs: what the API servers hold now.
//!
//! ```text
//! platform: DNSPolicy, Clusters, Secrets ──► each cluster: Gateways, routes, Ingresses, Namespaces
//! ```
//! The same objects by the same access as the service has, by list instead of watch. Nothing is written.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::objects::Objects;
use openmcp_dns_policy::Engine;

use super::super::super::platform::platform;
use super::super::note;
use super::landscape::{Landscape, Member, objects};
use crate::terminal::hint::{Hint as _, hinted};
use openmcp_dns_api::{Cluster, DNSPolicy};
use openmcp_dns_modules::remote::UntrustedHttp;
use openmcp_dns_modules::{ModuleLoader, SourceOptions};
use openmcp_dns_service::inventory::{Access, Inventory as _, SecretInventory};
use openmcp_dns_service::landscape::{cluster_id, policy_for};
use openmcp_dns_service::observe;

/// How long a cluster may take to give all its objects: ten times what a large one needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many clusters are read at once. More would not be faster, and their objects come at once.
const AT_ONCE: usize = 8;

/// Where the running landscape is.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "A running landscape")]
pub(super) struct LiveArgs {
    /// Kubeconfig of the platform cluster: compare on what its clusters hold now, instead of a folder.
    /// It has to allow to list DNSPolicies, Clusters and the Secrets with the clusters' kubeconfigs;
    /// nothing is written
    #[arg(long, value_name = "FILE", conflicts_with = "folder")]
    kubeconfig: Option<PathBuf>,

    /// Name of the DNSPolicy, where there are several; compared are the clusters that it holds for
    #[arg(long, value_name = "NAME", requires = "kubeconfig", conflicts_with = "folder")]
    policy: Option<String>,

    /// Allow plain http to this registry or web server, host or host:port, as `run` does, to download the
    /// module of the DNSPolicy
    #[arg(
        long,
        value_name = "HOST",
        value_delimiter = ',',
        requires = "kubeconfig",
        conflicts_with = "folder"
    )]
    insecure_registry: Vec<String>,
}

impl LiveArgs {
    /// Reads the landscape; gives with it what loads the module of its policy, as the service does.
    ///
    /// # Errors
    /// When the platform cluster does not say which policy and which clusters there are. A cluster that
    /// does not answer is no error: the landscape says so.
    pub(super) async fn read(&self, engine: &Engine) -> anyhow::Result<(Landscape, ModuleLoader)> {
        let Self { kubeconfig, policy, insecure_registry } = self;
        let client = platform(kubeconfig.as_deref()).await?;
        let options = SourceOptions {
            untrusted_http: UntrustedHttp::new(insecure_registry.clone()),
            allow_files: false,
            // Nobody asks again.
            tag_check: Duration::MAX,
        };
        let loader = ModuleLoader::new(engine.clone(), client.clone(), options);

        let policies: Vec<DNSPolicy> = list(&client, "DNSPolicies").await?;
        let chosen = choose(&policies, policy.as_deref())?;
        let clusters: Vec<Cluster> = list(&client, "Clusters").await?;
        let inventory = SecretInventory::new(client);
        let access = inventory.list().await.context("unable to list the Secrets with kubeconfigs");
        let access: BTreeMap<ClusterId, Access> = access
            .hint("let this kubeconfig list Secrets, as deploy/openmcp-dns.yaml does")?
            .into_iter()
            .collect();

        let name = chosen.name_any();
        let ours = clusters.into_iter().filter(|cluster| {
            let leaves = cluster.metadata.deletion_timestamp.is_some();
            let holds = policy_for(cluster, &policies).is_some_and(|policy| policy.name_any() == name);
            if holds && leaves {
                note(&format!("cluster {} is being deleted, and passed over", cluster_id(cluster)));
            }
            holds && !leaves
        });
        let ours: Vec<Cluster> = ours.collect();
        if ours.is_empty() {
            let message = format!("the DNSPolicy {name} holds for no Cluster");
            return Err(hinted(
                message,
                "compare its clusterSelector with `kubectl get clusters -A --show-labels`",
            ));
        }
        let total = ours.len();
        note(&format!("reading {total} clusters ..."));
        let reading = ours.into_iter().map(|cluster| {
            let id = cluster_id(&cluster);
            let access = access.get(&id).cloned().ok_or_else(|| inventory.advice(&id));
            async move { Member { objects: read_cluster(access).await, id, cluster } }
        });
        let mut reading = futures::stream::iter(reading).buffer_unordered(AT_ONCE);
        let mut members = Vec::new();
        while let Some(member) = reading.next().await {
            members.push(member);
            if let Some(Member { id, objects, .. }) = members.last() {
                let count = members.len();
                note(&match objects {
                    Ok(objects) => {
                        format!("{count}/{total} {id}: {} objects with host names", objects.sources().len())
                    }
                    Err(why) => format!("{count}/{total} {id}: {why}"),
                });
            }
        }
        members.sort_by(|a, b| a.id.cmp(&b.id));
        // CoreDNS's etcd plugin finds a stored wildcard only by asking for `*` itself.
        Ok((Landscape { policy: Some(chosen.clone()), wildcards: false, clusters: members }, loader))
    }
}

async fn list<K>(client: &kube::Client, what: &str) -> anyhow::Result<Vec<K>>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let listed = Api::<K>::all(client.clone()).list(&ListParams::default()).await;
    let listed = listed
        .with_context(|| format!("unable to list the {what} of the platform cluster"))
        .hint("name a kubeconfig of the platform cluster that may list them; are the CRDs installed?")?;
    Ok(listed.items)
}

/// The policy of this name, or the only one.
fn choose<'p>(policies: &'p [DNSPolicy], name: Option<&str>) -> anyhow::Result<&'p DNSPolicy> {
    let names = || policies.iter().map(kube::ResourceExt::name_any).collect::<Vec<_>>().join(", ");
    match (name, policies) {
        (_, []) => Err(hinted("the platform cluster has no DNSPolicy", "examples/first-policy.yaml is one")),
        (None, [only]) => Ok(only),
        (None, _) => Err(hinted(
            format!("there are several DNSPolicies: {}", names()),
            "choose one with --policy NAME",
        )),
        (Some(name), _) => policies.iter().find(|policy| policy.name_any() == name).ok_or_else(|| {
            hinted(format!("there is no DNSPolicy {name}"), format!("choose one of these: {}", names()))
        }),
    }
}

/// The objects of a cluster, or why they are not known.
async fn read_cluster(access: Result<Access, String>) -> Result<Objects, String> {
    let client = access?.client().await.map_err(|error| openmcp_dns_core::chain(&error))?;
    let listed = tokio::time::timeout(PATIENCE, observe::list(&client)).await;
    let listed = listed.map_err(|_| format!("no answer within {} seconds", PATIENCE.as_secs()))?;
    Ok(objects(listed.map_err(|error| openmcp_dns_core::chain(&error))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str) -> DNSPolicy {
        let spec = serde_json::from_value(serde_json::json!({ "baseDomain": "openmcp.cluster" }));
        DNSPolicy::new(name, spec.unwrap())
    }

    #[test]
    fn the_only_policy_needs_no_name_and_several_do() {
        let (one, two) = ([policy("a")], [policy("a"), policy("b")]);
        assert_eq!(choose(&one, None).unwrap().name_any(), "a");
        assert_eq!(choose(&two, Some("b")).unwrap().name_any(), "b");
        for (policies, name, expected) in
            [(&one[..0], None, "no DNSPolicy"), (&two, None, "a, b"), (&two, Some("c"), "no DNSPolicy c")]
        {
            let error = choose(policies, name).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
