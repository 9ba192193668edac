//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

use anyhow::bail;

/// How often a condition is looked at: often enough that a test does not wait for nothing, and
/// seldom enough that three API servers on two cores do not notice.
const INTERVAL: Duration = Duration::from_millis(100);

/// What a look at a condition shows: its value once it holds, else what was seen instead.
pub type Look<T> = Result<T, String>;

/// Looks until the condition holds.
///
/// # Errors
/// After `timeout`; the message says what was waited for and what was seen last. Or when a look fails for
/// good: a look that should be repeated has to give `Ok(Err(..))`.
pub async fn wait_until<T>(
    what: &str,
    timeout: Duration,
    mut look: impl AsyncFnMut() -> anyhow::Result<Look<T>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    let mut seen = "nothing: the first look did not end".to_owned();
    loop {
        let left = timeout.saturating_sub(started.elapsed());
        // A look that is ready at once is never cut off, so the time that is left is looked at as well.
        match tokio::time::timeout(left, look()).await {
            Ok(Ok(Ok(value))) => return Ok(value),
            Ok(Ok(Err(now))) => seen = now,
            Ok(Err(error)) => return Err(error.context(format!("failed while waiting until {what}"))),
            Err(_) => {}
        }
        if started.elapsed() >= timeout {
            bail!("waited {} s until {what}\nlast seen: {seen}", timeout.as_secs());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_seen_last_is_in_the_message() {
        let mut looks = 0;
        let waited: anyhow::Result<()> = wait_until("it rains", Duration::from_millis(250), async || {
            looks += 1;
            Ok(Err(format!("sun, look {}", looks.min(2))))
        })
        .await;
        assert_eq!(waited.unwrap_err().to_string(), "waited 0 s until it rains\nlast seen: sun, look 2");
    }

    #[tokio::test]
    async fn a_look_that_hangs_ends_as_well() {
        let waited: anyhow::Result<()> = wait_until("it rains", Duration::from_millis(50), async || {
            std::future::pending::<()>().await;
            Ok(Ok(()))
        })
        .await;
        assert!(waited.unwrap_err().to_string().contains("the first look did not end"));
    }
}
