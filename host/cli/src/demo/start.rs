//! Start: reads the folder, starts the service, and waits until it has done what the files ask for.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use openmcp_dns_core::leadership::LeaderKey;
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_landscape::folder::{self, PLATFORM, Scan};
use openmcp_dns_modules::SourceOptions;
use openmcp_dns_policy::Engine;
use openmcp_dns_service::journal::Journal;
use openmcp_dns_service::leadership::Leadership;
use openmcp_dns_service::metrics::{Metrics, Readiness};
use openmcp_dns_service::probe::Pace;
use openmcp_dns_service::run::{Budget, Ended, LeavingBounds, Service, TAKE_BACK_AFTER, run as run_service};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dns::Dns;
use super::given::Given;
use super::page::PageNews;
use super::policies::ModuleFiles;
use super::run::Settings;
use super::session::{Progress, Session, keep};
use super::statuses::{conditions_of, is_true};
use crate::terminal::hint::{Hint as _, hinted};
use crate::terminal::output::note;

/// How long the demo waits while nothing goes on: longer than the prober's own patience with one name and than a
/// slow machine needs for one step, so that a wrong answer is shown as such. A large landscape takes its time.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often somebody who waits is told how far it has come.
const TELL: Duration = Duration::from_secs(3);

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
    /// The service; ends before the demo only when it has failed.
    pub(super) service: JoinHandle<Result<(), Ended>>,
    /// The live page, if one is served.
    pub(super) page: Option<PageNews>,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Started {
    /// Ends all parts.
    pub(super) async fn stop(self) {
        let Self { session, settled: _, service: _, page: _, cancel, tasks } = self;
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
    let (sender, happenings) = mpsc::unbounded_channel();
    let keeping = cancel.clone().run_until_cancelled_owned(keep(journal.subscribe(), sender));
    tasks.spawn(async { keeping.await.unwrap_or_default() });
    let mut session = Session::new(folder.clone(), given, modules, dns, happenings);
    session.take_in(scan, started, BTreeSet::new());
    check_clusters(&session)?;
    let (page, served) = match settings.page {
        Some(address) => {
            let (page, served) = PageNews::bind(address, folder, session.dns.reachable()).await?;
            note(&format!("live page on {}", page.url));
            (Some(page), Some(served))
        }
        None => (None, None),
    };
    let service = service(&settings.engine, settings.sources.clone(), &session, journal, metrics)?;
    let service = Service { page: served, ..service };
    let mut service = tasks.spawn(run_service(service, cancel.clone()));

    progress("loading the policy module");
    tokio::select! {
        error = failure(&mut service) => return Err(error),
        _ = wait_for(&mut session, None, |session| session.statuses.modules_are_loaded()) => {}
    }
    check_policies(&session)?;
    progress(&format!("deciding, recording and probing (DNS server on {})", session.dns.address));
    let settled = tokio::select! {
        error = failure(&mut service) => return Err(error),
        settled = wait_for(&mut session, Some(PATIENCE), Session::is_settled) => settled,
    };
    session.causes.forget();
    Ok(Started { session, settled, service, page, cancel, tasks })
}

/// Waits until the service ends before its time; gives why.
pub(super) async fn failure(service: &mut JoinHandle<Result<(), Ended>>) -> anyhow::Error {
    match service.await {
        Ok(Err(ended)) => ended.into(),
        Ok(Ok(())) => anyhow::anyhow!("the service has ended before the demo"),
        Err(error) => error.into(),
    }
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
        statuses: Budget::in_memory(),
        inventory: Arc::new(session.servers.inventory()),
        leadership: Leadership::alone("demo".to_owned()),
        leader_key: LeaderKey::of_platform("demo"),
        store: Arc::clone(&session.dns.store),
        prefix: Prefix::default(),
        engine: engine.clone(),
        sources,
        upstreams: tokio::sync::watch::channel(vec![central]).1,
        config_name: None,
        take_back_after: TAKE_BACK_AFTER,
        leaving: LeavingBounds::default(),
        decision_log: None,
        page: None,
        enrolment: None,
        own_image: openmcp_dns_api::Images::OWN.to_owned(),
        deployer: None,
        gate: None,
        // The built-in DNS server has no cache.
        pace: Pace::default(),
        // The built-in DNS server finds them.
        wildcards: true,
        metrics,
        readiness: Readiness::default(),
        journal,
    })
}

/// Ends a wait in which nothing goes on any more, however long it has taken before.
struct Stall {
    patience: Option<Duration>,
    progress: Progress,
    since: Instant,
}

impl Stall {
    fn new(patience: Option<Duration>, now: Instant) -> Self {
        Self { patience, progress: Progress::default(), since: now }
    }

    /// Takes in how far it has come; gives whether that is another point than before.
    fn sees(&mut self, progress: Progress, now: Instant) -> bool {
        let is_other = progress != self.progress;
        if is_other {
            (self.progress, self.since) = (progress, now);
        }
        is_other
    }

    fn is_over(&self, now: Instant) -> bool {
        self.patience.is_some_and(|patience| now.duration_since(self.since) >= patience)
    }
}

/// Works until it is done; gives whether it came to that. What happens meanwhile is not told, but for how far it
/// has come: the overview shows it.
async fn wait_for(
    session: &mut Session,
    patience: Option<Duration>,
    is_done: impl Fn(&Session) -> bool,
) -> bool {
    let mut stall = Stall::new(patience, Instant::now());
    let (mut told, mut looked) = (Instant::now(), None);
    while !stall.is_over(Instant::now()) {
        // Whatever has happened already is taken in before anybody looks.
        if let Ok(happening) = tokio::time::timeout(LOOK, session.next()).await {
            session.work(&happening);
        } else {
            // To look at a large landscape takes as long as the pause between two looks, at most.
            let pause: Duration = looked.map_or(Duration::ZERO, |(_, took)| took);
            if looked.is_none_or(|(at, _): (Instant, _)| at.elapsed() >= pause) {
                let look = Instant::now();
                if is_done(session) {
                    return true;
                }
                looked = Some((Instant::now(), look.elapsed()));
            }
        }
        if told.elapsed() >= TELL {
            let progress = session.progress();
            if stall.sees(progress, Instant::now()) {
                let Progress { decided, recorded, probed } = progress;
                note(&format!("  {decided} claims decided, {recorded} names recorded, {probed} probed"));
            }
            told = Instant::now();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_lasts_as_long_as_it_goes_on_and_ends_when_it_does_not() {
        let began = Instant::now();
        let mut stall = Stall::new(Some(PATIENCE), began);
        let mut now = began;
        for probed in 1..=100 {
            now += PATIENCE - TELL;
            assert!(!stall.is_over(now), "after {:?}", now - began);
            assert!(stall.sees(Progress { probed, ..Progress::default() }, now));
        }
        assert!(!stall.sees(Progress { probed: 100, ..Progress::default() }, now + TELL));
        assert!(stall.is_over(now + PATIENCE));
    }
}
