//! Occurrences: what the journal says, as lines for people.

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::codes;
use openmcp_dns_core::conflict::Conflict;
use openmcp_dns_core::index::State;
use openmcp_dns_core::name::HostName;
use openmcp_dns_service::journal::Occurrence;
use openmcp_dns_service::probe::{Probed, Verdict};
use openmcp_dns_service::record::{NoDomain, Report, explain};

use super::answer;
use super::event::Event;
use super::overview::ClaimState;
use super::session::{Claim, ClaimKey, Session, Shown};

impl Session {
    /// Takes in what has happened; gives what there is to tell.
    pub(super) fn occurred(&mut self, occurrence: &Occurrence) -> Option<Event> {
        match occurrence {
            Occurrence::Recording(Report::Claim { cluster, source, uid: _, host_name, state }) => {
                self.claim((cluster.clone(), source.to_string(), host_name.clone()), state)
            }
            Occurrence::Recording(Report::Conflict { uid: _, conflict }) => Some(self.conflict(conflict)),
            Occurrence::Recording(Report::Domain(cluster, domain)) => self.domain(cluster, domain),
            Occurrence::Probed(probed) => self.probed(probed),
            Occurrence::Released(cluster) => {
                self.forget(cluster);
                None
            }
            _ => None,
        }
    }

    /// A cluster is no longer ours: all is new when it comes back, be it within milliseconds.
    fn forget(&mut self, gone: &ClusterId) {
        self.domains.remove(gone);
        self.claims.retain(|(cluster, _, _), _| cluster != gone);
        self.conflicts.retain(|(cluster, _, _), _| cluster != gone);
        self.told.retain(|(cluster, _), _| cluster != gone);
    }

    fn claim(&mut self, key: ClaimKey, state: &State) -> Option<Event> {
        let claim = Claim {
            why: explain(state),
            state: match state {
                State::Published => ClaimState::Published,
                State::Denied(_) => ClaimState::Denied,
                State::Unresolved(_) => ClaimState::Unresolved,
                State::Undecided(_) | State::Asked => ClaimState::Undecided,
            },
        };
        self.claims.insert(key.clone(), claim.clone());
        (claim.state != ClaimState::Published).then(|| self.told_claim(&key, &claim))
    }

    fn conflict(&mut self, conflict: &Conflict) -> Event {
        let (cluster, source) = &conflict.loser;
        let key = (cluster.clone(), source.to_string(), conflict.name.to_string());
        let why = Some((codes::CONFLICT.to_owned(), conflict.message.clone()));
        let claim = Claim { state: ClaimState::Conflict, why };
        self.conflicts.insert(key.clone(), claim.clone());
        self.told_claim(&key, &claim)
    }

    fn told_claim(&mut self, key: &ClaimKey, claim: &Claim) -> Event {
        let (cluster, source, _) = key;
        self.causes.of([(cluster.name.as_str(), source.as_str())].into_iter());
        Event::Claim { cluster: cluster.name.clone(), claim: self.claim_overview(key, claim) }
    }

    fn domain(&mut self, cluster: &ClusterId, domain: &Result<HostName, NoDomain>) -> Option<Event> {
        let before = self.domains.insert(cluster.clone(), domain.clone());
        if before.as_ref() == Some(domain) {
            return None;
        }
        let cluster = cluster.name.clone();
        self.causes.of([(cluster.as_str(), "")].into_iter());
        Some(match domain {
            Ok(domain) => Event::Domain { cluster, domain: Some(domain.to_string()), message: None },
            Err(why) => Event::Domain { cluster, domain: None, message: Some(why.to_string()) },
        })
    }

    fn probed(&mut self, probed: &Probed) -> Option<Event> {
        let Probed { expectation, verdict, answer, took } = probed;
        let probed = Probed {
            expectation: expectation.clone(),
            verdict: *verdict,
            answer: answer.clone(),
            took: *took,
        };
        let name = expectation.name.clone();
        let values = self.dns.view.at(&name);
        if !answer::expects(expectation, &values) {
            // The store has changed meanwhile, and the next probe is on its way.
            return None;
        }
        let before = self.shown.remove(&name);
        let gone = values.is_empty() && *verdict == Verdict::Match;
        let same = match &before {
            Some(before) => before.values == values && before.probed.verdict == *verdict,
            None => gone,
        };
        let event = (!same).then(|| {
            let before = before.map(|shown| shown.values).unwrap_or_default();
            let sources =
                before.union(&values).map(|value| (value.cluster.name.as_str(), value.source.as_str()));
            let cause = self.causes.of(sources);
            Event::Answered(answer::answered(&probed, &before, &values, cause))
        });
        if !gone {
            self.shown.insert(name, Shown { values, probed });
        }
        event
    }

    /// Puts what is known of the claims together anew, from the store and from what the service says of its
    /// clusters: for when occurrences were missed. Of the claims that are not published, a status names some.
    pub(super) fn take_from_state(&mut self) {
        self.look_at_statuses();
        self.domains.retain(|cluster, _| self.statuses.clusters.contains_key(cluster));
        self.told.retain(|(cluster, _), _| self.statuses.clusters.contains_key(cluster));
        self.claims.clear();
        self.conflicts.clear();
        for (name, values) in self.dns.view.all() {
            for value in values {
                let published = Claim { state: ClaimState::Published, why: None };
                self.claims.insert((value.cluster, value.source, name.to_string()), published);
            }
        }
        for (id, status) in &self.statuses.clusters {
            for problem in &status.problems {
                let state = match problem.code.as_str() {
                    codes::CONFLICT => ClaimState::Conflict,
                    codes::UNRESOLVED => ClaimState::Unresolved,
                    codes::POLICY_FAILED => ClaimState::Undecided,
                    _ => ClaimState::Denied,
                };
                let key = (id.clone(), problem.source.clone(), problem.host_name.clone());
                let claim = Claim { state, why: Some((problem.code.clone(), problem.message.clone())) };
                let claims =
                    if state == ClaimState::Conflict { &mut self.conflicts } else { &mut self.claims };
                claims.insert(key, claim);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use openmcp_dns_modules::SourceOptions;
    use openmcp_dns_modules::remote::UntrustedHttp;
    use openmcp_dns_policy::{Engine, Limits};

    use super::super::given::Given;
    use super::super::run::{Settings, Until};
    use super::super::start::{first_scan, start};
    use crate::terminal::output::OutputFormat;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_missed_is_found_in_the_store_and_in_the_status() {
        let settings = Settings {
            folder: concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/landscape").into(),
            until: Until::Shown,
            output: OutputFormat::Text,
            listen: "127.0.0.1:0".parse().unwrap(),
            policy: None,
            page: None,
            engine: Engine::new(Limits::default()).unwrap(),
            sources: SourceOptions {
                untrusted_http: UntrustedHttp::default(),
                allow_files: true,
                tag_check: std::time::Duration::from_secs(300),
            },
        };
        let scan = first_scan(&settings.folder).await.unwrap();
        let mut demo = start(&settings, Given::Nothing, scan, Instant::now()).await.unwrap();
        assert!(demo.settled);
        let before = (demo.session.claims.clone(), demo.session.conflicts.clone());
        demo.session.claims.clear();
        demo.session.take_from_state();
        assert_eq!((demo.session.claims.clone(), demo.session.conflicts.clone()), before);
        demo.stop().await;
    }
}
