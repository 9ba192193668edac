//! Bounds how many calls run at once.

use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, PoisonError};

/// A counting semaphore that serves in the order of arrival: nobody who comes again and again gets ahead
/// of one who waits. Waiting is bounded because every call is: it has fuel and a deadline.
pub(crate) struct Permits {
    turns: Mutex<Turns>,
    returned: Condvar,
}

/// Who comes gets the next number. Numbers below `called` have, or had, a permit.
struct Turns {
    next: u64,
    called: u64,
}

/// One permit; dropping it gives it back.
pub(crate) struct Permit<'a>(&'a Permits);

impl Permits {
    pub(crate) fn new(count: NonZeroUsize) -> Self {
        let called = u64::try_from(count.get()).unwrap_or(u64::MAX);
        Self { turns: Mutex::new(Turns { next: 0, called }), returned: Condvar::new() }
    }

    /// Waits for a permit. A panic elsewhere cannot leave the numbers in between, so poison is ignored.
    pub(crate) fn take(&self) -> Permit<'_> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = turns.next;
        turns.next += 1;
        let waiting = self.returned.wait_while(turns, |turns| turns.called <= mine);
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
        Permit(self)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut turns = self.0.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.called = turns.called.saturating_add(1);
        // Whose turn it is, only the one who waits knows.
        let somebody_waits = turns.called <= turns.next;
        drop(turns);
        if somebody_waits {
            self.0.returned.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_came_first_is_served_first() {
        let permits = Permits::new(NonZeroUsize::MIN);
        let (sender, served) = mpsc::channel();
        thread::scope(|scope| {
            let held = permits.take();
            for number in 0..5_u64 {
                let (permits, sender) = (&permits, sender.clone());
                scope.spawn(move || {
                    let _permit = permits.take();
                    sender.send(number).unwrap();
                });
                // It has drawn its number before the next one comes.
                while permits.turns.lock().unwrap().next < number + 2 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            assert!(served.try_recv().is_err(), "one was served while the permit was taken");
            drop(held);
        });
        drop(sender);
        assert_eq!(served.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }
}
