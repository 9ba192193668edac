//! etcd.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use etcd_client::{Client, GetOptions};
use rustix::process::Signal;

use crate::ports::free_address;
use crate::process::Process;
use crate::programs::Provided;

const START: Duration = Duration::from_secs(60);

/// Whether writes are safe on disk before they are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As in production.
    Synced,
    /// Good enough for an API server of a test.
    Unsynced,
}

/// A value as etcd holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The value, as text.
    pub value: String,
    /// The revision of its last change.
    pub changed_at: i64,
}

/// One etcd, of one member.
pub struct Etcd {
    /// Where clients reach it.
    pub endpoint: String,
    name: String,
    data: PathBuf,
    arguments: Vec<String>,
    logs: PathBuf,
    client: Client,
    process: Option<Process>,
}

impl Etcd {
    /// Starts it, and waits until it answers reads.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(
        name: &str,
        durability: Durability,
        folder: &Path,
        logs: &Path,
    ) -> anyhow::Result<Self> {
        let unsynced = match durability {
            Durability::Synced => [].as_slice(),
            Durability::Unsynced => &["--unsafe-no-fsync"],
        };
        Self::start_with(name, unsynced, folder, logs).await
    }

    /// Starts it with more arguments, and waits until it answers reads.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_with(
        name: &str,
        arguments: &[&str],
        folder: &Path,
        logs: &Path,
    ) -> anyhow::Result<Self> {
        let member = Member::new("test")?;
        let (endpoint, data) = (member.endpoint.clone(), folder.join("data"));
        let mut all = member.arguments(&data, &format!("test={}", member.peer));
        all.extend(arguments.iter().map(|&argument| argument.to_owned()));
        let (process, client) = run(name, &endpoint, &all, logs).await?;
        let (name, logs) = (name.to_owned(), logs.to_owned());
        Ok(Self { endpoint, name, data, arguments: all, logs, client, process: Some(process) })
    }

    /// Starts three members of one etcd, and waits until each answers reads.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start_three(folder: &Path, logs: &Path) -> anyhow::Result<Vec<Self>> {
        let members = ["one", "two", "three"].map(Member::new).into_iter().collect::<Result<Vec<_>, _>>()?;
        let peers: Vec<String> =
            members.iter().map(|member| format!("{}={}", member.name, member.peer)).collect();
        let starting = members.into_iter().map(async |member| {
            let data = folder.join(member.name);
            let mut arguments = member.arguments(&data, &peers.join(","));
            arguments.push("--unsafe-no-fsync".to_owned());
            let (process, client) = run(member.name, &member.endpoint, &arguments, logs).await?;
            let (name, logs) = (member.name.to_owned(), logs.to_owned());
            anyhow::Ok(Self {
                endpoint: member.endpoint,
                name,
                data,
                arguments,
                logs,
                client,
                process: Some(process),
            })
        });
        futures::future::try_join_all(starting).await
    }

    /// Stops the server, or lets it go on, as the kernel does it: it keeps its connections and says nothing.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self, is_frozen: bool) -> anyhow::Result<()> {
        let process = self.process.as_ref().context("etcd does not run")?;
        process.signal(if is_frozen { Signal::STOP } else { Signal::CONT })
    }

    /// Keeps what it holds in a folder, for which it is stopped and started again.
    ///
    /// # Errors
    /// When it cannot be copied, or etcd does not start.
    pub async fn back_up(&mut self, to: &Path) -> anyhow::Result<()> {
        self.stop();
        copy(&self.data, to)?;
        self.resume().await
    }

    /// Puts back what was kept, as for [`Self::back_up`].
    ///
    /// # Errors
    /// When it cannot be copied, or etcd does not start.
    pub async fn restore(&mut self, from: &Path) -> anyhow::Result<()> {
        self.stop();
        copy(from, &self.data)?;
        self.resume().await
    }

    /// Kills the server; its data stay.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts the server again, on the same port with the same data.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        let (process, client) = run(&self.name, &self.endpoint, &self.arguments, &self.logs).await?;
        (self.process, self.client) = (Some(process), client);
        Ok(())
    }

    /// A client of its own.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Writes a value.
    ///
    /// # Errors
    /// When etcd refuses.
    pub async fn put(&self, key: &str, value: &str) -> anyhow::Result<()> {
        self.client().put(key, value, None).await.with_context(|| format!("failed to write {key}"))?;
        Ok(())
    }

    /// Deletes one key.
    ///
    /// # Errors
    /// When etcd refuses.
    pub async fn delete(&self, key: &str) -> anyhow::Result<()> {
        self.client().delete(key, None).await.with_context(|| format!("failed to delete {key}"))?;
        Ok(())
    }

    /// All keys below a prefix.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub async fn below(&self, prefix: &str) -> anyhow::Result<BTreeMap<String, Stored>> {
        let options = GetOptions::new().with_prefix();
        let response = self.client().get(prefix, Some(options)).await;
        let response = response.with_context(|| format!("failed to read below {prefix}"))?;
        response
            .kvs()
            .iter()
            .map(|kv| {
                let value = String::from_utf8_lossy(kv.value()).into_owned();
                Ok((kv.key_str()?.to_owned(), Stored { value, changed_at: kv.mod_revision() }))
            })
            .collect()
    }

    /// The store's revision: it grows by one with every transaction that writes.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub async fn revision(&self) -> anyhow::Result<i64> {
        let response = self.client().get("revision", None).await.context("failed to read the revision")?;
        Ok(response.header().context("etcd's answer has no header")?.revision())
    }
}

/// Where a member is reached.
struct Member {
    name: &'static str,
    endpoint: String,
    peer: String,
}

impl Member {
    fn new(name: &'static str) -> anyhow::Result<Self> {
        let [endpoint, peer] = [free_address()?, free_address()?].map(|address| format!("http://{address}"));
        Ok(Self { name, endpoint, peer })
    }

    fn arguments(&self, data: &Path, cluster: &str) -> Vec<String> {
        let Self { name, endpoint, peer } = self;
        vec![
            format!("--name={name}"),
            format!("--data-dir={}", data.display()),
            format!("--listen-client-urls={endpoint}"),
            format!("--advertise-client-urls={endpoint}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster={cluster}"),
            "--log-level=warn".to_owned(),
        ]
    }
}

/// Makes one folder the same as another.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to).with_context(|| format!("failed to remove {}", to.display()))?;
    }
    std::fs::create_dir_all(to).with_context(|| format!("failed to create {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("failed to list {}", from.display()))? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), &to)
                .with_context(|| format!("failed to copy to {}", to.display()))?;
        }
    }
    Ok(())
}

async fn run(
    name: &str,
    endpoint: &str,
    arguments: &[String],
    logs: &Path,
) -> anyhow::Result<(Process, Client)> {
    let mut process = Process::start(name, &Provided::Etcd.path()?, arguments, &[], logs)?;
    let client = process
        .wait_ready(&format!("{name} answers"), START, async || {
            let connected = Client::connect([endpoint], None).await;
            let mut client = connected.map_err(|error| error.to_string())?;
            // A linearizable read: there is a leader.
            client.get("ready", None).await.map_err(|error| error.to_string())?;
            Ok(client)
        })
        .await?;
    Ok((process, client))
}
