//! The gate for external-dns in clusters, configured by files.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_gate::{Agents, Credentials, Inputs, Visits};
use openmcp_dns_service::enrolment::Enrolment;
use openmcp_dns_service::run::AgentGate;
use openmcp_dns_service::watch::tell;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::deploy::DeployArgs;
use super::platform::parse_cluster;
use crate::terminal::hint::Hint as _;

/// How often the files are read.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Where the gate is, and who may come through it.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Agents")]
pub(super) struct GateArgs {
    /// Where external-dns in clusters records its names, as if it were an etcd: IP:port. The DNSServiceConfig says which
    /// clusters have one. See docs/agents.md
    #[arg(long, env = "OPENMCP_DNS_GATE_LISTEN", value_name = "ADDRESS")]
    gate_listen: Option<SocketAddr>,

    /// Address of the pod of the service; without it, the gate has no Service, and agents reach it as the DNSServiceConfig
    /// says
    #[arg(long, env = "POD_IP", value_name = "ADDRESS")]
    pod_ip: Option<IpAddr>,

    /// Where agents are run by somebody else: folder with the gate's certificate (tls.crt, tls.key), the authorities of
    /// agents' certificates (ca.crt) and the agents: a line NAMESPACE/NAME FINGERPRINT for each certificate, the fingerprint in SHA-256. These clusters
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

/// What `run` is to know of agents.
pub(super) struct Opened {
    /// Lets them in.
    pub(super) gate: Option<AgentGate>,
    /// Brings them to clusters, where that is not somebody else's.
    pub(super) enrolment: Option<Enrolment>,
}

impl GateArgs {
    /// Opens the gate, where that is asked for.
    pub(super) async fn open(
        self,
        platform: &kube::Client,
        namespace: &str,
        deploy: &DeployArgs,
    ) -> anyhow::Result<Opened> {
        let Self { gate_listen, pod_ip, gate_files } = self;
        let listener = match gate_listen {
            Some(address) => Some(
                TcpListener::bind(address)
                    .await
                    .with_context(|| format!("failed to listen on {address}"))
                    .hint("choose another address with --gate-listen")?,
            ),
            None => None,
        };
        if let (Some(listener), Some(folder)) = (listener.as_ref(), gate_files.as_ref()) {
            tracing::info!(address = %listener.local_addr()?, folder = %folder.display(), "the gate for agents is open");
        }
        match (listener, gate_files) {
            (Some(listener), Some(folder)) => {
                Ok(Opened { gate: Some(by_files(listener, folder)?), enrolment: None })
            }
            (listener, _) => {
                let port = listener.as_ref().map(TcpListener::local_addr).transpose()?.map(|at| at.port());
                let enrolment = Enrolment::new(deploy.enrolment(platform, namespace, pod_ip, port));
                let gate = listener.map(|listener| AgentGate {
                    listener,
                    inputs: enrolment.inputs(),
                    recorded: enrolment.recorded(),
                });
                Ok(Opened { gate, enrolment: Some(enrolment) })
            }
        }
    }
}

/// A gate that goes by the files of a folder, which are read again and again.
fn by_files(listener: TcpListener, folder: PathBuf) -> anyhow::Result<AgentGate> {
    let files = Files::read(&folder).hint("see docs/agents.md for what belongs into --gate-files")?;
    files.credentials.server().hint("tls.crt, tls.key and ca.crt are PEM, and fit together")?;
    let (recorded_sender, recorded) = watch::channel(Some(files.recorded()));
    let (credentials_sender, credentials) = watch::channel(Some(files.credentials));
    let (agents_sender, agents) = watch::channel(files.agents);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            // Half of a change is none: nothing of it holds before all of it can be read.
            match Files::read(&folder) {
                Ok(files) => {
                    tell(&recorded_sender, Some(files.recorded()));
                    tell(&agents_sender, files.agents);
                    tell(&credentials_sender, Some(files.credentials));
                }
                Err(error) => tracing::warn!("the files of the gate stay as they were: {error:#}"),
            }
        }
    });
    Ok(AgentGate { listener, inputs: Inputs { credentials, agents, visits: Visits::default() }, recorded })
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
