//! A model of leadership: the machine of the election and the rule of the leader key as they are, and around them a
//! world as bad as it may be.
//!
//! Each candidate has a clock of its own, which stands still for as long as it likes: a process that is stopped, a
//! machine that sleeps. So two may well believe that they lead at once, and whatever was sent may arrive much later.
//! All orders of all steps are tried.

use std::time::Duration;

use openmcp_dns_core::leadership::{Claim, Election, Leader, Lease, LeaseWrite, Next, Timing, claim};
use stateright::{Checker, Model, Property};

const LOST: &str = "no update of a leader is lost to an earlier one";
const BOTH: &str = "both candidates lead, one after the other";
const AT_ONCE: &str = "both believe that they lead at the same time";

/// How far each clock goes, in seconds; a Lease lasts two.
const LAST_TICK: u64 = 3;

/// How many transactions each candidate sends.
const TRANSACTIONS: u8 = 2;

/// What the store compares.
#[derive(Clone, Copy)]
struct Rules {
    /// A transaction compares the leader key.
    of_records: bool,
    /// Who writes the leader key compares what was read of it.
    of_the_key: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    lease: Option<Lease>,
    versions: u64,
    /// Revision of the store.
    revision: u64,
    key: Option<(Leader, u64)>,
    /// The one record: in which term it was written, and at which revision.
    record: (u64, u64),
    is_lost: bool,
    candidates: [Candidate; 2],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Candidate {
    clock: u64,
    election: Election,
    request: Request,
    fence: Fence,
    /// Sent, and not arrived: the fence, the revision of the record that was read, the term.
    transaction: Option<(u64, u64, u64)>,
    sent: u8,
}

/// What is asked of the Lease's API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Request {
    None,
    Sent(LeaseWrite, Duration),
    /// Carried out, in this version, or refused; nobody knows yet.
    Answered(LeaseWrite, Duration, Option<String>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Fence {
    None,
    /// The key was read at this revision, and may be written.
    Read(Leader, u64),
    Held(u64, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Tick,
    /// What the election wants next.
    Elect,
    /// The request arrives.
    Arrive,
    /// Its answer does.
    Answer,
    ReadKey,
    WriteKey,
    /// Reads the record and sends a transaction.
    Send,
    Commit,
}

const STEPS: [Step; 8] = [
    Step::Tick,
    Step::Elect,
    Step::Arrive,
    Step::Answer,
    Step::ReadKey,
    Step::WriteKey,
    Step::Send,
    Step::Commit,
];

impl Candidate {
    fn new(name: &str) -> Self {
        let second = Duration::from_secs(1);
        let timing =
            Timing { lease: second * 2, give_up: second, renew: second, look: second, request: second };
        Self {
            clock: 0,
            election: Election::new(name.to_owned(), timing),
            request: Request::None,
            fence: Fence::None,
            transaction: None,
            sent: 0,
        }
    }

    fn now(&self) -> Duration {
        Duration::from_secs(self.clock)
    }

    /// The term in which it believes to lead.
    fn term(&self) -> Option<u64> {
        self.election.leading().filter(|(_, until)| self.now() < *until).map(|(term, _)| term)
    }
}

impl World {
    /// Does a step of a candidate; `None` where there is nothing to do.
    fn step(&mut self, who: usize, step: Step, rules: Rules) -> Option<()> {
        let Self { lease, versions, revision, key, record, is_lost, candidates } = self;
        let candidate = &mut candidates[who];
        let now = candidate.now();
        match step {
            Step::Tick => {
                candidate.clock += 1;
                (candidate.clock <= LAST_TICK).then_some(())
            }
            Step::Elect => match (&candidate.request, candidate.election.next(now)) {
                (Request::None, Next::Look) => Some(candidate.election.looked(lease.clone(), now)),
                (Request::None, Next::Write(write)) => {
                    candidate.request = Request::Sent(write, now);
                    Some(())
                }
                _ => None,
            },
            Step::Arrive => {
                let Request::Sent(write, began) = candidate.request.clone() else { return None };
                let is_as_read = lease.as_ref().map(|lease| &lease.version) == write.over.as_ref();
                let version = is_as_read.then(|| {
                    *versions += 1;
                    versions.to_string()
                });
                if let Some(version) = version.clone() {
                    let (holder, term) = (write.holder.clone(), write.term);
                    *lease = Some(Lease { holder, term, duration: None, version });
                }
                candidate.request = Request::Answered(write, began, version);
                Some(())
            }
            Step::Answer => {
                let request = std::mem::replace(&mut candidate.request, Request::None);
                let Request::Answered(write, began, version) = request else { return None };
                Some(match version {
                    Some(version) => candidate.election.written(&write, version, began),
                    None => candidate.election.refused(),
                })
            }
            Step::ReadKey => {
                let term = candidate.term().filter(|_| candidate.fence == Fence::None)?;
                let mine = Leader { term, holder: who.to_string() };
                let (seen, at) = key.clone().map_or((None, 0), |(leader, at)| (Some(leader), at));
                match claim(seen, &mine) {
                    Claim::Holds => candidate.fence = Fence::Held(at, term),
                    Claim::Write => candidate.fence = Fence::Read(mine, at),
                    Claim::Behind(other) => candidate.election.raise(other.term),
                }
                Some(())
            }
            Step::WriteKey => {
                let Fence::Read(mine, over) = candidate.fence.clone() else { return None };
                if rules.of_the_key && key.as_ref().map_or(0, |(_, at)| *at) != over {
                    candidate.fence = Fence::None;
                    return Some(());
                }
                *revision += 1;
                candidate.fence = Fence::Held(*revision, mine.term);
                *key = Some((mine, *revision));
                Some(())
            }
            Step::Send => {
                let Fence::Held(fence, term) = candidate.fence else { return None };
                candidate.term()?;
                if candidate.transaction.is_some() || candidate.sent == TRANSACTIONS {
                    return None;
                }
                candidate.sent += 1;
                candidate.transaction = Some((fence, record.1, term));
                Some(())
            }
            Step::Commit => {
                let (fence, read, term) = candidate.transaction.take()?;
                let is_fenced = rules.of_records && key.as_ref().map(|(_, at)| *at) != Some(fence);
                if !is_fenced && read == record.1 {
                    *revision += 1;
                    *is_lost |= term < record.0;
                    *record = (term, *revision);
                }
                Some(())
            }
        }
    }
}

impl Model for Rules {
    type State = World;
    type Action = (usize, Step);

    fn init_states(&self) -> Vec<World> {
        vec![World {
            lease: None,
            versions: 0,
            revision: 0,
            key: None,
            record: (0, 0),
            is_lost: false,
            candidates: ["0", "1"].map(Candidate::new),
        }]
    }

    fn actions(&self, _: &World, actions: &mut Vec<Self::Action>) {
        actions.extend([0, 1].into_iter().flat_map(|who| STEPS.map(|step| (who, step))));
    }

    fn next_state(&self, world: &World, (who, step): Self::Action) -> Option<World> {
        let mut next = world.clone();
        next.step(who, step, *self)?;
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(LOST, |_, world: &World| !world.is_lost),
            Property::sometimes(BOTH, |_, world: &World| world.record.0 >= 2),
            Property::sometimes(AT_ONCE, |_, world: &World| {
                world.candidates.iter().all(|candidate| candidate.term().is_some())
            }),
        ]
    }
}

#[test]
fn no_update_is_lost_where_every_transaction_compares_the_leader_key() {
    let rules = Rules { of_records: true, of_the_key: true };
    let checked = rules.checker().spawn_bfs().join();
    println!("{} states", checked.unique_state_count());
    checked.assert_properties();
}

#[test]
fn updates_are_lost_where_transactions_compare_only_what_they_change() {
    let rules = Rules { of_records: false, of_the_key: true };
    rules.checker().spawn_bfs().join().assert_any_discovery(LOST);
}

#[test]
fn updates_are_lost_where_the_leader_key_is_written_over_whoever_stands_there() {
    let rules = Rules { of_records: true, of_the_key: false };
    rules.checker().spawn_bfs().join().assert_any_discovery(LOST);
}
