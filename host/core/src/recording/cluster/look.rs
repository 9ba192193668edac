//! What is shown of a cluster's claims.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::ClusterRecords;
use crate::cluster::SourceRef;
use crate::index::{Outcome, State};
use crate::name::HostName;
use crate::recording::look::{Held, Look, Place, Seen, SeenClaim, Way};
use crate::recording::names::Names;

impl ClusterRecords {
    /// Goes on with a look in this cluster, from its beginning or after a claim of it.
    pub(in crate::recording) fn look(
        &self,
        look: &Look,
        after: Option<&Place>,
        names: &Names,
        seen: &mut Seen,
    ) {
        let from = after.map(|after| &after.source);
        if look.only_problems {
            // With the one that the last look may have come to the end of.
            let most = look.visits + 1;
            let mut sources: BTreeSet<&SourceRef> = self.index.problems_from(from).take(most).collect();
            // Who gives way has a decision like any other: only those who plan names know of it, in another order.
            for source in names.lost_by(&self.id) {
                if from.is_none_or(|from| source >= from) && self.index.outcomes(source).is_some() {
                    sources.insert(source);
                }
                if sources.len() > most {
                    sources.pop_last();
                }
            }
            self.look_at_each(look, after, names, seen, sources.into_iter());
        } else {
            self.look_at_each(look, after, names, seen, self.index.sources_from(from));
        }
    }

    fn look_at_each<'s>(
        &self,
        look: &Look,
        after: Option<&Place>,
        names: &Names,
        seen: &mut Seen,
        sources: impl Iterator<Item = &'s SourceRef>,
    ) {
        for source in sources {
            let after = after.filter(|after| after.source == *source).map(|after| after.host_name.as_str());
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let outcomes = self.index.outcomes(source).into_iter().flat_map(|outcomes| outcomes.from(from));
            for (host_name, outcome) in outcomes {
                seen.visited += 1;
                let place = || Place {
                    cluster: self.id.clone(),
                    source: source.clone(),
                    host_name: host_name.to_owned(),
                };
                if look.which.is_met(&self.id, source, host_name, &outcome.record_sets) {
                    let is_published = matches!(outcome.state, State::Published | State::Asked);
                    if !look.only_problems
                        || !is_published
                        || names.is_in_trouble(&self.id, source, &outcome.record_sets)
                    {
                        seen.claims.push(self.seen(place(), outcome, names));
                    }
                }
                if !look.goes_on(seen) {
                    seen.next = Some(place());
                    return;
                }
            }
        }
    }

    fn seen(&self, place: Place, outcome: &Outcome, names: &Names) -> SeenClaim {
        let Outcome { state, record_sets, .. } = outcome;
        let published: BTreeSet<&HostName> = record_sets.iter().map(|set| &set.name).collect();
        let claimant = (self.id.clone(), place.source.clone());
        let standing = |name: &HostName| (name.clone(), names.standing(&claimant, name));
        SeenClaim {
            published: published.into_iter().map(standing).collect(),
            place,
            state: state.clone(),
            record_sets: record_sets.clone(),
        }
    }

    /// How a claim came about; `None` when there is no such claim.
    pub(in crate::recording) fn way(&self, place: &Place, names: &Names) -> Option<Way> {
        let outcome = self.index.outcomes(&place.source)?.get(&place.host_name)?;
        let policy = self.policy.as_ref();
        let domain = self.domain.as_ref().map(|domain| match domain {
            Ok(allowed) => Ok(allowed.domain.clone()),
            Err(why) => Err(why.clone()),
        });
        let of_object = policy.map(|policy| {
            let rules = &policy.sources;
            let resolution = self.objects.resolve(&place.source, rules).unwrap_or_default();
            (self.objects.attachments(&place.source, rules), resolution)
        });
        let (attachments, resolution) = of_object.unwrap_or_default();
        Some(Way {
            seen: self.seen(place.clone(), outcome, names),
            attachments,
            resolution,
            policy: policy.map(|policy| policy.policy_name.clone()),
            domain,
        })
    }

    /// The deletion of the cluster that is held, with so many of its names at most.
    pub(in crate::recording) fn held(&self, most: usize) -> Option<Held> {
        let names = self.guard.held_names().take(most).cloned().collect();
        Some(Held { cluster: self.id.clone(), deletion: self.guard.held()?, names })
    }
}
