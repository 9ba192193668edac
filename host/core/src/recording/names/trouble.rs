//! When the store is said to be in trouble.

use std::time::{Duration, Instant};

/// How long the store may fail without any success before that is said. One dead member of three, or an
/// election, gives some errors between successes, and nobody has to do anything about them.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is wrong with the store as a whole, in contrast to one name that it refuses.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// Since when nothing has succeeded, and the last failure.
    failing: Option<(Instant, String)>,
    /// Whether that has been said.
    is_said: bool,
}

impl Trouble {
    /// Something has failed.
    pub(super) fn failed(&mut self, message: String, now: Instant) {
        match &mut self.failing {
            Some((_, last)) => *last = message,
            None => self.failing = Some((now, message)),
        }
    }

    /// Something has succeeded; gives whether others have to hear that.
    pub(super) fn succeeded(&mut self) -> bool {
        self.failing = None;
        std::mem::take(&mut self.is_said)
    }

    /// Time has passed; gives whether there is something new to say.
    pub(super) fn is_news(&mut self, now: Instant) -> bool {
        let is_news = !self.is_said && self.said(now).is_some();
        self.is_said |= is_news;
        is_news
    }

    /// What is said; `None` while all is well, or may be.
    pub(super) fn said(&self, now: Instant) -> Option<&str> {
        let (since, message) = self.failing.as_ref()?;
        (now.saturating_duration_since(*since) >= PATIENCE).then_some(message)
    }

    /// When there will be something to say.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let (since, _) = self.failing.as_ref().filter(|_| !self.is_said)?;
        Some((*since + PATIENCE).max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_said_once_after_seconds_without_a_success_and_taken_back_once() {
        let (mut trouble, start) = (Trouble::default(), Instant::now());
        trouble.failed("no leader".to_owned(), start);
        assert!(!trouble.is_news(start + PATIENCE / 2));
        assert!(!trouble.succeeded(), "nobody has heard of it");
        trouble.failed("no leader".to_owned(), start);
        trouble.failed("timeout".to_owned(), start + PATIENCE / 2);
        assert_eq!(trouble.due(start), Some(start + PATIENCE));
        assert!(trouble.is_news(start + PATIENCE) && !trouble.is_news(start + PATIENCE));
        assert_eq!((trouble.said(start + PATIENCE), trouble.due(start)), (Some("timeout"), None));
        assert!(trouble.succeeded() && !trouble.succeeded());
        assert_eq!(trouble.said(start + PATIENCE), None);
    }
}
