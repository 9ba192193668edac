//! Run: from the command's settings to its end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use openmcp_dns_landscape::folder::Watcher;
use openmcp_dns_modules::SourceOptions;
use openmcp_dns_policy::Engine;

use super::event::Event;
use super::given::Given;
use super::start::{Started, failure, first_scan, missing_folder_hint, scan_folder, start};
use super::{lines, text};
use crate::terminal::hint::Hint as _;
use crate::terminal::output::{OutputFormat, print};
use crate::terminal::shutdown::Shutdown;

/// What the demo is to do.
#[derive(Clone)]
pub struct Settings {
    /// The landscape.
    pub folder: PathBuf,
    /// Show the overview and end.
    pub once: bool,
    /// For whom to write.
    pub output: OutputFormat,
    /// Where the DNS server listens.
    pub listen: SocketAddr,
    /// A DNSPolicy or a policy module to use instead of the landscape's.
    pub policy: Option<PathBuf>,
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
    let started = Instant::now();
    let output = settings.output;
    let mut shutdown = Shutdown::listen().context("failed to catch signals")?;
    let given = Given::read(settings.policy.as_deref())?;
    // From before the first look at the files, so that no change falls in between.
    let watcher = if settings.once { None } else { Some(watch(&settings.folder)?) };
    let scan = first_scan(&settings.folder).await?;

    let mut demo = tokio::select! {
        demo = start(&settings, given, scan, started) => demo?,
        () = shutdown.requested() => return Ok(ExitCode::SUCCESS),
    };
    let overview = demo.session.overview(demo.settled);
    let Some(watcher) = watcher else {
        let good = overview.all_match && !demo.session.has_errors();
        let text = match output {
            OutputFormat::Text => text::overview(&overview),
            OutputFormat::Json => format!("{}\n", serde_json::to_string_pretty(&overview)?),
        };
        demo.stop().await;
        print(&text)?;
        return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    };
    emit(output, &Event::Started(Box::new(overview)))?;
    let changes = watch_and_tell(&mut demo, watcher, &mut shutdown, output).await?;
    let names = demo.session.shown.len();
    demo.stop().await;
    emit(output, &Event::Stopped { seconds: started.elapsed().as_secs(), names, changes })?;
    Ok(ExitCode::SUCCESS)
}

/// Takes in what changes and tells what comes of it, until the demo is to end. Gives how many times the
/// answer to a name has changed.
async fn watch_and_tell(
    demo: &mut Started,
    mut watcher: Watcher,
    shutdown: &mut Shutdown,
    output: OutputFormat,
) -> anyhow::Result<usize> {
    let Started { session, service, .. } = demo;
    let mut changes = 0;
    loop {
        let events = tokio::select! {
            () = shutdown.requested() => return Ok(changes),
            error = failure(service) => return Err(error),
            noticed = watcher.changed() => match scan_folder(&session.folder).await {
                Ok(mut scan) => {
                    scan.leave(&session.folder, &noticed.being_written);
                    session.take_in(scan, noticed.since, noticed.being_written)
                }
                Err(error) => session.blind(&error),
            },
            happening = session.next() => session.work(&happening),
        };
        for event in &events {
            changes += usize::from(matches!(event, Event::Answered(_)));
            emit(output, event)?;
        }
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

fn emit(output: OutputFormat, event: &Event) -> anyhow::Result<()> {
    let text = match output {
        OutputFormat::Text => lines::event(event),
        OutputFormat::Json => format!("{}\n", serde_json::to_string(event)?),
    };
    Ok(print(&text)?)
}
