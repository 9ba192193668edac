//! What is to be said of routes in their status: which of them to look at again, and what is known of each.

use std::collections::BTreeSet;

use super::{ClusterInput, ClusterRecords};
use crate::cluster::SourceRef;
use crate::cluster_policy::ClusterPolicy;
use crate::conflict::Claimant;
use crate::index::Outcome;
use crate::kinds::ParentClaims;
use crate::name::HostName;
use crate::recording::messages::Observation;
use crate::recording::names::Names;
use crate::route_status::{ClaimFacts, ParentFacts, RouteFacts, RouteNews};

/// Routes of which something else is to be said.
#[derive(Default)]
pub(super) struct ChangedRoutes {
    routes: BTreeSet<SourceRef>,
    /// Whether some have come since somebody asked.
    is_news: bool,
}

impl ClusterRecords {
    /// What a route asks for, or what has become of it, may have changed.
    pub(in crate::recording) fn route_changed(&mut self, source: &SourceRef) {
        if !source.kind.is_route() || self.released.is_some() {
            return;
        }
        // What was said before has to go where nothing is to be said any more.
        if self.tells_routes() || !self.objects.own_entries(source).is_empty() {
            self.changed_routes.is_news |= self.changed_routes.routes.insert(source.clone());
        }
    }

    /// Whether routes are told in their status what has become of their names.
    pub(super) fn tells_routes(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.route_status)
    }

    /// Something else is to be said of all routes, or nothing more.
    pub(super) fn all_routes_changed(&mut self) {
        let routes = self.objects.sources().into_iter().filter(|source| source.kind.is_route());
        self.changed_routes.routes.extend(routes);
        self.changed_routes.is_news |= !self.changed_routes.routes.is_empty();
    }

    /// The routes in whose status something else of ours will stand when this has been taken in.
    pub(super) fn with_other_entries(&self, input: &ClusterInput) -> Vec<SourceRef> {
        match input {
            ClusterInput::Observation(Observation::Change(change)) => self.objects.with_other_entries(change),
            _ => Vec::new(),
        }
    }

    /// Whether there is something to say of routes that nobody has been told of.
    pub(in crate::recording) fn take_is_news(&mut self) -> bool {
        std::mem::take(&mut self.changed_routes.is_news)
    }

    /// What is known of routes that have changed, of so many at most.
    pub(in crate::recording) fn take_changed_routes(&mut self, names: &Names, most: usize) -> Vec<RouteNews> {
        let Some(policy) = self.policy.clone() else { return Vec::new() };
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(source) = self.changed_routes.routes.pop_first()
        {
            let facts = self.route_facts(&source, &policy, names);
            taken.push(RouteNews { source, facts });
        }
        taken
    }

    fn route_facts(&self, source: &SourceRef, policy: &ClusterPolicy, names: &Names) -> Option<RouteFacts> {
        let own = self.objects.own_entries(source);
        let generation = self.objects.generation(source)?;
        let claims = if policy.route_status {
            self.objects.parent_claims(source, &policy.sources)
        } else {
            Vec::new()
        };
        let claimant = (self.id.clone(), source.clone());
        let of_parent = |ParentClaims { parent, host_names }: ParentClaims| {
            let claims = host_names.into_iter();
            let claims = claims.filter_map(|host_name| self.claim_facts(&claimant, host_name, names));
            ParentFacts { parent, claims: claims.collect() }
        };
        let uid = self.objects.uid(source).unwrap_or_default().to_owned();
        let parents = claims.into_iter().map(of_parent).collect();
        Some(RouteFacts { uid, generation, parents, own })
    }

    /// `None` where nobody has looked at the claim: an object may ask for too many names.
    fn claim_facts(&self, claimant: &Claimant, host_name: String, names: &Names) -> Option<ClaimFacts> {
        let Outcome { state, record_sets, .. } = self.index.outcomes(&claimant.1)?.get(&host_name)?;
        let published: BTreeSet<&HostName> = record_sets.iter().map(|set| &set.name).collect();
        let published = published.into_iter();
        let published = published.map(|name| (name.clone(), names.standing(claimant, name))).collect();
        Some(ClaimFacts { host_name, state: state.clone(), published })
    }
}
