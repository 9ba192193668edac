//! A budget that fills up again with time.

use std::time::{Duration, Instant};

/// A token bucket: so many things per second, and many at once after a rest.
#[derive(Clone, Debug)]
pub struct Bucket {
    per_second: f64,
    most: f64,
    left: f64,
    /// When `left` was true; `None` until something is taken.
    at: Option<Instant>,
}

impl Bucket {
    /// A full one; `burst_seconds` times the rate can be taken at once. A rate of 0 counts as 1.
    #[must_use]
    pub fn full(per_second: u32, burst_seconds: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        let most = per_second * f64::from(burst_seconds.max(1));
        Self { per_second, most, left: most, at: None }
    }

    /// A full one that gets one more each `period`; `burst` can be taken at once.
    #[must_use]
    pub fn slow(period: Duration, burst: u32) -> Self {
        let most = f64::from(burst.max(1));
        // A period of nothing counts as one of a millisecond.
        Self { per_second: 1.0 / period.as_secs_f64().max(0.001), most, left: most, at: None }
    }

    /// Another rate; what is left stays, as far as it fits.
    pub fn change(&mut self, per_second: u32, burst_seconds: u32) {
        let new = Self::full(per_second, burst_seconds);
        *self = Self {
            left: if self.at.is_none() { new.left } else { self.left.min(new.most) },
            at: self.at,
            ..new
        };
    }

    /// Takes one; gives whether there was one.
    pub fn take(&mut self, now: Instant) -> bool {
        self.left = self.left_at(now);
        self.at = Some(now);
        // A tiny bit less will do, so that who comes when it is due finds it.
        let is_there = self.left >= 1.0 - 1e-6;
        if is_there {
            self.left = (self.left - 1.0).max(0.0);
        }
        is_there
    }

    /// Takes so many more, whether they are there or not: nothing is left until time has made up for them.
    pub fn owe(&mut self, many: u32, now: Instant) {
        self.left = self.left_at(now) - f64::from(many);
        self.at = Some(now);
    }

    /// Whether as much can be taken at once as ever.
    #[must_use]
    pub fn is_full(&self, now: Instant) -> bool {
        self.left_at(now) >= self.most
    }

    /// When one can be taken.
    #[must_use]
    pub fn due(&self, now: Instant) -> Instant {
        let missing = (1.0 - self.left_at(now)).max(0.0);
        now + Duration::from_secs_f64(missing / self.per_second)
    }

    fn left_at(&self, now: Instant) -> f64 {
        let passed = self.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        (self.left + passed * self.per_second).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_one_gives_many_at_once_and_then_one_each_period() {
        let (period, start) = (Duration::from_secs(300), Instant::now());
        let mut bucket = Bucket::slow(period, 25);
        let taken = |bucket: &mut Bucket, now| {
            std::iter::repeat_with(|| bucket.take(now)).take_while(|is| *is).count()
        };
        assert_eq!(taken(&mut bucket, start), 25);
        assert_eq!(taken(&mut bucket, start + period / 2), 0);
        assert_eq!(taken(&mut bucket, start + period), 1);
        assert_eq!(taken(&mut bucket, start + period * 1000), 25);
    }

    #[test]
    fn what_is_owed_is_made_up_for_before_anything_can_be_taken() {
        let start = Instant::now();
        let mut bucket = Bucket::full(10, 1);
        bucket.owe(30, start);
        assert!(!bucket.take(start));
        let due = bucket.due(start);
        assert_eq!(due.duration_since(start).as_secs_f64().round(), 2.0);
        assert!(!bucket.take(start + Duration::from_secs(2)) && bucket.take(due));
        assert!(bucket.is_full(due + Duration::from_secs(1)), "no more than fits is made up for");
    }
}
