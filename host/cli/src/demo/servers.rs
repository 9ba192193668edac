//! Servers: an API server in memory for each cluster of the landscape, and the service's way into them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use async_trait::async_trait;
use kube::Resource as _;
use openmcp_dns_api::{CLUSTER_DNS_ANNOTATION, Cluster, ClusterDNS, DNSPolicy, GatewayServiceConfig};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::kinds::Kind;
use openmcp_dns_kube_memory::{Effect, Fault, FaultId, Refusal, Resource, Server, built_in};
use openmcp_dns_landscape::Landscape;
use openmcp_dns_landscape::folder::{Files, PLATFORM};
use openmcp_dns_service::inventory::{Access, Inventory};
use openmcp_dns_service::watch::Update;
use openmcp_dns_service::watch::tell;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::cluster_dns::ClusterDns;
use super::mirror::{CLUSTER, CLUSTER_DNS, DNS_POLICY, Key, Mirror, Wanted};
use super::wanted::{keep_clusters, of_folder};

/// What an API server refuses, with its file.
pub(super) type Refused = Vec<(Key, Wanted, Refusal)>;

/// The API servers of a landscape.
pub(super) struct Servers {
    /// That of the platform cluster.
    pub(super) platform: Server,
    platform_kinds: Vec<Resource>,
    platform_mirror: Mirror,
    platform_dns: GivenDns,
    members: BTreeMap<String, Member>,
    member_kinds: Vec<Resource>,
    /// How many servers were made.
    made: u64,
    access: watch::Sender<BTreeMap<ClusterId, Access>>,
}

/// The API server of a cluster that is not the platform.
struct Member {
    server: Server,
    mirror: Mirror,
    dns: GivenDns,
    /// Tells it from the one that another cluster of this name had.
    version: u64,
    /// By which it does not answer: its folder is gone, which says nothing of the cluster's objects.
    away: Option<FaultId>,
}

/// The DNS that we give a cluster.
struct GivenDns {
    /// Without sockets there is none: it is not known then whether the cluster forwards the zone, and the service says so.
    server: Option<ClusterDns>,
    /// Whether the cluster's files describe its DNS: how that is made to forward may be what ours does not follow.
    gives_way: bool,
}

impl GivenDns {
    fn to(cluster: &Server) -> Self {
        let server = ClusterDns::start(cluster.clone())
            .inspect_err(|error| tracing::warn!(%error, "unable to start the DNS of a cluster"));
        Self { server: server.ok(), gives_way: false }
    }

    /// Gives way where these objects have the Service of a cluster's DNS.
    fn give_way_to(&mut self, wanted: &BTreeMap<Key, Wanted>) {
        self.gives_way = wanted.keys().any(|key| key.kind == "Service" && key.namespace == "kube-system");
    }

    fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().filter(|_| !self.gives_way).map(|server| server.address)
    }
}

impl Member {
    /// Says whether it answers.
    fn answers(&mut self, does: bool) {
        if does {
            if let Some(away) = self.away.take() {
                self.server.heal(away);
            }
        } else if self.away.is_none() {
            self.away = Some(self.server.fail(Fault::new(Effect::Disconnect)));
            self.server.drop_watches();
        }
    }
}

impl Servers {
    pub(super) fn new() -> Self {
        let (member_kinds, platform_kinds) = (member_kinds(), platform_kinds());
        let platform = server(PLATFORM, &platform_kinds);
        Self {
            platform_dns: GivenDns::to(&platform),
            platform,
            platform_kinds,
            platform_mirror: Mirror::default(),
            members: BTreeMap::new(),
            member_kinds,
            made: 0,
            access: watch::Sender::default(),
        }
    }

    /// Writes into the servers what has changed in the files. Gives what they refuse.
    pub(super) fn sync(
        &mut self,
        landscape: &Landscape,
        files: &Files,
        policies: impl FnOnce(BTreeMap<Key, Wanted>) -> BTreeMap<Key, Wanted>,
    ) -> Refused {
        let mut wanted = of_folder(files, PLATFORM, &self.platform_kinds);
        let in_folder: Vec<Key> = wanted.keys().filter(|key| key.kind == DNS_POLICY).cloned().collect();
        let in_folder = in_folder.into_iter().filter_map(|key| wanted.remove_entry(&key)).collect();
        wanted.extend(policies(in_folder));
        let ids: Vec<&ClusterId> = landscape.clusters.iter().map(|member| &member.id).collect();
        keep_clusters(&mut wanted, &ids);

        let left = self.clusters();
        self.members.retain(|name, _| ids.iter().copied().chain(&left).any(|id| id.name == *name));
        let mut refused = Vec::new();
        for id in ids.iter().filter(|id| id.name != PLATFORM) {
            let is_there = files.folders().contains(&id.name);
            if !is_there && !self.members.contains_key(&id.name) {
                continue;
            }
            let (made, kinds) = (&mut self.made, &self.member_kinds);
            let member = self.members.entry(id.name.clone()).or_insert_with(|| {
                *made += 1;
                let server = server(&id.name, kinds);
                Member {
                    dns: GivenDns::to(&server),
                    server,
                    mirror: Mirror::default(),
                    version: *made,
                    away: None,
                }
            });
            member.answers(is_there);
            if is_there {
                let wanted = of_folder(files, &id.name, kinds);
                member.dns.give_way_to(&wanted);
                refused.extend(member.mirror.sync(&member.server, wanted));
            }
        }
        self.platform_dns.give_way_to(&wanted);
        self.say_where_dns_is(&mut wanted);
        refused.extend(self.platform_mirror.sync(&self.platform, wanted));
        let with_access =
            ids.into_iter().chain(&left).filter_map(|id| Some((id.clone(), self.access_to(id)?)));
        let with_access: BTreeMap<ClusterId, Access> = with_access.collect();
        tell(&self.access, with_access);
        refused
    }

    /// Whether something waits until a server has changed.
    pub(super) fn is_waiting(&self) -> bool {
        self.platform_mirror.is_waiting || self.members.values().any(|member| member.mirror.is_waiting)
    }

    /// The API server of a cluster, if it has one.
    pub(super) fn of(&self, cluster: &str) -> Option<&Server> {
        if cluster == PLATFORM { Some(&self.platform) } else { Some(&self.members.get(cluster)?.server) }
    }

    /// Where the DNS that we give a cluster answers, if it has one.
    pub(super) fn dns_of(&self, cluster: &str) -> Option<SocketAddr> {
        if cluster == PLATFORM {
            self.platform_dns.address()
        } else {
            self.members.get(cluster)?.dns.address()
        }
    }

    /// Annotates the clusters, as operators do; what a file says of it holds.
    fn say_where_dns_is(&self, wanted: &mut BTreeMap<Key, Wanted>) {
        for (key, cluster) in wanted.iter_mut().filter(|(key, _)| key.kind == CLUSTER) {
            let Some(address) = self.dns_of(&key.name) else { continue };
            cluster.change(key, |object| {
                let annotation = &mut object["metadata"]["annotations"][CLUSTER_DNS_ANNOTATION];
                if annotation.is_null() {
                    *annotation = Value::from(address.to_string());
                }
            });
        }
    }

    /// Gives the service its way into the clusters.
    pub(super) fn inventory(&self) -> FolderInventory {
        FolderInventory { access: self.access.subscribe() }
    }

    fn access_to(&self, id: &ClusterId) -> Option<Access> {
        let version = if id.name == PLATFORM { 0 } else { self.members.get(&id.name)?.version };
        Some(Access::by_client(format!("folder {}", id.name), self.of(&id.name)?.client(), version))
    }

    /// The clusters that the platform knows, those that are being deleted included.
    fn clusters(&self) -> Vec<ClusterId> {
        let clusters = self.platform.list(&Cluster::api_version(&()), CLUSTER);
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let id = |cluster: &serde_json::Value| {
            ClusterId::new(text(&cluster["metadata"]["namespace"]), text(&cluster["metadata"]["name"]))
        };
        clusters.iter().map(id).collect()
    }
}

fn server(name: &str, kinds: &[Resource]) -> Server {
    let server = Server::new(name);
    let known = built_in();
    for kind in kinds.iter().filter(|kind| !known.contains(kind)) {
        server.register(kind.clone(), None);
    }
    server
}

/// What every cluster serves: what Kubernetes brings, and the Gateway API.
fn member_kinds() -> Vec<Resource> {
    let mut kinds = built_in();
    for kind in Kind::watched() {
        let resource = Resource::custom(kind.group(), kind.version(), kind.as_str(), kind.plural());
        if kinds.iter().all(|known| (&known.group, &known.kind) != (&resource.group, &resource.kind)) {
            kinds.push(if kind.is_namespaced() { resource } else { resource.in_no_namespace() });
        }
    }
    kinds
}

/// What the platform cluster serves beside that.
fn platform_kinds() -> Vec<Resource> {
    fn custom<K: kube::Resource<DynamicType = ()>>(kind: &str) -> Resource {
        Resource::custom(&K::group(&()), &K::version(&()), kind, &K::plural(&()))
    }
    let mut kinds = member_kinds();
    kinds.push(custom::<Cluster>(CLUSTER));
    kinds.push(custom::<DNSPolicy>(DNS_POLICY).in_no_namespace());
    kinds.push(custom::<ClusterDNS>(CLUSTER_DNS));
    kinds.push(custom::<GatewayServiceConfig>("GatewayServiceConfig").in_no_namespace());
    kinds
}

/// Gets into the clusters that have a folder.
pub(super) struct FolderInventory {
    access: watch::Receiver<BTreeMap<ClusterId, Access>>,
}

#[async_trait]
impl Inventory for FolderInventory {
    async fn follow(&self, updates: mpsc::Sender<Update<(ClusterId, Access)>>) {
        let mut access = self.access.clone();
        access.mark_changed();
        while access.changed().await.is_ok() {
            let all = access.borrow_and_update().clone();
            if updates.send(Update::All(all.into_iter().collect())).await.is_err() {
                return;
            }
        }
    }

    fn advice(&self, cluster: &ClusterId) -> String {
        format!("the cluster has no folder: create the folder {}/ with its manifests", cluster.name)
    }
}
