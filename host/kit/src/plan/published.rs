//! What stands published of a landscape, claim by claim and name by name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::cluster_policy::ClusterPolicy;
use openmcp_dns_core::codes;
use openmcp_dns_core::conflict::{Claimant, Desired, Present, Staying, Winners, resolve_conflicts};
use openmcp_dns_core::index::{Index, State};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::precedence::{Precedence, Presence, giving_way};
use openmcp_dns_core::record::{RecordSet, RecordValue};
use openmcp_dns_core::recording::explain;

use super::{NotPublished, Side};
use crate::diff::Verdicts;

/// What has become of the claims of all clusters.
#[derive(Debug, Default)]
pub(super) struct Published {
    clusters: BTreeMap<ClusterId, Index>,
    /// How each cluster stands at names that others publish as well.
    precedence: BTreeMap<ClusterId, Precedence>,
    /// Clusters whose claims somebody decides on.
    decided: BTreeSet<ClusterId>,
}

/// What stands at each name.
pub(super) type Names = BTreeMap<HostName, StandingName>;

/// What stands at a name, and who gave way there.
#[derive(Debug, Default, PartialEq)]
pub(super) struct StandingName {
    winners: Winners,
    /// For how long a cluster has to ask for the name before it takes over from one that came after it.
    failback_delay: Option<Duration>,
}

impl Published {
    /// Decides on all claims of a side; what is not there any more goes.
    pub(super) fn decide(&mut self, Side { policy, landscape }: Side<'_>) {
        let verdicts = Verdicts::of(policy, landscape);
        let members: BTreeMap<&ClusterId, _> =
            landscape.clusters.iter().map(|member| (&member.id, member)).collect();
        self.clusters.retain(|cluster, _| members.contains_key(cluster));
        self.precedence.clear();
        self.decided.clear();
        // For whom the policy does not hold, nobody decides: what is published there stays.
        for (id, member) in members.into_iter().filter(|(id, _)| verdicts.domains.contains_key(*id)) {
            let ClusterPolicy { sources: rules, precedence, .. } = policy.cluster_policy(id, &member.cluster);
            self.precedence.insert(id.clone(), precedence);
            // Of a cluster that is not known, everything stays.
            let Ok(objects) = &member.objects else { continue };
            self.decided.insert(id.clone());
            let index = self.clusters.entry(id.clone()).or_default();
            let known = index.iter().map(|(source, _)| source.clone());
            let sources: BTreeSet<SourceRef> = known.chain(objects.sources()).collect();
            for source in sources {
                let resolution = objects.resolve(&source, &rules);
                let decision = |host_name: &str| {
                    verdicts.claims.get(&(id.clone(), source.clone(), host_name.to_owned())).cloned()
                };
                index.redecide(&source, resolution, |claim| decision(&claim.host_name), Vec::new);
            }
        }
    }

    /// The claims that are not published, and why.
    pub(super) fn not_published(&self) -> Vec<NotPublished> {
        let outcomes = self.clusters.iter().flat_map(|(cluster, index)| {
            index.iter().flat_map(move |(source, outcomes)| {
                outcomes.iter().map(move |(host_name, outcome)| (cluster, source, host_name, outcome))
            })
        });
        let told = outcomes.filter_map(|(cluster, source, host_name, outcome)| {
            let (code, message) = explain(&outcome.state)?;
            Some(NotPublished {
                host_name: host_name.to_owned(),
                cluster: cluster.to_string(),
                object: source.to_string(),
                code,
                message,
                stays: !outcome.record_sets.is_empty(),
            })
        });
        told.collect()
    }

    /// What stands at each name; `old` is what stood there before.
    pub(super) fn names(&self, old: &Names) -> Names {
        let mut offers: BTreeMap<HostName, Vec<(Claimant, &RecordSet)>> = BTreeMap::new();
        for (cluster, index) in &self.clusters {
            for (source, outcomes) in index.iter() {
                for set in outcomes.iter().flat_map(|(_, outcome)| outcome.record_sets.iter()) {
                    let claimant = (cluster.clone(), source.clone());
                    offers.entry(set.name.clone()).or_default().push((claimant, set));
                }
            }
        }
        let open = self.open();
        for (_, name) in &open {
            offers.entry(name.clone()).or_default();
        }
        let standing = offers.into_iter().map(|(name, offers)| {
            let claims = offers.iter().map(|(claimant, set)| (claimant, *set));
            let present = offers.iter().map(|((cluster, _), _)| (cluster, Presence::STORED)).collect();
            let stood_in_for = giving_way(&name, &present, |cluster| self.precedence.get(cluster));
            let before = old.get(&name);
            let stays = |desired: &&Desired| {
                let Desired { cluster, .. } = desired;
                self.clusters.contains_key(cluster)
                    && !stood_in_for.contains(cluster)
                    && (!self.decided.contains(cluster) || open.contains(&(cluster, name.clone())))
            };
            let stored = before.into_iter().flat_map(|before| &before.winners.desired);
            let stored: Vec<Desired> = stored.filter(stays).cloned().collect();
            let staying = stored.iter().map(|Desired { cluster, source, value, ttl_seconds: _ }| Staying {
                cluster: cluster.clone(),
                source: source.to_string(),
                value: value.clone(),
            });
            let stands = Present { cname: before.and_then(StandingName::cname), staying: staying.collect() };
            let mut winners = resolve_conflicts(&name, claims, stood_in_for, &stands);
            let desired = &mut winners.desired;
            for kept in stored {
                if !desired.iter().any(|other| other.cluster == kept.cluster && other.value == kept.value) {
                    desired.push(kept);
                }
            }
            desired.sort_by(|a, b| (&a.cluster, &a.value).cmp(&(&b.cluster, &b.value)));
            let failback_delay = before.and_then(|before| self.failback_delay(&name, before, &winners));
            (name, StandingName { winners, failback_delay })
        });
        let is_any = |standing: &StandingName| {
            !standing.winners.desired.is_empty() || !standing.winners.conflicts.is_empty()
        };
        standing.filter(|(_, standing)| is_any(standing)).collect()
    }

    /// For how long what stood at a name stays before another cluster takes over.
    fn failback_delay(&self, name: &HostName, before: &StandingName, winners: &Winners) -> Option<Duration> {
        let asks = winners.desired.iter().map(|desired| &desired.cluster).chain(&winners.stood_in_for);
        let presence = |cluster: &ClusterId| {
            let has_asked = before.winners.stood_in_for.contains(cluster);
            let lasts = if has_asked { Duration::MAX } else { Duration::ZERO };
            Presence { is_stored: before.has(cluster), lasts }
        };
        let present = asks.map(|cluster| (cluster, presence(cluster))).collect();
        let wait = giving_way(name, &present, |cluster| self.precedence.get(cluster));
        let serving = winners.desired.iter().filter(|desired| wait.contains(&desired.cluster));
        let places = serving.filter_map(|desired| self.precedence.get(&desired.cluster)?.place(name));
        places.map(|place| place.failback_delay).max()
    }

    /// Where it is open whether an object of a cluster may publish: what the cluster had there stays, whoever that was from.
    fn open(&self) -> BTreeSet<(&ClusterId, HostName)> {
        let mut open = BTreeSet::new();
        for (cluster, index) in &self.clusters {
            for (_, outcomes) in index.iter() {
                let undecided =
                    outcomes.iter().filter(|(_, outcome)| matches!(outcome.state, State::Undecided(_)));
                for name in undecided.filter_map(|(host_name, _)| host_name.parse::<HostName>().ok()) {
                    let mut published = outcomes.iter().flat_map(|(_, outcome)| outcome.record_sets.iter());
                    if !published.any(|set| set.name == name) {
                        open.insert((cluster, name));
                    }
                }
            }
        }
        open
    }
}

impl StandingName {
    /// After how many seconds what stands here takes over from what stood here before; `None` where that is at once.
    pub(super) fn takes_over_after_seconds(&self) -> Option<u64> {
        self.failback_delay.map(|delay| delay.as_secs())
    }

    /// The values as lines, sorted.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |Desired { cluster, source, value, ttl_seconds }: &Desired| {
            format!("{ttl_seconds} {} {value} ({source} of cluster {cluster})", value.record_type())
        };
        self.winners.desired.iter().map(line).collect()
    }

    /// Whether a cluster has a value there.
    pub(super) fn has(&self, cluster: &ClusterId) -> bool {
        self.winners.desired.iter().any(|desired| desired.cluster == *cluster)
    }

    /// Whether a claim of a cluster gives way there.
    pub(super) fn gives_way(&self, cluster: &ClusterId) -> bool {
        self.winners.stood_in_for.contains(cluster)
            || self.winners.conflicts.iter().any(|conflict| conflict.loser.0 == *cluster)
    }

    /// The alias that stands there.
    pub(super) fn cname(&self) -> Option<HostName> {
        self.winners.desired.iter().find_map(|desired| alias(&desired.value))
    }

    /// The claims that give way there.
    pub(super) fn gave_way(&self, name: &HostName) -> Vec<NotPublished> {
        let claims = self.winners.conflicts.iter().map(|conflict| NotPublished {
            host_name: name.to_string(),
            cluster: conflict.loser.0.to_string(),
            object: conflict.loser.1.to_string(),
            code: codes::CONFLICT.to_owned(),
            message: conflict.message.clone(),
            stays: false,
        });
        claims.collect()
    }
}

/// The name that an alias leads to.
fn alias(value: &RecordValue) -> Option<HostName> {
    match value {
        RecordValue::Cname(to) => Some(to.clone()),
        _ => None,
    }
}
