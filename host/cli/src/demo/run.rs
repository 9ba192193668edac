//! Run: from the command's settings to its end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use openmcp_dns_landscape::folder::{Noticed, Watcher};
use openmcp_dns_modules::SourceOptions;
use openmcp_dns_policy::Engine;

use super::event::Event;
use super::given::Given;
use super::session::Session;
use super::start::{Started, failure, first_scan, missing_folder_hint, scan_folder, start};
use super::{lines, text, tour};
use crate::terminal::enter::Enter;
use crate::terminal::hint::Hint as _;
use crate::terminal::output::{OutputFormat, json, note, print};
use crate::terminal::shutdown::Shutdown;

/// When the demo ends.
#[derive(Clone, Copy)]
pub enum Until {
    /// When the overview is shown.
    Shown,
    /// When the tour is told.
    Told,
    /// When somebody ends it.
    Stopped,
}

/// What the demo is to do.
#[derive(Clone)]
pub struct Settings {
    /// The landscape.
    pub folder: PathBuf,
    /// When to end.
    pub until: Until,
    /// For whom to write.
    pub output: OutputFormat,
    /// Where the DNS server listens.
    pub listen: SocketAddr,
    /// A DNSPolicy or a policy module to use instead of the landscape's.
    pub policy: Option<PathBuf>,
    /// Where the live page is served, if it is.
    pub page: Option<SocketAddr>,
    /// Runs policy modules.
    pub engine: Engine,
    /// Where policy modules may come from.
    pub sources: SourceOptions,
}

/// Runs the demo until it is to end.
///
/// # Errors
/// When it cannot start, or nobody reads its output any more.
pub async fn run(settings: Settings) -> anyhow::Result<ExitCode> {
    match settings.until {
        Until::Shown => show(settings).await,
        Until::Told => tour::run(settings).await,
        Until::Stopped => watch_and_tell(settings).await,
    }
}

/// Shows the landscape.
async fn show(settings: Settings) -> anyhow::Result<ExitCode> {
    let mut shutdown = Shutdown::listen().context("failed to catch signals")?;
    let Some(demo) = begin(&settings, &mut shutdown).await? else { return Ok(ExitCode::SUCCESS) };
    let overview = demo.session.overview(demo.settled);
    let good = overview.all_match && !demo.session.has_errors();
    let text = match settings.output {
        OutputFormat::Text => text::overview(&overview),
        OutputFormat::Json => json(&overview)?,
    };
    demo.stop().await;
    print(&text)?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows the landscape, then tells what comes of changes, until the demo is to end.
async fn watch_and_tell(settings: Settings) -> anyhow::Result<ExitCode> {
    let (output, started) = (settings.output, Instant::now());
    let Some(mut watching) = Watching::start(&settings).await? else { return Ok(ExitCode::SUCCESS) };
    let (mut changes, mut enter) = (0, enter(output));
    if enter.is_somebody() {
        note("Enter shows all of it again, as it is then");
    }
    loop {
        let events = tokio::select! {
            events = watching.next() => events?,
            () = enter.pressed() => {
                print(&text::overview(&watching.session().overview(true)))?;
                continue;
            }
        };
        let Some(events) = events else { break };
        for event in &events {
            changes += usize::from(matches!(event, Event::Answered(_)));
            emit(output, event)?;
        }
    }
    let names = watching.session().shown.len();
    watching.stop().await;
    emit(output, &Event::Stopped { seconds: started.elapsed().as_secs(), names, changes })?;
    Ok(ExitCode::SUCCESS)
}

/// Starts a demo; `None` when it is to end before it has started.
async fn begin(settings: &Settings, shutdown: &mut Shutdown) -> anyhow::Result<Option<Started>> {
    let started = Instant::now();
    let given = Given::read(settings.policy.as_deref())?;
    let scan = first_scan(&settings.folder).await?;
    tokio::select! {
        demo = start(settings, given, scan, started) => demo.map(Some),
        () = shutdown.requested() => Ok(None),
    }
}

/// A demo that watches its folder.
pub(super) struct Watching {
    demo: Started,
    watcher: Watcher,
    shutdown: Shutdown,
    /// A change of files that has not been taken in.
    noticed: Option<Noticed>,
}

impl Watching {
    /// Starts a demo and tells what there is; `None` when it is to end before it has started.
    pub(super) async fn start(settings: &Settings) -> anyhow::Result<Option<Self>> {
        let mut shutdown = Shutdown::listen().context("failed to catch signals")?;
        // From before the first look at the files, so that no change falls in between.
        let watcher = watch(&settings.folder)?;
        let Some(demo) = begin(settings, &mut shutdown).await? else { return Ok(None) };
        emit(settings.output, &Event::Started(Box::new(demo.session.overview(demo.settled))))?;
        if let Some(page) = &demo.page {
            page.tell(&demo.session);
            // Above all that has been printed meanwhile, nobody finds it again.
            note(&format!("live page on {}", page.url));
        }
        Ok(Some(Self { demo, watcher, shutdown, noticed: None }))
    }

    pub(super) const fn session(&self) -> &Session {
        &self.demo.session
    }

    async fn work(&mut self) -> anyhow::Result<Option<Vec<Event>>> {
        let Self { demo: Started { session, service, .. }, watcher, shutdown, noticed } = self;
        if noticed.is_none() {
            tokio::select! {
                () = shutdown.requested() => return Ok(None),
                error = failure(service) => return Err(error),
                changed = watcher.changed() => *noticed = Some(changed),
                happening = session.next() => return Ok(Some(session.work(&happening))),
            }
        }
        let scan = scan_folder(&session.folder).await;
        let Some(Noticed { since, being_written }) = noticed.take() else { return Ok(Some(Vec::new())) };
        Ok(Some(match scan {
            Ok(mut scan) => {
                scan.leave(&session.folder, &being_written);
                session.take_in(scan, since, being_written)
            }
            Err(error) => session.blind(&error),
        }))
    }

    /// Takes in what changes and gives what comes of it; `None` when the demo is to end. May be cancelled without
    /// loss.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Vec<Event>>> {
        let events = self.work().await?;
        if let Some(page) = &self.demo.page {
            page.tell(&self.demo.session);
        }
        Ok(events)
    }

    /// Ends all parts.
    pub(super) async fn stop(self) {
        self.demo.stop().await;
    }
}

fn watch(folder: &Path) -> anyhow::Result<Watcher> {
    Watcher::start(folder).with_hint(|_| {
        if folder.is_dir() {
            "raise fs.inotify.max_user_watches and max_user_instances, or use --once".to_owned()
        } else {
            missing_folder_hint()
        }
    })
}

/// A person who may press Enter, where the output is for people.
pub(super) fn enter(output: OutputFormat) -> Enter {
    match output {
        OutputFormat::Text => Enter::listen(),
        OutputFormat::Json => Enter::nobody(),
    }
}

/// Tells of an event.
pub(super) fn emit(output: OutputFormat, event: &Event) -> anyhow::Result<()> {
    let text = match output {
        OutputFormat::Text => lines::event(event),
        OutputFormat::Json => format!("{}\n", serde_json::to_string(event)?),
    };
    Ok(print(&text)?)
}
