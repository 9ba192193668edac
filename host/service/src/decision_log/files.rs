//! The files of a log: the newest is added to, and the oldest goes when there are too many bytes.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use openmcp_dns_core::decision_log::{Book, DecisionLog};
use thiserror::Error;

use super::{DecisionLogOptions, Noted};
use crate::journal::Occurrence;
use crate::record::Report;

/// How many files there are at most. The more there are, the smaller is what goes at once.
const FILES: usize = 8;

/// The files of a log, open or to be opened.
pub(super) struct Files {
    options: DecisionLogOptions,
    retry: Duration,
    open: Option<Open>,
    /// Not to be opened before.
    again_at: Option<Instant>,
}

/// The files of an open log.
struct Open {
    book: Book,
    /// Of all files, by number.
    bytes: BTreeMap<u64, u64>,
    /// The one with the highest number.
    file: File,
    /// Released when it is closed, however the process ends.
    _lock: File,
}

/// Why there is no log to read.
#[derive(Debug, Error)]
pub enum NoLog {
    /// The directory, or a file in it, cannot be read.
    #[error("failed to read the decision log in {}", directory.display())]
    Read {
        /// Which one.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It has no file of a log.
    #[error("there is no decision log in {}", directory.display())]
    Empty {
        /// Which one.
        directory: PathBuf,
    },
}

/// Reads a log, also one that is being written.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn read(directory: &Path) -> Result<DecisionLog, NoLog> {
    let failed = |source| NoLog::Read { directory: directory.to_owned(), source };
    let mut texts = Vec::new();
    for number in numbers(directory).map_err(failed)? {
        match text(directory, number) {
            Ok(text) => texts.push(text),
            // The oldest file may go meanwhile; what is still so was carried over.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    if texts.is_empty() {
        return Err(NoLog::Empty { directory: directory.to_owned() });
    }
    Ok(DecisionLog::read(texts.iter().map(String::as_str)))
}

impl Files {
    /// Opened when there is something to write; after a failure, not for so long.
    pub(super) const fn new(options: DecisionLogOptions, retry: Duration) -> Self {
        Self { options, retry, open: None, again_at: None }
    }

    /// Writes events, and that so many are missing before them. After an error nothing is known of the files but that
    /// they are to be opened anew.
    pub(super) fn write(&mut self, events: &[Noted], missing: u64) -> io::Result<()> {
        if self.again_at.is_some_and(|at| Instant::now() < at) {
            return Err(io::Error::other("it has failed, and is to be opened again in some seconds"));
        }
        let written = match self.open.take().map_or_else(|| Open::new(&self.options.directory), Ok) {
            Ok(mut open) => open.write(&self.options, events, missing).map(|()| open),
            Err(error) => Err(error),
        };
        match written {
            Ok(open) => {
                (self.open, self.again_at) = (Some(open), None);
                Ok(())
            }
            Err(error) => {
                self.again_at = Some(Instant::now() + self.retry);
                Err(error)
            }
        }
    }
}

impl Open {
    fn new(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).open(directory.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::Error::other("another process keeps a log there"),
            fs::TryLockError::Error(error) => error,
        })?;
        let (mut book, mut bytes) = (Book::default(), BTreeMap::new());
        let mut last = String::new();
        for number in numbers(directory)? {
            last = text(directory, number)?;
            book.read(number, &last);
            bytes.insert(number, last.len() as u64);
        }
        let number = bytes.last_key_value().map_or(1, |(number, _)| *number);
        if bytes.is_empty() {
            book.begin(number);
        }
        let mut file = append(directory, number)?;
        if !last.is_empty() && !last.ends_with('\n') {
            // Whoever wrote here last was killed within a line.
            file.write_all(b"\n")?;
        }
        bytes.entry(number).or_default();
        Ok(Self { book, bytes, file, _lock: lock })
    }

    fn write(&mut self, options: &DecisionLogOptions, events: &[Noted], missing: u64) -> io::Result<()> {
        // One share stays free: a file ends with the event that fills it.
        let share = options.max_bytes / (FILES as u64 + 1);
        let mut lines = String::new();
        if missing > 0 {
            lines.push_str(&self.book.lost(&format!("{:.3}", Timestamp::now()), missing));
        }
        for Noted { time, occurrence } in events {
            if self.current() + lines.len() as u64 >= share {
                self.append(&std::mem::take(&mut lines))?;
                self.begin(options, share)?;
            }
            lines.push_str(&match &**occurrence {
                Occurrence::Recording(Report::Decided(decided)) => self.book.decided(time, decided),
                Occurrence::Recording(Report::Recorded { expectation, revision }) => {
                    self.book.recorded(time, expectation, *revision)
                }
                _ => continue,
            });
        }
        self.append(&lines)
    }

    /// Begins another file, and lets the oldest go where there are too many.
    fn begin(&mut self, options: &DecisionLogOptions, share: u64) -> io::Result<()> {
        let DecisionLogOptions { directory, max_bytes } = options;
        let number = self.bytes.last_key_value().map_or(1, |(number, _)| number + 1);
        self.file = append(directory, number)?;
        self.book.begin(number);
        self.bytes.insert(number, 0);
        // Where the log may have less than before, several are too many.
        while let Some(oldest) = self.bytes.keys().next().copied().filter(|oldest| *oldest != number)
            && (self.bytes.len() > FILES || self.bytes.values().sum::<u64>() + share > *max_bytes)
        {
            let room = usize::try_from((share / 2).saturating_sub(self.current())).unwrap_or(usize::MAX);
            let carried = self.book.carry_over(oldest, &text(directory, oldest)?, room);
            self.append(&carried)?;
            fs::remove_file(path(directory, oldest))?;
            self.bytes.remove(&oldest);
        }
        Ok(())
    }

    fn append(&mut self, lines: &str) -> io::Result<()> {
        self.file.write_all(lines.as_bytes())?;
        if let Some(mut current) = self.bytes.last_entry() {
            *current.get_mut() += lines.len() as u64;
        }
        Ok(())
    }

    fn current(&self) -> u64 {
        self.bytes.last_key_value().map_or(0, |(_, bytes)| *bytes)
    }
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("decisions-{number:08}.jsonl"))
}

/// The numbers of the files, in order.
fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("decisions-")?.strip_suffix(".jsonl"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn text(directory: &Path, number: u64) -> io::Result<String> {
    // Half a character may stand at an end.
    fs::read(path(directory, number)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn append(directory: &Path, number: u64) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path(directory, number))
}
