//! Advances the engine's epoch, by which calls notice their deadline.

use std::time::Duration;

use wasmtime::Engine;

/// How often the epoch advances.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Starts the thread that advances the epoch. It ends with the engine, of which it holds only a weak
/// reference.
///
/// It sleeps between two ticks instead of keeping to a schedule: after the machine stood still, a
/// schedule would make up for the missed ticks at once and end calls that had just started.
pub(crate) fn start(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("policy-epoch".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    })?;
    Ok(())
}

/// How many ticks make up at least a duration, from any moment between two ticks.
pub(crate) fn ticks(deadline: Duration) -> u64 {
    let ticks = deadline.as_millis().div_ceil(TICK.as_millis());
    u64::try_from(ticks).unwrap_or(u64::MAX - 1).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_shorter_than_asked_for() {
        assert_eq!(ticks(Duration::from_millis(1)), 2);
        assert_eq!(ticks(Duration::from_millis(10)), 2);
        assert_eq!(ticks(Duration::from_millis(11)), 3);
        assert_eq!(ticks(Duration::MAX), u64::MAX);
    }
}
