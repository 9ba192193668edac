//! Writes status beside everything else: nobody who has something to say waits for an API server.
//!
//! ```text
//! say ──► the last that was said of each object ──at most one write per object and second──► API server
//! ```
//! What was said before and has not been written is forgotten, and what stands there already is not
//! written again. A service that has just been started knows little: for a while, that does not take the place of what
//! its predecessor has found. All writes together have a budget, so that a thousand clusters that start do not have
//! the platform's API server give way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use openmcp_dns_core::Bucket;
use openmcp_dns_core::chain;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// How long to wait between two writes of one object.
const PAUSE: Duration = Duration::from_secs(1);

/// How long to wait after a write that failed.
const RETRY: Duration = Duration::from_secs(5);

/// For how long what is still looked at is no news, where something stands there already.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes under way at once. More only make each of them slower.
const AT_ONCE: usize = 16;

/// Writes of all objects: so many a second, and so many seconds' worth at once after a rest.
const PER_SECOND: u32 = 50;
const BURST_SECONDS: u32 = 4;

/// What there is to be said of an object.
#[async_trait]
pub trait Said: Send + Sync + 'static {
    /// What stands in the status.
    type Status: Clone + Default + PartialEq + Send + Sync;

    /// Which object it is.
    fn object(&self) -> Object;

    /// The object's unique identifier: one that was deleted and made anew has no status yet.
    fn uid(&self) -> Option<String>;

    /// Whether everything has been looked at that it speaks of.
    fn is_settled(&self) -> bool;

    /// The status as it stands there.
    async fn read(&self, platform: &kube::Client) -> kube::Result<Self::Status>;

    /// The status as it should be; conditions that stay as they are keep their time.
    fn status(&self, previous: &Self::Status) -> Self::Status;

    /// Writes the status.
    async fn write(&self, platform: &kube::Client, status: &Self::Status) -> kube::Result<()>;
}

/// Namespace, empty where there is none, and name of an object.
pub type Object = (String, String);

/// What the platform's API server may be asked to write. Clones are the same.
#[derive(Clone)]
pub struct Budget {
    bucket: Arc<Mutex<Bucket>>,
    /// Between two writes of one object.
    pause: Duration,
    /// See [`PATIENCE`].
    patience: Duration,
}

impl Budget {
    /// For an API server in memory, which nobody else waits for.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            bucket: Arc::new(Mutex::new(Bucket::full(PER_SECOND * 100, BURST_SECONDS))),
            pause: PAUSE / 20,
            patience: PATIENCE / 20,
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        let bucket = Arc::new(Mutex::new(Bucket::full(PER_SECOND, BURST_SECONDS)));
        Self { bucket, pause: PAUSE, patience: PATIENCE }
    }
}

/// Where to say what is known of objects of one kind. Clones are the same.
pub struct Statuses<S: Said>(Arc<Shared<S>>);

impl<S: Said> Clone for Statuses<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Shared<S: Said> {
    platform: kube::Client,
    budget: Budget,
    state: Mutex<State<S>>,
    /// Something is to be written.
    said: Notify,
    /// A write has ended.
    ended: Notify,
}

struct State<S: Said> {
    slots: BTreeMap<Object, Slot<S>>,
    /// What may have to be written, in turn.
    waiting: VecDeque<Object>,
    under_way: BTreeSet<Object>,
}

struct Slot<S: Said> {
    said: Arc<S>,
    /// Whether it waits for its turn.
    waits: bool,
    /// What stands there; `None` before it was looked at.
    written: Option<S::Status>,
    not_before: Instant,
    /// Until when only what is settled takes the place of what stands there; `None` once something was.
    patient_until: Option<Instant>,
    /// Why the last attempt failed. The same trouble is told once, not at every attempt.
    trouble: Option<String>,
}

/// What came of a write.
type Written<S> = (Object, Arc<S>, kube::Result<<S as Said>::Status>);

impl<S: Said> Statuses<S> {
    /// Writes to the platform cluster, as long as [`Self::write`] is polled.
    pub fn new(platform: kube::Client, budget: Budget) -> Self {
        let state = State { slots: BTreeMap::new(), waiting: VecDeque::new(), under_way: BTreeSet::new() };
        let (said, ended) = (Notify::new(), Notify::new());
        Self(Arc::new(Shared { platform, budget, state: Mutex::new(state), said, ended }))
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has this written, unless it stands there already.
    pub fn say(&self, said: S) {
        let (object, said) = (said.object(), Arc::new(said));
        let mut state = self.state();
        let state = &mut *state;
        let patience = self.0.budget.patience;
        let slot =
            state.slots.entry(object.clone()).or_insert_with(|| Slot::new(Arc::clone(&said), patience));
        if slot.said.uid() != said.uid() {
            slot.written = None;
        }
        slot.patient_until.take_if(|_| said.is_settled());
        slot.said = said;
        if !slot.is_written() {
            slot.wait(object, &mut state.waiting);
            self.0.said.notify_one();
        }
    }

    /// What stood in the status of an object is gone: what was said last is written again.
    pub fn lost(&self, object: &Object) {
        let mut state = self.state();
        let state = &mut *state;
        if let Some(slot) = state.slots.get_mut(object) {
            slot.written = None;
            slot.wait(object.clone(), &mut state.waiting);
            self.0.said.notify_one();
        }
    }

    /// Nothing is to be said of the object any more.
    pub fn forget(&self, object: &Object) {
        self.state().slots.remove(object);
    }

    /// Waits until no write of the object is under way. One that was forgotten has none after that.
    pub async fn settled(&self, object: &Object) {
        loop {
            let ended = self.0.ended.notified();
            tokio::pin!(ended);
            // From now on, before it is looked at.
            ended.as_mut().enable();
            if !self.state().under_way.contains(object) {
                return;
            }
            ended.await;
        }
    }

    /// Writes what is said, as long as it is polled.
    pub async fn write(self) {
        let mut writes: JoinSet<Written<S>> = JoinSet::new();
        loop {
            let due = self.begin(&mut writes, Instant::now());
            tokio::select! {
                Some(written) = writes.join_next() => match written {
                    Ok(written) => self.ended(written, Instant::now()),
                    // A panic is a bug of ours: it ends this part too, and that is told.
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                () = self.0.said.notified() => {}
                () = sleep_until(due) => {}
            }
        }
    }

    /// Begins to write what waits and may be written; gives when the next one may be.
    fn begin(&self, writes: &mut JoinSet<Written<S>>, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        let State { slots, waiting, under_way } = &mut *state;
        let mut due: Option<Instant> = None;
        let mut later = |at: Instant| due = Some(due.map_or(at, |due| due.min(at)));
        for _ in 0..waiting.len() {
            let Some(object) = waiting.pop_front() else { break };
            let Some(slot) = slots.get_mut(&object) else { continue };
            if slot.is_written() {
                slot.waits = false;
                continue;
            }
            // The end of a write has it looked at again.
            let is_free = !under_way.contains(&object) && under_way.len() < AT_ONCE;
            let not_before = slot.not_before.max(slot.held_until().unwrap_or(now));
            if is_free && not_before > now {
                later(not_before);
            } else if is_free {
                let mut budget = self.0.budget.bucket.lock().unwrap_or_else(PoisonError::into_inner);
                if budget.take(now) {
                    (slot.waits, slot.not_before) = (false, now + self.0.budget.pause);
                    under_way.insert(object.clone());
                    let (platform, said) = (self.0.platform.clone(), Arc::clone(&slot.said));
                    let is_patient = slot.patient_until.is_some_and(|until| until > now);
                    writes.spawn(write(platform, object, said, slot.written.clone(), is_patient));
                    continue;
                }
                later(budget.due(now));
            }
            waiting.push_back(object);
        }
        due
    }

    fn ended(&self, (object, said, result): Written<S>, now: Instant) {
        let mut state = self.state();
        let State { slots, waiting, under_way } = &mut *state;
        under_way.remove(&object);
        self.0.ended.notify_waiters();
        let Some(slot) = slots.get_mut(&object) else { return };
        match result {
            // Another object of that name may have come meanwhile.
            Ok(status) => {
                (slot.written, slot.trouble) = ((slot.said.uid() == said.uid()).then_some(status), None);
            }
            Err(error) => {
                slot.not_before = now + RETRY;
                let why = chain(&error);
                if slot.trouble.as_ref() != Some(&why) {
                    let (namespace, name) = &object;
                    tracing::warn!(namespace, name, error = why, "unable to write a status");
                }
                slot.trouble = Some(why);
            }
        }
        if !slot.is_written() {
            slot.wait(object, waiting);
        }
    }
}

impl<S: Said> Slot<S> {
    fn new(said: Arc<S>, patience: Duration) -> Self {
        let (now, waits) = (Instant::now(), false);
        let patient_until = Some(now + patience);
        Self { said, waits, written: None, not_before: now, patient_until, trouble: None }
    }

    /// Until when what stands there is not replaced.
    fn held_until(&self) -> Option<Instant> {
        self.patient_until.filter(|_| self.written.as_ref().is_some_and(is_something))
    }

    /// Whether what was said last stands there.
    fn is_written(&self) -> bool {
        self.written.as_ref().is_some_and(|written| self.said.status(written) == *written)
    }

    fn wait(&mut self, object: Object, waiting: &mut VecDeque<Object>) {
        if !self.waits {
            self.waits = true;
            waiting.push_back(object);
        }
    }
}

fn is_something<S: Default + PartialEq>(status: &S) -> bool {
    *status != S::default()
}

/// Writes one status, unless it stands there already, or `is_patient` and anything does.
async fn write<S: Said>(
    platform: kube::Client,
    object: Object,
    said: Arc<S>,
    written: Option<S::Status>,
    is_patient: bool,
) -> Written<S> {
    let result = async {
        let written = match written {
            Some(written) => written,
            None => said.read(&platform).await?,
        };
        if is_patient && is_something(&written) {
            return Ok(written);
        }
        let now = said.status(&written);
        if now != written {
            said.write(&platform, &now).await?;
        }
        Ok(now)
    };
    let result = result.await;
    (object, said, result)
}

/// For ever where there is nothing to wait for.
async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::mpsc;

    use super::*;

    /// Says a number; what is written is told to the test.
    struct Number {
        name: String,
        number: u32,
        written: mpsc::UnboundedSender<(String, u32)>,
        answers: bool,
    }

    /// Stands there before anything is said; and what is still looked at.
    const FOUND_BEFORE: u32 = 40;
    const LOOKS: u32 = 41;

    #[async_trait]
    impl Said for Number {
        type Status = u32;

        fn object(&self) -> Object {
            (String::new(), self.name.clone())
        }
        fn uid(&self) -> Option<String> {
            None
        }
        fn is_settled(&self) -> bool {
            self.number != LOOKS
        }
        async fn read(&self, _: &kube::Client) -> kube::Result<u32> {
            Ok(if self.name.starts_with("found") { FOUND_BEFORE } else { 0 })
        }
        fn status(&self, _: &u32) -> u32 {
            self.number
        }
        async fn write(&self, _: &kube::Client, status: &u32) -> kube::Result<()> {
            let _ = self.written.send((self.name.clone(), *status));
            if self.answers { Ok(()) } else { pending().await }
        }
    }

    type Numbers = mpsc::UnboundedReceiver<(String, u32)>;

    fn start() -> (Statuses<Number>, impl Fn(&str, u32, bool), Numbers) {
        let nowhere = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let platform = kube::Client::try_from(nowhere).unwrap();
        let statuses = Statuses::new(platform, Budget::default());
        tokio::spawn(statuses.clone().write());
        let (sender, numbers) = mpsc::unbounded_channel();
        let says = statuses.clone();
        let say = move |name: &str, number, answers| {
            says.say(Number { name: name.to_owned(), number, written: sender.clone(), answers });
        };
        (statuses, say, numbers)
    }

    #[tokio::test]
    async fn of_what_is_said_within_a_second_the_first_and_the_last_are_written() {
        let (_, say, mut numbers) = start();
        say("a", 1, true);
        assert_eq!(numbers.recv().await.unwrap().1, 1);
        (2..100).for_each(|number| say("a", number, true));
        assert_eq!(numbers.recv().await.unwrap().1, 99);
        say("a", 99, true);
        say("b", 7, true);
        assert_eq!(numbers.recv().await.unwrap(), ("b".to_owned(), 7), "what stands there is not written");
    }

    #[tokio::test]
    async fn a_write_that_is_never_answered_holds_up_no_other_object_and_no_one_who_says_something() {
        let (_, say, mut numbers) = start();
        say("silent", 1, false);
        assert_eq!(numbers.recv().await.unwrap().0, "silent");
        say("silent", 2, false);
        say("other", 1, true);
        assert_eq!(numbers.recv().await.unwrap().0, "other");
    }

    #[tokio::test]
    async fn what_is_lost_is_written_again_and_what_is_forgotten_is_not() {
        let (statuses, say, mut numbers) = start();
        let [kept, gone] = ["kept", "gone"].map(|name| (String::new(), name.to_owned()));
        say("kept", 1, true);
        say("gone", 1, true);
        for _ in 0..2 {
            numbers.recv().await.unwrap();
        }
        statuses.forget(&gone);
        statuses.settled(&gone).await;
        statuses.lost(&gone);
        statuses.lost(&kept);
        assert_eq!(numbers.recv().await.unwrap(), ("kept".to_owned(), 1));
        assert!(numbers.try_recv().is_err());
    }

    #[tokio::test]
    async fn what_a_predecessor_has_found_stands_until_that_was_looked_at_again() {
        let (_, say, mut numbers) = start();
        say("found", LOOKS, true);
        // Where nothing stands, it is said at once that somebody looks.
        say("new", LOOKS, true);
        assert_eq!(numbers.recv().await.unwrap(), ("new".to_owned(), LOOKS));
        say("found", FOUND_BEFORE, true);
        say("found", 7, true);
        assert_eq!(numbers.recv().await.unwrap(), ("found".to_owned(), 7));
        // From then on, everything is news.
        say("found", LOOKS, true);
        assert_eq!(numbers.recv().await.unwrap(), ("found".to_owned(), LOOKS));
    }

    #[test]
    fn who_looks_for_too_long_says_so() {
        let nowhere = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let platform = kube::Client::try_from(nowhere).unwrap();
        let statuses = Statuses::new(platform, Budget::default());
        let number = |number| Number {
            name: "found".to_owned(),
            number,
            written: mpsc::unbounded_channel().0,
            answers: true,
        };
        statuses.say(number(LOOKS));
        let object = (String::new(), "found".to_owned());
        let mut state = statuses.state();
        state.slots.get_mut(&object).unwrap().written = Some(FOUND_BEFORE);
        drop(state);
        let (mut writes, now) = (JoinSet::new(), Instant::now());
        let due = statuses.begin(&mut writes, now).unwrap();
        assert!(writes.is_empty() && due > now + PATIENCE / 2 && due <= now + PATIENCE);
        statuses.begin(&mut writes, due);
        assert_eq!(writes.len(), 1);
    }
}
