//! Asks a cluster's own DNS whether it forwards the zone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType;
use kube::ResourceExt as _;
use openmcp_dns_core::forwarding::Own;
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

/// What is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Question {
    server: SocketAddr,
    /// The zone that it should forward.
    zone: HostName,
    /// A name of the cluster itself.
    own_name: String,
}

/// What was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Answered {
    zone: Verified,
    own: Own,
}

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
    question: watch::Sender<Option<Question>>,
    answered: watch::Receiver<Answered>,
    /// Since when the cluster's DNS answers something else than it should.
    otherwise_since: Option<Instant>,
}

impl Verifier {
    pub(super) fn start(wake: &Arc<Notify>, tasks: &Tasks, cancel: &CancellationToken) -> Self {
        let (question, asked) = watch::channel(None);
        let (result, answered) = watch::channel(Answered::default());
        let (wake, cancel) = (Arc::clone(wake), cancel.clone());
        tasks.spawn(async move { cancel.run_until_cancelled(verify(asked, result, &wake)).await });
        Self { question, answered, otherwise_since: None }
    }

    /// Where the cluster's DNS is asked.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.question.borrow().as_ref().map(|question| question.server)
    }

    /// Whether the cluster's own name resolves; `None` while it is being asked for.
    pub(super) fn own(&self) -> Option<Own> {
        let own = self.answered.borrow().own.clone();
        (own != Own::Unknown || self.address().is_none()).then_some(own)
    }

    /// Has the cluster's DNS asked where its `Cluster` says, and gives what it said last.
    pub(super) fn check(&mut self, cluster: &Cluster, zone: &HostName, own_name: &str) -> Check {
        let address = match cluster.annotations().get(CLUSTER_DNS_ANNOTATION).map(|text| parse_server(text)) {
            Some(Ok(address)) => Some(address),
            Some(Err(why)) => {
                tell(&self.question, None);
                return Check::BadAddress(why);
            }
            None => None,
        };
        let question =
            address.map(|server| Question { server, zone: zone.clone(), own_name: own_name.to_owned() });
        let is_asked = question.is_some();
        tell(&self.question, question);
        if !is_asked {
            return Check::NoAddress;
        }
        let verified = self.answered.borrow().zone.clone();
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
async fn verify(
    mut question: watch::Receiver<Option<Question>>,
    result: watch::Sender<Answered>,
    changed: &Notify,
) {
    loop {
        let asked = question.borrow_and_update().clone();
        let now = match &asked {
            Some(asked) => ask(asked).await,
            None => Answered::default(),
        };
        let is_well = matches!(now.zone, Verified::Forwards) && !matches!(now.own, Own::Fails(_));
        let pause = if is_well || asked.is_none() { CALM } else { IMPATIENT };
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

async fn ask(Question { server, zone, own_name }: &Question) -> Answered {
    let asker = match Asker::new(*server) {
        Ok(asker) => asker,
        Err(error) => {
            let why = openmcp_dns_core::chain(&error);
            return Answered { zone: Verified::Otherwise(why.clone()), own: Own::Fails(why) };
        }
    };
    let (zone_answer, own_answer) =
        tokio::join!(asker.ask(zone.as_str(), RecordType::SOA), asker.ask(own_name, RecordType::A));
    let own = match own_answer {
        Answer::Records { .. } => Own::Resolves,
        other => Own::Fails(format!("DNS server {server}, asked for {own_name}: {other}")),
    };
    // The central DNS server names itself in the zone's SOA record; nobody else does.
    let central = format!("ns.dns.{zone}. ");
    let zone = match &zone_answer {
        Answer::Records { values, .. } if values.iter().any(|value| value.starts_with(&central)) => {
            Verified::Forwards
        }
        other => Verified::Otherwise(format!("DNS server {server}, asked for the SOA of {zone}: {other}")),
    };
    Answered { zone, own }
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
        const OWN: &str = "kubernetes.default.svc.cluster.local";
        let (question, asked) = watch::channel(None);
        let (answers, answered) = watch::channel(Answered::default());
        let mut verifier = Verifier { question, answered, otherwise_since: None };
        let answer = |zone| answers.send_replace(Answered { zone, own: Own::Resolves });
        let zone: HostName = "openmcp.cluster".parse().unwrap();

        assert_eq!(verifier.check(&cluster(None), &zone, OWN), Check::NoAddress);
        assert_eq!((asked.borrow().clone(), verifier.own()), (None, Some(Own::Unknown)));
        let cluster_with = cluster(Some("10.0.0.10"));
        assert_eq!(verifier.check(&cluster_with, &zone, OWN), Check::NotAsked);
        let server = "10.0.0.10:53".parse().unwrap();
        let expected = Question { server, zone: zone.clone(), own_name: OWN.to_owned() };
        assert_eq!(*asked.borrow(), Some(expected));
        assert_eq!(verifier.own(), None, "it was not asked for yet");
        let bad = verifier.check(&cluster(Some("nonsense")), &zone, OWN);
        assert!(matches!(&bad, Check::BadAddress(why) if why.contains("for example")), "{bad:?}");

        answer(Verified::Otherwise("NXDOMAIN".to_owned()));
        let first = verifier.check(&cluster_with, &zone, OWN);
        assert!(matches!(first, Check::Otherwise { lasts, .. } if lasts < LONG), "{first:?}");
        verifier.otherwise_since = verifier.otherwise_since.and_then(|since| since.checked_sub(LONG));
        let later = verifier.check(&cluster_with, &zone, OWN);
        assert!(matches!(later, Check::Otherwise { lasts, .. } if lasts >= LONG), "{later:?}");

        answer(Verified::Forwards);
        assert_eq!(verifier.own(), Some(Own::Resolves));
        assert_eq!(verifier.check(&cluster_with, &zone, OWN), Check::Forwards);
        answer(Verified::Otherwise("NXDOMAIN".to_owned()));
        let anew = verifier.check(&cluster_with, &zone, OWN);
        assert!(matches!(anew, Check::Otherwise { lasts, .. } if lasts < LONG), "{anew:?}");
    }
}
