//! Which cluster stands under which policy, and which domain it has.

use openmcp_dns_core::cluster_policy::ClusterPolicy;
use std::sync::Arc;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::FailureKind;
use openmcp_dns_core::skydns::Owner;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Recorder;
use crate::record::cluster::Next;
use crate::record::decider::{Answer, Decisions, Job, Role};
use crate::record::messages::Report;
use crate::record::summary::NoDomain;

impl Recorder {
    /// From now on the cluster stands under this policy: at once where it decides as before, otherwise
    /// when its module has decided on all that the cluster asks for, so that everything that would
    /// change is known before anything is written.
    pub(super) fn govern(&mut self, id: &ClusterId, governance: ClusterPolicy) {
        let cluster = self.clusters.entry(id.clone()).or_default();
        if cluster.release.is_some() {
            return;
        }
        let asks_again =
            matches!(&cluster.wanted_domain, Some(Err(failure)) if failure.kind == FailureKind::Deadline);
        let decides_like = |other: &ClusterPolicy| other.decides_like(&governance);
        if cluster.governance.as_ref().is_some_and(decides_like) && !asks_again {
            // Told of what it knows already, it says nothing: whoever asks again and again would be
            // answered again and again.
            cluster.next = None;
            cluster.governance = Some(governance);
            self.follow_candidate(id);
            return;
        }
        match &mut cluster.next {
            Some(next) if next.governance.decides_like(&governance) => next.governance = governance,
            _ => self.have_decided(id, governance),
        }
    }

    /// Asks the module for the cluster's domain and for a decision on all its claims.
    fn have_decided(&mut self, id: &ClusterId, governance: ClusterPolicy) {
        let Some(cluster) = self.clusters.get_mut(id) else { return };
        let sources = cluster.objects.sources();
        let subjects = sources.iter().flat_map(|source| cluster.subjects(source)).collect();
        let ticket = self.deciders.ticket();
        let cancelled = CancellationToken::new();
        let job = Job {
            policy_name: governance.policy_name.clone(),
            role: Role::Coming,
            cluster: id.clone(),
            ticket,
            module: governance.module.clone(),
            allowed: None,
            subjects,
            cancelled: cancelled.clone(),
        };
        cluster.next = Some(Next { governance, ticket, _ends_job: cancelled.drop_guard() });
        self.deciders.ask(job);
    }

    /// The module has decided: its policy comes into force.
    pub(super) fn decided(&mut self, id: &ClusterId, answer: Answer) {
        let Some(cluster) = self.clusters.get_mut(id) else { return };
        let Some(next) = cluster.next.take_if(|next| next.ticket == answer.ticket) else { return };
        let Answer { domain, decisions, .. } = answer;
        let old = cluster.governance.replace(next.governance);
        let is_first = old.is_none();
        // Asked once more, it has failed once more: nothing is new, and nobody is told.
        let is_news = !matches!(&domain, Some(Err(_)))
            || cluster.wanted_domain != domain
            || old.zip(cluster.governance.as_ref()).is_none_or(|(old, new)| !old.decides_like(new));
        if is_news {
            cluster.wanted_domain = domain;
            cluster.stop_asking();
            self.settle_domains(Some((id, &decisions)));
            self.memo.extend(decisions);
            if is_first {
                // Lists that came before found nobody whose records to review.
                self.review(id);
            }
            self.follow_candidate(id);
            self.touch(id);
        }
    }

    /// No policy selects the cluster any more. Its records stay; its watches end, so that what is
    /// known of its objects is no longer current.
    pub(super) fn ungovern(&mut self, id: &ClusterId) {
        let Some(cluster) = self.clusters.get_mut(id) else { return };
        cluster.governance = None;
        cluster.next = None;
        cluster.shadow = None;
        cluster.watches.clear();
        cluster.stop_asking();
        self.touch(id);
    }

    /// Settles the domains of all clusters: one cluster's may depend on another's, when both want the
    /// same. Decides anew on the claims of each cluster whose domain has changed, and of `changed`,
    /// whose policy has, by the decisions that come with it.
    pub(super) fn settle_domains(&mut self, changed: Option<(&ClusterId, &Decisions)>) {
        let mut by_age: Vec<(ClusterId, ClusterPolicy)> = self
            .clusters
            .iter()
            .filter(|(_, cluster)| cluster.release.is_none())
            .filter_map(|(id, cluster)| Some((id.clone(), cluster.governance.clone()?)))
            .collect();
        by_age.sort_by(|(a, x), (b, y)| (x.created_unix_seconds, a).cmp(&(y.created_unix_seconds, b)));
        let mut taken: Vec<(HostName, ClusterId)> = Vec::new();
        for (id, governance) in by_age {
            // A governance comes into force with the domain that its module wants.
            let Some(wanted) = self.clusters[&id].wanted_domain.clone() else { continue };
            let overlapping = wanted.as_ref().ok().and_then(|domain| {
                taken.iter().find(|(other, _)| domain.is_within(other) || other.is_within(domain))
            });
            let domain = match (wanted, overlapping) {
                (Err(failure), _) => Err(NoDomain::Policy(failure)),
                (Ok(domain), Some((_, by))) => Err(NoDomain::Taken { domain, by: by.clone() }),
                (Ok(domain), None) => {
                    taken.push((domain.clone(), id.clone()));
                    Ok(Arc::new(governance.module.allowed(domain)))
                }
            };
            let Some(cluster) = self.clusters.get_mut(&id) else { continue };
            let given = changed.filter(|(changed, _)| **changed == id).map(|(_, decisions)| decisions);
            if cluster.domain.as_ref() == Some(&domain) && given.is_none() {
                continue;
            }
            let report = domain.as_ref().map(|allowed| allowed.domain.clone()).map_err(Clone::clone);
            cluster.domain = Some(domain);
            let sources = cluster.objects.sources();
            self.outbox.push(Report::Domain(id.clone(), report));
            self.redecide_given(&id, sources, true, given.unwrap_or(&Decisions::new()));
        }
    }

    pub(super) fn release(&mut self, id: &ClusterId, zone: HostName, done: oneshot::Sender<()>) {
        let owner = Owner { landscape: zone, cluster: id.clone() };
        self.pending.extend(self.mirror.names_of(&owner).cloned().map(|name| (name, false)));
        let cluster = self.clusters.entry(id.clone()).or_default();
        cluster.released = Some(owner);
        cluster.release = Some(done);
        cluster.objects = Default::default();
        cluster.next = None;
        cluster.shadow = None;
        cluster.stop_asking();
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
