//! etcd.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use etcd_client::{Client, GetOptions};

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
        let endpoint = format!("http://{}", free_address()?);
        let peer = format!("http://{}", free_address()?);
        let data: PathBuf = folder.join("data");
        let mut arguments = vec![
            "--name=test".to_owned(),
            format!("--data-dir={}", data.display()),
            format!("--listen-client-urls={endpoint}"),
            format!("--advertise-client-urls={endpoint}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=test={peer}"),
            "--log-level=warn".to_owned(),
        ];
        if durability == Durability::Unsynced {
            arguments.push("--unsafe-no-fsync".to_owned());
        }
        let (process, client) = run(name, &endpoint, &arguments, logs).await?;
        let (name, logs) = (name.to_owned(), logs.to_owned());
        Ok(Self { endpoint, name, arguments, logs, client, process: Some(process) })
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
