//! What was measured of many runs.

use std::time::{Duration, Instant};

/// Times of single runs, sorted.
#[derive(Default)]
pub(crate) struct Figures(Vec<Duration>);

impl Figures {
    /// Runs `work` so often, after a tenth of that for warming up.
    pub(crate) fn measure(times: usize, mut work: impl FnMut(usize)) -> Self {
        (0..times / 10).for_each(&mut work);
        let timed = |index| {
            let started = Instant::now();
            work(index);
            started.elapsed()
        };
        Self::of((0..times).map(timed).collect())
    }

    /// Of times in any order.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that this share of the runs (0 to 1) does not exceed; none without runs.
    pub(crate) fn quantile(&self, share: f64) -> Option<Duration> {
        let last = self.0.len().checked_sub(1)?;
        self.0.get((share * last as f64).round() as usize).copied()
    }

    /// How many runs took longer.
    pub(crate) fn longer_than(&self, bound: Duration) -> usize {
        self.0.len() - self.0.partition_point(|time| *time <= bound)
    }

    /// How many runs there were.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// Prints a line of the table.
pub(crate) fn row(what: &str, figures: &Figures) {
    print!("{what:<52}");
    for share in [0.5, 0.99, 0.999, 1.0] {
        match figures.quantile(share) {
            Some(time) => print!(" {:>9.1}", time.as_secs_f64() * 1e6),
            None => print!(" {:>9}", "-"),
        }
    }
    println!();
}
