//! What is said of routes in their own status: an entry of ours for each parent through which a route claims names.
//!
//! ```text
//! RouteNews (recording) ──┐                            ┌─► Write: entries of a route ──► written
//! NameAnswer (probing) ───┼─► RouteStatuses ── next ───┤
//! asked (every server) ───┘         ▲                  └─► Ask: every server for a name ──► asked
//!                                   └── time: caches forget, pauses end
//! ```
//! A machine for one cluster, without a clock. It writes nothing that stands there already, no route more than once in a
//! second, and of all routes no more than its budget: a cluster with 20,000 routes takes as long as it takes. What was
//! said before a restart stays until all of it has been looked at again.

mod facts;
mod merge;
mod names;
#[cfg(test)]
mod tests;
mod wording;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

pub use facts::{ClaimFacts, NameAnswer, NameStanding, ParentFacts, RouteFacts, RouteNews};
pub use merge::{merged, own_entries};
pub use wording::RouteReason;

use crate::bucket::Bucket;
use crate::cluster::SourceRef;
use crate::expectation::Expectation;
use crate::kinds::{Entry, Kind, OwnEntries};
use crate::name::HostName;
use names::Names;
use wording::{Said, said};

/// Writes of all routes of a cluster: so many a second, and so many seconds' worth at once after a rest. Each also reads
/// the route; an API server notices some hundred requests a second.
const WRITES_PER_SECOND: u32 = 20;
const BURST_SECONDS: u32 = 5;

/// Writes under way at once.
const WRITING: usize = 4;

/// Names for which every server is asked at once.
const ASKING: usize = 8;

/// How long to wait between two writes of one route.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest such pause, where a write fails again and again, or others take our entries away.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// How long to wait where the API server does not let us write routes of a kind.
const FORBIDDEN_PAUSE: Duration = Duration::from_secs(60);

/// For how long that something is in progress is no news.
const INTERIM: Duration = Duration::from_secs(1);

/// For how long after the beginning what is in progress does not take the place of what stands there.
const PATIENCE: Duration = Duration::from_secs(60);

/// What there is to do.
#[derive(Clone, Debug)]
pub enum Todo {
    /// The entries of a route are to be these.
    Write(Writing),
    /// Every DNS server is to be asked for a name.
    Ask(std::sync::Arc<Expectation>),
}

/// A write of one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writing {
    /// The route.
    pub source: SourceRef,
    /// Its unique identifier.
    pub uid: String,
    /// The entries; none: ours are taken away.
    pub entries: Vec<Entry>,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteEnd {
    /// This stands there of ours now.
    Stands(OwnEntries),
    /// The route is another one, or gone.
    Gone,
    /// The API server does not let us write routes of this kind.
    Forbidden,
    /// It failed otherwise.
    Failed,
}

/// What is said of the routes of one cluster.
#[derive(Debug)]
pub struct RouteStatuses {
    routes: BTreeMap<SourceRef, Route>,
    names: Names,
    /// Routes to look at again.
    changed: BTreeSet<SourceRef>,
    /// Routes to write, and when they may be.
    waiting: BTreeSet<(Instant, SourceRef)>,
    budget: Bucket,
    writing: usize,
    /// Until when no route of a kind is written.
    forbidden: BTreeMap<Kind, Instant>,
}

#[derive(Debug)]
struct Route {
    facts: RouteFacts,
    /// What was wanted when it was written last, and what stood there then. An API server may write otherwise than it was
    /// asked to, and there may not be room for all entries: that is no reason to write again.
    written: Option<(OwnEntries, OwnEntries)>,
    /// What stands there now of what is wanted is no matter before.
    not_before: Instant,
    pause: Duration,
    /// Until when what is in progress does not take the place of what stands there; `None` once something was settled.
    patient_until: Option<Instant>,
    /// Since when something is in progress.
    in_progress_since: Option<Instant>,
    is_written: bool,
    waits_until: Option<Instant>,
}

impl RouteStatuses {
    /// Knows no route yet. `are_probed` says whether anybody asks the DNS servers.
    #[must_use]
    pub fn new(are_probed: bool) -> Self {
        Self {
            routes: BTreeMap::new(),
            names: Names::new(are_probed),
            changed: BTreeSet::new(),
            waiting: BTreeSet::new(),
            budget: Bucket::full(WRITES_PER_SECOND, BURST_SECONDS),
            writing: 0,
            forbidden: BTreeMap::new(),
        }
    }

    /// Something else is known of a route.
    pub fn news(&mut self, news: RouteNews, now: Instant) {
        let RouteNews { source, facts } = news;
        let facts = facts.filter(|facts| !facts.says_nothing());
        let Some(facts) = facts else { return self.forget(&source) };
        let names: BTreeSet<HostName> = names_of(&facts);
        match self.routes.get_mut(&source) {
            Some(route) if route.facts.uid == facts.uid => {
                self.names.unlink(&source, names_of(&route.facts).difference(&names));
                route.facts = facts;
            }
            _ => {
                self.forget(&source);
                self.routes.insert(source.clone(), Route::new(facts, now));
            }
        }
        for name in names {
            self.names.link(name, &source);
        }
        self.changed.insert(source);
    }

    fn forget(&mut self, source: &SourceRef) {
        let Some(route) = self.routes.remove(source) else { return };
        self.names.unlink(source, &names_of(&route.facts));
        self.changed.remove(source);
        if let Some(at) = route.waits_until {
            self.waiting.remove(&(at, source.clone()));
        }
    }

    /// Names of which it is not known how they are answered, since this was asked last.
    pub fn take_unknown_names(&mut self) -> BTreeSet<HostName> {
        self.names.take_unknown()
    }

    /// Whether nothing is to be said of any route, or was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// This is how a name is answered.
    pub fn answered(&mut self, name: &HostName, answer: Option<NameAnswer>) {
        self.changed.extend(self.names.answered(name, answer));
    }

    /// Every server was asked for a name, and why one of them does not answer as expected.
    pub fn asked(&mut self, expectation: &Expectation, result: Result<(), String>, now: Instant) {
        self.changed.extend(self.names.asked(expectation, result, now));
    }

    /// The next thing to do.
    pub fn next(&mut self, now: Instant) -> Option<Todo> {
        self.changed.extend(self.names.pass(now));
        while let Some(source) = self.changed.pop_first() {
            self.look_at(&source, now);
        }
        if let Some(expectation) = self.names.next_question() {
            return Some(Todo::Ask(expectation));
        }
        self.next_write(now).map(Todo::Write)
    }

    /// When something may have to be done though nothing else happens.
    #[must_use]
    pub fn wakes_at(&self, now: Instant) -> Option<Instant> {
        let write = self.waiting.first().filter(|_| self.writing < WRITING).map(|(at, _)| *at);
        let write = write.map(|at| at.max(self.budget.due(now)));
        write.into_iter().chain(self.names.wakes_at()).min()
    }

    /// A write has ended.
    pub fn written(&mut self, writing: &Writing, end: &WriteEnd, now: Instant) {
        self.writing = self.writing.saturating_sub(1);
        match end {
            WriteEnd::Forbidden => drop(self.forbidden.insert(writing.source.kind, now + FORBIDDEN_PAUSE)),
            WriteEnd::Stands(_) => drop(self.forbidden.remove(&writing.source.kind)),
            WriteEnd::Failed | WriteEnd::Gone => {}
        }
        let Some(route) = self.routes.get_mut(&writing.source) else { return };
        route.is_written = false;
        if route.facts.uid == writing.uid {
            match end {
                WriteEnd::Stands(stands) => {
                    let wanted = OwnEntries::of(&writing.entries);
                    // Written before, and not there any more.
                    let is_again = route.written == Some((wanted, *stands));
                    route.pause = if is_again { (route.pause * 2).min(LONGEST_PAUSE) } else { PAUSE };
                    route.written = Some((wanted, *stands));
                    route.facts.own = *stands;
                }
                WriteEnd::Failed => route.pause = (route.pause * 2).min(LONGEST_PAUSE),
                WriteEnd::Gone | WriteEnd::Forbidden => {}
            }
            route.not_before = now + route.pause;
        }
        let is_gone = matches!(end, WriteEnd::Gone) && route.facts.uid == writing.uid;
        if is_gone || route.facts.says_nothing() {
            // The watch says it in a moment, too.
            self.forget(&writing.source);
        } else {
            self.changed.insert(writing.source.clone());
        }
    }

    fn said(&self, route: &Route) -> Said {
        said(&route.facts, &self.names, |entries, names| {
            route.facts.own.are_propagated(OwnEntries::of(entries)) && self.names.are_as_before(names)
        })
    }

    /// Whether the entries of a route have to be written, and when.
    fn look_at(&mut self, source: &SourceRef, now: Instant) {
        let Some(route) = self.routes.get(source) else { return };
        let Said { entries, is_settled, names } = self.said(route);
        let wanted = OwnEntries::of(&entries);
        for name in names {
            self.names.have_asked(name);
        }
        let Some(route) = self.routes.get_mut(source) else { return };
        if is_settled {
            (route.patient_until, route.in_progress_since) = (None, None);
        }
        let at = (!route.stands(wanted) && !route.is_written).then(|| {
            let interim = (!is_settled).then(|| *route.in_progress_since.get_or_insert(now) + INTERIM);
            let forbidden = self.forbidden.get(&source.kind).copied();
            let waits = [Some(route.not_before), interim, route.patient_until, forbidden];
            waits.into_iter().flatten().max().unwrap_or(now)
        });
        let old = std::mem::replace(&mut route.waits_until, at);
        if old != at {
            self.waiting.extend(at.map(|at| (at, source.clone())));
            if let Some(old) = old {
                self.waiting.remove(&(old, source.clone()));
            }
        }
    }

    fn next_write(&mut self, now: Instant) -> Option<Writing> {
        if self.writing >= WRITING {
            return None;
        }
        // What it has waited for may have changed meanwhile.
        while let Some((_, source)) = self.waiting.first().filter(|(at, _)| *at <= now).cloned() {
            self.look_at(&source, now);
            if self.waiting.first().is_some_and(|(at, first)| *at <= now && *first == source) {
                break;
            }
        }
        self.waiting.first().filter(|(at, _)| *at <= now)?;
        if !self.budget.take(now) {
            return None;
        }
        let (_, source) = self.waiting.pop_first()?;
        let entries = self.said(self.routes.get(&source)?).entries;
        let route = self.routes.get_mut(&source)?;
        (route.waits_until, route.is_written, route.in_progress_since) = (None, true, None);
        self.writing += 1;
        Some(Writing { uid: route.facts.uid.clone(), source, entries })
    }
}

impl Route {
    fn new(facts: RouteFacts, now: Instant) -> Self {
        Self {
            patient_until: (!facts.own.is_empty()).then(|| now + PATIENCE),
            facts,
            written: None,
            not_before: now,
            pause: PAUSE,
            in_progress_since: None,
            is_written: false,
            waits_until: None,
        }
    }

    /// Whether this stands there, or what came of writing it.
    fn stands(&self, wanted: OwnEntries) -> bool {
        self.facts.own == wanted || self.written == Some((wanted, self.facts.own))
    }
}

fn names_of(facts: &RouteFacts) -> BTreeSet<HostName> {
    let claims = facts.parents.iter().flat_map(|parent| &parent.claims);
    claims.flat_map(|claim| claim.published.iter().map(|(name, _)| name.clone())).collect()
}
