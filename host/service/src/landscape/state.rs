//! What is known of the landscape, and what follows from each change of it. No client, no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::ResourceExt as _;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::name::HostName;

use super::desired::desired;
use super::meant::Meant;
use super::zones::Zones;
use crate::clusters::Desired;
use crate::inventory::Access;
use crate::policies::{self, LandscapeFacts, Moment, PolicyLifeCycle, PolicyModule};
use crate::watch::Update;
use openmcp_dns_api::{
    CONFIRM_ANNOTATION, Cluster, ClusterDNS, DNSPolicy, GatewayServiceConfig, Operation, cluster_id,
    ignored_by, operation,
};

/// What happens in the landscape.
pub(super) enum Input<M> {
    /// A `Cluster` is another one.
    Clusters(Update<Cluster>),
    /// A `DNSPolicy` is another one.
    Policies(Update<DNSPolicy>),
    /// A `GatewayServiceConfig` is another one.
    Gateways(Update<GatewayServiceConfig>),
    /// A `ClusterDNS` is another one.
    ClusterDns(Update<ClusterDNS>),
    /// The access to a cluster is another one.
    Access(Update<(ClusterId, Access)>),
    /// Something happens to the policy of this name.
    Policy(String, Box<policies::Input<M>>),
    /// The controller of a cluster has nothing more to do.
    Ended(ClusterId),
    /// Time has passed.
    Tick,
}

/// What has to be done.
pub(super) enum Effect {
    /// Tell the cluster's controller what should be, which may be something else than before.
    Assign(ClusterId),
    /// The `Cluster` is gone: tell its controller, if there is one.
    Release(ClusterId, Desired),
    /// Do something for the policy of this name.
    Policy(String, policies::Effect),
    /// The policy of this name is gone.
    Forget(String),
    /// The `ClusterDNS` of this cluster is gone: it is made again.
    ClusterDnsLost(ClusterId),
    /// The policy of this name is looked at anew, as this annotation asks: take it away.
    Reconciled(String, &'static str),
    /// Somebody confirms the held deletion of this cluster that has this token.
    Confirm(ClusterId, String),
}

/// What is known of the landscape. A list that has not been read yet is not an empty one: nothing is
/// desired before the clusters, the policies and the access to the clusters are known.
pub(super) struct Landscape<M> {
    clusters: Option<BTreeMap<ClusterId, Arc<Cluster>>>,
    /// The uid of `Cluster` objects whose controllers have ended: the watch shows them for a moment as they were before we
    /// let go of them.
    released: BTreeMap<ClusterId, String>,
    meant: Meant,
    policies: Option<BTreeMap<String, PolicyLifeCycle<M>>>,
    access: Option<BTreeMap<ClusterId, Access>>,
    facts: LandscapeFacts,
}

impl<M: PolicyModule> Landscape<M> {
    /// Nothing is known yet.
    pub(super) fn new(facts: LandscapeFacts) -> Self {
        Self {
            clusters: None,
            released: BTreeMap::new(),
            meant: Meant::default(),
            policies: None,
            access: None,
            facts,
        }
    }

    /// Whether all lists have been read.
    pub(super) const fn is_known(&self) -> bool {
        self.clusters.is_some() && self.policies.is_some() && self.access.is_some()
    }

    /// The zones of the policies that are in force, and the reverse zones of their networks; `None` while the policies have
    /// not been read.
    pub(super) fn zones(&self) -> Option<BTreeSet<HostName>> {
        let policies = self.policies.as_ref()?.values().map(|policy| &**policy.policy());
        let in_force = Zones::of(policies).in_force;
        let zones = in_force.into_iter().flat_map(|policy| {
            let (networks, _) = policies::networks(&policy.spec);
            let reverse: Vec<HostName> = networks.zones().collect();
            policy.spec.base_domain.parse().into_iter().chain(reverse)
        });
        Some(zones.collect())
    }

    /// Whether there is such a `Cluster`.
    pub(super) fn has_cluster(&self, id: &ClusterId) -> bool {
        self.clusters.as_ref().is_some_and(|clusters| clusters.contains_key(id))
    }

    /// What should be for a cluster; `None` where that is not known, or there is no such cluster, or only one that is released.
    pub(super) fn desired(&self, id: &ClusterId) -> Option<Desired> {
        let cluster = self.clusters.as_ref()?.get(id)?;
        if cluster.uid().is_some_and(|uid| self.released.get(id) == Some(&uid)) {
            return None;
        }
        let desired = desired(Arc::clone(cluster), true, self.policies.as_ref()?, self.access.as_ref()?);
        Some(Desired { gateway: self.meant.gateway_domain(cluster), ..desired })
    }

    /// All policies.
    pub(super) fn policies(&self) -> impl Iterator<Item = (&String, &PolicyLifeCycle<M>)> {
        self.policies.iter().flatten()
    }

    /// Takes in what happens; gives what has to be done, in this order.
    pub(super) fn handle(&mut self, input: Input<M>, moment: &Moment) -> Vec<Effect> {
        match input {
            Input::Clusters(update) => self.clusters_seen(update),
            Input::Ended(id) => self.controller_ended(id),
            Input::Policies(Update::Trouble(message)) => trouble("DNSPolicy", &message),
            Input::Policies(update) => {
                let meant = self.meant.policies_seen(update);
                meant.map(|update| self.policies_seen(update, moment)).unwrap_or_default()
            }
            Input::Gateways(Update::Trouble(message)) => trouble("GatewayServiceConfig", &message),
            Input::Gateways(update) => {
                let meant = self.meant.gateways_seen(&update);
                meant.map(|update| self.policies_seen(update, moment)).unwrap_or_default()
            }
            Input::ClusterDns(update) => self.cluster_dns_seen(update),
            Input::Access(update) => self.access_seen(update),
            Input::Policy(name, input) => self.policy(&name, *input, moment),
            Input::Tick => {
                let names: Vec<String> = self.policies().map(|(name, _)| name.clone()).collect();
                names.iter().flat_map(|name| self.policy(name, policies::Input::Tick, moment)).collect()
            }
        }
    }

    fn assign_all(&self) -> Vec<Effect> {
        self.clusters.iter().flat_map(BTreeMap::keys).cloned().map(Effect::Assign).collect()
    }

    fn clusters_seen(&mut self, update: Update<Cluster>) -> Vec<Effect> {
        match update {
            Update::All(all) => {
                let all: BTreeMap<_, _> =
                    all.into_iter().map(|cluster| (cluster_id(&cluster), Arc::new(cluster))).collect();
                // One that is missing in a new list was deleted while the watch was down. Its controller
                // is not told: a list is no deletion that was seen, and our finalizer would have kept it.
                let old = self.clusters.take().unwrap_or_default();
                for id in old.keys().filter(|id| !all.contains_key(id)) {
                    tracing::warn!(cluster = %id, "the Cluster is missing in a new list; its records stay");
                }
                self.released.retain(|id, _| all.contains_key(id));
                self.clusters = Some(all);
                self.assign_all()
            }
            Update::Set(cluster) => {
                let Some(clusters) = &mut self.clusters else { return Vec::new() };
                let id = cluster_id(&*cluster);
                clusters.insert(id.clone(), Arc::new(*cluster));
                vec![Effect::Assign(id)]
            }
            Update::Removed(cluster) => {
                let id = cluster_id(&*cluster);
                if let Some(clusters) = &mut self.clusters {
                    clusters.remove(&id);
                }
                self.released.remove(&id);
                // Without a controller, nothing has been done for the cluster yet.
                let (Some(policies), Some(access)) = (&self.policies, &self.access) else {
                    return Vec::new();
                };
                vec![Effect::Release(id, desired(Arc::new(*cluster), false, policies, access))]
            }
            Update::Trouble(message) => trouble("Cluster", &message),
        }
    }

    /// A new Cluster of the same name may have come in the meantime.
    fn controller_ended(&mut self, id: ClusterId) -> Vec<Effect> {
        let cluster = self.clusters.as_ref().and_then(|clusters| clusters.get(&id));
        let leaves = cluster.filter(|cluster| cluster.metadata.deletion_timestamp.is_some());
        match leaves.and_then(|cluster| cluster.uid()) {
            Some(uid) => self.released.insert(id.clone(), uid),
            None => self.released.remove(&id),
        };
        vec![Effect::Assign(id)]
    }

    fn cluster_dns_seen(&self, update: Update<ClusterDNS>) -> Vec<Effect> {
        match update {
            Update::All(all) => {
                let there: BTreeSet<ClusterId> = all.iter().map(cluster_id).collect();
                let clusters = self.clusters.iter().flat_map(BTreeMap::keys);
                let lost = clusters.filter(|id| !there.contains(id)).cloned().map(Effect::ClusterDnsLost);
                all.iter().filter_map(confirmation).chain(lost).collect()
            }
            Update::Set(object) => confirmation(&object).into_iter().collect(),
            Update::Removed(object) => vec![Effect::ClusterDnsLost(cluster_id(&*object))],
            Update::Trouble(message) => trouble("ClusterDNS", &message),
        }
    }

    fn policies_seen(&mut self, update: Update<DNSPolicy>, moment: &Moment) -> Vec<Effect> {
        let mut effects = Vec::new();
        match update {
            Update::All(all) => {
                let mut old = self.policies.replace(BTreeMap::new()).unwrap_or_default();
                for policy in all {
                    let old = old.remove(&policy.name_any());
                    effects.extend(self.policy_seen(old, policy, moment));
                }
                effects.extend(old.into_keys().map(Effect::Forget));
            }
            Update::Set(policy) => {
                let Some(policies) = &mut self.policies else { return Vec::new() };
                let old = policies.remove(&policy.name_any());
                let is_told = old.as_ref().is_some_and(|old| says_the_same(old, &policy));
                effects.extend(self.policy_seen(old, *policy, moment));
                if is_told {
                    return effects;
                }
            }
            Update::Removed(policy) => {
                let name = policy.name_any();
                if let Some(policies) = &mut self.policies {
                    policies.remove(&name);
                }
                effects.push(Effect::Forget(name));
            }
            Update::Trouble(message) => return trouble("DNSPolicy", &message),
        }
        effects.extend(self.assign_all());
        effects
    }

    /// Takes in a policy that is new, or another one than `old`.
    fn policy_seen(
        &mut self,
        old: Option<PolicyLifeCycle<M>>,
        policy: DNSPolicy,
        moment: &Moment,
    ) -> Vec<Effect> {
        let name = policy.name_any();
        let reconcile = operation(&policy).filter(|(operation, _)| *operation == Operation::Reconcile);
        let policy = Arc::new(policy);
        let (policy, effects) = match old {
            Some(mut old) => {
                let is_new = reconcile.is_some() && operation(&**old.policy()) != reconcile;
                let mut effects = old.handle(policies::Input::Changed(policy), moment);
                if is_new {
                    effects.extend(old.handle(policies::Input::Reconcile, moment));
                }
                (old, effects)
            }
            None => PolicyLifeCycle::new(policy, self.facts),
        };
        self.policies.get_or_insert_default().insert(name.clone(), policy);
        let mut effects = self.effects(&name, effects);
        effects.extend(reconcile.map(|(_, annotation)| Effect::Reconciled(name, annotation)));
        effects
    }

    fn policy(&mut self, name: &str, input: policies::Input<M>, moment: &Moment) -> Vec<Effect> {
        let policy = self.policies.as_mut().and_then(|policies| policies.get_mut(name));
        let effects = policy.map(|policy| policy.handle(input, moment)).unwrap_or_default();
        self.effects(name, effects)
    }

    fn effects(&self, policy: &str, effects: Vec<policies::Effect>) -> Vec<Effect> {
        let one = |effect| match effect {
            policies::Effect::TellClusters => self.assign_all(),
            effect => vec![Effect::Policy(policy.to_owned(), effect)],
        };
        effects.into_iter().flat_map(one).collect()
    }

    fn access_seen(&mut self, update: Update<(ClusterId, Access)>) -> Vec<Effect> {
        match update {
            Update::All(all) => {
                self.access = Some(all.into_iter().collect());
                self.assign_all()
            }
            Update::Set(granted) => {
                let (id, access) = *granted;
                let Some(known) = &mut self.access else { return Vec::new() };
                known.insert(id.clone(), access);
                vec![Effect::Assign(id)]
            }
            Update::Removed(withdrawn) => {
                let (id, _) = *withdrawn;
                let Some(known) = &mut self.access else { return Vec::new() };
                known.remove(&id);
                vec![Effect::Assign(id)]
            }
            Update::Trouble(message) => trouble("Secret", &message),
        }
    }
}

/// Whether nothing that a cluster is told is another one: our own writes of the status come back as changes,
/// and each would have all clusters looked at. Clusters that wait for a module are told why, which the
/// object does not say, so they are told each time.
fn says_the_same<M: PolicyModule>(old: &PolicyLifeCycle<M>, new: &DNSPolicy) -> bool {
    let known = old.policy();
    let identity = |policy: &DNSPolicy| {
        let metadata = &policy.metadata;
        (metadata.uid.clone(), metadata.creation_timestamp.clone(), metadata.deletion_timestamp.clone())
    };
    old.active().is_some()
        && known.spec == new.spec
        && identity(known) == identity(new)
        && old.ignored_by() == ignored_by(new)
}

fn confirmation(object: &ClusterDNS) -> Option<Effect> {
    let token = object.annotations().get(CONFIRM_ANNOTATION)?.clone();
    Some(Effect::Confirm(cluster_id(object), token))
}

/// A watch of the platform cluster has trouble. It goes on trying, and nothing changes until then.
fn trouble(kind: &str, message: &str) -> Vec<Effect> {
    tracing::warn!(
        kind,
        message,
        hint = "are the CRDs installed (openmcp-dns crds), and may this service account list them?",
        "unable to watch the platform cluster"
    );
    Vec::new()
}
