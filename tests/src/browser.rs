//! A browser without a window: Chromium, by its DevTools protocol.
//!
//! The protocol is JSON over a WebSocket: a call has a number, which its answer has, too; what happens meanwhile comes as
//! events, which are kept for whoever asks what a tab has said and loaded.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::process::Process;

/// How long Chromium may take to start, and for one call.
const PATIENCE: Duration = Duration::from_secs(60);

/// As root it has no sandbox; and it is to talk to nobody but us.
const ARGUMENTS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
];

/// A running Chromium.
pub struct Browser {
    socket: WebSocketStream<TcpStream>,
    calls: u64,
    events: Vec<Value>,
    // Ends before its profile is deleted.
    _process: Process,
    _profile: TempDir,
}

/// One tab of it.
#[derive(Clone, Debug)]
pub struct Tab(String);

impl Browser {
    /// Starts it, with a profile of its own.
    ///
    /// # Errors
    /// When there is no Chromium, or it does not start.
    pub async fn start(logs: &Path) -> anyhow::Result<Self> {
        let profile = tempfile::tempdir()?;
        let own = format!("--user-data-dir={}", profile.path().display());
        let arguments = ARGUMENTS.into_iter().chain([own.as_str(), "about:blank"]);
        let mut process = Process::start("chromium", &program()?, arguments, &[], logs)?;
        // The first line of this file is the port, the second the path.
        let told = profile.path().join("DevToolsActivePort");
        let (port, path) = process
            .wait_ready("Chromium says where it listens", PATIENCE, async || {
                let text = std::fs::read_to_string(&told).unwrap_or_default();
                let (port, path) = text.split_once('\n').ok_or("nothing yet")?;
                Ok((port.parse::<u16>().map_err(|error| error.to_string())?, path.trim().to_owned()))
            })
            .await?;
        let socket = connect(port, &path).await?;
        Ok(Self { socket, calls: 0, events: Vec::new(), _process: process, _profile: profile })
    }

    /// Opens a tab, and notes from then on what it says and loads.
    ///
    /// # Errors
    /// When Chromium refuses.
    pub async fn tab(&mut self) -> anyhow::Result<Tab> {
        let target = self.ask(None, "Target.createTarget", json!({ "url": "about:blank" })).await?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.ask(None, "Target.attachToTarget", attach).await?;
        let tab = Tab(session["sessionId"].as_str().context("a tab without a session")?.to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&tab, &format!("{domain}.enable"), json!({})).await?;
        }
        Ok(tab)
    }

    /// Calls a method of the protocol in a tab.
    ///
    /// # Errors
    /// When Chromium refuses.
    pub async fn call(&mut self, tab: &Tab, method: &str, parameters: Value) -> anyhow::Result<Value> {
        self.ask(Some(tab), method, parameters).await
    }

    /// Goes to an address.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn go(&mut self, tab: &Tab, url: &str) -> anyhow::Result<()> {
        let gone = self.call(tab, "Page.navigate", json!({ "url": url })).await?;
        ensure!(gone["errorText"].is_null(), "failed to go to {url}: {}", gone["errorText"]);
        Ok(())
    }

    /// The value of an expression of JavaScript.
    ///
    /// # Errors
    /// When it throws.
    pub async fn value(&mut self, tab: &Tab, expression: &str) -> anyhow::Result<Value> {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call(tab, "Runtime.evaluate", asked).await?;
        ensure!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        Ok(answer["result"]["value"].clone())
    }

    /// The same as text.
    ///
    /// # Errors
    /// When it throws.
    pub async fn text(&mut self, tab: &Tab, expression: &str) -> anyhow::Result<String> {
        let value = self.value(tab, expression).await?;
        Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// Draws the whole page in this width into a PNG file.
    ///
    /// # Errors
    /// When Chromium refuses, or the file cannot be written.
    pub async fn draw(&mut self, tab: &Tab, width: u32, file: &Path) -> anyhow::Result<()> {
        let size = |height: u64| json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call(tab, "Emulation.setDeviceMetricsOverride", size(800)).await?;
        let height = self.value(tab, "document.documentElement.scrollHeight").await?;
        let height = height.as_u64().context("a page has a height")?;
        self.call(tab, "Emulation.setDeviceMetricsOverride", size(height)).await?;
        let drawn = self.call(tab, "Page.captureScreenshot", json!({ "format": "png" })).await?;
        let png = BASE64_STANDARD.decode(drawn["data"].as_str().unwrap_or_default())?;
        std::fs::write(file, png).with_context(|| format!("failed to write {}", file.display()))
    }

    /// What a tab has said of errors so far: of scripts, of what was not loaded, and of what a policy forbids.
    ///
    /// # Errors
    /// When Chromium does not answer.
    pub async fn complaints(&mut self, tab: &Tab) -> anyhow::Result<Vec<String>> {
        let of_tab = self.happened(tab).await?;
        let complaints = of_tab.iter().filter_map(|event| {
            let params = &event["params"];
            let is_one = match event["method"].as_str()? {
                "Runtime.exceptionThrown" | "Network.loadingFailed" => true,
                "Log.entryAdded" => params["entry"]["level"] == "error",
                "Runtime.consoleAPICalled" => params["type"] == "error" || params["type"] == "warning",
                _ => false,
            };
            is_one.then(|| params.to_string())
        });
        Ok(complaints.collect())
    }

    /// The addresses that a tab has asked for so far.
    ///
    /// # Errors
    /// When Chromium does not answer.
    pub async fn requests(&mut self, tab: &Tab) -> anyhow::Result<Vec<String>> {
        let of_tab = self.happened(tab).await?;
        let asked = of_tab.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        Ok(asked
            .map(|event| event["params"]["request"]["url"].as_str().unwrap_or_default().to_owned())
            .collect())
    }

    /// All events of a tab; what has happened before this is called has been told when it returns.
    async fn happened(&mut self, tab: &Tab) -> anyhow::Result<Vec<Value>> {
        self.value(tab, "1").await?;
        Ok(self.events.iter().filter(|event| event["sessionId"] == tab.0.as_str()).cloned().collect())
    }

    async fn ask(&mut self, tab: Option<&Tab>, method: &str, parameters: Value) -> anyhow::Result<Value> {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": parameters });
        if let Some(Tab(session)) = tab {
            call["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(call.to_string())).await?;
        let answer = tokio::time::timeout(PATIENCE, self.answer(self.calls)).await;
        let answer = answer.with_context(|| format!("Chromium does not answer {method}"))??;
        ensure!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        Ok(answer["result"].clone())
    }

    async fn answer(&mut self, call: u64) -> anyhow::Result<Value> {
        loop {
            let message = self.socket.next().await.context("Chromium has ended")??;
            let Message::Text(text) = message else { continue };
            let told: Value = serde_json::from_str(&text)?;
            if told["id"] == call {
                return Ok(told);
            }
            self.events.push(told);
        }
    }
}

/// Debian's `chromium`, or what `OPENMCP_DNS_CHROMIUM` names.
fn program() -> anyhow::Result<PathBuf> {
    if let Some(program) = std::env::var_os("OPENMCP_DNS_CHROMIUM") {
        return Ok(PathBuf::from(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("chromium"));
    found.find(|program| program.is_file()).context("chromium is missing\nhint: run scripts/setup test")
}

/// Opens a WebSocket (RFC 6455 section 4.1). The key is always the same, because nobody sits between.
async fn connect(port: u16, path: &str) -> anyhow::Result<WebSocketStream<TcpStream>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.context("failed to reach Chromium")?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    // Byte by byte: what follows the head belongs to the WebSocket.
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    if !head.starts_with("HTTP/1.1 101") {
        bail!("Chromium opens no WebSocket: {head}");
    }
    Ok(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
}
