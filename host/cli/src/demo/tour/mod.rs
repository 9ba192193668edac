//! Tour: the whole story in steps, on a copy of the landscape that the tour itself changes.
//!
//! ```text
//! Step ──acts──► files ──► the demo ──events──► what is awaited, all of it ──questions──► the DNS server ──► the next
//! ```
//! Each step ends only when what it tells has happened: a tour that does not come to its end has found something.

mod script;
mod text;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hickory_resolver::proto::rr::RecordType;
use openmcp_dns_landscape::folder::PLATFORM;
use openmcp_dns_service::probe::Asker;
use tokio::time::{Instant, timeout};

use super::event::{Event, StepOverview};
use super::overview::EventOverview;
use super::run::{Settings, Watching, emit, enter};
use super::statuses::events;
use crate::terminal::enter::Enter;
use crate::terminal::hint::{Hint as _, hinted};
use crate::terminal::output::{OutputFormat, note};
use script::{Act, Ask, Await, Step};

pub(super) use text::step as step_text;

/// How long a step may take: much longer than it does on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// After so long without an event, what a step led to has been told.
const QUIET: Duration = Duration::from_millis(200);

/// Runs the tour.
///
/// # Errors
/// When the demo cannot start or a step does not lead to what it tells.
pub(super) async fn run(mut settings: Settings) -> anyhow::Result<ExitCode> {
    let output = settings.output;
    let copy = tempfile::tempdir().context("failed to make a folder for the tour")?;
    let folder = copy.path().join("landscape");
    copy_landscape(&settings.folder, &folder)?;
    settings.folder = folder;
    let Some(watching) = Watching::start(&settings).await? else { return Ok(ExitCode::SUCCESS) };
    let mut tour = Tour { enter: enter(output), output, watching, waiting: None };
    let done = tour.walk().await;
    tour.watching.stop().await;
    // The landscape goes with the tour; what cannot be removed from the folder of temporary files does no harm.
    let _ = copy.close();
    done.map(|()| ExitCode::SUCCESS)
}

/// A tour under way.
struct Tour {
    watching: Watching,
    output: OutputFormat,
    enter: Enter,
    /// A name whose deletion is held.
    waiting: Option<String>,
}

impl Tour {
    /// All steps; ends early when the demo is to end.
    async fn walk(&mut self) -> anyhow::Result<()> {
        let steps = script::steps();
        let of = steps.len();
        for (step, number) in steps.iter().zip(1..) {
            if !self.take(step, number, of).await.with_context(|| format!("step {number} of the tour"))?
                || !self.pause(number < of).await?
            {
                return Ok(());
            }
        }
        emit(self.output, &Event::ToldAll)
    }

    /// Takes one step; gives whether the demo goes on.
    async fn take(&mut self, step: &Step, number: usize, of: usize) -> anyhow::Result<bool> {
        let done = step.acts.iter().map(|act| self.describe(act)).collect::<anyhow::Result<Vec<_>>>()?;
        let (title, why) = (step.title.to_owned(), step.why.to_owned());
        emit(self.output, &Event::Step(StepOverview { number, of, title, why, done: done.clone() }))?;
        for (act, command) in step.acts.iter().zip(&done) {
            self.act(act, command)?;
        }
        if !self.wait_for(&step.awaits).await? || !self.settle().await? {
            return Ok(false);
        }
        let waiting = self.vanishing().next();
        self.waiting = waiting.or(self.waiting.take());
        for ask in &step.asks {
            self.ask(ask).await?;
        }
        Ok(true)
    }

    /// What is done, as somebody would type it.
    fn describe(&self, act: &Act) -> anyhow::Result<String> {
        Ok(match act {
            Act::Write { file, text } => format!("cat > {file} <<'END'\n{text}END"),
            Act::Copy { from, file, .. } => format!("cp {from} {file}"),
            Act::MoveAway { folder } => format!("mv {folder} .."),
            Act::Confirm => {
                let held = self.watching.session().all_held().into_iter().next();
                held.context("no deletion is held")?.confirm
            }
        })
    }

    fn act(&self, act: &Act, command: &str) -> anyhow::Result<()> {
        let folder = &self.watching.session().folder;
        match act {
            Act::Write { file, text } => write(&folder.join(file), text.as_bytes()),
            Act::Copy { file, bytes, .. } => write(&folder.join(file), bytes),
            Act::MoveAway { folder: name } => fs::rename(folder.join(name), folder.with_file_name(name))
                .with_context(|| format!("failed to move {name} away")),
            Act::Confirm => {
                let status = Command::new("sh").args(["-c", command]).status();
                ensure!(
                    status.context("failed to run sh")?.success(),
                    "the confirmation could not be written"
                );
                Ok(())
            }
        }
    }

    fn tell(&self, events: &[Event]) -> anyhow::Result<()> {
        events.iter().try_for_each(|event| emit(self.output, event))
    }

    /// Tells what happens until all that is awaited has happened; gives whether the demo goes on.
    async fn wait_for(&mut self, awaits: &[Await]) -> anyhow::Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        let mut open: Vec<&Await> = awaits.iter().collect();
        while !open.is_empty() {
            let happened = match timeout(QUIET, self.watching.next()).await {
                Ok(happened) => happened?,
                Err(_) if Instant::now() < deadline => Some(Vec::new()),
                Err(_) => {
                    let message = format!("this has not happened within {} s: {open:?}", PATIENCE.as_secs());
                    return Err(hinted(message, "the lines above say what did; please report it with them"));
                }
            };
            let Some(happened) = happened else { return Ok(false) };
            self.tell(&happened)?;
            open.retain(|one| !happened.iter().any(|event| one.is_met_by(event)));
            // What nobody tells is looked for.
            let mut told = Vec::new();
            open.retain(|one| {
                let found = self.told(one);
                let is_open = found.is_none();
                told.extend(found);
                is_open
            });
            self.tell(&told)?;
            open.retain(|one| match one {
                Await::AllThere => self.vanishing().count() < script::VANISHING,
                Await::AllHeld { cluster } => !self.all_are_held(cluster),
                Await::AllGone => self.vanishing().next().is_some(),
                _ => true,
            });
        }
        Ok(true)
    }

    /// Tells what follows, until nothing does any more; gives whether the demo goes on.
    async fn settle(&mut self) -> anyhow::Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline
            && let Ok(happened) = timeout(QUIET, self.watching.next()).await
        {
            let Some(happened) = happened? else { return Ok(false) };
            self.tell(&happened)?;
        }
        Ok(true)
    }

    /// The names of the objects that are deleted, as far as they are still published.
    fn vanishing(&self) -> impl Iterator<Item = String> {
        let view = &self.watching.session().dns.view;
        script::vanishing().filter(|name| name.parse().is_ok_and(|name| !view.at(&name).is_empty()))
    }

    /// Whether the deletion of each name that is still published of those that vanish is held.
    fn all_are_held(&self, cluster: &str) -> bool {
        let held = self.watching.session().all_held();
        let held = held.iter().find(|held| held.cluster == cluster).map_or(0, |held| held.names);
        held > 0 && usize::try_from(held).is_ok_and(|held| held == self.vanishing().count())
    }

    /// The Event in the cluster that is awaited, once it is there.
    fn told(&self, awaited: &Await) -> Option<Event> {
        let Await::Told { cluster, object, reason } = awaited else { return None };
        let told = self.watching.session().servers.of(cluster).map(events)?;
        let found = told
            .into_iter()
            .find(|found: &EventOverview| found.object == *object && found.reason == *reason)?;
        Some(Event::Told { cluster: (*cluster).to_owned(), found })
    }

    async fn ask(&self, &Ask { name, answer: expected }: &Ask) -> anyhow::Result<()> {
        let name = match name {
            Some(name) => name,
            None => self.waiting.as_deref().context("no name's deletion is held")?,
        };
        let server = self.watching.session().dns.reachable();
        let answer = Asker::new(server)?.ask(name, RecordType::A).await.to_string();
        emit(self.output, &Event::Asked { name: name.to_owned(), answer: answer.clone() })?;
        ensure!(answer == expected, "{name} is answered with {answer}, and should be with {expected}");
        Ok(())
    }

    /// Until somebody wants to see the next step; gives whether the demo goes on.
    async fn pause(&mut self, is_there_more: bool) -> anyhow::Result<bool> {
        // A script, which nobody watches, goes on by itself.
        if !is_there_more || !self.enter.is_somebody() {
            return Ok(true);
        }
        note("\nEnter for the next step, Ctrl-C to end");
        loop {
            tokio::select! {
                () = self.enter.pressed() => return Ok(true),
                happened = self.watching.next() => {
                    let Some(happened) = happened? else { return Ok(false) };
                    self.tell(&happened)?;
                }
            }
        }
    }
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(file, bytes).with_context(|| format!("failed to write {}", file.display()))
}

/// Copies the folders of the clusters, which the steps are told on.
fn copy_landscape(from: &Path, to: &Path) -> anyhow::Result<()> {
    let hint = "the tour is told on examples/landscape: name that folder, or a copy of it";
    for cluster in [PLATFORM, "workload01", "workload02"] {
        let folder = from.join(cluster);
        let what = || format!("failed to copy {}", folder.display());
        let into = to.join(cluster);
        fs::create_dir_all(&into).with_context(what)?;
        for file in fs::read_dir(&folder).with_context(what).hint(hint)? {
            let file = file.with_context(what)?;
            fs::copy(file.path(), into.join(file.file_name())).with_context(what)?;
        }
    }
    Ok(())
}
