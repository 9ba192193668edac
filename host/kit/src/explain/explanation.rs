//! Puts the steps together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::conflict::Claimant;
use openmcp_dns_core::decide::Decision;
use openmcp_dns_core::mirror::{Mirror, StoredName};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::next;
use openmcp_dns_core::precedence::{Precedence, Presence, giving_way};
use openmcp_dns_core::record::RecordSet;
use openmcp_dns_core::resolve::Resolution;
use openmcp_dns_landscape::Landscape;
use schemars::JsonSchema;
use serde::Serialize;

use super::claim::{ClaimStep, Claimed};
use super::name::{AnswerStep, NameStep};
use super::subject::Subject;
use crate::diff::Verdicts;
use crate::loaded_policy::LoadedPolicy;

/// The whole way of one name, or of the names of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// What is explained.
    pub subject: String,
    /// The zone.
    pub zone: HostName,
    /// Name of the DNSPolicy; `None` for the defaults.
    pub policy: Option<String>,
    /// Name and version of the module that decides.
    pub module: String,
    /// Who asks.
    pub claims: Vec<ClaimStep>,
    /// What comes of it.
    pub names: Vec<NameStep>,
    /// Clusters of which it is not known what they ask for.
    pub unknown: Vec<Unknown>,
    /// What to do, in the order of the way; empty when all is well.
    pub next_steps: Vec<String>,
}

/// A cluster that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unknown {
    /// The cluster.
    pub cluster: String,
    /// Why.
    pub reason: String,
}

impl Explanation {
    /// Follows a subject through a landscape, as far as it can be followed; `store` is what the store holds, if it was
    /// read.
    #[must_use]
    pub fn of(
        policy: &LoadedPolicy,
        landscape: &Landscape,
        subject: &Subject,
        store: Option<&Mirror>,
    ) -> Self {
        let verdicts = Verdicts::of(policy, landscape);
        let precedence = landscape
            .clusters
            .iter()
            .map(|member| (&member.id, policy.cluster_policy(&member.id, &member.cluster).precedence));
        let precedence = precedence.collect();
        let way = Way { landscape, verdicts: &verdicts, precedence, zone: &policy.zone, store };
        let names = way.names(subject);
        let mut explanation = Self {
            subject: subject.to_string(),
            zone: policy.zone.clone(),
            policy: policy.name.clone(),
            module: verdicts.module.clone(),
            claims: Vec::new(),
            names: Vec::new(),
            unknown: landscape
                .unknown()
                .map(|(cluster, reason)| Unknown { cluster: cluster.to_string(), reason: reason.to_owned() })
                .collect(),
            next_steps: Vec::new(),
        };
        let mut is_there = false;
        for member in &landscape.clusters {
            let Ok(objects) = &member.objects else { continue };
            let rules = policy.cluster_policy(&member.id, &member.cluster).sources;
            for source in objects.sources() {
                let wants = |host_name: &str| match subject {
                    Subject::Object(object) => *object == source,
                    Subject::Name(_) => host_name.parse().is_ok_and(|name: HostName| names.contains(&name)),
                };
                if matches!(subject, Subject::Object(object) if *object == source) {
                    is_there = true;
                    let is_left_out = objects.is_left_out(&source, &rules);
                    explanation.next(is_left_out.then(|| next::left_out(&source)));
                }
                let domain = verdicts.domains.get(&member.id);
                let Resolution { wanted, unresolved } = objects.resolve(&source, &rules).unwrap_or_default();
                let attachments = || objects.attachments(&source, &rules);
                let claimed =
                    Claimed { cluster: &member.id, source: &source, domain, attachments: &attachments };
                for claim in wanted {
                    let decision = way.decision(&member.id, &source, &claim.host_name);
                    if wants(&claim.host_name) || publishes_any(decision, &names) {
                        let (step, next) = claimed.resolved(&claim, decision);
                        explanation.claims.push(step);
                        explanation.next(next);
                    }
                }
                for unresolved in unresolved.iter().filter(|unresolved| wants(&unresolved.host_name)) {
                    let (step, next) = claimed.unresolved(unresolved);
                    explanation.claims.push(step);
                    explanation.next([next]);
                }
            }
        }
        if explanation.claims.is_empty() && explanation.next_steps.is_empty() {
            explanation.next([way.nobody_asks(subject, is_there)]);
        }
        for name in &names {
            let step = way.name(name);
            if step.is_known() || *subject == Subject::Name(name.clone()) {
                explanation.next(step.next_steps());
                explanation.names.push(step);
            }
        }
        explanation
    }

    /// Takes in what servers answer for one of the names.
    pub fn answered(&mut self, name: &HostName, answers: Vec<AnswerStep>) {
        let Some(step) = self.names.iter_mut().find(|step| step.name == *name) else { return };
        step.answers = answers;
        let next = step.next_steps();
        self.next(next);
    }

    /// Says each step once.
    fn next(&mut self, steps: impl IntoIterator<Item = String>) {
        for step in steps {
            if !self.next_steps.contains(&step) {
                self.next_steps.push(step);
            }
        }
    }
}

/// What the way leads through.
struct Way<'w> {
    landscape: &'w Landscape,
    verdicts: &'w Verdicts,
    precedence: BTreeMap<&'w ClusterId, Precedence>,
    zone: &'w HostName,
    store: Option<&'w Mirror>,
}

impl Way<'_> {
    fn decision(&self, cluster: &ClusterId, source: &SourceRef, host_name: &str) -> Option<&Decision> {
        self.verdicts.claims.get(&(cluster.clone(), source.clone(), host_name.to_owned()))
    }

    /// The names that are looked at: the one that is asked for, and the wildcards by which it may be answered; or
    /// those that an object asks for or publishes.
    fn names(&self, subject: &Subject) -> BTreeSet<HostName> {
        match subject {
            Subject::Name(name) => {
                let mut names = BTreeSet::from([name.clone()]);
                let is_published =
                    self.verdicts.claims.values().any(|decision| publishes_any(Some(decision), &names));
                if is_published || self.store.is_some_and(|store| store.at(name).is_some()) {
                    return names;
                }
                let mut above = name.as_str();
                while let Some((_, rest)) = above.split_once('.') {
                    above = rest;
                    names.extend(format!("*.{above}").parse::<HostName>());
                }
                names
            }
            Subject::Object(object) => {
                let claims = self.verdicts.claims.iter().filter(|((_, source, _), _)| source == object);
                let names = claims.flat_map(|((_, _, host_name), decision)| {
                    let published = record_sets(decision).iter().map(|set| set.name.clone());
                    published.chain(host_name.parse()).collect::<Vec<HostName>>()
                });
                names.collect()
            }
        }
    }

    fn name(&self, name: &HostName) -> NameStep {
        let offers: Vec<(Claimant, &RecordSet)> = self
            .verdicts
            .claims
            .iter()
            .flat_map(|((cluster, source, _), decision)| {
                let sets = record_sets(decision).iter().filter(|set| set.name == *name);
                sets.map(|set| ((cluster.clone(), source.clone()), set))
            })
            .collect();
        let claims = offers.iter().map(|(claimant, set)| (claimant, *set));
        let is_stored = |cluster: &ClusterId| {
            let stored = self.store.map(|store| store.at(name).into_iter().flat_map(StoredName::iter));
            stored.is_none_or(|mut stored| {
                stored.any(|stored| stored.owner().is_some_and(|owner| owner.cluster == *cluster))
            })
        };
        let give_way = |presence: &dyn Fn(&ClusterId) -> Presence| {
            let present = offers.iter().map(|((cluster, _), _)| (cluster, presence(cluster))).collect();
            giving_way(name, &present, |cluster| self.precedence.get(cluster))
        };
        // Since when a cluster asks for the name, only the service knows.
        let standing_by =
            give_way(&|cluster| Presence { is_stored: is_stored(cluster), lasts: Duration::ZERO });
        let for_good = give_way(&|_| Presence::STORED);
        let delay = |cluster: &ClusterId| {
            let place = self.precedence.get(cluster)?.place(name);
            place.filter(|_| !for_good.contains(cluster)).map(|place| place.failback_delay)
        };
        let standing_by = standing_by.into_iter().map(|cluster| {
            let delay = delay(&cluster);
            (cluster, delay)
        });
        let standing_by = standing_by.collect();
        let decides = |cluster: &ClusterId| {
            let mut members = self.landscape.clusters.iter();
            self.verdicts.domains.contains_key(cluster)
                && members.any(|member| member.id == *cluster && member.objects.is_ok())
        };
        NameStep::of(name, self.zone, claims, standing_by, self.store, decides)
    }

    /// What to do where nobody asks for anything.
    fn nobody_asks(&self, subject: &Subject, is_there: bool) -> String {
        match subject {
            Subject::Object(source) if is_there => next::asks_for_nothing(source),
            Subject::Object(source) => next::no_such_object(source),
            Subject::Name(name) => {
                let domains = self.landscape.clusters.iter().filter_map(|member| {
                    let domain = self.verdicts.domains.get(&member.id)?.as_ref().ok()?;
                    name.is_within(domain).then_some((&member.id, domain))
                });
                next::unclaimed(name, self.zone, domains.max_by_key(|(_, domain)| domain.as_str().len()))
            }
        }
    }
}

fn record_sets(decision: &Decision) -> &[RecordSet] {
    match decision {
        Decision::Publish(sets) => sets,
        Decision::Deny(_) | Decision::Undecided(_) => &[],
    }
}

/// Whether a claim on another name publishes at one of these.
fn publishes_any(decision: Option<&Decision>, names: &BTreeSet<HostName>) -> bool {
    decision.is_some_and(|decision| record_sets(decision).iter().any(|set| names.contains(&set.name)))
}
