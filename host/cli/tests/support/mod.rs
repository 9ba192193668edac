//! Runs the binary, and waits for what it says.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(unreachable_pub, reason = "a test has no outside; here `pub` says what the tests use")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use jsonschema::Validator;
use serde_json::Value;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_openmcp-dns");

/// How long a test waits for anything: much longer than it takes on a machine under load.
const PATIENCE: Duration = Duration::from_secs(30);

/// The folder of the example landscape.
pub fn example() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/landscape")
}

/// A copy of the example landscape that a test may change.
pub fn copy_of_the_example() -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for cluster in std::fs::read_dir(example()).unwrap().map(Result::unwrap) {
        if !cluster.file_type().unwrap().is_dir() {
            continue;
        }
        let folder = copy.path().join(cluster.file_name());
        std::fs::create_dir(&folder).unwrap();
        for file in std::fs::read_dir(cluster.path()).unwrap().map(Result::unwrap) {
            std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
    }
    copy
}

/// A manifest that publishes a name at an address.
pub fn ingress(host: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {host}, namespace: default}}\n\
         spec: {{rules: [{{host: {host}}}]}}\nstatus: {{loadBalancer: {{ingress: [{{ip: 172.18.201.77}}]}}}}\n"
    )
}

/// A command that has ended.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A command of the binary, without what the environment of the test might set.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments);
    for variable in ["OPENMCP_DNS_SERVER", "OPENMCP_DNS_ETCD", "RUST_LOG", "KUBECONFIG"] {
        command.env_remove(variable);
    }
    command
}

/// Runs the binary to its end.
pub fn run(arguments: &[&str]) -> Done {
    let output = command(arguments).output().unwrap();
    Done {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Reads a JSON document that a command has printed, which has to be as `openmcp-dns schema OUTPUT` says.
pub fn document(output: &str, text: &str) -> Value {
    let document: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    if let Err(error) = schema(output).validate(&document) {
        panic!("not as the schema of {output} says: {error}, at {}: {document:#}", error.instance_path());
    }
    document
}

/// The schema of an output, which is asked for once.
fn schema(output: &str) -> &'static Validator {
    static KNOWN: Mutex<BTreeMap<String, &'static Validator>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(output.to_owned()).or_insert_with(|| {
        let printed: Value = serde_json::from_str(&run(&["schema", output]).stdout).unwrap();
        Box::leak(Box::new(jsonschema::validator_for(&printed).unwrap()))
    })
}

/// An event by its kind and by what it says.
pub type Wanted<'w> = (&'w str, &'w dyn Fn(&Value) -> bool);

/// A demo that watches, with JSON output.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    pub server: SocketAddr,
    /// What it has shown first.
    pub started: Value,
}

impl Running {
    /// Starts the demo, and waits until it shows its overview.
    pub fn start(landscape: &Path) -> Self {
        Self::start_with(landscape, &[])
    }

    /// Starts the demo with further arguments.
    pub fn start_with(landscape: &Path, arguments: &[&str]) -> Self {
        let running = Self::start_however(landscape, arguments);
        assert_eq!(running.started["allMatch"], true, "{}", running.started);
        running
    }

    /// Starts the demo on a landscape of which not all is well.
    pub fn start_however(landscape: &Path, arguments: &[&str]) -> Self {
        let mut child = command(&["demo", landscape.to_str().unwrap(), "--output", "json"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let server = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut running = Self { child, lines, server, started: Value::Null };
        let started = running.event("started", |_| true);
        running.server = started["server"].as_str().unwrap().parse().unwrap();
        running.started = started;
        running
    }

    /// Waits for an event.
    pub fn event(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.next_event(|event| event["event"] == kind && fits(event))
    }

    /// Waits for the first event that fits.
    pub fn next_event(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            let event = document("demo-events", &line);
            if fits(&event) {
                return event;
            }
            seen.push(line);
        }
        panic!("no such event, but {seen:#?}");
    }

    /// Waits for several events, in whatever order they come.
    pub fn all(&mut self, wanted: &[Wanted<'_>]) {
        let mut missing: Vec<&Wanted<'_>> = wanted.iter().collect();
        while !missing.is_empty() {
            let fits = |event: &Value, (kind, fits): &Wanted<'_>| event["event"] == *kind && fits(event);
            let event = self.next_event(|event| missing.iter().any(|wanted| fits(event, wanted)));
            missing.retain(|wanted| !fits(&event, wanted));
        }
    }

    /// Asks the demo's DNS server for addresses.
    pub fn ask(&self, name: &str) -> Vec<String> {
        ask(self.server, name)
    }

    /// Waits until the demo's DNS server has an answer for a name.
    pub fn wait_until_answered(&self, name: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.ask(name) == ["NXDOMAIN"] {
            assert!(Instant::now() < deadline, "{name} is not answered");
        }
    }

    /// Ends the demo by a signal, expects that it ends well, and gives its last line.
    pub fn end(mut self, signal: &str) -> Value {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let stopped = self.event("stopped", |_| true);
        assert!(self.lines.recv_timeout(PATIENCE).is_err(), "something was said after the last line");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        stopped
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, unless the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a DNS server for IPv4 addresses: the addresses, `NXDOMAIN`, or what went wrong.
pub fn ask(server: SocketAddr, name: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        let name_server = NameServerConfig::new(server.ip(), true, connections.to_vec());
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server]);
        let mut options = ResolverOpts::default();
        options.cache_size = 0;
        options.attempts = 1;
        options.timeout = Duration::from_secs(2);
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .unwrap();
        match resolver.lookup(format!("{name}."), RecordType::A).await {
            Ok(found) => {
                let mut values: Vec<String> =
                    found.answers().iter().map(|record| record.data.to_string()).collect();
                values.sort();
                values
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
                ResponseCode::NXDomain => vec!["NXDOMAIN".to_owned()],
                code => vec![format!("no records: {code}")],
            },
            Err(error) => vec![format!("error: {error}")],
        }
    })
}

/// The output without what differs between two runs: ports, times, and the column widths that
/// depend on them.
pub fn masked(text: &str) -> String {
    let mut masked = String::new();
    for line in text.lines() {
        let line = line.replace(example(), "examples/landscape");
        let line = mask_after(&line, "127.0.0.1:", "PORT");
        let line = mask_after(&line, "127.0.0.1 -p ", "PORT");
        let is_probe = line.contains(" ms ") || line.contains("EXPECTED");
        let line = if is_probe { without_times(&line) } else { line };
        masked.push_str(&line);
        masked.push('\n');
    }
    masked
}

fn mask_after(line: &str, before: &str, mask: &str) -> String {
    match line.split_once(before) {
        Some((head, tail)) => {
            let rest = tail.trim_start_matches(|character: char| character.is_ascii_digit());
            format!("{head}{before}{mask}{rest}")
        }
        None => line.to_owned(),
    }
}

fn without_times(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let words = words.iter().enumerate().map(
        |(index, word)| {
            if words.get(index + 1) == Some(&"ms") { "TIME" } else { word }
        },
    );
    format!("  {}", words.collect::<Vec<_>>().join(" "))
}
