//! Start: reads the folder, starts the service, and waits until it has done what the files ask for.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_landscape::folder::{self, PLATFORM, Scan};
use openmcp_dns_modules::SourceOptions;
use openmcp_dns_policy::Engine;
use openmcp_dns_service::journal::Journal;
use openmcp_dns_service::metrics::{Metrics, Readiness};
use openmcp_dns_service::probe::{Asker, Pace};
use openmcp_dns_service::run::{Service, run as run_service};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dns::Dns;
use super::given::Given;
use super::policies::ModuleFiles;
use super::run::Settings;
use super::session::Session;
use super::statuses::{conditions_of, is_true};
use crate::terminal::hint::{Hint as _, hinted};
use crate::terminal::output::note;

/// How long the demo waits until every name is answered: longer than the prober's own patience with
/// one name, so that a wrong answer is shown as such.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often the demo looks whether all is done while nothing happens: the store tells the DNS server of
/// the last name before it tells anybody else.
const LOOK: Duration = Duration::from_millis(20);

/// Where no module has been enforced yet, there is none to go on with; the service waits for `Enforce`.
const NO_ACTIVE_MODULE: &str = "NoActiveModule";

/// A demo that has started.
pub(super) struct Started {
    pub(super) session: Session,
    /// Whether all was done in time.
    pub(super) settled: bool,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Started {
    /// Ends all parts.
    pub(super) async fn stop(self) {
        let Self { session, settled: _, cancel, tasks } = self;
        cancel.cancel();
        session.dns.stop();
        tasks.close();
        tasks.wait().await;
    }
}

/// Starts all parts and waits until they have done what the files ask for.
///
/// # Errors
/// When a part cannot be started, or no policy comes into force.
pub(super) async fn start(
    settings: &Settings,
    given: Given,
    scan: Scan,
    started: Instant,
) -> anyhow::Result<Started> {
    let (folder, files, folders) = (&settings.folder, scan.files.len(), scan.folders.len());
    progress(&format!("reading {}: {files} files of {folders} clusters", folder.display()));
    let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
    let metrics = Metrics::default();
    let journal = Journal::new(metrics.clone());
    let dns = Dns::start(settings.listen, &tasks, &cancel).await?;
    let modules = ModuleFiles::new(settings.engine.limits().module_bytes);
    let mut session = Session::new(folder.clone(), given, modules, dns, journal.subscribe());
    session.take_in(scan, started, BTreeSet::new());
    check_clusters(&session)?;
    let service = service(&settings.engine, settings.sources.clone(), &session, journal, metrics)?;
    tasks.spawn(run_service(service, cancel.clone()));

    progress("loading the policy module");
    wait_for(&mut session, None, |session| session.statuses.modules_are_loaded()).await;
    check_policies(&session)?;
    progress(&format!("deciding, recording and probing (DNS server on {})", session.dns.address));
    let settled = wait_for(&mut session, Some(PATIENCE), Session::is_settled).await;
    session.causes.forget();
    Ok(Started { session, settled, cancel, tasks })
}

fn service(
    engine: &Engine,
    sources: SourceOptions,
    session: &Session,
    journal: Journal,
    metrics: Metrics,
) -> anyhow::Result<Service> {
    let central = session.dns.reachable();
    Ok(Service {
        platform: session.servers.platform.client(),
        inventory: Arc::new(session.servers.inventory()),
        store: Arc::clone(&session.dns.store),
        prefix: Prefix::default(),
        engine: engine.clone(),
        sources,
        upstreams: vec![central],
        asker: Some(Asker::new(central).context("failed to prepare the probes")?),
        // The built-in DNS server has no cache.
        pace: Pace::default(),
        // The built-in DNS server finds them.
        wildcards: true,
        metrics,
        readiness: Readiness::default(),
        journal,
    })
}

/// Works until it is done; gives whether that was so within the time. What happens meanwhile is not told:
/// the overview shows it.
async fn wait_for(
    session: &mut Session,
    patience: Option<Duration>,
    is_done: impl Fn(&Session) -> bool,
) -> bool {
    let since = Instant::now();
    while patience.is_none_or(|patience| since.elapsed() < patience) {
        // Whatever has happened already is taken in before anybody looks.
        if let Ok(happening) = tokio::time::timeout(LOOK, session.next()).await {
            session.work(&happening);
        } else if is_done(session) {
            return true;
        }
    }
    false
}

/// Nothing can be shown where no policy is in force.
fn check_policies(session: &Session) -> anyhow::Result<()> {
    let policies = &session.statuses.policies;
    let is_waiting = |reason: &str| reason == NO_ACTIVE_MODULE;
    let refused = policies.iter().find_map(|(name, policy)| {
        let wrong =
            conditions_of(policy).iter().find(|found| found.type_ == "Ready" && found.status == "False")?;
        (!is_waiting(&wrong.reason)).then_some((name, wrong))
    });
    match refused {
        Some((name, wrong)) if !policies.values().any(|policy| is_true(policy, "Ready")) => Err(hinted(
            format!("DNSPolicy {name} is not in force ({}): {}", wrong.reason, wrong.message),
            "correct the DNSPolicy or its module; `openmcp-dns policy inspect` looks at a module alone",
        )),
        _ => Ok(()),
    }
}

/// What to do where there is no landscape.
pub(super) fn missing_folder_hint() -> String {
    format!(
        "name a folder that holds one folder for each cluster, and {PLATFORM} with the Cluster resources, as examples/landscape does"
    )
}

/// Reads the folder for the first time.
///
/// # Errors
/// When there is no such folder.
pub(super) async fn first_scan(folder: &Path) -> anyhow::Result<Scan> {
    scan_folder(folder)
        .await
        .with_context(|| format!("failed to read the landscape {}", folder.display()))
        .hint(missing_folder_hint())
}

/// A landscape without a cluster cannot be shown.
fn check_clusters(session: &Session) -> anyhow::Result<()> {
    if !session.landscape.clusters.is_empty() {
        return Ok(());
    }
    let mut message = format!("there is no Cluster in {}", session.folder.join(PLATFORM).display());
    for (file, problems) in &session.problems {
        for problem in problems {
            message.push_str("; ");
            message.push_str(&problem.at(file));
        }
    }
    Err(hinted(message, missing_folder_hint()))
}

/// Reads the folder as it is now.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn scan_folder(folder: &Path) -> std::io::Result<Scan> {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || folder::scan(&folder)).await.map_err(std::io::Error::other)?
}

/// What takes a moment, for a person who waits.
fn progress(what: &str) {
    note(&format!("{what} ..."));
}
