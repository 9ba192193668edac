//! The names of routes: how they are answered, and how far that has come.
//!
//! ```text
//! answered as expected ──► every server is asked ──► all answer so ──► what was answered before has run out
//!                               ▲       │ one does not
//!                               └ pause ┘
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ASKING;
use super::facts::NameAnswer;
use super::wording::{Answers, SpreadFinding};
use crate::cluster::SourceRef;
use crate::expectation::Expectation;
use crate::name::HostName;
use crate::probing::Standing;

/// First pause before every server is asked again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// All names of the routes of a cluster.
#[derive(Debug)]
pub(super) struct Names {
    are_probed: bool,
    names: BTreeMap<HostName, Name>,
    /// Names of which nobody has said how they are answered.
    unknown: BTreeSet<HostName>,
    /// Names for which every server is to be asked, in turn.
    questions: VecDeque<HostName>,
    asking: usize,
    /// Names of which something else is to be done then.
    timers: BTreeSet<(Instant, HostName)>,
}

#[derive(Debug)]
struct Name {
    routes: BTreeSet<SourceRef>,
    answer: Option<NameAnswer>,
    /// Whether it was answered otherwise, since it is looked at.
    has_changed: bool,
    spread: Spread,
}

/// How far an answer has come.
#[derive(Debug, Default)]
enum Spread {
    /// Nobody has asked.
    #[default]
    Unknown,
    /// Every server is to be asked, or is being asked.
    Asking { pause: Duration, why: Option<String> },
    /// One of them answers otherwise: asked again then.
    Lacking { again: Instant, pause: Duration, why: String },
    /// All have it; what was answered before has run out then.
    InCaches { until: Instant },
    /// It has run out.
    Everywhere,
}

impl Names {
    pub(super) fn new(are_probed: bool) -> Self {
        Self {
            are_probed,
            names: BTreeMap::new(),
            unknown: BTreeSet::new(),
            questions: VecDeque::new(),
            asking: 0,
            timers: BTreeSet::new(),
        }
    }

    /// A route has the name.
    pub(super) fn link(&mut self, name: HostName, source: &SourceRef) {
        let known = self.names.entry(name.clone()).or_insert_with(|| {
            self.unknown.insert(name);
            Name { routes: BTreeSet::new(), answer: None, has_changed: false, spread: Spread::Unknown }
        });
        known.routes.insert(source.clone());
    }

    /// A route has these names no longer. What nobody has is forgotten.
    pub(super) fn unlink<'n>(&mut self, source: &SourceRef, names: impl IntoIterator<Item = &'n HostName>) {
        for name in names {
            let Some(known) = self.names.get_mut(name) else { continue };
            known.routes.remove(source);
            if known.routes.is_empty() {
                self.set(name, Spread::Unknown);
                self.names.remove(name);
                self.unknown.remove(name);
            }
        }
    }

    pub(super) fn take_unknown(&mut self) -> BTreeSet<HostName> {
        std::mem::take(&mut self.unknown)
    }

    /// Whether names are answered as they were when they were first looked at.
    pub(super) fn are_as_before(&self, names: &BTreeSet<HostName>) -> bool {
        names.iter().all(|name| self.names.get(name).is_some_and(|name| !name.has_changed))
    }

    /// This is how a name is answered; gives whose it is.
    pub(super) fn answered(&mut self, name: &HostName, answer: Option<NameAnswer>) -> BTreeSet<SourceRef> {
        let Some(known) = self.names.get_mut(name) else { return BTreeSet::new() };
        let routes = known.routes.clone();
        let old = std::mem::replace(&mut known.answer, answer);
        let Some(answer) = &known.answer else { return routes };
        let is_other = old.is_some_and(|old| old.expectation.values != answer.expectation.values);
        let is_wrong = matches!(answer.standing, Standing::Mismatching(_) | Standing::Unanswered(_));
        if is_other || is_wrong {
            known.has_changed = true;
            self.set(name, Spread::Unknown);
        }
        routes
    }

    /// Every server is to be asked for a name, unless that has been begun.
    pub(super) fn have_asked(&mut self, name: HostName) {
        let Some(known) = self.names.get(&name) else { return };
        if matches!(known.spread, Spread::Unknown) {
            self.set(&name, Spread::Asking { pause: FIRST_PAUSE, why: None });
            self.questions.push_back(name);
        }
    }

    /// The next question to every server.
    pub(super) fn next_question(&mut self) -> Option<Arc<Expectation>> {
        if self.asking >= ASKING {
            return None;
        }
        while let Some(name) = self.questions.pop_front() {
            let known = self.names.get(&name).filter(|name| matches!(name.spread, Spread::Asking { .. }));
            if let Some(answer) = known.and_then(|known| known.answer.as_ref()) {
                self.asking += 1;
                return Some(Arc::clone(&answer.expectation));
            }
        }
        None
    }

    /// Every server was asked; gives whose name it is.
    pub(super) fn asked(
        &mut self,
        expectation: &Expectation,
        result: Result<(), String>,
        now: Instant,
    ) -> BTreeSet<SourceRef> {
        self.asking = self.asking.saturating_sub(1);
        let name = &expectation.name;
        let Some(known) = self.names.get(name) else { return BTreeSet::new() };
        let is_current =
            known.answer.as_ref().is_some_and(|answer| answer.expectation.values == expectation.values);
        let Spread::Asking { pause, .. } = &known.spread else { return BTreeSet::new() };
        let (pause, routes, kept_seconds) = (*pause, known.routes.clone(), expectation.kept_seconds);
        let spread = match result {
            // What was asked for is not what is expected by now: that is asked for next.
            _ if !is_current => Spread::Unknown,
            Ok(()) => Spread::InCaches { until: now + Duration::from_secs(kept_seconds.into()) },
            Err(why) => Spread::Lacking { again: now + pause, pause: (pause * 2).min(LONGEST_PAUSE), why },
        };
        self.set(name, spread);
        routes
    }

    /// Time has passed; gives the routes of which something else is to be said.
    pub(super) fn pass(&mut self, now: Instant) -> BTreeSet<SourceRef> {
        let mut changed = BTreeSet::new();
        while let Some((_, name)) = self.timers.first().filter(|(at, _)| *at <= now).cloned() {
            let Some(known) = self.names.get_mut(&name) else { break };
            let next = match &mut known.spread {
                Spread::Lacking { pause, why, .. } => {
                    Spread::Asking { pause: *pause, why: Some(std::mem::take(why)) }
                }
                _ => Spread::Everywhere,
            };
            changed.extend(known.routes.iter().cloned());
            if matches!(next, Spread::Asking { .. }) {
                self.questions.push_back(name.clone());
            }
            self.set(&name, next);
        }
        changed
    }

    pub(super) fn wakes_at(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    fn set(&mut self, name: &HostName, spread: Spread) {
        let Some(known) = self.names.get_mut(name) else { return };
        if let Some(at) = known.spread.timer() {
            self.timers.remove(&(at, name.clone()));
        }
        if let Some(at) = spread.timer() {
            self.timers.insert((at, name.clone()));
        }
        known.spread = spread;
    }
}

impl Spread {
    const fn timer(&self) -> Option<Instant> {
        match self {
            Self::Lacking { again, .. } => Some(*again),
            Self::InCaches { until } => Some(*until),
            Self::Unknown | Self::Asking { .. } | Self::Everywhere => None,
        }
    }
}

impl Answers for Names {
    fn are_asked_for(&self) -> bool {
        self.are_probed
    }

    fn answer(&self, name: &HostName) -> Option<&NameAnswer> {
        self.names.get(name)?.answer.as_ref()
    }

    fn spread(&self, name: &HostName) -> SpreadFinding<'_> {
        let Some(known) = self.names.get(name) else { return SpreadFinding::Spreading(0) };
        match &known.spread {
            Spread::Unknown | Spread::Asking { why: None, .. } | Spread::InCaches { .. } => {
                let expected = known.answer.as_ref().map(|answer| answer.expectation.kept_seconds);
                SpreadFinding::Spreading(expected.unwrap_or_default())
            }
            Spread::Asking { why: Some(why), .. } | Spread::Lacking { why, .. } => {
                SpreadFinding::Lacking(why)
            }
            Spread::Everywhere => SpreadFinding::Everywhere,
        }
    }
}
