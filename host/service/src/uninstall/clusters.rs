//! What the service has left in the clusters and on their `Cluster` objects.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::api::{Api, ListParams};
use kube::{Resource, ResourceExt as _};
use openmcp_dns_api::{
    AccessRequest, CLUSTER_DOMAIN_ANNOTATION, Cluster, ClusterDNS, DNSPolicy, ZONE_ANNOTATION, cluster_id,
};
use openmcp_dns_core::chain;
use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::name::HostName;

use super::{Found, Obstacle, Uninstall, UninstallError, failed, gone};
use crate::clusters::finalizer;
use crate::duties::{agent, annotate, forward, nodes};
use crate::inventory::{Access, access_requests};
use crate::report::cluster_dns;
use crate::{open_reports, route_status};

/// How often a block is taken back again that somebody else has changed meanwhile.
const ATTEMPTS: usize = 3;

/// How long nodes may take to take names out of their hosts files: one that is down holds up nothing.
const NODES_PATIENCE: Duration = Duration::from_secs(60);

/// A `Cluster` that we have marked.
pub(super) struct Marked {
    id: ClusterId,
    cluster: Cluster,
    /// Whether access to it was asked for by an AccessRequest.
    is_asked: bool,
    /// What stands in it; `None` where there is no way in.
    inside: Option<Inside>,
}

/// What stands in a cluster.
struct Inside {
    client: kube::Client,
    /// The zones that its DNS forwards.
    zones: Vec<HostName>,
    has_agent: bool,
    /// Whether names stand in the hosts files of its nodes.
    has_nodes: bool,
    /// The routes in whose status we have said something.
    routes: Vec<(SourceRef, String)>,
    /// The namespaces in which reports of ours stand.
    reports: Vec<String>,
}

impl Marked {
    pub(super) fn inside_lines(&self) -> impl Iterator<Item = String> {
        let agent = self.inside.iter().filter(|inside| inside.has_agent).map(|_| agent_line(&self.id));
        let zones = self.inside.iter().flat_map(|inside| &inside.zones);
        let routes = self.inside.iter().filter(|inside| !inside.routes.is_empty());
        let routes = routes.map(|inside| routes_line(&self.id, inside.routes.len()));
        let reports = self.inside.iter().filter(|inside| !inside.reports.is_empty());
        let reports = reports.map(|inside| reports_line(&self.id, inside.reports.len()));
        let nodes = self.inside.iter().filter(|inside| inside.has_nodes).map(|_| nodes_line(&self.id));
        nodes.chain(agent).chain(zones.map(|zone| block_line(&self.id, zone))).chain(routes).chain(reports)
    }

    pub(super) fn mark_line(&self) -> String {
        let request = if self.is_asked { ", AccessRequest" } else { "" };
        format!("annotations, ClusterDNS{request} and finalizer of Cluster {}", self.id)
    }

    pub(super) async fn clear(&self, tell: &mut impl FnMut(&str)) -> Result<(), UninstallError> {
        let Some(Inside { client, zones, has_agent, has_nodes, routes, reports }) = &self.inside else {
            return Ok(());
        };
        if *has_nodes {
            let left =
                |why| UninstallError::Cluster { what: "names on nodes", cluster: self.id.clone(), why };
            let late = nodes::remove(client, NODES_PATIENCE).await.map_err(left)?;
            tell(&nodes_line(&self.id));
            if !late.is_empty() {
                tell(&format!("   not on {}: run there: openmcp-dns node-hosts --once", late.join(", ")));
            }
        }
        if *has_agent {
            let left = |why| UninstallError::Cluster { what: "agent", cluster: self.id.clone(), why };
            agent::remove(client).await.map_err(left)?;
            tell(&agent_line(&self.id));
        }
        for zone in zones {
            let mut attempt = 1;
            while let Err(error) = forward::remove(client, zone).await {
                if attempt == ATTEMPTS {
                    let (what, why) = ("forward block", chain(&error));
                    return Err(UninstallError::Cluster { what, cluster: self.id.clone(), why });
                }
                attempt += 1;
            }
            tell(&block_line(&self.id, zone));
        }
        if !routes.is_empty() {
            let what = "status of routes";
            let left = |why| UninstallError::Cluster { what, cluster: self.id.clone(), why };
            route_status::remove(client, routes.clone()).await.map_err(left)?;
            tell(&routes_line(&self.id, routes.len()));
        }
        if !reports.is_empty() {
            let left = |why| UninstallError::Cluster { what: "reports", cluster: self.id.clone(), why };
            open_reports::remove(client, reports.clone()).await.map_err(left)?;
            tell(&reports_line(&self.id, reports.len()));
        }
        Ok(())
    }
}

fn agent_line(id: &ClusterId) -> String {
    format!("agent in cluster {id}")
}

fn nodes_line(id: &ClusterId) -> String {
    format!("names in the hosts files of the nodes of cluster {id}")
}

fn block_line(id: &ClusterId, zone: &HostName) -> String {
    format!("forward block for {zone} in the DNS of cluster {id}")
}

fn routes_line(id: &ClusterId, routes: usize) -> String {
    format!("entries in the status of {routes} routes in cluster {id}")
}

fn reports_line(id: &ClusterId, reports: usize) -> String {
    format!("reports in {reports} namespaces of cluster {id}")
}

impl Uninstall {
    /// Finds the clusters with a mark of ours, and what stands in their DNS.
    pub(super) async fn look_at_clusters(&self, found: &mut Found) -> Result<(), UninstallError> {
        let clusters = self.all::<Cluster>().await?;
        let reports: BTreeMap<ClusterId, ClusterDNS> =
            self.all::<ClusterDNS>().await?.into_iter().map(|report| (cluster_id(&report), report)).collect();
        let zones: BTreeSet<HostName> = self
            .all::<DNSPolicy>()
            .await?
            .iter()
            .filter_map(|policy| policy.spec.base_domain.parse().ok())
            .collect();
        let access: BTreeMap<ClusterId, Access> = self
            .inventory
            .list()
            .await
            .map_err(failed("list the Secrets with kubeconfigs"))?
            .into_iter()
            .collect();
        let requests = access_requests::requests(&self.platform).await;
        let requests = requests.map_err(failed("list the AccessRequests"))?;
        let asked: BTreeSet<ClusterId> = requests.iter().filter_map(AccessRequest::cluster).collect();
        for cluster in clusters {
            let id = cluster_id(&cluster);
            let is_asked = asked.contains(&id);
            let report = reports.get(&id);
            let annotated = |key| cluster.annotations().contains_key(key);
            if !finalizer::is_held(&cluster)
                && !annotated(ZONE_ANNOTATION)
                && !annotated(CLUSTER_DOMAIN_ANNOTATION)
                && report.is_none()
                && !is_asked
            {
                continue;
            }
            // Also where an annotation is missing, or one block was left from before.
            let mut zones = zones.clone();
            zones.extend(cluster.annotations().get(ZONE_ANNOTATION).and_then(|zone| zone.parse().ok()));
            let status = report.and_then(|report| report.status.as_ref());
            let noted = status.into_iter().flat_map(|status| {
                status.left_zones.iter().chain(&status.reverse_zones).chain([&status.zone])
            });
            zones.extend(noted.filter_map(|zone| zone.parse().ok()));
            let inside = match inside(access.get(&id), zones).await {
                Ok(inside) => Some(inside),
                Err(why) => {
                    found.obstacles.push(Obstacle { cluster: id.clone(), why });
                    None
                }
            };
            found.marked.push(Marked { id, cluster, is_asked, inside });
        }
        Ok(())
    }

    /// Takes our marks from a `Cluster`: the finalizer last.
    pub(super) async fn unmark(&self, marked: &Marked) -> Result<(), UninstallError> {
        let Marked { id, cluster, is_asked, inside: _ } = marked;
        let clusters: Api<Cluster> = Api::namespaced(self.platform.clone(), &id.namespace);
        let what = |of: &str| format!("remove {of} of Cluster {id}");
        annotate::remove(&clusters, cluster).await.map_err(failed(what("the annotations")))?;
        cluster_dns::remove(&self.platform, cluster).await.map_err(failed(what("the ClusterDNS")))?;
        gone(&format!("ClusterDNS {id}"), async || {
            let report = cluster_dns::read(&self.platform, cluster).await;
            Ok(report.map_err(failed(what("the ClusterDNS")))?.is_none())
        })
        .await?;
        // As long as its provider finds the `Cluster`.
        if *is_asked {
            gone(&format!("the AccessRequest of Cluster {id}"), async || {
                let withdrawn = access_requests::withdraw(&self.platform, id).await;
                withdrawn.map_err(failed(what("the AccessRequest")))
            })
            .await?;
        }
        finalizer::release(&clusters, cluster).await.map_err(failed(what("the finalizer")))
    }

    /// All objects of a kind; none where the kind is not served.
    pub(super) async fn all<K>(&self) -> Result<Vec<K>, UninstallError>
    where
        K: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
    {
        match Api::<K>::all(self.platform.clone()).list(&ListParams::default()).await {
            Ok(list) => Ok(list.items),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
            Err(error) => Err(failed(format!("list the objects of kind {}", K::kind(&())))(error)),
        }
    }
}

/// What a cluster has of ours: an agent, names on its nodes, and blocks that forward some of the zones.
async fn inside(access: Option<&Access>, zones: BTreeSet<HostName>) -> Result<Inside, String> {
    let access = access.ok_or("there is no Secret with its kubeconfig, and no AccessRequest")?;
    let client = access.client().await.map_err(|error| chain(&error))?;
    let mut forwarded = Vec::new();
    for zone in zones {
        if forward::is_forwarded(&client, &zone).await.map_err(|error| chain(&error))? {
            forwarded.push(zone);
        }
    }
    let has_agent = agent::is_there(&client).await.map_err(|error| chain(&error))?;
    let has_nodes = nodes::is_there(&client).await.map_err(|error| chain(&error))?;
    let routes = route_status::with_entries(&client).await.map_err(|error| chain(&error))?;
    let reports = open_reports::all(&client).await.map_err(|error| chain(&error))?;
    Ok(Inside { client, zones: forwarded, has_agent, has_nodes, routes, reports })
}
