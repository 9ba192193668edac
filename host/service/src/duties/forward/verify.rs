//! Asks a cluster's own DNS whether it forwards the zone: at an address where its `Cluster` has one, else every pod of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType;
use kube::ResourceExt as _;
use openmcp_dns_core::forwarding::{
    Asked, DnsService, Forwards, Health, Heard, Names, OUTSIDE, Order, Said, is_guarded, judge, pause,
};
use openmcp_dns_core::name::HostName;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::pods::ask_pods;
use crate::address::parse_server;
use crate::probe::Asker;
use crate::tasks::Tasks;
use openmcp_dns_api::{CLUSTER_DNS_ANNOTATION, Cluster};

/// How often to ask at an address while the answer is not the right one: CoreDNS looks at its configuration every
/// 30 seconds, after kubelet has written it, which takes up to a minute.
const IMPATIENT: Duration = Duration::from_millis(500);
/// How often to ask there otherwise.
const CALM: Duration = Duration::from_secs(15);

/// How old an answer may be that counts as that of before a change.
const FRESH: Duration = Duration::from_secs(60);

/// Who is asked.
#[derive(Clone)]
pub(super) enum Servers {
    /// Whoever answers there.
    At(SocketAddr),
    /// The pods behind a Service.
    Pods {
        /// Asks the cluster's API server.
        client: kube::Client,
        /// The Service of its DNS.
        service: DnsService,
    },
}

impl Servers {
    /// A client that was made anew asks the same servers.
    fn are(&self, others: &Self) -> bool {
        match (self, others) {
            (Self::At(address), Self::At(other)) => address == other,
            (Self::Pods { service, .. }, Self::Pods { service: other, .. }) => service == other,
            (Self::At(_), Self::Pods { .. }) | (Self::Pods { .. }, Self::At(_)) => false,
        }
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The zone that should be forwarded.
    pub(super) zone: HostName,
    /// To whom.
    pub(super) upstreams: Vec<SocketAddr>,
    /// A name of the cluster itself.
    pub(super) own_name: String,
}

/// What is to be asked of whom.
#[derive(Clone)]
struct Question {
    servers: Servers,
    wanted: Wanted,
    /// Since when this is asked. What was answered before does not count any more.
    since: Instant,
    /// Whether that is because the configuration was changed.
    is_written: bool,
}

/// What was answered.
#[derive(Clone)]
struct Answered {
    /// The question's.
    since: Instant,
    /// When it was.
    at: Instant,
    heard: Heard,
}

/// Whether a cluster's DNS acts on its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// The address on the `Cluster` is none.
    BadAddress(String),
    /// Nobody knows where to ask.
    NoAddress,
    /// It has not answered yet.
    NotAsked,
    /// It could not be asked: why.
    Unknown(String),
    /// It does; says how many pods have said so, where it is known which pods there are.
    Forwards(Option<usize>),
    /// It does not, or not yet.
    Otherwise {
        /// What it answers instead.
        answer: String,
        /// For how long that has been so.
        lasts: Duration,
    },
}

impl Check {
    /// For who decides whether others may be changed in the same way.
    pub(super) const fn health(&self) -> Health {
        match self {
            Self::Forwards(_) => Health::Good,
            Self::Otherwise { .. } => Health::Bad,
            Self::BadAddress(_) | Self::NoAddress | Self::NotAsked | Self::Unknown(_) => Health::Unknown,
        }
    }
}

/// Asks one cluster's DNS, beside everything else; ends with the value.
pub(super) struct Verifier {
    question: watch::Sender<Option<Question>>,
    answered: watch::Receiver<Option<Answered>>,
    /// Since when the cluster's DNS answers something else than it should.
    otherwise_since: Option<Instant>,
}

impl Verifier {
    pub(super) fn start(wake: &Arc<Notify>, tasks: &Tasks, cancel: &CancellationToken) -> Self {
        let (question, asked) = watch::channel(None);
        let (result, answered) = watch::channel(None);
        let (wake, cancel) = (Arc::clone(wake), cancel.clone());
        tasks.spawn(async move { cancel.run_until_cancelled(verify(asked, result, &wake)).await });
        Self { question, answered, otherwise_since: None }
    }

    /// The address where the cluster's DNS is asked.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self.question.borrow().as_ref()?.servers {
            Servers::At(address) => Some(address),
            Servers::Pods { .. } => None,
        }
    }

    /// What is known of names that have to go on resolving; `None` while they are being asked for.
    pub(super) fn names(&self) -> Option<Names> {
        if self.question.borrow().is_none() {
            return Some(Names::default());
        }
        self.heard().map(|answered| answered.heard.names)
    }

    /// Whether what was answered may be called the state before a change. Where it is too old, it is asked for again.
    pub(super) fn is_fresh(&self) -> bool {
        let is_fresh = self.heard().is_none_or(|answered| answered.at.elapsed() < FRESH);
        if !is_fresh {
            self.ask_again(false);
        }
        is_fresh
    }

    /// Has it asked again: the configuration was changed, or is going to be.
    pub(super) fn ask_again(&self, is_written: bool) {
        self.question.send_if_modified(|question| {
            let Some(question) = question else { return false };
            question.since = Instant::now();
            question.is_written |= is_written;
            true
        });
    }

    /// What was answered to the question of now.
    fn heard(&self) -> Option<Answered> {
        let since = self.question.borrow().as_ref()?.since;
        self.answered.borrow().clone().filter(|answered| answered.since == since)
    }

    /// Has the cluster's DNS asked, at the address that its `Cluster` says, else its pods, and gives what it said last.
    pub(super) fn check(
        &mut self,
        cluster: &Cluster,
        pods: Option<(&kube::Client, DnsService)>,
        wanted: Wanted,
    ) -> Check {
        let servers = match cluster.annotations().get(CLUSTER_DNS_ANNOTATION).map(|text| parse_server(text)) {
            Some(Ok(address)) => Some(Servers::At(address)),
            Some(Err(why)) => {
                self.ask(None);
                return Check::BadAddress(why);
            }
            None => pods.map(|(client, service)| Servers::Pods { client: client.clone(), service }),
        };
        let counts = matches!(servers, Some(Servers::Pods { .. }));
        let is_asked = servers.is_some();
        self.ask(servers.map(|servers| (servers, wanted)));
        if !is_asked {
            return Check::NoAddress;
        }
        match self.heard().map(|answered| answered.heard.forwards) {
            None => Check::NotAsked,
            Some(Forwards::Unknown(why)) => Check::Unknown(why),
            Some(Forwards::Yes(servers)) => {
                self.otherwise_since = None;
                Check::Forwards(counts.then_some(servers))
            }
            Some(Forwards::No(answer)) => {
                let since = *self.otherwise_since.get_or_insert_with(Instant::now);
                Check::Otherwise { answer, lasts: since.elapsed() }
            }
        }
    }

    /// What is asked from now on, unless it is already.
    fn ask(&self, asked: Option<(Servers, Wanted)>) {
        self.question.send_if_modified(|question| match (question.as_mut(), asked) {
            (Some(known), Some((servers, wanted)))
                if known.wanted == wanted && known.servers.are(&servers) =>
            {
                known.servers = servers;
                false
            }
            (None, None) => false,
            (_, asked) => {
                let since = Instant::now();
                *question =
                    asked.map(|(servers, wanted)| Question { servers, wanted, since, is_written: false });
                true
            }
        });
    }
}

/// Asks again and again until nobody wants to know any more; tells when the result changes.
async fn verify(
    mut question: watch::Receiver<Option<Question>>,
    result: watch::Sender<Option<Answered>>,
    changed: &Notify,
) {
    loop {
        let asked = question.borrow_and_update().clone();
        let round = async {
            let Some(asked) = &asked else { return std::future::pending().await };
            let began = Instant::now();
            let answered = Answered { since: asked.since, heard: ask(asked).await, at: Instant::now() };
            let pause = pause_of(asked, &answered.heard).max(began.elapsed());
            if take(&result, answered) {
                changed.notify_one();
            }
            tokio::time::sleep(pause).await;
        };
        let ended = tokio::select! {
            changed = question.changed() => changed.is_err(),
            () = round => false,
            () = result.closed() => true,
        };
        if ended {
            return;
        }
    }
}

/// Keeps what was answered; gives whether it is something else than before.
fn take(result: &watch::Sender<Option<Answered>>, new: Answered) -> bool {
    let mut is_other = true;
    result.send_modify(|known| {
        is_other = known.as_ref().is_none_or(|known| (known.since, &known.heard) != (new.since, &new.heard));
        *known = Some(new);
    });
    is_other
}

/// How long to wait until the next time. Clusters that were met together are not asked together for ever.
fn pause_of(asked: &Question, heard: &Heard) -> Duration {
    let asked_for = asked.since.elapsed();
    match asked.servers {
        Servers::At(_) if heard.is_well(is_guarded(asked.is_written, asked_for)) => CALM,
        Servers::At(_) => IMPATIENT,
        Servers::Pods { .. } => {
            pause(heard, asked.is_written, asked_for).mul_f64(0.8 + 0.4 * fastrand::f64())
        }
    }
}

async fn ask(Question { servers, wanted, .. }: &Question) -> Heard {
    let Wanted { zone, upstreams, own_name } = wanted;
    let order = Order { zone, upstreams };
    match servers {
        Servers::At(address) => {
            let asked = Asked { who: format!("DNS server {address}"), said: ask_at(*address, wanted).await };
            judge(&[asked], order, own_name)
        }
        Servers::Pods { client, service } => ask_pods(client, service, order, own_name).await,
    }
}

async fn ask_at(address: SocketAddr, Wanted { zone, own_name, .. }: &Wanted) -> Result<Said, String> {
    let asker = Asker::new(address).map_err(|error| openmcp_dns_core::chain(&error))?;
    let (own, zone, outside) = tokio::join!(
        asker.ask(own_name, RecordType::A),
        asker.ask(zone.as_str(), RecordType::SOA),
        asker.ask(OUTSIDE, RecordType::NS),
    );
    Ok(Said { own, zone, outside: Some(outside) })
}

#[cfg(test)]
mod tests {
    use openmcp_dns_core::forwarding::Resolution;

    use super::*;

    fn cluster(address: Option<&str>) -> Cluster {
        let mut cluster = Cluster::new("w1", Default::default());
        let annotation = address.map(|address| (CLUSTER_DNS_ANNOTATION.to_owned(), address.to_owned()));
        cluster.metadata.annotations = Some(annotation.into_iter().collect());
        cluster
    }

    fn wanted() -> Wanted {
        Wanted {
            zone: "openmcp.cluster".parse().unwrap(),
            upstreams: vec!["10.0.0.53:53".parse().unwrap()],
            own_name: "kubernetes.default.svc.cluster.local".to_owned(),
        }
    }

    /// A verifier without the task that asks.
    struct Alone {
        verifier: Verifier,
        answers: watch::Sender<Option<Answered>>,
    }

    impl Alone {
        fn new() -> Self {
            let (question, answers) = (watch::Sender::new(None), watch::Sender::new(None));
            let answered = answers.subscribe();
            Self { verifier: Verifier { question, answered, otherwise_since: None }, answers }
        }

        /// An answer to what is asked now, so long ago.
        fn answer(&self, forwards: Forwards, age: Duration) {
            let since = self.verifier.question.borrow().as_ref().unwrap().since;
            let names = Names { own: Resolution::Resolves, outside: Resolution::Resolves };
            let at = Instant::now().checked_sub(age).unwrap();
            take(&self.answers, Answered { since, at, heard: Heard { forwards, names } });
        }
    }

    fn no() -> Forwards {
        Forwards::No("NXDOMAIN".to_owned())
    }

    #[test]
    fn the_clusters_dns_is_asked_where_the_cluster_says_and_its_wrong_answers_are_timed() {
        const LONG: Duration = Duration::from_secs(60);
        let mut alone = Alone::new();
        let check = |alone: &mut Alone, address| alone.verifier.check(&cluster(address), None, wanted());
        assert_eq!(check(&mut alone, None), Check::NoAddress);
        assert_eq!((alone.verifier.address(), alone.verifier.names()), (None, Some(Names::default())));
        let at = Some("10.0.0.10");
        assert_eq!(check(&mut alone, at), Check::NotAsked);
        assert_eq!(alone.verifier.address(), Some("10.0.0.10:53".parse().unwrap()));
        assert_eq!(alone.verifier.names(), None, "it was not asked for yet");
        let bad = check(&mut alone, Some("nonsense"));
        assert!(matches!(&bad, Check::BadAddress(why) if why.contains("for example")), "{bad:?}");

        assert_eq!(check(&mut alone, at), Check::NotAsked);
        alone.answer(no(), Duration::ZERO);
        let first = check(&mut alone, at);
        assert!(matches!(first, Check::Otherwise { lasts, .. } if lasts < LONG), "{first:?}");
        alone.verifier.otherwise_since =
            alone.verifier.otherwise_since.and_then(|since| since.checked_sub(LONG));
        let later = check(&mut alone, at);
        assert!(matches!(later, Check::Otherwise { lasts, .. } if lasts >= LONG), "{later:?}");

        alone.answer(Forwards::Yes(1), Duration::ZERO);
        assert_eq!(alone.verifier.names().unwrap().own, Resolution::Resolves);
        assert_eq!(check(&mut alone, at), Check::Forwards(None));
        alone.answer(no(), Duration::ZERO);
        let anew = check(&mut alone, at);
        assert!(matches!(anew, Check::Otherwise { lasts, .. } if lasts < LONG), "{anew:?}");
    }

    #[test]
    fn what_was_answered_before_a_change_or_long_ago_is_asked_for_again() {
        let mut alone = Alone::new();
        alone.verifier.check(&cluster(Some("10.0.0.10")), None, wanted());
        alone.answer(no(), FRESH / 2);
        assert!(alone.verifier.is_fresh());
        alone.answer(no(), FRESH);
        assert!(!alone.verifier.is_fresh(), "it is too old");
        assert_eq!(alone.verifier.names(), None, "so it does not count any more");
        alone.answer(no(), Duration::ZERO);
        assert!(alone.verifier.is_fresh() && alone.verifier.names().is_some());
        alone.verifier.ask_again(true);
        assert_eq!(alone.verifier.names(), None);
        assert!(alone.verifier.question.borrow().as_ref().unwrap().is_written);
    }
}
