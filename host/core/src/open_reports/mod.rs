//! What is reported of a cluster's namespaces as objects of OpenReports, which policy UIs show: one report for each
//! namespace in which names are denied or given up.
//!
//! ```text
//! FindingsNews (recording) ──┐                           ┌─► LookOver: which reports of ours stand there ──► looked_over
//! looked_over, written ──────┼─► OpenReports ── next ────┤
//! time ──────────────────────┘                           └─► Write: the report of a namespace ──► written
//! ```
//! A machine for one cluster, without a clock. It writes nothing that stands there already, no report more than once in a
//! few seconds, and of all reports no more than its budget. Whatever stands there is found by its label, at first and
//! every few minutes: after a restart, and where somebody else has changed it or the CRD has come and gone.

mod findings;
mod namespace;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use findings::{Finding, Findings, FindingsNews, MAX_RESULTS, Outcome, Wanted};
pub use report::{
    API_GROUP, API_VERSION, REPORT_KIND, REPORT_NAME, REPORT_PLURAL, changed_report, is_our_report,
    new_report, selector,
};

use crate::bucket::Bucket;
use namespace::{Namespace, Stands, Step};

/// Writes of all reports of a cluster: so many a second, and so many seconds' worth at once after a rest. Each also reads
/// the report, and one may have 100 kB.
const WRITES_PER_SECOND: u32 = 5;
const BURST_SECONDS: u32 = 4;

/// Writes under way at once.
const WRITING: usize = 4;

/// Most reports in a cluster: 1000 of them have up to 100 MB in its etcd.
const MOST_REPORTS: usize = 1000;

/// Most namespaces whose findings wait to be written, and are kept in memory for it.
const MOST_WAITING: usize = 64;

/// How long to wait between two looks at what stands there.
const LOOK_PAUSE: Duration = Duration::from_secs(600);

/// How long to wait where the cluster does not serve reports; doubles up to the longest. As for other kinds, whose CRDs
/// may also come later.
const ABSENT_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_ABSENT_PAUSE: Duration = Duration::from_secs(30);

/// How long to wait where the API server does not let us.
const FORBIDDEN_PAUSE: Duration = Duration::from_secs(60);

/// How long to wait after the first failure; doubles up to the longest.
const FAILED_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What is to be written later than this is not kept for it, but told again: whoever has writes refused in many namespaces
/// of theirs takes no place in memory from others.
const SOON: Duration = Duration::from_secs(10);

/// For how long after the beginning a report that stands there is not replaced by what is known of a part of the cluster.
const PATIENCE: Duration = Duration::from_secs(60);

/// What there is to do.
#[derive(Clone, Debug)]
pub enum Todo {
    /// All reports of ours are to be listed.
    LookOver,
    /// The report of a namespace is to be another one.
    Write(Writing),
}

/// A write of one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writing {
    /// Where.
    pub namespace: String,
    /// What it says; `None`: ours goes.
    pub findings: Option<Arc<Findings>>,
}

/// What came of listing our reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookEnd {
    /// They stand in these namespaces, in these versions.
    Found(Vec<(String, String)>),
    /// The cluster does not serve reports.
    NotServed,
    /// The API server does not let us.
    Forbidden,
    /// It failed otherwise.
    Failed,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteEnd {
    /// This version of ours stands there.
    Stands(String),
    /// None of ours stands there.
    Gone,
    /// The namespace is gone, or the cluster does not serve reports any more.
    NotFound,
    /// The API server does not let us.
    Forbidden,
    /// It failed otherwise, or a report of somebody else's stands there.
    Failed,
}

/// How it stands with the reports of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// None are wanted, or nothing hinders them.
    Fine,
    /// They are wanted, and the cluster does not serve them.
    NotServed,
    /// Some namespaces have none, because there are too many.
    TooMany,
}

/// The reports of one cluster.
#[derive(Debug)]
pub struct OpenReports {
    wanted: Wanted,
    epoch: u64,
    is_complete: bool,
    namespaces: BTreeMap<String, Namespace>,
    /// Reports to write, and when they may be.
    waiting: BTreeSet<(Instant, String)>,
    /// Namespaces whose findings are to be told anew then, since a write of theirs has failed.
    retries: BTreeSet<(Instant, String)>,
    /// Namespaces whose findings are to be told anew.
    again: BTreeSet<String>,
    /// Namespaces that have a report, or will.
    with_room: BTreeSet<String>,
    /// Namespaces with findings for which there is no room.
    without_room: BTreeSet<String>,
    budget: Bucket,
    writing: usize,
    look: Look,
    /// Until when nothing is written.
    forbidden_until: Option<Instant>,
    patient_until: Option<Instant>,
}

/// The looks at what stands there.
#[derive(Debug)]
struct Look {
    /// When the next one is due; `None` while somebody looks.
    at: Option<Instant>,
    pause: Duration,
    seen: Seen,
}

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    /// What stands there.
    Reports,
    NotServed,
    Forbidden,
}

impl OpenReports {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            wanted: Wanted::Unknown,
            epoch: 0,
            is_complete: false,
            namespaces: BTreeMap::new(),
            waiting: BTreeSet::new(),
            retries: BTreeSet::new(),
            again: BTreeSet::new(),
            with_room: BTreeSet::new(),
            without_room: BTreeSet::new(),
            budget: Bucket::full(WRITES_PER_SECOND, BURST_SECONDS),
            writing: 0,
            look: Look { at: Some(now), pause: FAILED_PAUSE, seen: Seen::Nothing },
            forbidden_until: None,
            patient_until: None,
        }
    }

    /// The cluster is reached another way: it may be another one.
    pub fn is_reached_anew(&mut self, now: Instant) {
        self.look.at = self.look.at.map(|_| now);
        self.forbidden_until = None;
    }

    /// Of how many namespaces more the findings can be taken.
    #[must_use]
    pub fn room(&self) -> usize {
        MOST_WAITING.saturating_sub(self.waiting.len() + self.writing)
    }

    /// The epoch of what is known, see [`FindingsNews::epoch`].
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether findings have to be told anew.
    #[must_use]
    pub fn asks_again(&self) -> bool {
        !self.again.is_empty()
    }

    /// Namespaces whose findings have to be told though they are the same, since this was asked last.
    pub fn take_again(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.again)
    }

    /// Something else is known.
    pub fn news(&mut self, news: FindingsNews, now: Instant) {
        let FindingsNews { wanted, epoch, is_complete, namespaces, has_more: _ } = news;
        let is_other = (wanted, epoch, is_complete) != (self.wanted, self.epoch, self.is_complete);
        if epoch != self.epoch {
            for (name, namespace) in &mut self.namespaces {
                if namespace.forget_told() {
                    self.again.insert(name.clone());
                }
            }
        }
        if wanted != self.wanted && wanted == Wanted::Yes {
            self.patient_until.get_or_insert(now + PATIENCE);
            // What stands there was no matter before.
            self.look.at = self.look.at.map(|_| now);
        }
        (self.wanted, self.epoch, self.is_complete) = (wanted, epoch, is_complete);
        for (name, findings) in namespaces {
            self.namespaces.entry(name.clone()).or_insert_with(|| Namespace::new(now)).tell(findings);
            self.look_at(&name, now);
        }
        if is_other {
            self.look_at_all(now);
        }
    }

    /// Our reports were listed.
    pub fn looked_over(&mut self, end: LookEnd, now: Instant) {
        let pause = match end {
            LookEnd::Found(found) => {
                self.found(found.into_iter().collect(), now);
                LOOK_PAUSE
            }
            LookEnd::NotServed => {
                // What stood there went with them.
                for namespace in self.namespaces.values_mut() {
                    namespace.stands = Stands::Nothing;
                }
                self.look_at_all(now);
                let pause = match self.look.seen {
                    Seen::NotServed => self.look.pause * 2,
                    _ => ABSENT_PAUSE,
                };
                self.look.seen = Seen::NotServed;
                pause.min(LONGEST_ABSENT_PAUSE)
            }
            LookEnd::Forbidden => {
                self.look.seen = Seen::Forbidden;
                FORBIDDEN_PAUSE
            }
            LookEnd::Failed => (self.look.pause * 2).clamp(FAILED_PAUSE, LONGEST_PAUSE),
        };
        (self.look.pause, self.look.at) = (pause, Some(now + pause));
    }

    fn found(&mut self, mut found: BTreeMap<String, String>, now: Instant) {
        (self.look.seen, self.forbidden_until) = (Seen::Reports, None);
        for (name, namespace) in &mut self.namespaces {
            let has_to_be_told = namespace.found(found.remove(name));
            let is_left_out = self.without_room.contains(name) && self.with_room.len() >= MOST_REPORTS;
            if has_to_be_told && !is_left_out {
                self.again.insert(name.clone());
            }
        }
        for (name, _) in found {
            let namespace = self.namespaces.entry(name.clone()).or_insert_with(|| Namespace::new(now));
            namespace.stands = Stands::Unknown;
            self.again.insert(name);
        }
        self.look_at_all(now);
    }

    /// The next thing to do.
    pub fn next(&mut self, now: Instant) -> Option<Todo> {
        while self.retries.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, name)) = self.retries.pop_first()
        {
            if self.namespaces.get(&name).is_some_and(Namespace::needs_findings) {
                self.again.insert(name);
            }
        }
        if self.may_look() && self.look.at.is_some_and(|at| at <= now) {
            self.look.at = None;
            return Some(Todo::LookOver);
        }
        self.next_write(now).map(Todo::Write)
    }

    /// When something may have to be done though nothing else happens.
    #[must_use]
    pub fn wakes_at(&self, now: Instant) -> Option<Instant> {
        let look = self.look.at.filter(|_| self.may_look());
        let write = self.waiting.first().filter(|_| self.may_write()).map(|(at, _)| *at);
        let write = write.map(|at| at.max(self.budget.due(now)));
        let write = write.map(|at| self.forbidden_until.map_or(at, |until| at.max(until)));
        let retry = self.retries.first().map(|(at, _)| *at);
        look.into_iter().chain(write).chain(retry).min()
    }

    /// How it stands with them.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match self.wanted {
            Wanted::Yes if self.look.seen == Seen::NotServed => Standing::NotServed,
            Wanted::Yes if !self.without_room.is_empty() => Standing::TooMany,
            _ => Standing::Fine,
        }
    }

    /// Whether reports are wanted.
    #[must_use]
    pub fn are_wanted(&self) -> bool {
        self.wanted == Wanted::Yes
    }

    /// Where none are wanted, it is looked once whether some are left.
    const fn may_look(&self) -> bool {
        match self.wanted {
            Wanted::Unknown => false,
            Wanted::No => matches!(self.look.seen, Seen::Nothing),
            Wanted::Yes => true,
        }
    }

    const fn may_write(&self) -> bool {
        matches!(self.look.seen, Seen::Reports) && self.writing < WRITING
    }

    /// A write has ended.
    pub fn written(&mut self, writing: &Writing, end: WriteEnd, now: Instant) {
        self.writing = self.writing.saturating_sub(1);
        match end {
            WriteEnd::Forbidden => self.forbidden_until = Some(now + FORBIDDEN_PAUSE),
            WriteEnd::Stands(_) | WriteEnd::Gone => self.forbidden_until = None,
            // The next look says which of the two it is.
            WriteEnd::NotFound => self.look.at = self.look.at.map(|at| at.min(now + FAILED_PAUSE)),
            WriteEnd::Failed => {}
        }
        let Some(namespace) = self.namespaces.get_mut(&writing.namespace) else { return };
        namespace.written(writing, end, now);
        let gives_room = !namespace.stands_there();
        self.look_at(&writing.namespace, now);
        if gives_room {
            // Another namespace may have a report.
            let next = self.without_room.iter().find(|name| !self.again.contains(*name));
            self.again.extend(next.cloned());
        }
    }

    fn look_at_all(&mut self, now: Instant) {
        let names: Vec<String> = self.namespaces.keys().cloned().collect();
        for name in names {
            self.look_at(&name, now);
        }
    }

    /// Whether the report of a namespace has to be written, and when.
    fn look_at(&mut self, name: &str, now: Instant) {
        let Some(namespace) = self.namespaces.get_mut(name) else { return };
        let has_room = self.with_room.contains(name) || self.with_room.len() < MOST_REPORTS;
        let at = match namespace.step(self.wanted, self.is_complete) {
            Step::Nothing => None,
            Step::Write if !has_room => {
                namespace.drop_findings();
                self.without_room.insert(name.to_owned());
                None
            }
            Step::Write | Step::Replace if namespace.due(now) > now + SOON => {
                self.retries.insert((namespace.due(now), name.to_owned()));
                namespace.drop_findings();
                None
            }
            Step::Write | Step::Remove => Some(namespace.due(now)),
            // What is known of a part of the cluster does not take the place of what was said of all of it.
            Step::Replace => {
                let patient = self.patient_until.filter(|_| !self.is_complete);
                Some(namespace.due(now).max(patient.unwrap_or(now)))
            }
        };
        if at.is_none() {
            namespace.rest();
        }
        let old = std::mem::replace(&mut namespace.waits_until, at);
        if old != at {
            self.waiting.extend(at.map(|at| (at, name.to_owned())));
            if let Some(old) = old {
                self.waiting.remove(&(old, name.to_owned()));
            }
        }
        if namespace.takes_room() {
            self.with_room.insert(name.to_owned());
        } else {
            self.with_room.remove(name);
        }
        if !namespace.has_findings() || namespace.takes_room() {
            self.without_room.remove(name);
        }
        if namespace.is_nothing() {
            self.namespaces.remove(name);
        }
    }

    fn next_write(&mut self, now: Instant) -> Option<Writing> {
        if !self.may_write() || self.forbidden_until.is_some_and(|until| until > now) {
            return None;
        }
        self.waiting.first().filter(|(at, _)| *at <= now)?;
        if !self.budget.take(now) {
            return None;
        }
        let (_, name) = self.waiting.pop_first()?;
        let namespace = self.namespaces.get_mut(&name)?;
        let findings = namespace.begin(self.wanted);
        self.writing += 1;
        Some(Writing { namespace: name, findings })
    }
}
