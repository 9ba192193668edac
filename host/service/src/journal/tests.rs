//! The journal: everything is logged and counted once, and nobody who notes something waits.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::index::State;
use openmcp_dns_core::kinds::Kind;
use openmcp_dns_core::policy::Denial;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::{BACKLOG, Journal, Occurrence};
use crate::metrics::{Exposed as _, Metrics};
use crate::policies::{ChosenBy, ModuleOccurrence};
use crate::probe::{Answer, Expectation, Probed, Verdict};
use crate::record::{HeldDeletion, Report};
use openmcp_dns_api::conditions::{DutyName, Finding, Reason};
use openmcp_dns_api::dns_policy::Mode;

/// Keeps what is logged: level and fields.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let level: &Level = event.metadata().level();
        let mut line = Line(level.to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn w1() -> ClusterId {
    ClusterId::new("s", "w1")
}

fn denied(code: &str) -> Occurrence {
    let denial = Denial::new(code, "it is reserved");
    Occurrence::Recording(Report::Claim {
        cluster: w1(),
        source: SourceRef::new(Kind::Ingress, "n", "i"),
        uid: "u".to_owned(),
        host_name: "x.w1.openmcp.cluster".to_owned(),
        state: State::Denied(denial),
    })
}

fn expectation() -> Expectation {
    let clusters = [w1()].into_iter().collect();
    Expectation { clusters, ..Expectation::nothing(&"x.w1.openmcp.cluster".parse().unwrap()) }
}

fn probed() -> Occurrence {
    let (verdict, answer) = (Verdict::Match, Answer::NoSuchName);
    Occurrence::Probed(Probed {
        expectation: Arc::new(expectation()),
        verdict,
        answer,
        took: Duration::from_secs(1),
    })
}

fn condition(finding: Finding) -> Occurrence {
    Occurrence::Condition { cluster: w1(), duty: DutyName::Probed, finding }
}

fn module(module: ModuleOccurrence) -> Occurrence {
    Occurrence::Module { policy: "p".to_owned(), module }
}

/// What is logged when this is noted.
fn logged(occurrence: Occurrence) -> Vec<String> {
    let (log, journal) = (Log::default(), Journal::new(Metrics::default()));
    tracing::subscriber::with_default(log.clone(), || journal.note(occurrence));
    std::mem::take(&mut *log.0.lock().unwrap())
}

#[test]
fn an_occurrence_counts_itself_once_however_many_subscribe() {
    for subscribers in [0, 3] {
        let metrics = Metrics::default();
        let journal = Journal::new(metrics.clone());
        let mut all: Vec<_> = (0..subscribers).map(|_| journal.subscribe()).collect();
        journal.note(denied("reserved"));
        journal.note(probed());
        journal
            .note(Occurrence::Recording(Report::Recorded { expectation: expectation(), revision: Some(1) }));
        journal.note(Occurrence::Recording(Report::Recorded { expectation: expectation(), revision: None }));
        let text = metrics.text().unwrap();
        for line in [
            r#"openmcp_dns_denials_total{code="reserved"} 1"#,
            r#"openmcp_dns_probes_total{verdict="ok"} 1"#,
            "openmcp_dns_names_changed_total 1\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        for subscriber in &mut all {
            assert!(matches!(&*subscriber.try_recv().unwrap(), Occurrence::Recording(Report::Claim { .. })));
            assert_eq!(subscriber.len(), 3);
        }
    }
}

#[test]
fn a_condition_is_a_gauge_until_its_cluster_is_released() {
    let metrics = Metrics::default();
    let journal = Journal::new(metrics.clone());
    let gauge = |value: &str| {
        let line = format!(
            "openmcp_dns_cluster_condition{{namespace=\"s\",cluster=\"w1\",condition=\"Probed\"}} {value}"
        );
        metrics.text().unwrap().contains(&line)
    };
    journal.note(condition(Finding::good("well")));
    assert!(gauge("1"));
    journal.note(condition(Finding::bad(Reason::NoAnswer, "1 names get no answer")));
    assert!(gauge("0"));
    journal.note(condition(Finding::unknown(Reason::InProgress, "1 names are being asked for")));
    assert!(gauge("-1"));
    journal.note(Occurrence::Released(w1()));
    assert!(!metrics.text().unwrap().contains("openmcp_dns_cluster_condition{"));
}

#[test]
fn an_occurrence_logs_itself_once_with_its_level_and_fields() {
    let held = |held| Occurrence::Recording(Report::Held { cluster: w1(), held, published: 9 });
    let loaded = |chosen_by, decides| {
        let (digest, mode) = ("a1".to_owned(), Mode::Enforce);
        module(ModuleOccurrence::Loaded { digest, chosen_by, mode, decides })
    };
    let message = || "it is too large".to_owned();
    for (occurrence, line) in [
        (
            held(Some(HeldDeletion { names: 5, token: "cafe".to_owned() })),
            "WARN message=holding a deletion until it is confirmed cluster=s/w1 names=5 published=9",
        ),
        (
            Occurrence::Recording(Report::Confirmed { cluster: w1(), token: "cafe".to_owned(), names: 5 }),
            "INFO message=a held deletion is confirmed cluster=s/w1 token=\"cafe\" names=5",
        ),
        (
            Occurrence::Recording(Report::Recorded { expectation: expectation(), revision: Some(1) }),
            "INFO message=recorded name=x.w1.openmcp.cluster revision=1 records={}",
        ),
        (probed(), "DEBUG message=probed name=x.w1.openmcp.cluster verdict=\"ok\""),
        (denied("reserved"), "DEBUG message=claim cluster=s/w1 source=Ingress/n/i"),
        (
            loaded(ChosenBy::Spec, true),
            "INFO message=policy module is loaded policy=\"p\" digest=\"a1\" mode=Enforce",
        ),
        (
            loaded(ChosenBy::Status, false),
            "INFO message=policy module that decided before is loaded policy=\"p\" digest=\"a1\"",
        ),
        (
            module(ModuleOccurrence::Refused { message: message() }),
            "WARN message=policy module is not used policy=\"p\" message=\"it is too large\"",
        ),
        (
            module(ModuleOccurrence::RolledBack),
            "INFO message=the policy module before decides again policy=\"p\"",
        ),
        (
            module(ModuleOccurrence::TagMoved { digest: "sha256:b2".to_owned() }),
            "INFO message=the tag of the policy module has moved policy=\"p\" digest=\"sha256:b2\"",
        ),
        (
            module(ModuleOccurrence::TagUnknown { message: message() }),
            "WARN message=the policy module stays policy=\"p\" message=\"it is too large\"",
        ),
    ] {
        let logged = logged(occurrence);
        assert!(logged.len() == 1 && logged[0].starts_with(line), "{line}: {logged:?}");
    }
    for silent in [held(None), Occurrence::Recording(Report::Touched(w1())), Occurrence::Released(w1())] {
        assert_eq!(logged(silent), [""; 0]);
    }
}

#[tokio::test]
async fn a_slow_subscriber_is_told_how_much_it_has_missed_and_nobody_waits_for_it() {
    let metrics = Metrics::default();
    let journal = Journal::new(metrics.clone());
    let (mut slow, mut quick) = (journal.subscribe(), journal.subscribe());
    // To note something is no future: there is nothing to wait for.
    for _ in 0..BACKLOG + 7 {
        journal.note(denied("reserved"));
        quick.try_recv().unwrap();
    }
    assert!(matches!(slow.recv().await, Err(RecvError::Lagged(7))));
    for _ in 0..BACKLOG {
        slow.recv().await.unwrap();
    }
    assert!(matches!(slow.try_recv(), Err(TryRecvError::Empty)));
    let all = format!("openmcp_dns_denials_total{{code=\"reserved\"}} {}", BACKLOG + 7);
    assert!(metrics.text().unwrap().contains(&all), "what was missed is counted all the same");
}
