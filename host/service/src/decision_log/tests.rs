//! The files of a log: how large they get, what outlives a restart, and what happens when they cannot be written.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::decision_log::{Answer, Decided, Event, History};
use openmcp_dns_core::kinds::Kind;

use super::files::Files;
use super::{DecisionLogOptions, Noted, keep, read};
use crate::journal::{Journal, Occurrence};
use crate::metrics::{Exposed as _, Metrics};
use crate::record::Report;

const SMALL: u64 = 64 * 1024;

fn files(directory: &Path, max_bytes: u64) -> Files {
    Files::new(DecisionLogOptions { directory: directory.to_owned(), max_bytes }, Duration::ZERO)
}

/// A claim of an object with this number is denied for this reason.
fn denied(object: usize, why: &str) -> Report {
    Report::Decided(Box::new(Decided {
        cluster: ClusterId::new("s", "w1"),
        source: SourceRef::new(Kind::Ingress, "n", format!("i{object}")),
        host_name: format!("n{object}.w1.openmcp.cluster"),
        question: None,
        answer: Answer::Denied { code: "no".to_owned(), message: why.to_owned(), guard: None },
        record_sets: Arc::default(),
    }))
}

fn noted(second: usize, report: Report) -> Noted {
    let time = format!("2026-01-01T{:02}:{:02}:{:02}.000Z", second / 3600, second / 60 % 60, second % 60);
    Noted { time, occurrence: Arc::new(Occurrence::Recording(report)) }
}

fn bytes(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    files.sum()
}

fn entries(directory: &Path) -> usize {
    read(directory).unwrap().entries.len()
}

fn since(directory: &Path, object: usize) -> Option<String> {
    let name = format!("n{object}.w1.openmcp.cluster").parse().unwrap();
    let claims = History::of(&read(directory).unwrap(), &name).claims;
    claims.into_iter().next().map(|claim| claim.since)
}

#[test]
fn a_log_has_no_more_bytes_than_it_may_and_keeps_what_is_still_so() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = files(directory.path(), SMALL);
    // This one is decided once, and the other ones all the time.
    files.write(&[noted(0, denied(0, "never"))], 0).unwrap();
    for second in 1..5000 {
        files.write(&[noted(second, denied(second % 7 + 1, &second.to_string()))], 0).unwrap();
        assert!(bytes(directory.path()) <= SMALL);
    }
    assert_eq!(since(directory.path(), 0).unwrap(), "2026-01-01T00:00:00.000Z");
    assert!(entries(directory.path()) > 100);
    // With less room than before, it is smaller once another file is begun.
    drop(files);
    let mut files = self::files(directory.path(), SMALL / 4);
    for second in 5000..5200 {
        files.write(&[noted(second, denied(1, &second.to_string()))], 0).unwrap();
    }
    assert!(bytes(directory.path()) <= SMALL / 4, "{}", bytes(directory.path()));
    assert_eq!(since(directory.path(), 0).unwrap(), "2026-01-01T00:00:00.000Z");
}

#[test]
fn a_restart_writes_nothing_twice_and_mends_half_a_line() {
    let directory = tempfile::tempdir().unwrap();
    let all = || [noted(1, denied(1, "a")), noted(2, denied(2, "b"))];
    files(directory.path(), SMALL).write(&all(), 0).unwrap();
    let file = directory.path().join("decisions-00000001.jsonl");
    let text = fs::read(&file).unwrap();
    fs::write(&file, &text[..text.len() - 9]).unwrap();
    files(directory.path(), SMALL).write(&all(), 3).unwrap();
    let log = read(directory.path()).unwrap();
    assert_eq!(log.unreadable, 1);
    assert_eq!(log.entries.len(), 3, "{log:#?}");
    assert!(log.entries.iter().any(|entry| entry.event == Event::Lost { events: 3 }));
    files(directory.path(), SMALL).write(&all(), 0).unwrap();
    assert_eq!(entries(directory.path()), 3);
}

#[test]
fn two_processes_do_not_write_one_log() {
    let directory = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (files(directory.path(), SMALL), files(directory.path(), SMALL));
    one.write(&[noted(1, denied(1, "a"))], 0).unwrap();
    let error = other.write(&[noted(2, denied(2, "b"))], 0).unwrap_err().to_string();
    assert_eq!(error, "another process keeps a log there");
    assert_eq!(entries(directory.path()), 1);
    drop(one);
    other.write(&[noted(3, denied(3, "c"))], 1).unwrap();
    assert_eq!(entries(directory.path()), 3, "two answers, and that one is missing");
}

#[tokio::test]
async fn a_log_that_cannot_be_written_is_told_and_ends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    // A file stands where the directory is to be.
    let taken = directory.path().join("log");
    fs::write(&taken, "").unwrap();
    let metrics = Metrics::default();
    let journal = Journal::new(metrics.clone());
    let options = DecisionLogOptions { directory: taken, max_bytes: SMALL };
    let keeping = tokio::spawn(keep(options, journal.subscribe(), metrics.clone()));
    for object in 0..3 {
        journal.note(Occurrence::Recording(denied(object, "no")));
    }
    drop(journal);
    keeping.await.unwrap();
    let text = metrics.text().unwrap();
    for line in ["openmcp_dns_decision_log_lost_total 3\n", "openmcp_dns_decision_log_failing 1\n"] {
        assert!(text.contains(line), "{text}");
    }
}
