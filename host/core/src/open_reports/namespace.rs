//! What is known of one namespace: what was told of it, and what stands there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::findings::{Findings, Wanted};
use super::{FAILED_PAUSE, LONGEST_PAUSE, WriteEnd, Writing};

/// How long to wait between two writes of one report. Names that come one after the other come together.
const PAUSE: Duration = Duration::from_secs(2);

/// How long to wait for what else becomes known at the same time.
const SETTLE: Duration = Duration::from_millis(500);

/// One namespace.
#[derive(Debug)]
pub(super) struct Namespace {
    told: Told,
    pub(super) stands: Stands,
    /// What is to be written; dropped when it is, since there may be thousands.
    findings: Option<Arc<Findings>>,
    /// When what becomes known together is known.
    ready_at: Option<Instant>,
    not_before: Instant,
    pause: Duration,
    is_written: bool,
    pub(super) waits_until: Option<Instant>,
}

/// What recording has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Not a word.
    NotYet,
    /// That there is nothing to report.
    Nothing,
    /// Findings with this digest.
    Findings(u64),
}

/// What stands there of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// No report.
    Nothing,
    /// A report, and it is not known what it says.
    Unknown,
    /// A report with these findings, in this version.
    Known(u64, String),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// None stands there, and one is to.
    Write,
    /// Another one is to stand there.
    Replace,
    Remove,
}

impl Namespace {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            told: Told::NotYet,
            stands: Stands::Nothing,
            findings: None,
            ready_at: None,
            not_before: now,
            pause: PAUSE,
            is_written: false,
            waits_until: None,
        }
    }

    /// What was told is not so any more. Gives whether it has to be told anew.
    pub(super) fn forget_told(&mut self) -> bool {
        (self.told, self.findings) = (Told::NotYet, None);
        self.stands_there()
    }

    /// This is found there now.
    pub(super) fn tell(&mut self, findings: Findings) {
        self.told = if findings.is_empty() { Told::Nothing } else { Told::Findings(findings.digest()) };
        self.findings = (!findings.is_empty()).then(|| Arc::new(findings));
        if self.is_said() {
            self.findings = None;
        }
    }

    /// This version stands there, says the API server. Gives whether the findings have to be told anew.
    pub(super) fn found(&mut self, version: Option<String>) -> bool {
        // What is being written will be known when it is.
        if self.is_written {
            return false;
        }
        self.stands = match (version, &self.stands) {
            (None, _) => Stands::Nothing,
            (Some(version), Stands::Known(_, known)) if version == *known => return false,
            (Some(_), _) => Stands::Unknown,
        };
        self.needs_findings()
    }

    /// Whether what was told is to be written, and is not kept.
    pub(super) fn needs_findings(&self) -> bool {
        let is_unknown = self.told == Told::NotYet && self.stands_there();
        self.findings.is_none() && (is_unknown || self.has_findings() && !self.is_said())
    }

    /// It is not written soon: what it would say is told again when it is.
    pub(super) fn drop_findings(&mut self) {
        self.findings = None;
    }

    /// Whether what stands there is what was told.
    fn is_said(&self) -> bool {
        match (self.told, &self.stands) {
            (Told::Findings(told), Stands::Known(stands, _)) => told == *stands,
            _ => false,
        }
    }

    pub(super) fn stands_there(&self) -> bool {
        self.stands != Stands::Nothing
    }

    /// Whether there is nothing to know any more.
    pub(super) fn is_nothing(&self) -> bool {
        !self.stands_there() && !self.is_written && !self.has_findings()
    }

    pub(super) fn step(&self, wanted: Wanted, is_complete: bool) -> Step {
        if self.is_written {
            return Step::Nothing;
        }
        match (wanted, self.told) {
            (Wanted::Unknown, _) => Step::Nothing,
            (Wanted::No, _) if self.stands_there() => Step::Remove,
            // Nothing is removed because something is not known yet.
            (Wanted::Yes, Told::Nothing) if self.stands_there() && is_complete => Step::Remove,
            (Wanted::Yes, Told::Findings(_)) if self.findings.is_some() && !self.is_said() => {
                if self.stands_there() { Step::Replace } else { Step::Write }
            }
            _ => Step::Nothing,
        }
    }

    /// When it may be written.
    pub(super) fn due(&mut self, now: Instant) -> Instant {
        (*self.ready_at.get_or_insert(now + SETTLE)).max(self.not_before)
    }

    /// It is not to be written.
    pub(super) fn rest(&mut self) {
        self.ready_at = None;
    }

    /// Whether a report of it is there, or will be.
    pub(super) fn takes_room(&self) -> bool {
        self.stands_there() || self.is_written || self.waits_until.is_some()
    }

    /// Whether there is something to report.
    pub(super) const fn has_findings(&self) -> bool {
        matches!(self.told, Told::Findings(_))
    }

    /// It is written now: with these findings, or none.
    pub(super) fn begin(&mut self, wanted: Wanted) -> Option<Arc<Findings>> {
        (self.ready_at, self.waits_until, self.is_written) = (None, None, true);
        self.findings.take().filter(|_| wanted == Wanted::Yes)
    }

    pub(super) fn written(&mut self, writing: &Writing, end: WriteEnd, now: Instant) {
        self.is_written = false;
        let has_failed = match end {
            WriteEnd::Stands(version) => {
                let digest = writing.findings.as_ref().map(|findings| findings.digest());
                self.stands = digest.map_or(Stands::Unknown, |digest| Stands::Known(digest, version));
                false
            }
            WriteEnd::Gone => {
                self.stands = Stands::Nothing;
                false
            }
            WriteEnd::NotFound => {
                self.stands = Stands::Nothing;
                true
            }
            WriteEnd::Forbidden | WriteEnd::Failed => true,
        };
        self.pause = if has_failed { (self.pause * 2).clamp(FAILED_PAUSE, LONGEST_PAUSE) } else { PAUSE };
        self.not_before = now + self.pause;
        // Nothing newer was told meanwhile.
        if has_failed && self.findings.is_none() {
            self.findings =
                writing.findings.clone().filter(|findings| Told::Findings(findings.digest()) == self.told);
        }
        if self.is_said() {
            self.findings = None;
        }
    }
}
