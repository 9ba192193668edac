//! CoreDNS: one process with a Corefile, and the central one with the `etcd` plugin.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use crate::dns::{Answer, Dns, Transport};
use crate::etcd::Etcd;
use crate::ports::free_address;
use crate::process::Process;
use crate::programs::Provided;

/// How long it may take until a CoreDNS answers.
pub(crate) const START: Duration = Duration::from_secs(90);

/// The reverse zone that the central DNS answers for beside the zone: that of workload01's addresses.
pub const REVERSE_ZONE: &str = "201.18.172.in-addr.arpa";

/// Starts CoreDNS with a Corefile that exists.
pub(crate) fn start(name: &str, corefile: &Path, logs: &Path) -> anyhow::Result<Process> {
    let arguments = ["-conf".as_ref(), corefile.as_os_str()];
    Process::start(name, &Provided::CoreDns.path()?, arguments, &[], logs)
}

/// The landscape's central DNS, and the DNS of the world outside.
pub struct CentralDns {
    /// Answers for the zone from the store.
    pub udp: Dns,
    /// Where clusters send what they do not know: a server that knows no name at all.
    pub outside: SocketAddr,
    _process: Process,
}

impl CentralDns {
    /// Starts it for a zone, and waits until it answers from the store.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(zone: &str, store: &Etcd, folder: &Path, logs: &Path) -> anyhow::Result<Self> {
        let address = free_address()?;
        let outside = free_address()?;
        let corefile: PathBuf = folder.join("central.Corefile");
        // No cache: each question shows what the store holds now.
        let text = format!(
            "{zone}:{port} {REVERSE_ZONE}:{port} {{
    bind {ip}
    errors
    etcd {{
        path /skydns
        endpoint {endpoint}
    }}
}}
.:{outside_port} {{
    bind {outside_ip}
    errors
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
",
            port = address.port(),
            ip = address.ip(),
            endpoint = store.endpoint,
            outside_port = outside.port(),
            outside_ip = outside.ip(),
        );
        std::fs::write(&corefile, text).with_context(|| format!("failed to write {}", corefile.display()))?;
        let mut process = start("central-coredns", &corefile, logs)?;
        let udp = Dns::new(address, Transport::Udp)?;
        process
            .wait_ready("the central CoreDNS answers from the store", START, async || {
                match udp.a(&format!("no-such-name.{zone}")).await {
                    Answer::NoSuchName => Ok(()),
                    other => Err(other.to_string()),
                }
            })
            .await?;
        Ok(Self { udp, outside, _process: process })
    }
}

/// Starts a CoreDNS that answers for a zone from a zone file, and waits until it does. It ends with the process.
///
/// # Errors
/// When it does not start.
pub async fn serve_zone_file(zone: &str, file: &Path, logs: &Path) -> anyhow::Result<(Dns, Process)> {
    let address = free_address()?;
    let corefile = file.with_extension("Corefile");
    let (ip, port) = (address.ip(), address.port());
    let text = format!("{zone}:{port} {{\n    bind {ip}\n    errors\n    file {}\n}}\n", file.display());
    std::fs::write(&corefile, text).with_context(|| format!("failed to write {}", corefile.display()))?;
    let mut process = start("zone-file-coredns", &corefile, logs)?;
    let udp = Dns::new(address, Transport::Udp)?;
    process
        .wait_ready("CoreDNS answers from the zone file", START, async || {
            match udp.a(&format!("no-such-name.{zone}")).await {
                Answer::NoSuchName => Ok(()),
                other => Err(other.to_string()),
            }
        })
        .await?;
    Ok((udp, process))
}
