//! Election by a Lease, as a machine that is told the time.
//!
//! No two clocks are compared. A standby measures how long *it* has seen the Lease unchanged, and takes it after the
//! whole time that the Lease gives its holder; the leader measures from the moment before its last write that was
//! answered, and gives up earlier. Both measure on a clock that nobody can set, from an origin of their own.

use std::time::Duration;

/// How long things take in an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    /// For how long a Lease that is not renewed keeps others out.
    pub lease: Duration,
    /// After how much of it the leader gives up: before anybody else may begin, so that what it has sent last
    /// arrives first.
    pub give_up: Duration,
    /// How often it is renewed.
    pub renew: Duration,
    /// How often a standby looks at it, and how long to wait after a request that failed.
    pub look: Duration,
    /// How long one request may take.
    pub request: Duration,
}

impl Timing {
    /// The shares of a Lease's time: two renewals may fail before the leader gives up.
    #[must_use]
    pub fn of(lease: Duration) -> Self {
        Self { lease, give_up: lease * 4 / 5, renew: lease / 5, look: lease / 8, request: lease * 3 / 10 }
    }
}

/// A Lease, as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// Who holds it; `None` when it was released.
    pub holder: Option<String>,
    /// How often it has changed hands.
    pub term: u64,
    /// For how long it keeps others out.
    pub duration: Option<Duration>,
    /// Another one with each change.
    pub version: String,
}

/// A Lease, as it is to be written, if it still has the version; `None`: if there is none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseWrite {
    /// Who holds it; `None` releases it.
    pub holder: Option<String>,
    /// How often it has changed hands then.
    pub term: u64,
    /// Which version it takes the place of.
    pub over: Option<String>,
    /// Whether its holder is another one than before.
    pub is_taken: bool,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read the Lease.
    Look,
    /// Write the Lease.
    Write(LeaseWrite),
    /// Nothing until then.
    Wait(Duration),
    /// Nothing any more: it is not known whether we still hold it, or known that we do not.
    Lost(&'static str),
}

/// One candidate. All times are counted from an origin of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Election {
    identity: String,
    timing: Timing,
    state: State,
    /// Nothing is asked before that: a request has failed.
    not_before: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    /// Nothing is known of the Lease.
    Unknown,
    /// It was looked at.
    StandingBy {
        /// `None` where there is none.
        lease: Option<Lease>,
        /// Since when it has been seen like that.
        since: Duration,
        looked: Duration,
    },
    Leading(Leading),
    Lost(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Leading {
    term: u64,
    /// The term to have with the next renewal.
    wanted_term: u64,
    version: String,
    /// When the last write that was answered began.
    since: Duration,
    /// Somebody else has written it, perhaps we: whose it is, has to be looked at.
    is_doubtful: bool,
}

const TOO_LATE: &str = "the Lease could not be renewed in time";
const TAKEN: &str = "the Lease is no longer ours";

impl Election {
    /// Nothing is known yet. No other candidate has the identity.
    #[must_use]
    pub const fn new(identity: String, timing: Timing) -> Self {
        Self { identity, timing, state: State::Unknown, not_before: Duration::ZERO }
    }

    /// The term in which we lead, and until when at least.
    #[must_use]
    pub fn leading(&self) -> Option<(u64, Duration)> {
        match &self.state {
            State::Leading(leading) => Some((leading.term, leading.since + self.timing.give_up)),
            State::Unknown | State::StandingBy { .. } | State::Lost(_) => None,
        }
    }

    /// Who held the Lease when we looked.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        match &self.state {
            State::StandingBy { lease: Some(lease), .. } => lease.holder.as_deref(),
            State::Leading(_) => Some(&self.identity),
            State::StandingBy { lease: None, .. } | State::Unknown | State::Lost(_) => None,
        }
    }

    /// What is to be done now.
    pub fn next(&mut self, now: Duration) -> Next {
        if let State::Leading(leading) = &self.state
            && now >= leading.since + self.timing.give_up
        {
            self.state = State::Lost(TOO_LATE);
        }
        let next = self.wish(now);
        let asks = matches!(next, Next::Look | Next::Write(_));
        if asks && now < self.not_before {
            let end = self.leading().map_or(self.not_before, |(_, until)| until.min(self.not_before));
            return Next::Wait(end);
        }
        next
    }

    /// What would be done, if no request had failed.
    fn wish(&self, now: Duration) -> Next {
        let Timing { renew, look, give_up, .. } = self.timing;
        match &self.state {
            State::Lost(why) => Next::Lost(why),
            State::Unknown => Next::Look,
            State::StandingBy { lease, since, looked } => {
                let Some(lease) = lease else { return self.take(1, None) };
                let ends = *since + lease.duration.unwrap_or(self.timing.lease);
                if lease.holder.is_none() || now >= ends {
                    return self.take(lease.term + 1, Some(lease.version.clone()));
                }
                let due = *looked + look;
                if now >= due { Next::Look } else { Next::Wait(due.min(ends)) }
            }
            State::Leading(leading) if leading.is_doubtful => Next::Look,
            State::Leading(leading) => {
                let due = leading.since + renew;
                if now >= due || leading.wanted_term > leading.term {
                    return Next::Write(LeaseWrite {
                        holder: Some(self.identity.clone()),
                        term: leading.wanted_term,
                        over: Some(leading.version.clone()),
                        is_taken: false,
                    });
                }
                Next::Wait(due.min(leading.since + give_up))
            }
        }
    }

    fn take(&self, term: u64, over: Option<String>) -> Next {
        Next::Write(LeaseWrite { holder: Some(self.identity.clone()), term, over, is_taken: true })
    }

    /// The Lease was read; `None` where there is none.
    pub fn looked(&mut self, found: Option<Lease>, now: Duration) {
        match &mut self.state {
            State::Leading(leading) => match found {
                Some(found) if found.holder.as_deref() == Some(self.identity.as_str()) => {
                    // A write of ours whose answer was lost, or somebody has changed something else about it.
                    (leading.version, leading.term) = (found.version, found.term);
                    leading.wanted_term = leading.wanted_term.max(leading.term);
                    leading.is_doubtful = false;
                }
                Some(_) | None => self.state = State::Lost(TAKEN),
            },
            State::StandingBy { lease, looked, .. } if *lease == found => *looked = now,
            State::Unknown | State::StandingBy { .. } => {
                self.state = State::StandingBy { lease: found, since: now, looked: now };
            }
            State::Lost(_) => {}
        }
    }

    /// A write that `began` then has been answered: the Lease stands as it was written, in this version.
    pub fn written(&mut self, write: &LeaseWrite, version: String, began: Duration) {
        let wanted_term = match &self.state {
            State::Leading(leading) => leading.wanted_term.max(write.term),
            State::Unknown | State::StandingBy { .. } => write.term,
            State::Lost(_) => return,
        };
        self.state = State::Leading(Leading {
            term: write.term,
            wanted_term,
            version,
            since: began,
            is_doubtful: false,
        });
    }

    /// A write was refused, because somebody has written the Lease: whose it is, has to be looked at.
    pub fn refused(&mut self) {
        match &mut self.state {
            State::Leading(leading) => leading.is_doubtful = true,
            State::StandingBy { .. } => self.state = State::Unknown,
            State::Unknown | State::Lost(_) => {}
        }
    }

    /// A request was not answered, or made no sense. A write may have been carried out all the same.
    pub const fn failed(&mut self, now: Duration) {
        self.not_before = now.saturating_add(self.timing.look);
    }

    /// In the store stands a leader of this term: ours has to be a later one. The Lease gets it only as long as we
    /// hold it.
    pub fn raise(&mut self, seen: u64) {
        if let State::Leading(leading) = &mut self.state {
            leading.wanted_term = leading.wanted_term.max(seen + 1);
        }
    }

    /// Leads no more; gives how to release the Lease, where we hold it.
    pub fn release(&mut self) -> Option<LeaseWrite> {
        let before = std::mem::replace(&mut self.state, State::Lost("the Lease was released"));
        let State::Leading(leading) = before else { return None };
        let (term, over) = (leading.term, Some(leading.version));
        Some(LeaseWrite { holder: None, term, over, is_taken: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn election(identity: &str) -> Election {
        Election::new(identity.to_owned(), Timing::of(ms(2000)))
    }

    fn lease(holder: Option<&str>, term: u64, version: &str) -> Lease {
        let (holder, version) = (holder.map(str::to_owned), version.to_owned());
        Lease { holder, term, duration: Some(ms(2000)), version }
    }

    fn write(holder: Option<&str>, term: u64, over: Option<&str>, is_taken: bool) -> LeaseWrite {
        LeaseWrite { holder: holder.map(str::to_owned), term, over: over.map(str::to_owned), is_taken }
    }

    /// Leads in term 1 since `at`.
    fn leader(at: Duration) -> Election {
        let mut leader = election("a");
        leader.looked(None, at);
        let first = write(Some("a"), 1, None, true);
        assert_eq!(leader.next(at), Next::Write(first.clone()));
        leader.written(&first, "1".to_owned(), at);
        leader
    }

    #[test]
    fn a_standby_takes_the_lease_when_it_has_seen_it_unchanged_for_its_whole_time() {
        let mut standby = election("b");
        assert_eq!(standby.next(ms(0)), Next::Look);
        standby.looked(Some(lease(Some("a"), 3, "7")), ms(0));
        assert_eq!(standby.next(ms(0)), Next::Wait(ms(250)));
        // Renewed: the time begins anew, whatever time the Lease itself tells.
        standby.looked(Some(lease(Some("a"), 3, "8")), ms(1900));
        standby.looked(Some(lease(Some("a"), 3, "8")), ms(3800));
        assert_eq!(standby.next(ms(3850)), Next::Wait(ms(3900)), "not at the next look, but when it is over");
        assert_eq!(standby.next(ms(3900)), Next::Write(write(Some("b"), 4, Some("8"), true)));
        standby.written(&write(Some("b"), 4, Some("8"), true), "9".to_owned(), ms(3900));
        assert_eq!(standby.leading(), Some((4, ms(3900 + 1600))));
    }

    #[test]
    fn a_released_lease_is_taken_at_once_and_one_that_others_gave_more_time_later() {
        let mut standby = election("b");
        standby.looked(Some(lease(None, 3, "7")), ms(0));
        assert_eq!(standby.next(ms(0)), Next::Write(write(Some("b"), 4, Some("7"), true)));
        let mut patient = election("b");
        let long = Lease { duration: Some(ms(15_000)), ..lease(Some("a"), 3, "7") };
        patient.looked(Some(long.clone()), ms(0));
        patient.looked(Some(long), ms(14_900));
        assert_eq!(patient.next(ms(14_900)), Next::Wait(ms(15_000)));
    }

    #[test]
    fn of_two_that_take_it_at_once_the_one_that_is_refused_looks_again() {
        let mut standby = election("b");
        standby.looked(None, ms(0));
        assert!(matches!(standby.next(ms(0)), Next::Write(_)));
        standby.refused();
        assert_eq!(standby.next(ms(1)), Next::Look);
        standby.looked(Some(lease(Some("a"), 1, "1")), ms(1));
        assert_eq!((standby.next(ms(1)), standby.holder()), (Next::Wait(ms(251)), Some("a")));
    }

    #[test]
    fn a_leader_renews_and_counts_from_before_the_request() {
        let mut leader = leader(ms(0));
        assert_eq!(leader.next(ms(100)), Next::Wait(ms(400)));
        let renewal = write(Some("a"), 1, Some("1"), false);
        assert_eq!(leader.next(ms(400)), Next::Write(renewal.clone()));
        leader.written(&renewal, "2".to_owned(), ms(400));
        assert_eq!(leader.leading(), Some((1, ms(2000))));
    }

    #[test]
    fn a_leader_without_answers_gives_up_before_anybody_else_may_begin() {
        let mut leader = leader(ms(0));
        leader.failed(ms(1000));
        assert_eq!(leader.next(ms(1000)), Next::Wait(ms(1250)));
        assert!(matches!(leader.next(ms(1250)), Next::Write(_)));
        leader.failed(ms(1550));
        assert_eq!(leader.next(ms(1550)), Next::Wait(ms(1600)), "not longer than it leads");
        assert_eq!(leader.next(ms(1600)), Next::Lost(TOO_LATE));
        // What is answered after that changes nothing.
        leader.written(&write(Some("a"), 1, Some("1"), false), "2".to_owned(), ms(1300));
        assert_eq!((leader.next(ms(1600)), leader.leading()), (Next::Lost(TOO_LATE), None));
    }

    #[test]
    fn a_leader_whose_renewal_is_refused_goes_on_only_if_the_lease_is_still_its_own() {
        let mut ours = leader(ms(0));
        ours.refused();
        assert_eq!(ours.next(ms(400)), Next::Look);
        ours.looked(Some(lease(Some("a"), 1, "5")), ms(410));
        assert_eq!(ours.leading(), Some((1, ms(1600))), "to have seen it is not to have renewed it");
        assert_eq!(ours.next(ms(410)), Next::Write(write(Some("a"), 1, Some("5"), false)));
        for found in [Some(lease(Some("b"), 2, "6")), Some(lease(None, 1, "6")), None] {
            let mut lost = leader(ms(0));
            lost.refused();
            lost.looked(found, ms(410));
            assert_eq!((lost.next(ms(410)), lost.leading()), (Next::Lost(TAKEN), None));
        }
    }

    #[test]
    fn a_term_is_raised_above_the_one_in_the_store_with_a_renewal_at_once() {
        let mut leader = leader(ms(0));
        leader.raise(8);
        let raised = write(Some("a"), 9, Some("1"), false);
        assert_eq!(leader.next(ms(10)), Next::Write(raised.clone()));
        assert_eq!(leader.leading(), Some((1, ms(1600))), "not before it stands in the Lease");
        leader.written(&raised, "2".to_owned(), ms(10));
        assert_eq!(leader.leading(), Some((9, ms(1610))));
    }

    #[test]
    fn who_leads_releases_the_lease_and_who_does_not_leaves_it() {
        let mut leading = leader(ms(0));
        assert_eq!(leading.release(), Some(write(None, 1, Some("1"), false)));
        assert_eq!((leading.leading(), leading.release()), (None, None));
        let mut standby = election("b");
        standby.looked(Some(lease(Some("a"), 3, "7")), ms(0));
        assert_eq!(standby.release(), None);
    }
}
