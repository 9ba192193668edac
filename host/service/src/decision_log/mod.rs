//! The decision log: what is decided and recorded, in files of a directory.
//!
//! ```text
//! recorder ──Report──► Journal ──subscribe──► keep ──lines──► Files: decisions-00000001.jsonl, ...
//! ```
//! What is still to be written waits in the journal, as long as that keeps it: nobody who decides waits for a disk. What
//! did not find room there, or could not be written, is counted, and the log says of itself that it is missing.

mod files;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::journal::Occurrence;
use crate::metrics::Metrics;
use crate::record::Report;
use files::Files;

pub use files::{NoLog, read};

/// How many events are written together.
const BATCH: usize = 1024;

/// How long to wait after a failure: opening a log reads all of it.
const RETRY: Duration = Duration::from_secs(10);

/// Where a log is kept.
#[derive(Clone, Debug)]
pub struct DecisionLogOptions {
    /// The directory; made when it does not exist.
    pub directory: PathBuf,
    /// How many bytes the log may have; what is older goes.
    pub max_bytes: u64,
}

/// An event that belongs into the log, and when it was noted.
struct Noted {
    time: String,
    occurrence: Arc<Occurrence>,
}

/// Writes what is decided and recorded, until the journal ends.
///
/// # Panics
/// When writing does.
pub async fn keep(options: DecisionLogOptions, mut occurrences: Receiver<Arc<Occurrence>>, metrics: Metrics) {
    let directory = options.directory.display().to_string();
    let mut files = Files::new(options, RETRY);
    // Not in the log, and the log does not say so yet.
    let mut untold = 0;
    let mut is_failing = false;
    loop {
        let mut batch = Vec::new();
        let mut missed = 0;
        match occurrences.recv().await {
            Ok(occurrence) => note(&mut batch, occurrence),
            Err(RecvError::Lagged(events)) => missed += events,
            Err(RecvError::Closed) => return,
        }
        while batch.len() < BATCH {
            match occurrences.try_recv() {
                Ok(occurrence) => note(&mut batch, occurrence),
                Err(TryRecvError::Lagged(events)) => missed += events,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if missed > 0 {
            tracing::warn!(missed, directory, "the decision log cannot keep pace");
            metrics.decisions_lost(missed);
            untold += missed;
        }
        if batch.is_empty() && untold == 0 {
            continue;
        }
        let events = batch.len() as u64;
        let written = tokio::task::spawn_blocking(move || {
            let written = files.write(&batch, untold);
            (files, written)
        });
        let written = match written.await {
            Ok((back, written)) => {
                files = back;
                written
            }
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends.
                Err(_) => return,
            },
        };
        match written {
            Ok(()) => untold = 0,
            Err(error) => {
                metrics.decisions_lost(events);
                untold += events;
                if !is_failing {
                    tracing::warn!(%error, directory, "unable to write the decision log; it is tried again");
                }
            }
        }
        let fails = untold > 0;
        if is_failing && !fails {
            tracing::info!(directory, "the decision log is written again");
        }
        is_failing = fails;
        metrics.decision_log_fails(fails);
    }
}

fn note(batch: &mut Vec<Noted>, occurrence: Arc<Occurrence>) {
    if let Occurrence::Recording(Report::Decided(_) | Report::Recorded { .. }) = &*occurrence {
        batch.push(Noted { time: format!("{:.3}", Timestamp::now()), occurrence });
    }
}
