//! An OCI registry: Debian's `docker-registry`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpStream;

use crate::certificates::Certificates;
use crate::ports::free_address;
use crate::process::Process;

const START: Duration = Duration::from_secs(30);

/// The only user where a registry asks for one.
pub const USER: &str = "robot";

/// The user's password. It must never be seen anywhere.
pub const PASSWORD: &str = "correct horse battery staple";

/// The same as bcrypt has it, with the least work for the registry.
const HTPASSWD: &str = "robot:$2b$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG\n";

/// How a registry is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// https, and the user has to say who they are.
    Guarded,
    /// https, and anybody may come.
    Open,
    /// Plain http, and the user has to say who they are.
    Plain,
}

/// One registry. Several may have the same storage.
pub struct Registry {
    /// Where it listens.
    pub address: SocketAddr,
    /// Certificate of its authority, as a file in PEM form.
    pub authority: PathBuf,
    _process: Process,
}

impl Registry {
    /// Starts it, and waits until it listens. `storage` is where its content lies.
    ///
    /// # Errors
    /// When it is not installed, or does not start.
    pub async fn start(door: Door, storage: &Path, folder: &Path, logs: &Path) -> anyhow::Result<Self> {
        let name = format!("registry-{door:?}").to_lowercase();
        let folder = folder.join(&name);
        std::fs::create_dir_all(&folder).with_context(|| format!("failed to create {}", folder.display()))?;
        let write = |file: &str, text: &str| -> anyhow::Result<PathBuf> {
            let path = folder.join(file);
            std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
            Ok(path)
        };
        let certificates = Certificates::create(&name, &folder)?;
        let authority = write("ca.crt", &certificates.authority)?;
        let address = free_address()?;
        let mut config = format!(
            "version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {storage}}}
http:
  addr: {address}
  relativeurls: true
",
            storage = storage.display(),
        );
        if door != Door::Plain {
            config.push_str(&format!(
                "  tls: {{certificate: {}, key: {}}}\n",
                certificates.server_certificate.display(),
                certificates.server_key.display()
            ));
        }
        if door != Door::Open {
            let passwords = write("htpasswd", HTPASSWD)?;
            config.push_str(&format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", passwords.display()));
        }
        let config = write("config.yml", &config)?;
        let arguments = [Path::new("serve"), config.as_path()];
        let mut process = Process::start(&name, &program()?, arguments, &[], logs)?;
        process
            .wait_ready(&format!("{name} listens"), START, async || {
                TcpStream::connect(address).await.map(drop).map_err(|error| error.to_string())
            })
            .await?;
        Ok(Self { address, authority, _process: process })
    }
}

fn program() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("docker-registry"));
    match found.into_iter().find(|program| program.is_file()) {
        Some(program) => Ok(program),
        None => bail!("docker-registry is missing\nhint: run scripts/setup test"),
    }
}

/// The content of a `config.json` or pull secret with a password for one registry.
#[must_use]
pub fn docker_config(registry: SocketAddr, password: &str) -> String {
    serde_json::json!({ "auths": { registry.to_string(): { "username": USER, "password": password } } })
        .to_string()
}
