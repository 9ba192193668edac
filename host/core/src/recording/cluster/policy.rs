//! Under which policy the cluster stands, and which domain it has.

use std::sync::Arc;

use super::again::Again;
use super::counting::Told;
use super::{ClusterEffect, ClusterRecords, Incoming, Surroundings};
use crate::cluster::SourceRef;
use crate::cluster_policy::ClusterPolicy;
use crate::deletion_guard::Reason;
use crate::name::HostName;
use crate::objects::Objects;
use crate::recording::messages::{NoDomain, Report};
use crate::recording::question::{Answer, Decisions, Job, Role};
use crate::recording::zone::Wish;
use crate::skydns::Owner;

impl ClusterRecords {
    /// From now on the cluster stands under this policy: at once where it decides as before, otherwise
    /// when its module has decided on all that the cluster asks for, so that everything that would
    /// change is known before anything is written.
    pub(super) fn govern(&mut self, policy: ClusterPolicy, around: &mut Surroundings<'_>) {
        if self.released.is_some() {
            return;
        }
        if self.policy.as_ref().is_some_and(|active| active.decides_like(&policy)) {
            // Told of what it knows already, it says nothing: whoever asks again and again would be
            // answered again and again.
            self.drop_incoming(around);
            self.policy = Some(policy);
            self.follow_candidate(around);
            return;
        }
        match &mut self.incoming {
            Some(incoming) if incoming.policy.decides_like(&policy) => incoming.policy = policy,
            _ => self.have_decided(policy, around),
        }
    }

    /// Asks the module for the cluster's domain and for a decision on all its claims.
    pub(super) fn have_decided(&mut self, policy: ClusterPolicy, around: &mut Surroundings<'_>) {
        self.drop_incoming(around);
        let ticket = around.ticket();
        let (claims, counts) = self.asked(&self.objects.sources(), &policy.module, &policy.sources, around);
        around.effects.push(ClusterEffect::Ask(Job {
            policy_name: policy.policy_name.clone(),
            role: Role::Incoming,
            cluster: self.id.clone(),
            ticket,
            module: policy.module.clone(),
            allowed: None,
            claims,
            counts,
            questions_per_second: policy.limits.questions_per_second,
        }));
        self.incoming = Some(Incoming { policy, ticket, decided: None });
    }

    fn drop_incoming(&mut self, around: &mut Surroundings<'_>) {
        if self.incoming.take().is_some() {
            around.effects.push(ClusterEffect::Cancel(Role::Incoming));
        }
    }

    /// The incoming module has decided: its policy comes into force with the domain that the zone gives.
    pub(super) fn decided(&mut self, answer: Answer, around: &mut Surroundings<'_>) {
        let Answer { ticket, domain: Some(domain), decisions, .. } = answer else { return };
        let is_awaited = |incoming: &mut Incoming| incoming.ticket == ticket && incoming.decided.is_none();
        let Some(mut incoming) = self.incoming.take_if(is_awaited) else { return };
        match &domain {
            Err(failure) if failure.kind.can_pass() => self.domain_again.failed((), around.now),
            _ => self.domain_again.forget(&()),
        }
        let decides_alike = self.policy.as_ref().is_some_and(|old| old.decides_like(&incoming.policy));
        if domain.is_err() && self.wanted_domain.as_ref() == Some(&domain) && decides_alike {
            // Asked once more, it has failed once more: nothing is new, and nobody is told.
            self.policy = Some(incoming.policy);
            return;
        }
        let created_unix_seconds = incoming.policy.created_unix_seconds;
        around.effects.push(ClusterEffect::Wish(Wish { created_unix_seconds, domain: domain.clone() }));
        incoming.decided = Some((domain, decisions));
        self.incoming = Some(incoming);
    }

    /// The zone gives the cluster its domain, or none: as it has wished, or because of another cluster.
    pub(super) fn take_domain(&mut self, domain: Result<HostName, NoDomain>, around: &mut Surroundings<'_>) {
        let incoming = self.incoming.take_if(|incoming| incoming.decided.is_some());
        let in_force = incoming.and_then(|incoming| {
            let (wanted_domain, decisions) = incoming.decided?;
            self.move_to(incoming.policy.module.context.base_domain.clone(), around);
            let is_first = self.policy.replace(incoming.policy).is_none();
            self.wanted_domain = Some(wanted_domain);
            self.again = Again::default();
            self.stop_asking(around);
            Some((is_first, decisions))
        });
        let Some(policy) = &self.policy else { return };
        let allowed = domain.clone().map(|domain| Arc::new(policy.module.allowed(domain)));
        if self.domain.as_ref() == Some(&allowed) && in_force.is_none() {
            return;
        }
        self.domain = Some(allowed);
        around.tell(Report::Domain(self.id.clone(), domain));
        let sources = self.objects.sources();
        let Some((is_first, decisions)) = in_force else {
            self.redecide(sources, true, &Decisions::default(), around);
            return;
        };
        self.redecide(sources, true, &decisions, around);
        around.memo.extend(decisions);
        if is_first {
            // Lists that came before found nobody whose records to review.
            self.review(around);
        }
        self.follow_candidate(around);
        self.touch(around);
    }

    /// The cluster publishes in this zone from now on. What it has in another one goes, as the deletion
    /// guard allows.
    fn move_to(&mut self, zone: HostName, around: &mut Surroundings<'_>) {
        self.left_zones.remove(&zone);
        if let Some(old) = self.zone.replace(zone) {
            self.leave_zone(old, around);
        }
    }

    /// What the cluster has in this zone goes, unless it is its own.
    pub(super) fn leave_zone(&mut self, zone: HostName, around: &mut Surroundings<'_>) {
        if self.zone.as_ref() == Some(&zone) || !self.left_zones.insert(zone.clone()) {
            return;
        }
        let owner = Owner { zone, cluster: self.id.clone() };
        around.effects.push(ClusterEffect::Review { owner, reason: Reason::Missing });
    }

    /// No policy selects the cluster any more. Its records stay; its watches end, so that what is
    /// known of its objects is no longer current. Its domain is free.
    pub(super) fn ungovern(&mut self, around: &mut Surroundings<'_>) {
        self.policy = None;
        self.told = Told::default();
        self.drop_incoming(around);
        self.drop_candidate(around);
        self.watches.clear();
        self.listed.clear();
        self.again = Again::default();
        self.domain_again = Again::default();
        self.stop_asking(around);
        around.effects.push(ClusterEffect::NoWish);
        self.touch(around);
    }

    /// Withdraws everything. The domain is free for another cluster then.
    pub(super) fn release(&mut self, zone: HostName, around: &mut Surroundings<'_>) {
        let mut zones = std::mem::take(&mut self.left_zones);
        zones.extend(self.zone.clone());
        zones.insert(zone);
        let owner = |zone: HostName| Owner { zone, cluster: self.id.clone() };
        self.released = Some(zones.into_iter().map(owner).collect());
        self.review(around);
        self.all_routes_changed();
        self.objects = Objects::default();
        self.drop_incoming(around);
        self.drop_candidate(around);
        self.again = Again::default();
        self.domain_again = Again::default();
        self.stop_asking(around);
        let sources: Vec<SourceRef> = self.index.iter().map(|(source, _)| source.clone()).collect();
        self.redecide(sources, false, &Decisions::default(), around);
        around.effects.push(ClusterEffect::NoWish);
    }
}
