//! `openmcp-dns`, the program under test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use rustix::process::Signal;

use crate::http::get;
use crate::landscape::Landscape;
use crate::manifests::CLUSTERS;
use crate::ports::free_address;
use crate::process::Process;
use crate::programs::openmcp_dns;
use crate::wait::wait_until;

const STOP: Duration = Duration::from_secs(30);

/// `openmcp-dns run`, watching a landscape.
pub struct Service {
    name: String,
    kubeconfig: PathBuf,
    metrics: SocketAddr,
    page: SocketAddr,
    arguments: Vec<String>,
    logs: PathBuf,
    process: Option<Process>,
}

impl Service {
    /// Starts it for a landscape. It is ready when the status of its objects says so.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(landscape: &Landscape) -> anyhow::Result<Self> {
        Self::start_with(landscape, "openmcp-dns", &[])
    }

    /// Starts one of several replicas, which stand for election by a Lease of so many seconds.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_replica(landscape: &Landscape, name: &str, lease_seconds: u64) -> anyhow::Result<Self> {
        let (namespace, lease) =
            (format!("--namespace={CLUSTERS}"), format!("--lease-seconds={lease_seconds}"));
        Self::start_with(landscape, name, &["--leader-elect".to_owned(), namespace, lease])
    }

    /// Starts it with further arguments.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_with(landscape: &Landscape, name: &str, more: &[String]) -> anyhow::Result<Self> {
        Self::start_as(landscape, name, &landscape.platform.api.kubeconfig(), more)
    }

    /// Starts it with another kubeconfig of the platform cluster than one that may do everything.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_as(landscape: &Landscape, name: &str, text: &str, more: &[String]) -> anyhow::Result<Self> {
        let kubeconfig = landscape.folder().join("service.kubeconfig");
        std::fs::write(&kubeconfig, text)
            .with_context(|| format!("failed to write {}", kubeconfig.display()))?;
        let (metrics, page) = (free_address()?, free_address()?);
        let mut arguments = vec![
            "run".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--etcd={}", landscape.store.endpoint),
            format!("--dns-server={}", landscape.central.udp.address()),
            format!("--metrics-listen={metrics}"),
            format!("--page-listen={page}"),
        ];
        arguments.extend_from_slice(more);
        let logs = landscape.logs();
        let mut service =
            Self { name: name.to_owned(), kubeconfig, metrics, page, arguments, logs, process: None };
        service.resume()?;
        Ok(service)
    }

    /// The kubeconfig of the platform cluster.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Where it answers `/metrics`, `/healthz` and `/readyz`.
    #[must_use]
    pub const fn metrics(&self) -> SocketAddr {
        self.metrics
    }

    /// Where its live page is.
    #[must_use]
    pub const fn page(&self) -> SocketAddr {
        self.page
    }

    /// Starts it again after [`Service::stop`]; one that runs goes on.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        if self.process.is_some() {
            return Ok(());
        }
        ensure!(self.kubeconfig.is_file(), "{} is gone", self.kubeconfig.display());
        let level = std::env::var("OPENMCP_DNS_TEST_LOG").unwrap_or_else(|_| "info".to_owned());
        let environment = [("RUST_LOG", level.as_str()), ("NO_COLOR", "1")];
        let process = Process::start(&self.name, &openmcp_dns()?, &self.arguments, &environment, &self.logs)?;
        self.process = Some(process);
        Ok(())
    }

    /// Asks it to end, and waits until it has ended well.
    ///
    /// # Errors
    /// When it does not run, does not end in time, or ends with an error.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let process = self.process.take().context("openmcp-dns does not run")?;
        let status = process.terminate(STOP).await?;
        ensure!(status.success(), "openmcp-dns ended with {status} after SIGTERM");
        Ok(())
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.process.as_ref().context("openmcp-dns does not run")?.signal(signal)
    }

    /// Waits until it has ended by itself; gives its exit code, and what it wrote last.
    ///
    /// # Errors
    /// When it does not run, or does not end in time.
    pub async fn ended(&mut self) -> anyhow::Result<(Option<i32>, String)> {
        let process = self.process.as_mut().context("openmcp-dns does not run")?;
        let status = wait_until("openmcp-dns ends", STOP, async || {
            Ok(process.ended()?.ok_or_else(|| "it still runs".to_owned()))
        })
        .await?;
        let tail = process.log_tail();
        self.process = None;
        Ok((status.code(), tail))
    }

    /// Waits until it says that it is ready.
    ///
    /// # Errors
    /// When it does not within this time.
    pub async fn wait_ready(&self, timeout: Duration) -> anyhow::Result<()> {
        wait_until("the service is ready", timeout, async || {
            let ready = get(self.metrics, "/readyz").await;
            Ok(if matches!(ready, Ok((200, _))) { Ok(()) } else { Err(format!("{ready:?}")) })
        })
        .await
    }

    /// Whether it leads, as it says of itself; `None` while it does not say.
    pub async fn leads(&self) -> Option<bool> {
        let (_, metrics) = get(self.metrics, "/metrics").await.ok()?;
        let line = metrics.lines().find_map(|line| line.strip_prefix("openmcp_dns_leader "))?;
        Some(line == "1")
    }

    /// The id of the running process.
    ///
    /// # Errors
    /// When it does not run.
    pub fn id(&mut self) -> anyhow::Result<u32> {
        let process = self.process.as_mut().context("openmcp-dns does not run")?;
        if let Some(status) = process.ended()? {
            anyhow::bail!("openmcp-dns has ended: {status}\n{}", process.log_tail());
        }
        Ok(process.id())
    }
}

/// Runs `openmcp-dns`, and gives how it ended.
///
/// # Errors
/// When it cannot be started.
pub fn run(arguments: &[&str]) -> anyhow::Result<Output> {
    let program = openmcp_dns()?;
    let output = Command::new(&program).args(arguments).output();
    output.with_context(|| format!("failed to start {}", program.display()))
}

/// What `openmcp-dns` prints for some arguments.
///
/// # Errors
/// When it fails.
pub fn output_of(arguments: &[&str]) -> anyhow::Result<String> {
    let output = run(arguments)?;
    ensure!(
        output.status.success(),
        "openmcp-dns {arguments:?} ended with {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
