//! What the servers of a cluster's DNS answer, and what that means.

use super::Order;
use super::guard::{Names, Resolution};
use crate::expectation::Answer;

/// A name that lies in no zone of a cluster, so that its DNS forwards it to whom it forwards everything else: the root of all names.
/// Resolvers know it by heart, also where there is no way to the internet.
pub const OUTSIDE: &str = ".";

/// How many servers are named that answer wrongly.
const NAMED: usize = 3;

/// A server of a cluster's DNS that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// For people: `pod coredns-5dd5756b68-abcde`.
    pub who: String,
    /// What it answered, or why it could not be asked.
    pub said: Result<Said, String>,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// For a name of the cluster itself (A).
    pub own: Answer,
    /// For the zone (SOA).
    pub zone: Answer,
    /// For [`OUTSIDE`] (NS); `None` where there was no time left for it.
    pub outside: Option<Answer>,
}

/// What is known of a cluster's DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Whether it forwards the zone.
    pub forwards: Forwards,
    /// Whether it answers for other names.
    pub names: Names,
}

/// Whether a cluster's DNS forwards the zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forwards {
    /// Nobody knows: why it could not be asked.
    Unknown(String),
    /// It does: so many servers say so, and none says something else.
    Yes(usize),
    /// It does not, or not yet: what is answered instead, and what that means.
    No(String),
}

impl Heard {
    /// Nothing is known, and why.
    #[must_use]
    pub fn nothing(why: impl Into<String>) -> Self {
        Self { forwards: Forwards::Unknown(why.into()), names: Names::default() }
    }

    /// The cluster's DNS has pods, and none of them answers.
    #[must_use]
    pub fn none_ready(pods: usize) -> Self {
        let why = format!("none of the {pods} pods of the cluster's DNS is ready");
        let names = Names { own: Resolution::Fails(why.clone()), outside: Resolution::Unknown };
        Self { forwards: Forwards::Unknown(why), names }
    }

    /// Whether it forwards the zone, and names do not fail: one that is forwarded elsewhere only where that is `guarded`.
    #[must_use]
    pub const fn is_well(&self, guarded: bool) -> bool {
        let Names { own, outside } = &self.names;
        matches!(self.forwards, Forwards::Yes(_))
            && !matches!(own, Resolution::Fails(_))
            && !(guarded && matches!(outside, Resolution::Fails(_)))
    }
}

/// Judges what all servers of a cluster's DNS have answered; `own_name` is the cluster's own name that they were asked for.
#[must_use]
pub fn judge(asked: &[Asked], order: Order<'_>, own_name: &str) -> Heard {
    let said = || asked.iter().filter_map(|one| Some((one.who.as_str(), one.said.as_ref().ok()?)));
    let wrong: Vec<String> = said().filter_map(|(who, said)| wrong(who, said, order)).collect();
    let not_asked: Vec<String> = asked
        .iter()
        .filter_map(|one| Some(format!("{} cannot be asked: {}", one.who, one.said.as_ref().err()?)))
        .collect();
    let forwards = match (wrong.is_empty(), not_asked.is_empty(), asked.len()) {
        (false, ..) => Forwards::No(first_of(&wrong)),
        (true, false, _) => Forwards::Unknown(first_of(&not_asked)),
        (true, true, 0) => Forwards::Unknown("the cluster's DNS has no pods".to_owned()),
        (true, true, servers) => Forwards::Yes(servers),
    };
    let own = said().map(|(who, said)| match &said.own {
        Answer::Records { .. } => Resolution::Resolves,
        other => Resolution::Fails(format!("{who}, asked for {own_name}: {other}")),
    });
    let outside = said().filter_map(|(who, said)| {
        Some(match said.outside.as_ref()? {
            // Where there is no internet, resolvers may know nothing of it; that is an answer of theirs all the same.
            Answer::Records { .. } | Answer::NoData | Answer::NoSuchName => Resolution::Resolves,
            other => Resolution::Fails(format!("{who}, asked for the name servers of the root: {other}")),
        })
    });
    Heard { forwards, names: Names { own: Resolution::of_all(own), outside: Resolution::of_all(outside) } }
}

/// What a server answers instead of the zone, and what that means; `None` where it forwards it.
fn wrong(who: &str, said: &Said, order: Order<'_>) -> Option<String> {
    let Order { zone, .. } = order;
    // The central DNS server names itself in the zone's SOA record; nobody else does.
    let central = format!("ns.dns.{zone}. ");
    if let Answer::Records { values, .. } = &said.zone
        && values.iter().any(|value| value.starts_with(&central))
    {
        return None;
    }
    let servers = order.upstreams().join(" ");
    let meaning = match &said.zone {
        // It says nothing of the zone that it does not say of everything.
        _ if !matches!(said.own, Answer::Records { .. }) => String::new(),
        Answer::Failure(code) if code == "REFUSED" => {
            format!("; it answers for the cluster itself, so who is asked at {servers} does not serve the zone: is that the central DNS?")
        }
        Answer::Failure(_) | Answer::Silence(_) => format!(
            "; it answers for the cluster itself, so it gets no answer from {servers}: is that the central DNS's address as pods of the \
             cluster reach it, and is there a firewall in between (port 53, UDP and TCP)?"
        ),
        Answer::NoSuchName | Answer::NoData | Answer::Records { .. } | Answer::LeadsNowhere { .. } => {
            "; it answers for the cluster itself, and somebody else for the zone: it has not taken up its configuration yet, or reads another one"
                .to_owned()
        }
    };
    Some(format!("{who}, asked for the SOA of {zone}: {}{meaning}", said.zone))
}

fn first_of(all: &[String]) -> String {
    let named = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    match all.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}; and so {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::name::HostName;

    const OWN: &str = "kubernetes.default.svc.cluster.local";

    fn records(value: &str) -> Answer {
        Answer::Records { values: [value.to_owned()].into(), cnames: Default::default() }
    }

    fn forwarded() -> Answer {
        records("ns.dns.openmcp.cluster. hostmaster.openmcp.cluster. 1 7200 1800 86400 5")
    }

    fn failure(code: &str) -> Answer {
        Answer::Failure(code.to_owned())
    }

    fn pod(name: &str, own: Answer, zone: Answer, outside: Answer) -> Asked {
        Asked { who: format!("pod {name}"), said: Ok(Said { own, zone, outside: Some(outside) }) }
    }

    fn well(name: &str) -> Asked {
        pod(name, records("10.96.0.1"), forwarded(), records("a.root-servers.net."))
    }

    fn heard(asked: &[Asked]) -> Heard {
        let zone: HostName = "openmcp.cluster".parse().unwrap();
        let upstreams: [SocketAddr; 1] = ["10.0.0.53:53".parse().unwrap()];
        judge(asked, Order { zone: &zone, upstreams: &upstreams }, OWN)
    }

    fn no(asked: &[Asked]) -> String {
        let Forwards::No(why) = heard(asked).forwards else { panic!("{asked:?}") };
        why
    }

    #[test]
    fn it_forwards_when_every_server_says_so() {
        assert_eq!(heard(&[well("a"), well("b")]).forwards, Forwards::Yes(2));
        assert!(heard(&[well("a"), well("b")]).is_well(true));
        let silent = Asked { who: "pod b".to_owned(), said: Err("connection refused".to_owned()) };
        let said = heard(&[well("a"), silent.clone()]);
        assert_eq!(said.forwards, Forwards::Unknown("pod b cannot be asked: connection refused".to_owned()));
        assert_eq!(said.names, Names { own: Resolution::Resolves, outside: Resolution::Resolves });
        assert_eq!(heard(&[silent]).names, Names::default());
        assert!(
            matches!(heard(&[]), Heard { forwards: Forwards::Unknown(_), names } if names == Names::default())
        );
    }

    #[test]
    fn one_that_answers_for_the_cluster_and_not_for_the_zone_is_named_with_what_that_means() {
        let other = |zone| pod("b", records("10.96.0.1"), zone, records("a.root-servers.net."));
        for (answer, meaning) in [
            (
                failure("SERVFAIL"),
                "SERVFAIL; it answers for the cluster itself, so it gets no answer from 10.0.0.53",
            ),
            (Answer::Silence("timeout".to_owned()), "is there a firewall in between"),
            (failure("REFUSED"), "so who is asked at 10.0.0.53 does not serve the zone"),
            (
                Answer::NoSuchName,
                "NXDOMAIN; it answers for the cluster itself, and somebody else for the zone",
            ),
            (records("ns.elsewhere. x. 1 1 1 1 1"), "has not taken up its configuration yet"),
        ] {
            let why = no(&[well("a"), other(answer)]);
            assert!(why.starts_with("pod b, asked for the SOA of openmcp.cluster: "), "{why}");
            assert!(why.contains(meaning), "{why}");
        }
        let dead = pod("b", failure("SERVFAIL"), failure("SERVFAIL"), failure("SERVFAIL"));
        assert_eq!(no(std::slice::from_ref(&dead)), "pod b, asked for the SOA of openmcp.cluster: SERVFAIL");
        let many = no(&[dead.clone(), dead.clone(), dead.clone(), dead.clone(), dead]);
        assert!(many.ends_with("; and so 2 more"), "{many}");
    }

    #[test]
    fn a_name_fails_when_it_does_with_one_server() {
        let broken = pod("b", failure("SERVFAIL"), forwarded(), failure("REFUSED"));
        let Heard { forwards, names } = heard(&[well("a"), broken]);
        assert_eq!(forwards, Forwards::Yes(2));
        let fails =
            |what: &str, answer: &str| Resolution::Fails(format!("pod b, asked for {what}: {answer}"));
        let outside = fails("the name servers of the root", "REFUSED");
        assert_eq!(names, Names { own: fails(OWN, "SERVFAIL"), outside });
        // A resolver without internet.
        let alone = pod("a", records("10.96.0.1"), forwarded(), Answer::NoSuchName);
        assert_eq!(heard(&[alone]).names.outside, Resolution::Resolves);
    }

    #[test]
    fn pods_of_which_none_is_ready_answer_nothing() {
        let heard = Heard::none_ready(2);
        assert!(matches!(&heard.names.own, Resolution::Fails(why) if why.contains("none of the 2 pods")));
        assert!(!heard.is_well(true));
    }
}
