//! Asks a cluster's own DNS whether it forwards the zone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType;
use kube::ResourceExt as _;
use openmcp_dns_core::name::HostName;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::address::parse_server;
use crate::probe::{Answer, Asker};
use crate::tasks::Tasks;
use crate::watch::tell;
use openmcp_dns_api::{CLUSTER_DNS_ANNOTATION, Cluster};

/// How often to ask while the answer is not the right one: CoreDNS looks at its configuration every
/// 30 seconds, after kubelet has written it, which takes up to a minute.
const IMPATIENT: Duration = Duration::from_millis(500);
/// How often to ask otherwise.
const CALM: Duration = Duration::from_secs(15);

/// The server to ask, and the zone that it should forward.
type Question = Option<(SocketAddr, HostName)>;

/// What a cluster's DNS says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Verified {
    /// It has not been asked yet, or there is no address to ask at.
    #[default]
    NotAsked,
    /// It forwards the zone.
    Forwards,
    /// It does not, or not yet: what it answers instead.
    Otherwise(String),
}

/// Whether a cluster's DNS acts on its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// The address on the `Cluster` is none.
    BadAddress(String),
    /// Nobody has said where to ask.
    NoAddress,
    /// It has not answered yet.
    NotAsked,
    /// It does.
    Forwards,
    /// It does not, or not yet.
    Otherwise {
        /// What it answers instead.
        answer: String,
        /// For how long that has been so.
        lasts: Duration,
    },
}

/// Asks one cluster's DNS, beside everything else; ends with the value.
pub(super) struct Verifier {
    question: watch::Sender<Question>,
    verified: watch::Receiver<Verified>,
    /// Since when the cluster's DNS answers something else than it should.
    otherwise_since: Option<Instant>,
}

impl Verifier {
    pub(super) fn start(wake: &Arc<Notify>, tasks: &Tasks, cancel: &CancellationToken) -> Self {
        let (question, asked) = watch::channel(None);
        let (result, verified) = watch::channel(Verified::NotAsked);
        let (wake, cancel) = (Arc::clone(wake), cancel.clone());
        tasks.spawn(async move { cancel.run_until_cancelled(verify(asked, result, &wake)).await });
        Self { question, verified, otherwise_since: None }
    }

    /// Where the cluster's DNS is asked.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.question.borrow().as_ref().map(|(server, _)| *server)
    }

    /// Has the cluster's DNS asked where its `Cluster` says, and gives what it said last.
    pub(super) fn check(&mut self, cluster: &Cluster, zone: &HostName) -> Check {
        let address = match cluster.annotations().get(CLUSTER_DNS_ANNOTATION).map(|text| parse_server(text)) {
            Some(Ok(address)) => Some(address),
            Some(Err(why)) => return Check::BadAddress(why),
            None => None,
        };
        let question = address.map(|address| (address, zone.clone()));
        let is_asked = question.is_some();
        tell(&self.question, question);
        if !is_asked {
            return Check::NoAddress;
        }
        let verified = self.verified.borrow().clone();
        match verified {
            Verified::NotAsked => Check::NotAsked,
            Verified::Forwards => {
                self.otherwise_since = None;
                Check::Forwards
            }
            Verified::Otherwise(answer) => {
                let since = *self.otherwise_since.get_or_insert_with(Instant::now);
                Check::Otherwise { answer, lasts: since.elapsed() }
            }
        }
    }
}

/// Asks again and again until nobody wants to know any more; tells when the result changes.
async fn verify(mut question: watch::Receiver<Question>, result: watch::Sender<Verified>, changed: &Notify) {
    loop {
        let asked = question.borrow_and_update().clone();
        let now = match &asked {
            Some((server, zone)) => ask(*server, zone).await,
            None => Verified::NotAsked,
        };
        let pause = if matches!(now, Verified::Otherwise(_)) { IMPATIENT } else { CALM };
        if tell(&result, now) {
            changed.notify_one();
        }
        let ended = tokio::select! {
            changed = question.changed() => changed.is_err(),
            () = tokio::time::sleep(pause) => false,
            () = result.closed() => true,
        };
        if ended {
            return;
        }
    }
}

/// The central DNS server names itself `ns.dns.<zone>` in the zone's SOA record; nobody else does.
async fn ask(server: SocketAddr, zone: &HostName) -> Verified {
    let asker = match Asker::new(server) {
        Ok(asker) => asker,
        Err(error) => return Verified::Otherwise(openmcp_dns_core::chain(&error)),
    };
    let answer = asker.ask(zone.as_str(), RecordType::SOA).await;
    let central = format!("ns.dns.{zone}. ");
    match &answer {
        Answer::Records { values, .. } if values.iter().any(|value| value.starts_with(&central)) => {
            Verified::Forwards
        }
        other => Verified::Otherwise(format!("DNS server {server}, asked for the SOA of {zone}: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(address: Option<&str>) -> Cluster {
        let mut cluster = Cluster::new("w1", Default::default());
        let annotation = address.map(|address| (CLUSTER_DNS_ANNOTATION.to_owned(), address.to_owned()));
        cluster.metadata.annotations = Some(annotation.into_iter().collect());
        cluster
    }

    #[test]
    fn the_clusters_dns_is_asked_where_the_cluster_says_and_its_wrong_answers_are_timed() {
        const LONG: Duration = Duration::from_secs(60);
        let (question, asked) = watch::channel(None);
        let (answers, verified) = watch::channel(Verified::NotAsked);
        let mut verifier = Verifier { question, verified, otherwise_since: None };
        let zone: HostName = "openmcp.cluster".parse().unwrap();

        assert_eq!(verifier.check(&cluster(None), &zone), Check::NoAddress);
        assert_eq!(*asked.borrow(), None);
        let cluster_with = cluster(Some("10.0.0.10"));
        assert_eq!(verifier.check(&cluster_with, &zone), Check::NotAsked);
        assert_eq!(*asked.borrow(), Some(("10.0.0.10:53".parse().unwrap(), zone.clone())));
        let bad = verifier.check(&cluster(Some("nonsense")), &zone);
        assert!(matches!(&bad, Check::BadAddress(why) if why.contains("for example")), "{bad:?}");

        answers.send_replace(Verified::Otherwise("NXDOMAIN".to_owned()));
        let first = verifier.check(&cluster_with, &zone);
        assert!(matches!(first, Check::Otherwise { lasts, .. } if lasts < LONG), "{first:?}");
        verifier.otherwise_since = verifier.otherwise_since.and_then(|since| since.checked_sub(LONG));
        let later = verifier.check(&cluster_with, &zone);
        assert!(matches!(later, Check::Otherwise { lasts, .. } if lasts >= LONG), "{later:?}");

        answers.send_replace(Verified::Forwards);
        assert_eq!(verifier.check(&cluster_with, &zone), Check::Forwards);
        answers.send_replace(Verified::Otherwise("NXDOMAIN".to_owned()));
        let anew = verifier.check(&cluster_with, &zone);
        assert!(matches!(anew, Check::Otherwise { lasts, .. } if lasts < LONG), "{anew:?}");
    }
}
