//! Child processes that never outlive the test.
//!
//! Each is killed when its [`Process`] is dropped. When the test itself is killed, nothing is dropped:
//! then the kernel kills the child, because `setpriv --pdeathsig` asked it to when the *thread* that
//! started the child ends. A thread of a runtime may end long before the test, so one thread that
//! lives as long as the test starts all children.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::wait::{Look, wait_until};

/// How much of a log is shown when something fails.
const TAIL_BYTES: u64 = 6_000;

struct Order {
    command: Command,
    reply: mpsc::Sender<io::Result<Child>>,
}

static SPAWNER: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
    let (orders, inbox) = mpsc::channel::<Order>();
    let work = move || {
        for Order { mut command, reply } in inbox {
            // Nobody waits for the reply any more only when the whole test is over.
            let _ = reply.send(command.spawn());
        }
    };
    // Without the thread, the first order says that it has ended.
    let _ = thread::Builder::new().name("start processes".to_owned()).spawn(work);
    Mutex::new(orders)
});

fn spawn(command: Command) -> anyhow::Result<Child> {
    let (reply, answer) = mpsc::channel();
    let orders = SPAWNER.lock().map_err(|_| anyhow::anyhow!("the thread that starts processes panicked"))?;
    orders.send(Order { command, reply }).context("the thread that starts processes has ended")?;
    Ok(answer.recv().context("the thread that starts processes has ended")??)
}

/// A running program with its log.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program. Its output is appended to `<logs>/<name>.log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start<A: AsRef<OsStr>>(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(&str, &str)],
        logs: &Path,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(logs).with_context(|| format!("failed to create {}", logs.display()))?;
        let log = logs.join(format!("{name}.log"));
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("failed to open {}", log.display()))?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(logs)
            .stdin(Stdio::null())
            .stdout(output.try_clone().with_context(|| format!("failed to share {}", log.display()))?)
            .stderr(output)
            .process_group(0);
        let child = spawn(command).with_context(|| format!("failed to start {name}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the kernel does not know.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("failed to look at {}", self.name))
    }

    /// Waits for a condition that the process brings about.
    ///
    /// # Errors
    /// When the process ends or the condition does not hold in time; with the end of its log.
    pub async fn wait_ready<T>(
        &mut self,
        what: &str,
        timeout: Duration,
        mut look: impl AsyncFnMut() -> Look<T>,
    ) -> anyhow::Result<T> {
        let waited = wait_until(what, timeout, async || {
            if let Some(status) = self.ended()? {
                bail!("{} has ended: {status}", self.name);
            }
            Ok(look().await)
        })
        .await;
        waited.with_context(|| format!("{}\nwhat {} wrote last:", self.log_tail(), self.name))
    }

    /// Asks the process to end, as a person does, and waits until it has.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn terminate(mut self, timeout: Duration) -> anyhow::Result<ExitStatus> {
        kill_process(self.pid()?, Signal::TERM).with_context(|| format!("failed to signal {}", self.name))?;
        let what = format!("{} ends after SIGTERM", self.name);
        wait_until(&what, timeout, async || Ok(self.ended()?.ok_or_else(|| "it still runs".to_owned()))).await
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill_process(self.pid()?, signal).with_context(|| format!("failed to signal {}", self.name))
    }

    /// The end of the log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        log_tail(&self.log)
    }

    fn pid(&self) -> anyhow::Result<Pid> {
        let id = i32::try_from(self.child.id())?;
        Pid::from_raw(id).context("a process id is never 0")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(pid) = self.pid() {
            // Fails when it has ended already.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// The end of a log file, from the start of a line.
#[must_use]
pub fn log_tail(log: &Path) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let whole_lines =
            if length > TAIL_BYTES { text.split_once('\n').map(|(_, rest)| rest) } else { None };
        Ok(whole_lines.unwrap_or(&text).to_owned())
    };
    read().unwrap_or_else(|error| format!("unable to read {}: {error}", log.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(10);

    fn is_alive(id: u32) -> bool {
        // A zombie has ended; it has no command line any more.
        std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty())
    }

    #[test]
    fn a_dropped_process_is_gone_with_its_children() {
        let logs = tempfile::tempdir().unwrap();
        let script = "sleep 600 & echo $!; wait";
        let process = Process::start("parent", Path::new("sh"), ["-c", script], &[], logs.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let child: u32 = runtime
            .block_on(wait_until("the child says its id", SECOND, async || {
                Ok(process.log_tail().trim().parse().map_err(|_| process.log_tail()))
            }))
            .unwrap();
        assert!(is_alive(child));
        let parent = process.id();
        drop(process);
        assert!(!is_alive(parent));
        // init, or nobody, reaps the child; its command line is gone at once.
        runtime
            .block_on(wait_until("the child is gone", SECOND, async || {
                Ok(if is_alive(child) { Err("alive".to_owned()) } else { Ok(()) })
            }))
            .unwrap();
    }

    #[test]
    #[ignore = "the next test starts this one as a process of its own"]
    fn helper_that_starts_a_process_and_hangs() {
        let logs = tempfile::tempdir().unwrap();
        let process = Process::start("sleep", Path::new("sleep"), ["600"], &[], logs.path()).unwrap();
        println!("\nchild {}.", process.id());
        thread::sleep(SECOND * 60);
    }

    #[tokio::test]
    async fn a_killed_test_leaves_no_process_behind() {
        let logs = tempfile::tempdir().unwrap();
        let helper = "process::tests::helper_that_starts_a_process_and_hangs";
        let arguments = ["--exact", helper, "--ignored", "--nocapture"];
        let test =
            Process::start("test", &std::env::current_exe().unwrap(), arguments, &[], logs.path()).unwrap();
        let child = wait_until("the test says the id of its child", SECOND, async || {
            let log = test.log_tail();
            let id = log.lines().find_map(|line| line.strip_prefix("child ")?.strip_suffix('.'));
            Ok(id.and_then(|id| id.parse().ok()).ok_or(log.clone()))
        })
        .await
        .unwrap();
        assert!(is_alive(child));
        kill_process(test.pid().unwrap(), Signal::KILL).unwrap();
        wait_until("the child is gone", SECOND, async || {
            Ok(if is_alive(child) { Err("alive".to_owned()) } else { Ok(()) })
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn a_process_that_ends_early_shows_its_log() {
        let logs = tempfile::tempdir().unwrap();
        let mut process =
            Process::start("early", Path::new("sh"), ["-c", "echo no port; exit 3"], &[], logs.path())
                .unwrap();
        let waited: anyhow::Result<()> =
            process.wait_ready("it is ready", SECOND, async || Err("not yet".to_owned())).await;
        let message = format!("{:#}", waited.unwrap_err());
        assert!(message.contains("no port") && message.contains("exit status: 3"), "{message}");
    }

    #[tokio::test]
    async fn a_process_that_is_asked_to_end_ends() {
        let logs = tempfile::tempdir().unwrap();
        let process = Process::start("sleep", Path::new("sleep"), ["600"], &[], logs.path()).unwrap();
        let status = process.terminate(SECOND).await.unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    }
}
