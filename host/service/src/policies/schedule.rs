//! When to try again, and when to look whether a tag has moved.

use std::time::{Duration, Instant};

/// The first wait after a failure; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(1);
/// Short enough that a Secret that somebody creates is taken up while they look on, and far from
/// what a registry would notice.
const LONGEST: Duration = Duration::from_secs(60);

/// When the module of one policy is looked at again.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// An attempt is under way; no second one is started beside it.
    busy: bool,
    failures: u32,
    retry_at: Option<Instant>,
    check_at: Option<Instant>,
}

impl Schedule {
    /// An attempt begins.
    pub(super) fn begin(&mut self) {
        self.busy = true;
        self.retry_at = None;
    }

    /// The attempt went well, or failed in a way that waiting does not change.
    pub(super) fn ended(&mut self) {
        self.busy = false;
        self.failures = 0;
        self.retry_at = None;
    }

    /// The attempt failed and may go better next time; `random` is from 0 to 1.
    pub(super) fn failed(&mut self, now: Instant, random: f64) {
        self.busy = false;
        self.retry_at = Some(now + delay(self.failures, random));
        self.failures = self.failures.saturating_add(1);
    }

    /// Whether no attempt is under way, and none will be by itself.
    pub(super) const fn is_at_rest(&self) -> bool {
        !self.busy && self.retry_at.is_none()
    }

    /// Whether it is time for another attempt.
    pub(super) fn is_retry_due(&self, now: Instant) -> bool {
        !self.busy && self.retry_at.is_some_and(|at| at <= now)
    }

    /// Looks at the tag again after this time.
    pub(super) fn check_after(&mut self, now: Instant, interval: Duration) {
        self.check_at = Some(now + interval);
    }

    /// Whether it is time to look at the tag; then it is not again before `interval` has passed.
    pub(super) fn take_check(&mut self, now: Instant, interval: Duration) -> bool {
        let due = !self.busy && self.retry_at.is_none() && self.check_at.is_some_and(|at| at <= now);
        if due {
            self.check_after(now, interval);
        }
        due
    }
}

/// Between half of the wait and all of it, `random` from 0 to 1: services that failed together do not
/// come back together.
fn delay(failures: u32, random: f64) -> Duration {
    let wait = FIRST.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(LONGEST);
    wait.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_minute_and_are_never_the_same() {
        let seconds = |failures, random| delay(failures, random).as_secs_f64();
        assert_eq!([seconds(0, 1.0), seconds(1, 1.0), seconds(5, 1.0)], [1.0, 2.0, 32.0]);
        assert_eq!([seconds(6, 1.0), seconds(u32::MAX, 1.0), seconds(6, 0.0)], [60.0, 60.0, 30.0]);
    }

    #[test]
    fn one_attempt_at_a_time_and_none_before_it_is_due() {
        let (start, minute) = (Instant::now(), Duration::from_secs(60));
        let mut schedule = Schedule::default();
        schedule.begin();
        assert!(!schedule.is_retry_due(start + minute));
        schedule.failed(start, 1.0);
        assert!(!schedule.is_retry_due(start) && schedule.is_retry_due(start + minute));
        schedule.begin();
        assert!(!schedule.is_retry_due(start + minute));
        schedule.ended();
        assert!(!schedule.is_retry_due(start + 10 * minute));

        schedule.check_after(start, minute);
        assert!(!schedule.take_check(start, minute));
        assert!(schedule.take_check(start + minute, minute));
        assert!(!schedule.take_check(start + minute, minute));
        schedule.begin();
        assert!(!schedule.take_check(start + 3 * minute, minute));
    }
}
