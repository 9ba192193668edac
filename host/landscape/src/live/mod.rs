//! A landscape as it runs: what the API servers hold now.
//!
//! ```text
//! platform: DNSPolicy, Clusters, Secrets ──► each cluster: Gateways, routes, Ingresses, Namespaces
//! ```
//! The same objects by the same access as the service has, by list instead of watch. Nothing is written.

mod error;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use openmcp_dns_api::{Cluster, DNSPolicy, GatewayServiceConfig, cluster_id, with_gateway_layout};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::objects::{Change, Objects};
use openmcp_dns_service::inventory::{Access, Insecure, Inventory as _, SecretInventory};
use openmcp_dns_service::landscape::policy_for;
use openmcp_dns_service::observe;

pub use error::LiveError;

use crate::{Landscape, Member, Problems};

/// How long a cluster may take to give all its objects: ten times what a large one needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many clusters are read at once. More would not be faster, and their objects come at once.
const AT_ONCE: usize = 8;

/// How far the reading has come, for a person who waits.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'p> {
    /// The cluster is being deleted, and passed over.
    Leaving(&'p ClusterId),
    /// So many clusters are going to be read.
    Begun {
        /// How many.
        total: usize,
    },
    /// A cluster has been read, or is not going to be.
    Read {
        /// How many have been, with this one.
        count: usize,
        /// Out of so many.
        total: usize,
        /// This one.
        member: &'p Member,
    },
}

/// Reads what stands under one policy: the one of this name, or the only one. `tell` is told how far it
/// has come, and `insecure` says what becomes of an insecure kubeconfig.
///
/// # Errors
/// When the platform cluster does not say which policy and which clusters there are. A cluster that
/// does not answer is no error: the landscape says so.
pub async fn read(
    platform: kube::Client,
    insecure: Insecure,
    policy: Option<&str>,
    tell: &dyn Fn(Progress<'_>),
) -> Result<Landscape, LiveError> {
    let gateways = gateway_configs(&platform).await?;
    let policies: Vec<DNSPolicy> = list(&platform, "DNSPolicies").await?;
    let meant = policies.into_iter().map(|policy| with_gateway_layout(policy, &gateways));
    let policies: Vec<DNSPolicy> = meant.collect();
    let chosen = choose(&policies, policy)?;
    let clusters: Vec<Cluster> = list(&platform, "Clusters").await?;
    let inventory = SecretInventory::new(platform, insecure);
    let access = inventory.list().await.map_err(LiveError::Access)?;
    let access: BTreeMap<ClusterId, Access> = access.into_iter().collect();

    let name = chosen.name_any();
    let ours = clusters.into_iter().filter(|cluster| {
        let leaves = cluster.metadata.deletion_timestamp.is_some();
        let holds = policy_for(cluster, &policies).is_some_and(|policy| policy.name_any() == name);
        if holds && leaves {
            tell(Progress::Leaving(&cluster_id(cluster)));
        }
        holds && !leaves
    });
    let ours: Vec<Cluster> = ours.collect();
    if ours.is_empty() {
        return Err(LiveError::NoCluster { name });
    }
    let total = ours.len();
    tell(Progress::Begun { total });
    let reading = ours.into_iter().map(|cluster| {
        let id = cluster_id(&cluster);
        let access = access.get(&id).cloned().ok_or_else(|| inventory.advice(&id));
        async move { Member { objects: read_cluster(access).await, id, cluster } }
    });
    let mut reading = futures::stream::iter(reading).buffer_unordered(AT_ONCE);
    let mut members = Vec::new();
    while let Some(member) = reading.next().await {
        tell(Progress::Read { count: members.len() + 1, total, member: &member });
        members.push(member);
    }
    members.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Landscape { clusters: members, policies: vec![chosen.clone()], problems: Problems::new() })
}

/// The configurations of openMCP's gateway service; none where it is not there, or we may not read them.
async fn gateway_configs(platform: &kube::Client) -> Result<Vec<GatewayServiceConfig>, LiveError> {
    match list(platform, "GatewayServiceConfigs").await {
        Err(LiveError::List { source: kube::Error::Api(status), .. }) if matches!(status.code, 403 | 404) => {
            Ok(Vec::new())
        }
        listed => listed,
    }
}

async fn list<K>(client: &kube::Client, what: &'static str) -> Result<Vec<K>, LiveError>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let listed = Api::<K>::all(client.clone()).list(&ListParams::default()).await;
    Ok(listed.map_err(|source| LiveError::List { what, source })?.items)
}

/// The policy of this name, or the only one.
fn choose<'p>(policies: &'p [DNSPolicy], name: Option<&str>) -> Result<&'p DNSPolicy, LiveError> {
    let names = || policies.iter().map(kube::ResourceExt::name_any).collect();
    match (name, policies) {
        (_, []) => Err(LiveError::NoPolicy),
        (None, [only]) => Ok(only),
        (None, _) => Err(LiveError::SeveralPolicies { names: names() }),
        (Some(name), _) => policies
            .iter()
            .find(|policy| policy.name_any() == name)
            .ok_or_else(|| LiveError::UnknownPolicy { name: name.to_owned(), names: names() }),
    }
}

/// The objects of a cluster, or why they are not known.
async fn read_cluster(access: Result<Access, String>) -> Result<Objects, String> {
    let client = access?.client().await.map_err(|error| openmcp_dns_core::chain(&error))?;
    let listed = tokio::time::timeout(PATIENCE, observe::list(&client)).await;
    let listed = listed.map_err(|_| format!("no answer within {} seconds", PATIENCE.as_secs()))?;
    let mut objects = Objects::default();
    for object in listed.map_err(|error| openmcp_dns_core::chain(&error))? {
        objects.apply(Change::Set(object));
    }
    Ok(objects)
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
