//! `openmcp-dns`, the program under test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::landscape::Landscape;
use crate::ports::free_address;
use crate::process::Process;
use crate::programs::openmcp_dns;

const STOP: Duration = Duration::from_secs(30);

/// `openmcp-dns run`, watching a landscape.
pub struct Service {
    kubeconfig: PathBuf,
    metrics: SocketAddr,
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
        let kubeconfig = landscape.folder().join("service.kubeconfig");
        std::fs::write(&kubeconfig, landscape.platform.api.kubeconfig())
            .with_context(|| format!("failed to write {}", kubeconfig.display()))?;
        let metrics = free_address()?;
        let arguments = vec![
            "run".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--etcd={}", landscape.store.endpoint),
            format!("--dns-server={}", landscape.central.udp.address()),
            format!("--metrics-listen={metrics}"),
        ];
        let mut service = Self { kubeconfig, metrics, arguments, logs: landscape.logs(), process: None };
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
        let process =
            Process::start("openmcp-dns", &openmcp_dns()?, &self.arguments, &environment, &self.logs)?;
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
