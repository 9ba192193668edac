//! The gate for external-dns in clusters, configured by files.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_gate::{Agents, Credentials, Inputs};
use openmcp_dns_service::run::AgentGate;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::run::parse_cluster;
use crate::terminal::hint::Hint as _;

/// How often the files are read.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Where the gate is, and who may come through it.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Agents")]
pub(super) struct GateArgs {
    /// Where external-dns in clusters records its names, as if it were an etcd: IP:port. See docs/agents.md
    #[arg(long, env = "OPENMCP_DNS_GATE_LISTEN", value_name = "ADDRESS", requires = "gate_files")]
    gate_listen: Option<SocketAddr>,

    /// Folder with the gate's certificate (tls.crt, tls.key), the authorities of agents' certificates (ca.crt) and
    /// the agents: a line NAMESPACE/NAME FINGERPRINT for each certificate, the fingerprint in SHA-256. These clusters
    /// are recorded by their agents. The files are read again every few seconds
    #[arg(long, env = "OPENMCP_DNS_GATE_FILES", value_name = "FOLDER", requires = "gate_listen")]
    gate_files: Option<PathBuf>,
}

/// What the files say.
struct Files {
    credentials: Credentials,
    agents: Agents,
}

impl Files {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let file = folder.join(name);
            std::fs::read(&file).with_context(|| format!("failed to read {}", file.display()))
        };
        let credentials = Credentials {
            certificate: read("tls.crt")?,
            key: read("tls.key")?,
            authorities: read("ca.crt")?,
        };
        let text = String::from_utf8(read("agents")?).context("the file of agents is no UTF-8")?;
        Ok(Self { credentials, agents: agents(&text)? })
    }

    fn recorded(&self) -> BTreeSet<ClusterId> {
        self.agents.values().cloned().collect()
    }
}

/// Lines of a cluster and a fingerprint; those that are empty or begin with # say nothing.
fn agents(text: &str) -> anyhow::Result<Agents> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let agent = |(number, line): (usize, &str)| {
        let (cluster, fingerprint) = line
            .split_once(char::is_whitespace)
            .with_context(|| format!("line {number} of the agents is not NAMESPACE/NAME FINGERPRINT"))?;
        let cluster = parse_cluster(cluster)
            .map_err(|error| anyhow::anyhow!("line {number} of the agents: {error}"))?;
        let fingerprint =
            fingerprint.trim().parse().with_context(|| format!("line {number} of the agents"))?;
        Ok((fingerprint, cluster))
    };
    lines.map(agent).collect()
}

impl GateArgs {
    /// Opens the gate, where that is asked for.
    pub(super) async fn open(self) -> anyhow::Result<Option<AgentGate>> {
        let Self { gate_listen: Some(address), gate_files: Some(folder) } = self else { return Ok(None) };
        let files = Files::read(&folder).hint("see docs/agents.md for what belongs into --gate-files")?;
        files.credentials.server().hint("tls.crt, tls.key and ca.crt are PEM, and fit together")?;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("failed to listen on {address}"))
            .hint("choose another address with --gate-listen")?;
        tracing::info!(address = %listener.local_addr()?, agents = files.agents.len(), "the gate for agents is open");
        let (recorded_sender, recorded) = watch::channel(files.recorded());
        let (credentials_sender, credentials) = watch::channel(Some(files.credentials));
        let (agents_sender, agents) = watch::channel(files.agents);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_INTERVAL).await;
                // Half of a change is none: nothing of it holds before all of it can be read.
                match Files::read(&folder) {
                    Ok(files) => {
                        change(&recorded_sender, files.recorded());
                        change(&agents_sender, files.agents);
                        change(&credentials_sender, Some(files.credentials));
                    }
                    Err(error) => tracing::warn!("the files of the gate stay as they were: {error:#}"),
                }
            }
        });
        Ok(Some(AgentGate { listener, inputs: Inputs { credentials, agents }, recorded }))
    }
}

fn change<T: PartialEq>(sender: &watch::Sender<T>, new: T) {
    sender.send_if_modified(|old| {
        let is_new = *old != new;
        *old = new;
        is_new
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_lines_of_a_cluster_and_a_fingerprint() {
        let (one, other) = ("0".repeat(64), "a1".repeat(32));
        let found = agents(&format!("# agents\nclusters/w1 {one}\n\nclusters/w1\t{other}\n")).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found.values().all(|cluster| *cluster == ClusterId::new("clusters", "w1")));
        for (bad, why) in [
            ("clusters/w1", "line 1 of the agents is not"),
            ("w1 00", "line 1 of the agents: \"w1\" is not NAMESPACE/NAME"),
            ("\nclusters/w1 00", "line 2 of the agents"),
        ] {
            let error = agents(bad).err().unwrap().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
