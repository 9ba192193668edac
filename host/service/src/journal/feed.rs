//! From the channels of those who find something out to the journal.

use tokio::sync::mpsc;

use super::{Journal, Occurrence};
use crate::probe::{Probed, ProberHandle};
use crate::record::Report;

/// Notes what the recorder tells. What is to be probed is handed on by itself: a prober that missed
/// some of it would leave names unchecked.
pub async fn note_reports(
    mut reports: mpsc::Receiver<Report>,
    journal: Journal,
    prober: Option<ProberHandle>,
) {
    while let Some(report) = reports.recv().await {
        if let (Report::Recorded { expectation, .. }, Some(prober)) = (&report, &prober) {
            prober.expect(expectation.clone()).await;
        }
        journal.note(Occurrence::Recording(report));
    }
}

/// Notes what the prober finds.
pub async fn note_probes(mut results: mpsc::Receiver<Probed>, journal: Journal) {
    while let Some(probed) = results.recv().await {
        journal.note(Occurrence::Probed(probed));
    }
}
