//! Watcher: says when files below a folder have changed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long it must be quiet before the files are read: one edit is several events, and an editor
/// writes a file in several steps.
const QUIET: Duration = Duration::from_millis(60);

/// After this time the files are read even if it is not quiet.
const LONGEST: Duration = Duration::from_millis(300);

/// Why a folder cannot be watched.
#[derive(Debug, Error)]
#[error("failed to watch {}", folder.display())]
pub struct WatchError {
    folder: PathBuf,
    source: notify::Error,
}

/// Something below the folder has changed; when that was first noticed.
#[derive(Clone, Copy, Debug)]
pub struct Noticed {
    /// When it began.
    pub since: Instant,
}

/// Watches a folder for as long as it lives.
pub struct Watcher {
    _watcher: RecommendedWatcher,
    noticed: mpsc::Receiver<Noticed>,
}

impl Watcher {
    /// Starts to watch; what changes from now on is noticed.
    ///
    /// # Errors
    /// When the system refuses, for example because it has no watches left.
    pub fn start(folder: &Path) -> Result<Self, WatchError> {
        let failed = |source| WatchError { folder: folder.to_owned(), source };
        let (events, received) = mpsc::unbounded_channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let concerns_us = match &event {
                Ok(event) => event.need_rescan() || is_change(event.kind),
                Err(error) => {
                    // Perhaps something was missed: it does no harm to look.
                    tracing::warn!(%error, "unable to watch all of the folder");
                    true
                }
            };
            if concerns_us {
                // Nobody may be listening any more.
                let _ = events.send(Instant::now());
            }
        })
        .map_err(failed)?;
        watcher.watch(folder, RecursiveMode::Recursive).map_err(failed)?;
        let (notices, noticed) = mpsc::channel(1);
        tokio::spawn(debounce(received, notices));
        Ok(Self { _watcher: watcher, noticed })
    }

    /// Waits until something has changed and it is quiet again. May be cancelled without loss.
    pub async fn changed(&mut self) -> Noticed {
        match self.noticed.recv().await {
            Some(noticed) => noticed,
            None => std::future::pending().await,
        }
    }
}

/// Reading a file is an event too, and would lead to the next one.
const fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if !matches!(access, AccessKind::Close(AccessMode::Write)))
}

/// Makes one notice of events that belong together.
async fn debounce(mut events: mpsc::UnboundedReceiver<Instant>, notices: mpsc::Sender<Noticed>) {
    while let Some(since) = events.recv().await {
        while since.elapsed() < LONGEST && matches!(timeout(QUIET, events.recv()).await, Ok(Some(_))) {}
        if notices.send(Noticed { since }).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_in_quick_succession_are_one_notice() {
        let (events, received) = mpsc::unbounded_channel();
        let (notices, mut noticed) = mpsc::channel(1);
        tokio::spawn(debounce(received, notices));
        let first = Instant::now();
        for _ in 0..10 {
            events.send(first).unwrap();
        }
        assert_eq!(noticed.recv().await.unwrap().since, first);
        assert!(noticed.try_recv().is_err());
        events.send(Instant::now()).unwrap();
        assert!(noticed.recv().await.is_some());
    }

    #[tokio::test]
    async fn writing_is_noticed_and_reading_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        std::fs::write(&file, "a").unwrap();
        let mut watcher = Watcher::start(folder.path()).unwrap();
        std::fs::read(&file).unwrap();
        assert!(timeout(QUIET * 3, watcher.changed()).await.is_err());
        std::fs::write(&file, "b").unwrap();
        assert!(timeout(Duration::from_secs(10), watcher.changed()).await.is_ok());
    }
}
