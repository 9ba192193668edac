//! Probing: which name is asked for when, and what is said of its answer.
//!
//! ```text
//! expect ──► soon: new, changed, failing ──┐
//!                                          ├─ next ──► a question ──► answered ──► verdict, counts
//!            later: answered as expected ──┘              │
//!                ▲──────────────────── once in a period ──┘
//! ```
//! A machine without a clock: whoever drives it says what time it is, as the time since some beginning. A name
//! costs a place in one of two sets, ordered by when it is due, and no task.
//!
//! - A new or changed name is asked for at once, and again with back-off until it is answered as expected.
//! - An answer that is another than expected is only said to be wrong when no cache on the way can have given it:
//!   see [`Pace::cached`]. Until then the name is outstanding.
//! - A name that is answered as expected is asked for again once in a period; the names are spread over it.
//! - Where the server is silent, one name at a time is asked for until it speaks again.

mod counts;
mod due;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::ClusterId;
use crate::expectation::{Answer, Expectation, Verdict};
use crate::name::HostName;

use counts::Counters;
pub use counts::ProbeCounts;
use due::{Due, Queue};

/// Names that are asked for at once: enough to ask for thousands in a second, few enough for any DNS server.
pub const CONCURRENCY: usize = 32;

/// First pause between two questions for a name that is not answered as expected: the server is told of a
/// change within milliseconds.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// Longest such pause while the name is outstanding: a cached answer ends at a moment that nobody tells.
const LONGEST_PAUSE_OUTSTANDING: Duration = Duration::from_secs(2);

/// Longest such pause afterwards, as long as few names fail: [`FASTEST_GAP`] holds for failing names too.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a server may take to see a change, caches aside, and how long a moment's trouble may last before a
/// name is said to be wrong that was not.
const GRACE: Duration = Duration::from_secs(5);

/// Names that are answered as expected are asked for again after this time: what breaks without a change in the
/// store is a fault of the server, which [`SLOWEST_GAP`] finds sooner.
const PERIOD: Duration = Duration::from_mins(15);

/// Shortest time between two of those questions: 50 in a second cost a server nothing that it notices. From
/// 45,000 names on it makes the period longer.
const FASTEST_GAP: Duration = Duration::from_millis(20);

/// Longest time between two of those questions: a server that has lost its store or its life is noticed within
/// seconds, however few names there are. Up to 450 names it makes the period shorter.
const SLOWEST_GAP: Duration = Duration::from_secs(2);

/// Silences in a row that make the whole server silent.
const SILENCES: u32 = 4;

/// Between two questions to a silent server.
const CANARY_PAUSE: Duration = Duration::from_secs(2);

/// What is known of the way to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// How long a cache on the way may keep an old answer, or that there is none: the greatest TTL that it keeps
    /// either for. Nothing where there is no cache.
    pub cached: Duration,
}

/// A question that is under way.
#[derive(Clone, Debug)]
pub struct Question {
    /// What is expected.
    pub expectation: Arc<Expectation>,
    slot: u32,
    /// Tells it from a question of another expectation in the same slot.
    edition: u64,
}

/// What a question has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Something else is expected by now.
    Outdated,
    /// It is not yet to be said; the name is asked for again.
    Outstanding,
    /// This is to be said.
    Said {
        /// How the name is answered.
        verdict: Verdict,
        /// Since it was expected, or since this question where it was met before.
        took: Duration,
    },
}

/// How a name stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not yet to be said.
    Outstanding,
    /// As expected.
    Matching,
    /// Otherwise, and how.
    Mismatching(Box<str>),
    /// Not at all, and why.
    Unanswered(Box<str>),
}

/// A name that is asked for from time to time.
#[derive(Debug)]
struct Slot {
    expectation: Arc<Expectation>,
    edition: u64,
    standing: Standing,
    /// When it is due; `None` while it is being asked for.
    due: Option<Due>,
    /// Since when something is wanted of it: since it was expected, or since it began to fail.
    since: Duration,
    /// Until when a wrong answer is not said; `None` while nothing is wrong.
    lenient_until: Option<Duration>,
    /// The next pause, while it fails.
    pause: Duration,
}

/// All names, and when each is due.
#[derive(Debug, Default)]
pub struct Probing {
    pace: Pace,
    names: HashMap<HostName, u32>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    queue: Queue,
    counters: Counters,
    edition: u64,
    /// Names that stand otherwise than they did, for those who follow a cluster's.
    news: BTreeMap<ClusterId, BTreeSet<HostName>>,
    under_way: usize,
    /// Names that are said to fail.
    failing: u32,
    /// Silences in a row.
    silences: u32,
    /// When the next question to a silent server is due.
    canary: Duration,
}

impl Probing {
    /// Begins without names.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self { pace, ..Self::default() }
    }

    /// From now on this is expected of the name.
    pub fn expect(&mut self, expectation: Expectation, now: Duration) {
        let known = self.names.get(&expectation.name).copied();
        if let Some(slot) = known.and_then(|id| self.slot(id))
            && slot.standing == Standing::Matching
            && is_met_too(&slot.expectation, &expectation)
        {
            self.recount(known, |slot| slot.expectation = Arc::new(expectation));
            return;
        }
        let id = known.unwrap_or_else(|| self.new_slot(&expectation.name));
        self.edition += 1;
        let slot = Slot {
            expectation: Arc::new(expectation),
            edition: self.edition,
            standing: Standing::Outstanding,
            due: None,
            since: now,
            lenient_until: Some(now + self.pace.cached + GRACE),
            pause: FIRST_PAUSE,
        };
        self.replace(id, Some(slot));
        self.schedule(id, Due::Soon(now));
        self.note_news(id);
    }

    /// Names of a cluster that stand otherwise than when this was asked last, or none: who asks for the first time follows
    /// them from then on.
    pub fn take_news(&mut self, cluster: &ClusterId) -> BTreeSet<HostName> {
        std::mem::take(self.news.entry(cluster.clone()).or_default())
    }

    /// Nobody follows the names of a cluster any more.
    pub fn unfollow(&mut self, cluster: &ClusterId) {
        self.news.remove(cluster);
    }

    /// How a name stands, and what is expected of it; `None` where nothing is.
    #[must_use]
    pub fn standing(&self, name: &HostName) -> Option<(Arc<Expectation>, Standing)> {
        let slot = self.slot(*self.names.get(name)?)?;
        Some((Arc::clone(&slot.expectation), slot.standing.clone()))
    }

    /// The next question to ask now, if one is due and may be asked.
    pub fn next(&mut self, now: Duration) -> Option<Question> {
        let id = if self.is_silent() {
            if self.under_way > 0 || now < self.canary {
                return None;
            }
            self.queue.take_first()?
        } else {
            if self.under_way >= CONCURRENCY {
                return None;
            }
            self.queue.take_due(now, FASTEST_GAP)?
        };
        let slot = self.slots.get_mut(id as usize)?.as_mut()?;
        slot.due = None;
        self.under_way += 1;
        if slot.lenient_until.is_none() || is_failing(&slot.standing) {
            slot.since = now;
        }
        Some(Question { expectation: Arc::clone(&slot.expectation), slot: id, edition: slot.edition })
    }

    /// When [`Self::next`] may give a question without anything else happening; `None` when only an answer or
    /// an expectation leads to one.
    #[must_use]
    pub fn wakes_at(&self) -> Option<Duration> {
        if self.is_silent() {
            return (self.under_way == 0 && !self.queue.is_empty()).then_some(self.canary);
        }
        if self.under_way < CONCURRENCY { self.queue.next_due() } else { None }
    }

    /// Takes in how a question was answered.
    pub fn answered(
        &mut self,
        question: &Question,
        verdict: Verdict,
        answer: &Answer,
        now: Duration,
    ) -> Outcome {
        self.under_way = self.under_way.saturating_sub(1);
        self.hear(verdict, now);
        let id = question.slot;
        let Some(slot) = self.slot(id).filter(|slot| slot.edition == question.edition) else {
            return Outcome::Outdated;
        };
        let took = now.saturating_sub(slot.since);
        if verdict == Verdict::Match {
            let was_said = slot.standing == Standing::Matching;
            if !was_said {
                self.note_news(id);
            }
            if question.expectation.values.is_empty() {
                // Withdrawn, and seen to be: nothing is left to ask for.
                self.names.remove(&question.expectation.name);
                self.replace(id, None);
                self.free.push(id);
            } else {
                self.recount(Some(id), |slot| {
                    slot.standing = Standing::Matching;
                    slot.lenient_until = None;
                    slot.pause = FIRST_PAUSE;
                });
                let period = self.period();
                // The names that were recorded together are not asked for together ever after.
                let wait = if was_said { period } else { period.mul_f64(share(id)) };
                self.schedule(id, Due::Later(now + wait));
            }
            return Outcome::Said { verdict, took };
        }
        self.fails(id, verdict, answer, now, took)
    }

    /// How the names of a cluster are answered.
    #[must_use]
    pub fn counts(&self, cluster: &ClusterId) -> ProbeCounts {
        let mut counts = self.counters.of(cluster, |id| self.slot(id));
        if self.is_silent() {
            counts.unanswered += std::mem::take(&mut counts.outstanding);
        }
        counts
    }

    /// Whether the server does not answer at all.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.silences >= SILENCES
    }

    fn fails(
        &mut self,
        id: u32,
        verdict: Verdict,
        answer: &Answer,
        now: Duration,
        took: Duration,
    ) -> Outcome {
        let longest = LONGEST_PAUSE.max(FASTEST_GAP * self.failing);
        let Some(slot) = self.slots.get_mut(id as usize).and_then(Option::as_mut) else {
            return Outcome::Outdated;
        };
        let lenient_until = slot.lenient_until.get_or_insert(now + GRACE);
        if verdict == Verdict::NoAnswer {
            // No cache explains a silence.
            *lenient_until = (*lenient_until).min(slot.since + GRACE);
        }
        let lenient_until = *lenient_until;
        let is_said = now >= lenient_until;
        let pause = slot.pause;
        let longest = if is_said { longest } else { LONGEST_PAUSE_OUTSTANDING };
        slot.pause = (pause * 2).min(longest);
        // The last question before it is said is the one that it is said of.
        let due = if is_said { now + pause } else { (now + pause).min(lenient_until) };
        if is_said {
            let text = answer.to_string().into_boxed_str();
            self.note_news(id);
            self.recount(Some(id), |slot| {
                slot.standing = match verdict {
                    Verdict::NoAnswer => Standing::Unanswered(text),
                    Verdict::Match | Verdict::Mismatch => Standing::Mismatching(text),
                };
            });
        }
        self.schedule(id, Due::Soon(due));
        if is_said { Outcome::Said { verdict, took } } else { Outcome::Outstanding }
    }

    fn hear(&mut self, verdict: Verdict, now: Duration) {
        if verdict == Verdict::NoAnswer {
            self.silences = self.silences.saturating_add(1);
            self.canary = now + CANARY_PAUSE;
        } else {
            self.silences = 0;
        }
    }

    /// After how long a name is asked for again that is answered as expected.
    fn period(&self) -> Duration {
        let names = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        PERIOD.min(SLOWEST_GAP * names).max(FASTEST_GAP * names)
    }

    /// A name stands otherwise than it did.
    fn note_news(&mut self, id: u32) {
        let Some(Some(slot)) = self.slots.get(id as usize) else { return };
        for cluster in &slot.expectation.clusters {
            if let Some(news) = self.news.get_mut(cluster) {
                news.insert(slot.expectation.name.clone());
            }
        }
    }

    fn slot(&self, id: u32) -> Option<&Slot> {
        self.slots.get(id as usize)?.as_ref()
    }

    fn new_slot(&mut self, name: &HostName) -> u32 {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            // 2^32 names are more than any memory holds.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.names.insert(name.clone(), id);
        id
    }

    fn schedule(&mut self, id: u32, due: Due) {
        if let Some(slot) = self.slots.get_mut(id as usize).and_then(Option::as_mut) {
            self.queue.set(id, slot.due.replace(due), due);
        }
    }

    /// Puts another slot in the place of one, counted and scheduled no more.
    fn replace(&mut self, id: u32, slot: Option<Slot>) {
        let Some(place) = self.slots.get_mut(id as usize) else { return };
        let old = std::mem::replace(place, slot);
        if let Some(old) = old {
            self.queue.remove(id, old.due);
            self.failing -= u32::from(is_failing(&old.standing));
            self.counters.remove(id, &old);
        }
        if let Some(slot) = &self.slots[id as usize] {
            self.counters.add(id, slot);
        }
    }

    /// Changes a slot, and the counts with it.
    fn recount(&mut self, id: Option<u32>, change: impl FnOnce(&mut Slot)) {
        let Some(id) = id else { return };
        let Some(slot) = self.slots.get_mut(id as usize).and_then(Option::as_mut) else { return };
        self.counters.remove(id, slot);
        self.failing -= u32::from(is_failing(&slot.standing));
        change(slot);
        self.failing += u32::from(is_failing(&slot.standing));
        self.counters.add(id, slot);
    }
}

const fn is_failing(standing: &Standing) -> bool {
    matches!(standing, Standing::Mismatching(_) | Standing::Unanswered(_))
}

/// Whether an expectation holds because another one was met.
fn is_met_too(met: &Expectation, new: &Expectation) -> bool {
    met.values == new.values && new.gone.iter().all(|gone| met.gone.has(gone))
}

/// Places that are next to each other get shares of a period far apart, from 0 to 1: multiples of the golden ratio.
fn share(id: u32) -> f64 {
    const GOLDEN: u32 = 0x9e37_79b9;
    f64::from(id.wrapping_add(1).wrapping_mul(GOLDEN)) / f64::from(u32::MAX)
}
