//! Paint: makes the picture of a session.

use openmcp_dns_core::conflict::Conflict;
use openmcp_dns_core::index::State;
use openmcp_dns_core::kinds;
use openmcp_dns_core::record::RecordType;
use openmcp_dns_landscape::folder::{Kind, ObjectId, PLATFORM};

use super::answer;
use super::picture::{
    ClaimPicture, ClaimState, ClusterPicture, ModulePicture, Picture, ProbePicture, ProblemPicture,
    RecordPicture,
};
use super::session::{ClaimKey, Session};
use openmcp_dns_service::probe::Verdict;
use openmcp_dns_service::record::explain;

/// Types for which a command to try is shown.
const TRY: [RecordType; 3] = [RecordType::A, RecordType::Aaaa, RecordType::Cname];

impl Session {
    /// Everything that there is to see now.
    pub fn picture(&self, settled: bool) -> Picture {
        let description = self.rules.module.description();
        let probes = self.probe_pictures();
        Picture {
            landscape: self.folder.display().to_string(),
            zone: self.rules.zone.to_string(),
            policy: self.rules.name.clone(),
            module: ModulePicture {
                name: description.name.clone(),
                version: description.version.clone(),
                sha256: self.rules.module.digest().to_owned(),
            },
            server: self.service.address,
            clusters: self.cluster_pictures(),
            records: self.record_pictures(),
            all_match: settled && probes.iter().all(|probe| probe.verdict == Verdict::Match.as_str()),
            probes,
            problems: self.problem_pictures(),
            commands: self.commands(),
            settled,
        }
    }

    fn cluster_pictures(&self) -> Vec<ClusterPicture> {
        let clusters = self.landscape.clusters.iter().map(|member| {
            let domain = self.domains.get(&member.id);
            let claims = self.claims.iter().filter(|((cluster, _, _), _)| *cluster == member.id);
            let conflicts = self.conflicts.iter().filter(|((cluster, _, _), _)| *cluster == member.id);
            let mut claims: Vec<ClaimPicture> = claims
                .map(|(key, state)| self.claim_picture(key, state))
                .chain(conflicts.map(|(key, conflict)| self.conflict_picture(key, conflict)))
                .collect();
            claims
                .sort_by(|a, b| (&a.host_name, &a.source, a.state).cmp(&(&b.host_name, &b.source, b.state)));
            ClusterPicture {
                name: member.id.name.clone(),
                namespace: member.id.namespace.clone(),
                domain: domain.and_then(|domain| domain.as_ref().ok()).map(ToString::to_string),
                no_domain: domain.and_then(|domain| domain.as_ref().err()).map(ToString::to_string),
                claims,
            }
        });
        clusters.collect()
    }

    /// A claim and what has become of it.
    pub(super) fn claim_picture(&self, key: &ClaimKey, state: &State) -> ClaimPicture {
        let (code, message) = explain(state).unzip();
        let state = match state {
            State::Published => ClaimState::Published,
            State::Denied(_) => ClaimState::Denied,
            State::Unresolved(_) => ClaimState::Unresolved,
            State::Undecided(_) | State::Asked => ClaimState::Undecided,
        };
        let (cluster, source, host_name) = key;
        let file = self.place(&cluster.name, source);
        ClaimPicture { host_name: host_name.clone(), source: source.clone(), file, state, code, message }
    }

    /// A claim that gives way to another.
    pub(super) fn conflict_picture(&self, key: &ClaimKey, conflict: &Conflict) -> ClaimPicture {
        let (cluster, source, host_name) = key;
        ClaimPicture {
            host_name: host_name.clone(),
            source: source.clone(),
            file: self.place(&cluster.name, source),
            state: ClaimState::Conflict,
            code: Some("conflict".to_owned()),
            message: Some(conflict.message.clone()),
        }
    }

    /// File and line of an object; empty when it is gone.
    fn place(&self, folder: &str, source: &str) -> String {
        let placed = object_id(source).and_then(|id| self.files.objects().get(&(folder.to_owned(), id)));
        placed.map(|placed| format!("{}:{}", placed.file, placed.manifest.raw.line)).unwrap_or_default()
    }

    fn record_pictures(&self) -> Vec<RecordPicture> {
        let all = self.service.view.all();
        let records = all.into_iter().flat_map(|(name, values)| {
            values.into_iter().map(move |value| RecordPicture {
                name: name.to_string(),
                record_type: value.record_type.as_str(),
                ttl_seconds: value.ttl_seconds,
                value: value.text,
                cluster: value.cluster.name,
                source: value.source,
            })
        });
        records.collect()
    }

    fn probe_pictures(&self) -> Vec<ProbePicture> {
        let all = self.service.view.all();
        let rows = all.into_iter().flat_map(|(name, values)| match self.shown.get(&name) {
            Some(shown) if shown.values == values => answer::rows(&name, &shown.probed),
            _ => vec![ProbePicture {
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

    fn problem_pictures(&self) -> Vec<ProblemPicture> {
        let problems = self.problems.iter().flat_map(|(file, problems)| {
            problems.iter().map(|problem| ProblemPicture { file: file.clone(), problem: problem.clone() })
        });
        problems.collect()
    }

    /// One command for each type that is published, if possible with a name of a workload cluster:
    /// that is what the service is for.
    fn commands(&self) -> Vec<String> {
        let all = self.service.view.all();
        let commands = TRY.into_iter().filter_map(|wanted| {
            let with_type = |platform: bool| {
                all.iter().find(|(_, values)| {
                    values.iter().any(|value| {
                        value.record_type == wanted && (value.cluster.name == PLATFORM) == platform
                    })
                })
            };
            let (name, _) = with_type(false).or_else(|| with_type(true))?;
            let address = self.service.address;
            let record_type = if wanted == RecordType::A { String::new() } else { format!(" {wanted}") };
            Some(format!("dig @{} -p {} +short {name}{record_type}", address.ip(), address.port()))
        });
        commands.collect()
    }
}

/// Reads the text form of a source, for example `HTTPRoute/default/example-route`.
fn object_id(source: &str) -> Option<ObjectId> {
    let (kind, rest) = source.split_once('/')?;
    let (namespace, name) = rest.split_once('/')?;
    let kind = kinds::Kind::parse(kind)?;
    Some(ObjectId { kind: Kind::Watched(kind), namespace: namespace.to_owned(), name: name.to_owned() })
}
