//! Bounds how many calls run at once.

use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, PoisonError};

/// A counting semaphore. Waiting is bounded because every call is: it has fuel and a deadline.
pub(crate) struct Permits {
    free: Mutex<usize>,
    returned: Condvar,
}

/// One permit; dropping it gives it back.
pub(crate) struct Permit<'a>(&'a Permits);

impl Permits {
    pub(crate) fn new(count: NonZeroUsize) -> Self {
        Self { free: Mutex::new(count.get()), returned: Condvar::new() }
    }

    /// Waits for a permit. A panic elsewhere cannot leave the count in between, so poison is ignored.
    pub(crate) fn take(&self) -> Permit<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free =
            self.returned.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Permit(self)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.returned.notify_one();
    }
}
