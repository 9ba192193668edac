//! What is said of a cluster's forwarding.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use openmcp_dns_core::forwarding::{MOST_REVERTS, Names, REVERTS_WINDOW, Resolution, Wait};
use openmcp_dns_core::name::HostName;

use super::verify::Check;
use openmcp_dns_api::CLUSTER_DNS_ANNOTATION;
use openmcp_dns_api::conditions::{Finding, Reason};

/// How long a cluster's DNS may take to act on its configuration: kubelet writes it within a minute,
/// CoreDNS looks at it every half minute, and takes a moment.
const TAKE_UP: Duration = Duration::from_secs(120);

/// How far forwarding has come.
#[derive(Debug)]
pub(super) enum Seen {
    /// There is nothing to forward to.
    NoCentralServer,
    /// There is no usable way into the cluster.
    NoWay,
    /// Nobody lets us in, and an agent records the cluster.
    NoAccess {
        /// Reverse zones that are to be forwarded, too.
        reverse: BTreeSet<HostName>,
        /// Whether somebody has the zone forwarded.
        check: Check,
    },
    /// Something has not been read yet: what.
    Reading(&'static str),
    /// It cannot be read, and why.
    Trouble(String),
    /// It is not changed yet, because others are changed first.
    Waiting(Wait),
    /// Somebody changes it back again and again.
    ChangedBack {
        /// What.
        object: String,
        /// Who; `None` where the API server does not say.
        by: Option<String>,
    },
    /// Names fail since the change; if that lasts, it is taken back.
    Worried {
        /// A name of the cluster itself.
        own_name: String,
        /// What resolves now.
        names: Names,
    },
    /// The change broke something, and was taken back.
    TakenBack {
        /// A name of the cluster itself.
        own_name: String,
        /// What resolves now.
        names: Names,
    },
    /// A person has to do it.
    ByHand {
        /// What.
        what: String,
        /// What may surprise.
        notes: Vec<String>,
        /// Whether it is done.
        check: Check,
    },
    /// It is left alone, and why.
    NotUnderstood(String),
    /// It cannot be changed, and why.
    NotWritten(String),
    /// It forwards the zone.
    Configured {
        /// By what.
        places: Vec<String>,
        /// What may surprise.
        notes: Vec<String>,
        /// What the server that reads it says.
        check: Check,
    },
}

/// Says it for people, with the next step.
pub(super) fn finding(seen: &Seen, zone: &HostName, upstreams: &[SocketAddr]) -> Finding {
    match seen {
        Seen::NoCentralServer => Finding::bad(
            Reason::NoCentralServer,
            "no address of the central DNS server is known; look at the status of the DNSServiceConfig, or start \
             openmcp-dns with --dns-server",
        ),
        Seen::NoWay => Finding::unknown(Reason::Unreachable, "the cluster cannot be reached"),
        Seen::NoAccess { reverse, check } => no_access(check, zone, reverse, upstreams),
        Seen::Reading(what) => Finding::unknown(Reason::InProgress, format!("{what} is being read")),
        Seen::Trouble(message) => Finding::unknown(Reason::Unreachable, message),
        Seen::Waiting(why) => Finding::unknown(
            Reason::InProgress,
            format!("{zone} is to be forwarded to {}, and is forwarded as before: {why}", list(upstreams)),
        ),
        Seen::ChangedBack { object, by } => Finding::bad(
            Reason::ChangedBack,
            format!(
                "{object} was changed back {MOST_REVERTS} times within {} minutes, last by {}, so nothing more is written to it. Have what \
                 forwards {zone} kept there, or choose another strategy in the DNSServiceConfig; then it is tried again",
                REVERTS_WINDOW.as_secs() / 60,
                by.as_deref().unwrap_or("somebody whom the API server does not name"),
            ),
        ),
        Seen::Worried { own_name, names } => Finding::unknown(
            Reason::InProgress,
            format!(
                "since the change that forwards {zone}, names fail that resolved before; it is taken back if that lasts: now {own_name} {}, \
                 and what the cluster's DNS forwards elsewhere {}",
                now(&names.own),
                now(&names.outside),
            ),
        ),
        Seen::TakenBack { own_name, names } => Finding::bad(
            Reason::TakenBack,
            format!(
                "after the change that forwards {zone}, names failed that had resolved before, so it was taken back; now {own_name} {}, and \
                 what the cluster's DNS forwards elsewhere {}. Look at the logs of the cluster's DNS; it is tried again when its \
                 configuration, or the strategy in the DNSServiceConfig, is another one",
                now(&names.own),
                now(&names.outside),
            ),
        ),
        Seen::ByHand { what: _, notes, check: Check::Forwards(pods) } => Finding::good(format!(
            "the cluster's DNS forwards {zone}, as somebody has set it up by hand{}{}",
            said_by(*pods),
            noted(notes)
        )),
        Seen::ByHand { what, notes: _, check: _ } => {
            Finding::bad(Reason::ManualStep, format!("a person has to do this: {what}"))
        }
        Seen::NotUnderstood(why) => Finding::bad(
            Reason::NotUnderstood,
            format!("{why}; mend it, or forward {zone} to {} by hand", list(upstreams)),
        ),
        Seen::NotWritten(why) => Finding::bad(Reason::WriteFailed, why),
        Seen::Configured { places, notes, check } => {
            checked(check, zone, &format!(" ({}){}", places.join(", "), noted(notes)))
        }
    }
}

fn noted(notes: &[String]) -> String {
    notes.iter().map(|note| format!("; {note}")).collect()
}

/// Somebody has to have the cluster's DNS forward the zone; does it?
fn no_access(
    check: &Check,
    zone: &HostName,
    reverse: &BTreeSet<HostName>,
    upstreams: &[SocketAddr],
) -> Finding {
    let beside: String = reverse.iter().map(|zone| format!(", {zone}")).collect();
    let to_do = format!(
        "the service has no access to the cluster: forward {zone}{beside} to {} there",
        list(upstreams)
    );
    match check {
        Check::Forwards(_) | Check::NotAsked | Check::BadAddress(_) | Check::Unknown(_) => {
            checked(check, zone, "")
        }
        Check::NoAddress => Finding::unknown(
            Reason::NotProbed,
            format!("{to_do}, and annotate the Cluster with {CLUSTER_DNS_ANNOTATION}=<IP or IP:port>"),
        ),
        Check::Otherwise { answer, lasts: _ } => {
            Finding::bad(Reason::Mismatch, format!("{to_do}; its DNS does not: {answer}"))
        }
    }
}

/// The configuration forwards the zone; does the server that reads it?
fn checked(check: &Check, zone: &HostName, note: &str) -> Finding {
    match check {
        Check::BadAddress(why) => Finding::unknown(
            Reason::NotProbed,
            format!("annotation {CLUSTER_DNS_ANNOTATION} of the Cluster: {why}"),
        ),
        Check::NoAddress => Finding::unknown(
            Reason::NotProbed,
            format!(
                "the configuration forwards {zone}{note}, but there is no Service of the cluster's DNS in kube-system whose pods could be asked: \
                 annotate the Cluster with {CLUSTER_DNS_ANNOTATION}=<IP or IP:port>"
            ),
        ),
        Check::NotAsked => Finding::unknown(Reason::InProgress, "the cluster's DNS is being asked"),
        Check::Unknown(why) => Finding::unknown(
            Reason::NotProbed,
            format!(
                "the configuration forwards {zone}{note}, but not every pod of the cluster's DNS could be asked: {why}. Where there is an \
                 address to ask at, annotate the Cluster with {CLUSTER_DNS_ANNOTATION}=<IP or IP:port>"
            ),
        ),
        Check::Forwards(pods) => {
            Finding::good(format!("the cluster's DNS forwards {zone}{note}{}", said_by(*pods)))
        }
        Check::Otherwise { answer, lasts } if *lasts < TAKE_UP => Finding::unknown(
            Reason::InProgress,
            format!("waiting for the cluster's DNS to act on its configuration: {answer}"),
        ),
        Check::Otherwise { answer, lasts: _ } => Finding::bad(
            Reason::Mismatch,
            format!(
                "the configuration forwards {zone}{note}, but the cluster's DNS does not: {answer}. If that lasts, look at the log of its pods, and \
                 restart them: CoreDNS may miss a file that comes while it reloads, and does not try again what it has refused"
            ),
        ),
    }
}

/// Who has said so, where that is known.
fn said_by(pods: Option<usize>) -> String {
    match pods {
        Some(1) => ", says its only pod".to_owned(),
        Some(pods) => format!(", say all of its {pods} pods"),
        None => String::new(),
    }
}

fn now(name: &Resolution) -> String {
    match name {
        Resolution::Resolves => "resolves".to_owned(),
        Resolution::Fails(answer) => format!("fails ({answer})"),
        Resolution::Unknown => "is not asked for".to_owned(),
    }
}

fn list(upstreams: &[SocketAddr]) -> String {
    upstreams.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use openmcp_dns_core::cluster::ClusterId;

    use super::*;

    fn say(seen: &Seen) -> Finding {
        finding(seen, &"openmcp.cluster".parse().unwrap(), &["10.0.0.53:53".parse().unwrap()])
    }

    fn configured(check: Check) -> Seen {
        let notes = vec!["plugin rewrite on line 7 is no longer asked".to_owned()];
        Seen::Configured { places: vec!["a block".to_owned()], notes, check }
    }

    fn taken_back(own: Resolution) -> Seen {
        let names = Names { own, outside: Resolution::Unknown };
        Seen::TakenBack { own_name: "kubernetes".to_owned(), names }
    }

    fn by_hand(check: Check) -> Seen {
        Seen::ByHand { what: "this".to_owned(), notes: Vec::new(), check }
    }

    fn no_access(check: Check, reverse: &[&str]) -> Seen {
        Seen::NoAccess { reverse: reverse.iter().map(|zone| zone.parse().unwrap()).collect(), check }
    }

    fn otherwise(lasts: Duration) -> Seen {
        configured(Check::Otherwise { answer: "NXDOMAIN".to_owned(), lasts })
    }

    #[test]
    fn every_state_has_a_condition_that_names_the_next_step() {
        for (seen, status, reason, text) in [
            (
                Seen::NoCentralServer,
                Some(false),
                Reason::NoCentralServer,
                "look at the status of the DNSServiceConfig",
            ),
            (Seen::NoWay, None, Reason::Unreachable, "cannot be reached"),
            (Seen::Reading("it"), None, Reason::InProgress, "it is being read"),
            (Seen::Trouble("refused".into()), None, Reason::Unreachable, "refused"),
            (
                taken_back(Resolution::Resolves),
                Some(false),
                Reason::TakenBack,
                "so it was taken back; now kubernetes resolves, and what the cluster's DNS forwards elsewhere is not asked for",
            ),
            (
                taken_back(Resolution::Fails("SERVFAIL".into())),
                Some(false),
                Reason::TakenBack,
                "now kubernetes fails (SERVFAIL)",
            ),
            (
                Seen::Waiting(Wait::Stopped(ClusterId::new("openmcp", "w1"))),
                None,
                Reason::InProgress,
                "as before: the same change has broken the DNS of openmcp/w1: it goes on when",
            ),
            (
                Seen::ChangedBack { object: "it".to_owned(), by: Some("an-operator".to_owned()) },
                Some(false),
                Reason::ChangedBack,
                "it was changed back 10 times within 30 minutes, last by an-operator, so nothing more",
            ),
            (
                Seen::Worried { own_name: "kubernetes".to_owned(), names: Names::default() },
                None,
                Reason::InProgress,
                "it is taken back if that lasts: now kubernetes is not asked for",
            ),
            (by_hand(Check::NoAddress), Some(false), Reason::ManualStep, "a person has to do this: this"),
            (by_hand(Check::Forwards(None)), Some(true), Reason::Succeeded, "forwards openmcp.cluster"),
            (
                Seen::NotUnderstood("line 3: nonsense".into()),
                Some(false),
                Reason::NotUnderstood,
                "line 3: nonsense; mend it, or forward openmcp.cluster to 10.0.0.53:53 by hand",
            ),
            (Seen::NotWritten("refused".into()), Some(false), Reason::WriteFailed, "refused"),
            (configured(Check::NoAddress), None, Reason::NotProbed, "annotate the Cluster with"),
            (configured(Check::BadAddress("no IP".into())), None, Reason::NotProbed, "of the Cluster: no IP"),
            (
                configured(Check::Unknown("pod a cannot be asked: 403".into())),
                None,
                Reason::NotProbed,
                "could be asked: pod a cannot be asked: 403. Where there is an address",
            ),
            (configured(Check::Forwards(Some(2))), Some(true), Reason::Succeeded, ", say all of its 2 pods"),
            (configured(Check::NotAsked), None, Reason::InProgress, "being asked"),
            (configured(Check::Forwards(None)), Some(true), Reason::Succeeded, "forwards openmcp.cluster"),
            (
                no_access(Check::NoAddress, &[]),
                None,
                Reason::NotProbed,
                "forward openmcp.cluster to 10.0.0.53:53 there, and annotate the Cluster",
            ),
            (
                no_access(Check::Otherwise { answer: "NXDOMAIN".to_owned(), lasts: Duration::ZERO }, &[]),
                Some(false),
                Reason::Mismatch,
                "forward openmcp.cluster to 10.0.0.53:53 there; its DNS does not: NXDOMAIN",
            ),
            (
                no_access(Check::Forwards(None), &[]),
                Some(true),
                Reason::Succeeded,
                "forwards openmcp.cluster",
            ),
            (
                no_access(Check::NoAddress, &["18.172.in-addr.arpa"]),
                None,
                Reason::NotProbed,
                "forward openmcp.cluster, 18.172.in-addr.arpa to 10.0.0.53:53 there",
            ),
        ] {
            let finding = say(&seen);
            assert_eq!((finding.status, finding.reason), (status, reason), "{finding:?}");
            assert!(finding.message.contains(text), "{finding:?}");
        }
    }

    #[test]
    fn a_dns_server_has_its_time_to_act_on_a_new_configuration() {
        let early = say(&otherwise(TAKE_UP - Duration::from_millis(1)));
        assert_eq!((early.status, early.reason), (None, Reason::InProgress));
        let late = say(&otherwise(TAKE_UP));
        assert_eq!((late.status, late.reason), (Some(false), Reason::Mismatch));
        assert!(late.message.contains("NXDOMAIN"), "{late:?}");
    }

    #[test]
    fn what_may_surprise_is_said_also_where_all_is_well() {
        let finding = say(&configured(Check::Forwards(None)));
        assert!(finding.message.contains("plugin rewrite on line 7 is no longer asked"), "{finding:?}");
    }
}
