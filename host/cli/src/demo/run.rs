//! Run: from the command's settings to its end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use openmcp_dns_kit::LoadedPolicy;
use openmcp_dns_landscape::folder::{self, Files, Object, PLATFORM, Scan, Syntax, Watcher, landscape, parse};
use openmcp_dns_policy::Engine;

use super::event::Event;
use super::rules::{self, Given, RulesError};
use super::service::Service;
use super::session::Session;
use super::text;
use crate::terminal::hint::{Hint as _, hinted};
use crate::terminal::output::{OutputFormat, note, print};
use crate::terminal::shutdown::Shutdown;
use openmcp_dns_api::DNSPolicy;

/// How long the demo waits until every name is answered: longer than the prober's own patience with
/// one name, so that a wrong answer is shown as such.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the demo is to do.
#[derive(Clone)]
pub struct Settings {
    /// The landscape.
    pub folder: PathBuf,
    /// Show the picture and end.
    pub once: bool,
    /// For whom to write.
    pub output: OutputFormat,
    /// Where the DNS server listens.
    pub listen: SocketAddr,
    /// A DNSPolicy or a policy module to use instead of the landscape's.
    pub policy: Option<PathBuf>,
    /// Runs the policy module.
    pub engine: Engine,
}

/// Runs the demo until it is to end.
///
/// # Errors
/// When it cannot start, or nobody reads its output any more.
pub async fn run(settings: Settings) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let Settings { folder, once, output, listen, policy, engine } = settings;
    let mut shutdown = Shutdown::listen().context("failed to catch signals")?;
    let given = Given { folder: folder.clone(), ..given(policy.as_deref())? };
    // From before the first look at the files, so that no change falls in between.
    let mut watcher = if once { None } else { Some(watch(&folder)?) };
    let scan = first_scan(&folder).await?;
    let policy = check(&folder, &scan, &given)?;

    let starting = start(engine, folder, listen, given, policy, scan, started);
    let (mut session, settled) = tokio::select! {
        session = starting => session?,
        () = shutdown.requested() => return Ok(ExitCode::SUCCESS),
    };
    let picture = session.picture(settled);
    let good = picture.all_match && !session.has_errors();
    let Some(watcher) = &mut watcher else {
        let text = match output {
            OutputFormat::Text => text::picture(&picture),
            OutputFormat::Json => format!("{}\n", serde_json::to_string_pretty(&picture)?),
        };
        session.stop().await;
        print(&text)?;
        return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    };
    emit(output, &Event::Started(Box::new(picture)))?;
    let mut changes = 0;
    loop {
        let events = tokio::select! {
            () = shutdown.requested() => break,
            noticed = watcher.changed() => match scan_folder(&session.folder).await {
                Ok(mut scan) => {
                    scan.leave(&session.folder, &noticed.being_written);
                    session.take_in(scan, noticed.since).await
                }
                Err(error) => session.blind(&error),
            },
            happening = session.next() => session.work(happening).await,
        };
        for event in &events {
            changes += usize::from(matches!(event, Event::Answered(_)));
            emit(output, event)?;
        }
    }
    let stopped =
        Event::Stopped { seconds: started.elapsed().as_secs(), names: session.shown.len(), changes };
    session.stop().await;
    emit(output, &stopped)?;
    Ok(ExitCode::SUCCESS)
}

/// Starts all parts and waits until they have done what the files ask for.
async fn start(
    engine: Engine,
    folder: PathBuf,
    listen: SocketAddr,
    given: Given,
    policy: Option<DNSPolicy>,
    scan: Scan,
    started: Instant,
) -> anyhow::Result<(Session, bool)> {
    progress(&format!(
        "reading {}: {} files of {} clusters",
        folder.display(),
        scan.files.len(),
        scan.folders.len()
    ));
    progress("compiling the policy module");
    let (asked, in_use) = (given.clone(), policy.clone());
    let rules = tokio::task::spawn_blocking(move || load(&engine, &asked, in_use.as_ref())).await??;
    let service = Service::start(&rules.zone, listen).await?;
    progress(&format!("deciding, recording and probing (DNS server on {})", service.address));
    let mut session = Session::new(folder, service, rules, given, policy);
    session.take_in(scan, started).await;
    let settled = session.settle(PATIENCE).await;
    Ok((session, settled))
}

fn load(engine: &Engine, given: &Given, policy: Option<&DNSPolicy>) -> anyhow::Result<LoadedPolicy> {
    rules::load(engine, given, policy).with_hint(RulesError::hint)
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

fn missing_folder_hint() -> String {
    format!(
        "name a folder that holds one folder for each cluster, and {PLATFORM} with the Cluster resources, as examples/landscape does"
    )
}

async fn first_scan(folder: &Path) -> anyhow::Result<Scan> {
    scan_folder(folder)
        .await
        .with_context(|| format!("failed to read the landscape {}", folder.display()))
        .hint(missing_folder_hint())
}

async fn scan_folder(folder: &Path) -> std::io::Result<Scan> {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || folder::scan(&folder)).await.map_err(std::io::Error::other)?
}

/// A landscape without a cluster cannot be shown; gives the policy that holds.
fn check(folder: &Path, scan: &Scan, given: &Given) -> anyhow::Result<Option<DNSPolicy>> {
    let mut files = Files::default();
    files.update(scan.clone());
    let landscape = landscape(&files);
    if landscape.clusters.is_empty() {
        let mut message = format!("there is no Cluster in {}", folder.join(PLATFORM).display());
        for (file, problems) in files.problems() {
            for problem in problems {
                message.push_str("; ");
                message.push_str(&problem.at(file));
            }
        }
        return Err(hinted(message, missing_folder_hint()));
    }
    Ok(given.policy.clone().or(landscape.policy().cloned()))
}

/// Reads what is to be used instead of the landscape's policy or of the built-in module.
fn given(file: Option<&Path>) -> anyhow::Result<Given> {
    let Some(file) = file else { return Ok(Given::default()) };
    let hint = "name a file with a DNSPolicy, or a policy module (a WebAssembly component)";
    let bytes =
        std::fs::read(file).with_context(|| format!("failed to read {}", file.display())).hint(hint)?;
    if bytes.starts_with(b"\0asm") {
        return Ok(Given { module: Some(bytes), ..Given::default() });
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| hinted(format!("{} is neither text nor WebAssembly", file.display()), hint))?;
    let parsed = parse(Syntax::of(&file.to_string_lossy()).unwrap_or(Syntax::Yaml), &text);
    if let Some(problem) = parsed.problems.first() {
        return Err(hinted(problem.at(&file.display().to_string()), hint));
    }
    let policy = parsed.objects.into_iter().find_map(|(_, manifest)| match manifest.object {
        Object::Policy(policy) => Some(*policy),
        _ => None,
    });
    let policy = policy.ok_or_else(|| hinted(format!("{} holds no DNSPolicy", file.display()), hint))?;
    Ok(Given { policy: Some(policy), ..Given::default() })
}

fn emit(output: OutputFormat, event: &Event) -> anyhow::Result<()> {
    let text = match output {
        OutputFormat::Text => text::event(event),
        OutputFormat::Json => format!("{}\n", serde_json::to_string(event)?),
    };
    Ok(print(&text)?)
}

/// What takes a moment, for a person who waits.
fn progress(what: &str) {
    note(&format!("{what} ..."));
}
