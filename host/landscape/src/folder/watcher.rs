//! Watcher: says when files below a folder have changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, Flag, ModifyKind};
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

/// Something below the folder has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// When it began.
    pub since: Instant,
    /// Files that somebody has begun to write and still holds open.
    pub being_written: BTreeSet<PathBuf>,
}

/// Watches a folder for as long as it lives.
pub struct Watcher {
    _watcher: RecommendedWatcher,
    noticed: mpsc::Receiver<Noticed>,
}

/// One event, and when it came.
struct Stamped {
    at: Instant,
    event: notify::Event,
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
            let event = event.unwrap_or_else(|error| {
                tracing::warn!(%error, "unable to watch all of the folder");
                // Perhaps something was missed: it does no harm to look.
                notify::Event::new(EventKind::Other).set_flag(Flag::Rescan)
            });
            if event.need_rescan() || is_change(event.kind) {
                // Nobody may be listening any more.
                let _ = events.send(Stamped { at: Instant::now(), event });
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
async fn debounce(mut events: mpsc::UnboundedReceiver<Stamped>, notices: mpsc::Sender<Noticed>) {
    let mut being_written = BTreeSet::new();
    while let Some(first) = events.recv().await {
        let since = first.at;
        note_writing(&mut being_written, first.event);
        while since.elapsed() < LONGEST
            && let Ok(Some(next)) = timeout(QUIET, events.recv()).await
        {
            note_writing(&mut being_written, next.event);
        }
        if notices.send(Noticed { since, being_written: being_written.clone() }).await.is_err() {
            return;
        }
    }
}

/// A file is being written from its first change until whoever writes it closes it. Only Linux tells
/// of the latter; elsewhere a file counts as written when it is quiet.
fn note_writing(being_written: &mut BTreeSet<PathBuf>, event: notify::Event) {
    if event.need_rescan() {
        // The end of some may have been missed.
        being_written.clear();
    }
    for path in event.paths {
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) if cfg!(target_os = "linux") => being_written.insert(path),
            EventKind::Access(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
                being_written.remove(&path)
            }
            _ => false,
        };
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{DataChange, RemoveKind};

    use super::*;

    fn stamped(kind: EventKind) -> Stamped {
        Stamped { at: Instant::now(), event: notify::Event::new(kind).add_path("a.yaml".into()) }
    }

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

    #[tokio::test]
    async fn events_in_quick_succession_are_one_notice() {
        let (events, received) = mpsc::unbounded_channel();
        let (notices, mut noticed) = mpsc::channel(1);
        tokio::spawn(debounce(received, notices));
        for _ in 0..10 {
            events.send(stamped(WRITTEN)).unwrap();
        }
        let being_written = noticed.recv().await.unwrap().being_written;
        assert_eq!(being_written.len(), usize::from(cfg!(target_os = "linux")));
        assert!(noticed.try_recv().is_err());
        events.send(stamped(CLOSED)).unwrap();
        assert_eq!(noticed.recv().await.unwrap().being_written, BTreeSet::new());
    }

    #[test]
    fn a_file_is_being_written_until_it_is_closed_or_gone() {
        let mut being_written = BTreeSet::new();
        for end in [
            notify::Event::new(CLOSED).add_path("a.yaml".into()),
            notify::Event::new(EventKind::Remove(RemoveKind::File)).add_path("a.yaml".into()),
            notify::Event::new(EventKind::Other).set_flag(Flag::Rescan),
        ] {
            note_writing(&mut being_written, stamped(WRITTEN).event);
            note_writing(&mut being_written, end);
            assert!(being_written.is_empty());
        }
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
        let noticed = timeout(Duration::from_secs(10), watcher.changed()).await.unwrap();
        assert_eq!(noticed.being_written, BTreeSet::new());
    }
}
