//! What was written, read again.

use std::collections::BTreeMap;

use super::entry::{AskedIn, Entry, Event};

/// All that a log holds.
#[derive(Debug, Default)]
pub struct DecisionLog {
    /// What questions refer to.
    pub asked_in: BTreeMap<String, AskedIn>,
    /// All other entries.
    pub entries: Vec<Entry>,
    /// Lines that are none: where the service was killed, half a line may stand.
    pub unreadable: usize,
}

/// The entries of a file; the error is that of a line that is none.
pub(super) fn entries(text: &str) -> impl Iterator<Item = Result<Entry, serde_json::Error>> {
    text.lines().filter(|line| !line.is_empty()).map(serde_json::from_str)
}

impl DecisionLog {
    /// Reads the files of a log. The entries are in order of time: what was carried over from an older file is.
    #[must_use]
    pub fn read<'t>(files: impl IntoIterator<Item = &'t str>) -> Self {
        let mut log = Self::default();
        for entry in files.into_iter().flat_map(entries) {
            match entry {
                Ok(Entry { event: Event::AskedIn(asked_in), .. }) => {
                    log.asked_in.insert(asked_in.id.clone(), *asked_in);
                }
                Ok(entry) => log.entries.push(entry),
                Err(_) => log.unreadable += 1,
            }
        }
        log.entries.sort_by(|a, b| a.time.cmp(&b.time));
        log
    }
}
