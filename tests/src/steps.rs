//! A test of many steps on one landscape.

use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::Instant;

use futures::FutureExt as _;

use crate::process::log_tail;

/// Runs named steps one after the other, says on the terminal which one runs, and goes on after a
/// failed one: what is wrong with one duty should not hide the others.
pub struct Steps {
    started: Instant,
    logs: PathBuf,
    done: usize,
    failures: Vec<String>,
}

impl Steps {
    /// Steps on servers that log into this folder.
    #[must_use]
    pub fn new(logs: PathBuf) -> Self {
        Self { started: Instant::now(), logs, done: 0, failures: Vec::new() }
    }

    /// Runs one step.
    pub async fn run(&mut self, name: &str, step: impl Future<Output = anyhow::Result<()>>) {
        let started = Instant::now();
        let failure = match AssertUnwindSafe(step).catch_unwind().await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(panic) => Some(message_of(panic.as_ref())),
        };
        self.done += 1;
        let seconds = started.elapsed().as_secs_f64();
        let at = self.started.elapsed().as_secs();
        match failure {
            None => show(&format!("{at:5} s  ok      {name} ({seconds:.1} s)")),
            Some(failure) => {
                show(&format!("{at:5} s  FAILED  {name} ({seconds:.1} s)\n{failure}"));
                self.failures.push(format!("{name}: {failure}"));
            }
        }
    }

    /// Whether every step so far was fine.
    #[must_use]
    pub fn all_good(&self) -> bool {
        self.failures.is_empty()
    }

    /// The end.
    ///
    /// # Panics
    /// When a step failed: with all failures, and the end of every server's log.
    pub fn finish(self) {
        if self.failures.is_empty() {
            return;
        }
        let mut logs: Vec<PathBuf> = std::fs::read_dir(&self.logs)
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        logs.sort();
        for log in logs.iter().filter(|path| path.extension().is_some_and(|extension| extension == "log")) {
            println!("---- the end of {}\n{}", log.display(), log_tail(log));
        }
        panic!("{} of {} steps failed\n\n{}\n", self.failures.len(), self.done, self.failures.join("\n\n"));
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message").to_owned()
}

/// Shows a line at once. What `println!` writes in a test shows only when it has failed, and a test
/// that is silent for minutes looks like one that hangs.
pub fn show(line: &str) {
    // A terminal that is gone is no reason to fail.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
