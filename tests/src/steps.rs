//! A test of many steps on one landscape.

use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::Instant;

use futures::FutureExt as _;

use crate::process::log_tail;

/// Environment variable with words that choose steps; all steps run when it is empty or not set.
const CHOICE: &str = "OPENMCP_DNS_STEPS";

/// Runs named steps one after the other, says on the terminal which one runs, and goes on after a
/// failed one: what is wrong with one duty should not hide the others.
///
/// While you work on one duty, `OPENMCP_DNS_STEPS` chooses steps, in words between white space: the
/// name of a group (`names`), or a part of a step's own name with `_` in it (`changed_address`). What
/// later steps stand on runs in any case.
pub struct Steps {
    started: Instant,
    logs: PathBuf,
    chosen: Chosen,
    done: usize,
    failures: Vec<String>,
}

/// Which steps somebody wants to see.
struct Chosen {
    words: Vec<String>,
    found: bool,
}

impl Chosen {
    fn new(words: &str) -> Self {
        Self { words: words.split_whitespace().map(ToOwned::to_owned).collect(), found: false }
    }

    /// Whether the step of this path, as in `names::an_ingress_resolves`, is one of them.
    fn contains(&mut self, path: &str) -> bool {
        let (group, name) = path.split_once("::").unwrap_or(("", path));
        let is_chosen =
            self.words.is_empty() || self.words.iter().any(|word| word == group || is_part(word, name));
        self.found |= is_chosen;
        is_chosen
    }
}

/// A single word would choose too much: many steps speak of a policy.
fn is_part(word: &str, name: &str) -> bool {
    word.contains('_') && name.contains(word)
}

impl Steps {
    /// Steps on servers that log into this folder.
    #[must_use]
    pub fn new(logs: PathBuf) -> Self {
        let chosen = Chosen::new(&std::env::var(CHOICE).unwrap_or_default());
        Self { started: Instant::now(), logs, chosen, done: 0, failures: Vec::new() }
    }

    /// Runs a step unless others were chosen. `path` is that of its function: `group::what_it_shows`.
    pub async fn run(&mut self, path: &str, step: impl Future<Output = anyhow::Result<()>>) {
        if self.chosen.contains(path) {
            self.do_run(path, step).await;
        }
    }

    /// Runs a step that others stand on, whatever was chosen.
    pub async fn always(&mut self, path: &str, step: impl Future<Output = anyhow::Result<()>>) {
        self.chosen.contains(path);
        self.do_run(path, step).await;
    }

    async fn do_run(&mut self, path: &str, step: impl Future<Output = anyhow::Result<()>>) {
        let name = path.replace("::", ": ").replace('_', " ");
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
    /// When a step failed: with all failures, and the end of every server's log. When no step is the
    /// one that was chosen.
    pub fn finish(self) {
        assert!(self.chosen.found, "{CHOICE} names no step of this test: {}", self.chosen.words.join(" "));
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
        let failures = format!(
            "{} of {} steps failed\n\n{}\n",
            self.failures.len(),
            self.done,
            self.failures.join("\n\n")
        );
        // Behind all logs as well: who keeps only a part of a long output keeps its end.
        show(&failures);
        panic!("{failures}");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_chooses_a_group_or_a_part_of_a_name() {
        let paths = ["names::an_ingress_resolves", "metrics::what_its_policy_does", "policy::it_is_swapped"];
        for (words, expected) in [
            ("", &paths[..]),
            ("policy", &paths[2..]),
            (" names\tpolicy ", &[paths[0], paths[2]]),
            ("its_policy", &paths[1..2]),
            ("ingress", &[]),
        ] {
            let mut chosen = Chosen::new(words);
            let found: Vec<&str> = paths.into_iter().filter(|path| chosen.contains(path)).collect();
            assert_eq!((&found[..], chosen.found), (expected, !expected.is_empty()), "{words}");
        }
    }
}
