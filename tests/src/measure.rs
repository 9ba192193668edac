//! What benches share: questions without a pause, and what is said of many times.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::dns::{Answer, Dns};

/// After this long, something is broken, and no figure would mean anything.
pub const TOO_LONG: Duration = Duration::from_secs(30);

/// Asks one question after the other until the answer is this address.
///
/// # Errors
/// When it never is.
pub async fn ask_until(dns: &Dns, name: &str, address: &str) -> anyhow::Result<()> {
    let expected = Answer::of([address]);
    let started = Instant::now();
    let mut last = None;
    while started.elapsed() < TOO_LONG {
        let answer = dns.a(name).await;
        if answer == expected {
            return Ok(());
        }
        last = Some(answer);
    }
    let last = last.map(|answer| answer.to_string());
    Err(anyhow::anyhow!("{name} is answered with {last:?}")).context("the name never resolved")
}

/// In milliseconds; of sorted times, the smallest that is not exceeded by `percent` of them.
#[must_use]
pub fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}
