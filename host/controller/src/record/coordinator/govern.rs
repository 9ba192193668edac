//! Which cluster stands under which policy, and which domain it has.

use std::sync::Arc;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::decide::{Territory, cluster_domain};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::skydns::Owner;
use tokio::sync::oneshot;

use super::{Coordinator, ask};
use crate::record::cluster::Governance;
use crate::record::messages::Report;
use crate::record::summary::NoDomain;

impl Coordinator {
    pub(super) fn govern(&mut self, id: &ClusterId, governance: Governance) {
        let cluster = self.clusters.entry(id.clone()).or_default();
        if cluster.release.is_some() {
            return;
        }
        let same = cluster.governance.as_ref().is_some_and(|old| old.decides_like(&governance));
        cluster.governance = Some(governance);
        // Told of what it knows already, it says nothing: whoever asks again and again would be
        // answered again and again.
        if !same {
            self.settle_domains(Some(id));
            self.touch(id);
        }
    }

    /// No policy selects the cluster any more. Its records stay; its watches end, so that what is
    /// known of its objects is no longer current.
    pub(super) fn ungovern(&mut self, id: &ClusterId) {
        let Some(cluster) = self.clusters.get_mut(id) else { return };
        cluster.governance = None;
        cluster.watches.clear();
        self.touch(id);
    }

    /// Decides on the domains of all clusters: one cluster's may depend on another's, when both
    /// want the same. Decides anew on the claims of each cluster whose domain has changed, and of
    /// `changed`, whose policy has.
    pub(super) fn settle_domains(&mut self, changed: Option<&ClusterId>) {
        let mut by_age: Vec<(ClusterId, Governance)> = self
            .clusters
            .iter()
            .filter(|(_, cluster)| cluster.release.is_none())
            .filter_map(|(id, cluster)| Some((id.clone(), cluster.governance.clone()?)))
            .collect();
        by_age.sort_by(|(a, x), (b, y)| (x.created, a).cmp(&(y.created, b)));
        let mut taken: Vec<(HostName, ClusterId)> = Vec::new();
        for (id, governance) in by_age {
            let wanted = if Some(&id) == changed {
                None
            } else {
                // Only the module can change what a cluster wants.
                self.clusters[&id].wanted_domain.clone()
            };
            let wanted =
                wanted.unwrap_or_else(|| ask(|| cluster_domain(&*governance.policy, &governance.context)));
            let overlapping = wanted.as_ref().ok().and_then(|domain| {
                taken.iter().find(|(other, _)| domain.is_within(other) || other.is_within(domain))
            });
            let domain = match (&wanted, overlapping) {
                (Err(failure), _) => Err(NoDomain::Policy(failure.clone())),
                (Ok(domain), Some((_, by))) => {
                    Err(NoDomain::Taken { domain: domain.clone(), by: by.clone() })
                }
                (Ok(domain), None) => {
                    taken.push((domain.clone(), id.clone()));
                    Ok(Arc::new(Territory {
                        domain: domain.clone(),
                        shared_names: governance.context.shared_names.iter().cloned().collect(),
                        wildcards: governance.wildcards,
                    }))
                }
            };
            let Some(cluster) = self.clusters.get_mut(&id) else { continue };
            cluster.wanted_domain = Some(wanted);
            if cluster.domain.as_ref() == Some(&domain) && Some(&id) != changed {
                continue;
            }
            let report = domain.as_ref().map(|territory| territory.domain.clone()).map_err(Clone::clone);
            cluster.domain = Some(domain);
            let sources = cluster.objects.sources();
            self.outbox.push(Report::Domain(id.clone(), report));
            self.redecide(&id, sources, true);
        }
    }

    pub(super) fn release(&mut self, id: &ClusterId, zone: HostName, done: oneshot::Sender<()>) {
        let owner = Owner { landscape: zone, cluster: id.clone() };
        self.pending.extend(self.mirror.names_of(&owner).cloned().map(|name| (name, false)));
        let cluster = self.clusters.entry(id.clone()).or_default();
        cluster.released = Some(owner);
        cluster.release = Some(done);
        cluster.objects = Default::default();
        let sources: Vec<_> = self.index.of_cluster(id).map(|(source, _)| source.clone()).collect();
        self.redecide(id, sources, false);
        // The domain is free for another cluster now.
        self.settle_domains(None);
    }

    pub(super) fn finish_releases(&mut self) {
        if !self.mirrored {
            return;
        }
        let done: Vec<ClusterId> = self
            .clusters
            .iter()
            .filter(|(_, cluster)| {
                cluster.released.as_ref().is_some_and(|owner| self.mirror.count_of(owner) == 0)
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in done {
            self.guards.remove(&id);
            if let Some(done) = self.clusters.remove(&id).and_then(|cluster| cluster.release) {
                // Nobody may be waiting any more.
                let _ = done.send(());
            }
        }
    }
}
