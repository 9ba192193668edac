//! Draw: makes the overview of a session.

use std::net::SocketAddr;

use kube::ResourceExt as _;
use openmcp_dns_api::without_ready;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::kinds;
use openmcp_dns_core::record::RecordType;
use openmcp_dns_landscape::Member;
use openmcp_dns_landscape::folder::{Kind, ObjectId, PLATFORM};
use openmcp_dns_service::probe::Verdict;

use super::answer;
use super::overview::{
    ClaimOverview, ClusterOverview, HeldOverview, Overview, PolicyOverview, ProbeOverview, ProblemOverview,
    RecordOverview,
};
use super::policies::DEFAULT_POLICY;
use super::session::{Claim, ClaimKey, Session};
use super::statuses::{conditions_of, events, module, not_true};

/// Types for which a command to try is shown.
const TRY: [RecordType; 3] = [RecordType::A, RecordType::Aaaa, RecordType::Cname];

impl Session {
    /// Everything that there is to see now.
    pub(super) fn overview(&self, settled: bool) -> Overview {
        let probes = self.probe_overviews();
        Overview {
            landscape: self.folder.display().to_string(),
            policies: self.policy_overviews(),
            server: self.dns.address,
            clusters: self.landscape.clusters.iter().map(|member| self.cluster_overview(member)).collect(),
            records: self.record_overviews(),
            all_match: settled && probes.iter().all(|probe| probe.verdict == Verdict::Match.as_str()),
            probes,
            problems: self.problem_overviews(),
            held: self.all_held(),
            commands: self.commands(),
            settled,
        }
    }

    /// The deletions that are held.
    pub(super) fn all_held(&self) -> Vec<HeldOverview> {
        self.statuses.clusters.iter().filter_map(|(id, status)| self.held(id, status)).collect()
    }

    fn policy_overviews(&self) -> Vec<PolicyOverview> {
        let in_folder = |name: &str| self.landscape.policies.iter().any(|policy| policy.name_any() == name);
        let policies = self.statuses.policies.iter().map(|(name, policy)| PolicyOverview {
            name: name.clone(),
            is_default: name == DEFAULT_POLICY && !in_folder(name),
            zone: policy.spec.base_domain.clone(),
            mode: format!("{:?}", policy.spec.mode),
            module: module(policy),
            candidate: policy.status.as_ref().and_then(|status| status.candidate.clone()),
            conditions: not_true(conditions_of(policy)),
        });
        policies.collect()
    }

    fn cluster_overview(&self, member: &Member) -> ClusterOverview {
        let id = &member.id;
        let domain = self.domains.get(id);
        let of_cluster = |((cluster, _, _), _): &(&ClaimKey, &Claim)| cluster == id;
        let claims = self.claims.iter().filter(of_cluster).chain(self.conflicts.iter().filter(of_cluster));
        let mut claims: Vec<ClaimOverview> =
            claims.map(|(key, claim)| self.claim_overview(key, claim)).collect();
        claims.sort_by(|a, b| (&a.host_name, &a.source, a.state).cmp(&(&b.host_name, &b.source, b.state)));
        let status = self.statuses.clusters.get(id);
        ClusterOverview {
            name: id.name.clone(),
            namespace: id.namespace.clone(),
            domain: domain.and_then(|domain| domain.as_ref().ok()).map(ToString::to_string),
            no_domain: domain.and_then(|domain| domain.as_ref().err()).map(ToString::to_string),
            claims,
            conditions: status.map(|status| not_true(without_ready(&status.conditions))).unwrap_or_default(),
            events: self.servers.of(&id.name).map(events).unwrap_or_default(),
        }
    }

    /// A claim and what has become of it.
    pub(super) fn claim_overview(&self, key: &ClaimKey, claim: &Claim) -> ClaimOverview {
        let (cluster, source, host_name): &(ClusterId, String, String) = key;
        let (code, message) = claim.why.clone().unzip();
        ClaimOverview {
            host_name: host_name.clone(),
            source: source.clone(),
            file: self.place(&cluster.name, source),
            state: claim.state,
            code,
            message,
        }
    }

    /// File and line of an object; empty when it is gone.
    fn place(&self, folder: &str, source: &str) -> String {
        let placed = object_id(source).and_then(|id| self.files.objects().get(&(folder.to_owned(), id)));
        placed.map(|placed| format!("{}:{}", placed.file, placed.manifest.raw.line)).unwrap_or_default()
    }

    fn record_overviews(&self) -> Vec<RecordOverview> {
        let all = self.dns.view.all();
        let records = all.into_iter().flat_map(|(name, values)| {
            values.into_iter().map(move |value| RecordOverview {
                name: name.to_string(),
                record_type: value.record_type.as_str(),
                ttl_seconds: value.ttl_seconds,
                value: value.text,
                cluster: value.cluster.name.clone(),
                source: value.source,
            })
        });
        records.collect()
    }

    fn probe_overviews(&self) -> Vec<ProbeOverview> {
        let all = self.dns.view.all();
        let rows = all.into_iter().flat_map(|(name, values)| match self.shown.get(&name) {
            Some(shown) if shown.values == values => answer::rows(&name, &shown.probed),
            _ => vec![ProbeOverview {
                name: name.to_string(),
                record_type: String::new(),
                expected: String::new(),
                answer: String::new(),
                took_milliseconds: 0.0,
                verdict: "not asked",
            }],
        });
        rows.collect()
    }

    pub(super) fn problem_overviews(&self) -> Vec<ProblemOverview> {
        let problems = self.problems.iter().flat_map(|(file, problems)| {
            problems.iter().map(|problem| ProblemOverview { file: file.clone(), problem: problem.clone() })
        });
        problems.collect()
    }

    /// One command for each type that is published, if possible with a name of a workload cluster, and one that asks as another cluster's
    /// pods do: that is what the service is for.
    fn commands(&self) -> Vec<String> {
        let all = self.dns.view.all();
        let commands = TRY.into_iter().flat_map(|wanted| {
            let with_type = |platform: bool| {
                all.iter().find_map(|(name, values)| {
                    let value = values.iter().find(|value| {
                        value.record_type == wanted && (value.cluster.name == PLATFORM) == platform
                    });
                    value.map(|value| (name, &value.cluster))
                })
            };
            let Some((name, cluster)) = with_type(false).or_else(|| with_type(true)) else {
                return Vec::new();
            };
            let record_type = if wanted == RecordType::A { String::new() } else { format!(" {wanted}") };
            let dig = |server: SocketAddr| {
                format!("dig @{} -p {} +short {name}{record_type}", server.ip(), server.port())
            };
            let mut commands = vec![dig(self.dns.address)];
            if wanted == RecordType::A
                && let Some((other, dns)) = self.other_dns(cluster)
            {
                commands.push(format!("{}  # as a pod of {other} asks: its own DNS", dig(dns)));
            }
            commands
        });
        commands.collect()
    }

    /// Another cluster than this one, and where its DNS answers; the platform only where there is no other.
    fn other_dns(&self, cluster: &ClusterId) -> Option<(&str, SocketAddr)> {
        let others = self.landscape.clusters.iter().map(|member| &member.id).filter(|id| *id != cluster);
        let mut with_dns = others.filter_map(|id| Some((id.name.as_str(), self.servers.dns_of(&id.name)?)));
        let first = with_dns.next()?;
        Some(if first.0 == PLATFORM { with_dns.next().unwrap_or(first) } else { first })
    }
}

/// Reads the text form of a source, for example `HTTPRoute/default/example-route`.
fn object_id(source: &str) -> Option<ObjectId> {
    let (kind, rest) = source.split_once('/')?;
    let (namespace, name) = rest.split_once('/')?;
    let kind = Kind::Watched(kinds::Kind::parse(kind)?);
    Some(ObjectId { kind, namespace: namespace.to_owned(), name: name.to_owned() })
}
