//! `openmcp-dns node-hosts` on files, and killed while it writes them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use support::{Done, command, run};

const THEIRS: &str = "# a node\n127.0.0.1 localhost\n10.9.9.9\ttheirs.openmcp.cluster";
const POD: &str = "0123456789abcdef0123456789abcdef";
const HEADER: &str = "# Kubernetes-managed hosts file (host network).\n";

/// A node: its `/etc`, and the kubelet's folder of pods.
struct Node {
    folder: tempfile::TempDir,
}

impl Node {
    fn new() -> Self {
        let node = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(node.path("etc")).unwrap();
        fs::write(node.path("etc/hosts"), THEIRS).unwrap();
        for pod in [POD, "0b1d2c3e-0000-4000-8000-000000000000"] {
            fs::create_dir_all(node.path(&format!("pods/{pod}/containers/kube-apiserver"))).unwrap();
            fs::write(node.path(&format!("pods/{pod}/etc-hosts")), format!("{HEADER}{THEIRS}")).unwrap();
        }
        let other = node.path("pods/fedcba9876543210fedcba9876543210");
        fs::create_dir_all(other.join("containers/etcd")).unwrap();
        fs::write(other.join("etc-hosts"), format!("{HEADER}{THEIRS}")).unwrap();
        node
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn copy(&self) -> String {
        self.read(&format!("pods/{POD}/etc-hosts"))
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let hosts = format!("--hosts={}", text(&self.path("etc/hosts")));
        let pods = format!("--static-pods={}", text(&self.path("pods")));
        let more = more.iter().map(|argument| argument.replace("NAMES", &text(&self.path("names"))));
        ["node-hosts".to_owned(), hosts, pods].into_iter().chain(more).collect()
    }

    fn run(&self, more: &[&str]) -> Done {
        let arguments = self.arguments(more);
        run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

#[test]
fn names_come_into_the_file_and_its_copy_and_go_to_the_byte() {
    let node = Node::new();
    fs::write(node.path("names"), "10.0.0.1 hook.openmcp.cluster\n10.0.0.2 theirs.openmcp.cluster\n")
        .unwrap();
    let before = node.run(&["--names=NAMES", "--check"]);
    assert_eq!((before.code, before.stderr.lines().count()), (1, 2), "{before:?}");
    assert!(before.stderr.contains("does not have the names as they are wanted"), "{before:?}");
    assert_eq!(node.run(&["--names=NAMES", "--once"]).code, 0);
    let lines = "# BEGIN openmcp-dns: the lines up to END are overwritten # openmcp-dns\n\
                 10.0.0.1\thook.openmcp.cluster # openmcp-dns\n# END openmcp-dns # openmcp-dns\n";
    assert_eq!(node.read("etc/hosts"), format!("{lines}{THEIRS}"));
    assert_eq!(node.copy(), format!("{lines}{HEADER}{THEIRS}"));
    for pod in ["0b1d2c3e-0000-4000-8000-000000000000", "fedcba9876543210fedcba9876543210"] {
        assert_eq!(node.read(&format!("pods/{pod}/etc-hosts")), format!("{HEADER}{THEIRS}"), "{pod}");
    }
    assert_eq!(node.run(&["--names=NAMES", "--check"]).code, 0);

    // Names of another revision are not written, and not those of a text that nobody here writes.
    fs::write(node.path("names"), "10.0.0.7 hook.openmcp.cluster\n").unwrap();
    let other = node.run(&["--names=NAMES", "--revision=0123", "--once"]);
    assert!(other.code == 1 && other.stderr.contains("not yet 0123"), "{other:?}");
    fs::write(node.path("names"), "hook.openmcp.cluster\n").unwrap();
    let wrong = node.run(&["--names=NAMES", "--once"]);
    assert!(wrong.code == 1 && wrong.stderr.contains("line 1 is not of the form"), "{wrong:?}");
    assert_eq!(node.read("etc/hosts"), format!("{lines}{THEIRS}"));

    assert_eq!(node.run(&["--once"]).code, 0);
    assert_eq!((node.read("etc/hosts"), node.copy()), (THEIRS.to_owned(), format!("{HEADER}{THEIRS}")));
    assert_eq!(fs::read_dir(node.path("etc")).unwrap().count(), 1);
}

/// Lines that grow overwrite the kubelet's first line before the rest: such a copy is known by what is kept beside the node's file.
#[test]
fn a_copy_that_was_torn_is_mended_although_it_lacks_the_line_of_the_kubelet() {
    let node = Node::new();
    let old = format!("{HEADER}{THEIRS}");
    let lines = "10.0.0.1\thook.openmcp.cluster # openmcp-dns\n".repeat(3);
    let new = format!("{lines}{old}");
    let torn = format!("{}{}", &new[..HEADER.len()], &old[HEADER.len()..]);
    let copy = format!("pods/{POD}/etc-hosts");
    fs::write(node.path(&copy), torn).unwrap();
    let kept = format!("openmcp-dns {} {}\n{old}{new}", old.len(), new.len());
    fs::write(node.path(&format!("etc/.hosts.openmcp-dns.change.{POD}")), kept).unwrap();
    assert_eq!(node.run(&["--once"]).code, 0);
    assert_eq!(node.copy(), old);
    assert_eq!(fs::read_dir(node.path("etc")).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_written_is_said_and_the_rest_is() {
    let node = Node::new();
    fs::write(node.path("names"), "10.0.0.1 hook.openmcp.cluster\n").unwrap();
    fs::remove_file(node.path("etc/hosts")).unwrap();
    std::os::unix::fs::symlink("elsewhere", node.path("etc/hosts")).unwrap();
    let done = node.run(&["--names=NAMES", "--once"]);
    assert!(done.code == 1 && done.stderr.contains("is no regular file and is left alone"), "{done:?}");
    assert!(node.copy().contains("hook.openmcp.cluster"));
}

/// Whoever is killed while it writes leaves the node's file whole at every moment, and what it has overwritten in its place
/// once the next one has begun.
#[test]
fn a_process_that_is_killed_again_and_again_leaves_whole_files() {
    let node = Node::new();
    let names = |round: usize| -> String {
        // Of very different lengths, over several pages.
        let number = [3, 200, 0, 120][round % 4];
        (0..number).map(|index| format!("10.0.{round}.{index} hook-{index:03}.openmcp.cluster\n")).collect()
    };
    let mut whole = vec![THEIRS.to_owned()];
    for round in 0..60 {
        fs::write(node.path("names"), names(round)).unwrap();
        let mut child = command(&[]);
        child.args(node.arguments(&["--names=NAMES"])).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = child.spawn().unwrap();
        // Some are killed before they have begun, some when they are done.
        std::thread::sleep(Duration::from_micros(fastrand::u64(0..60_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = node.read("etc/hosts");
        let now = without_lines(&found);
        assert_eq!(now, THEIRS, "round {round}");
        let complete =
            found.matches("# BEGIN openmcp-dns").count() == found.matches("# END openmcp-dns").count();
        assert!(complete, "round {round}: {found}");
        whole.push(found);
    }
    whole.dedup();
    assert!(whole.len() > 1, "each of them was killed before it had written anything");
    fs::write(node.path("names"), names(1)).unwrap();
    assert_eq!(node.run(&["--names=NAMES", "--check"]).code, 1);
    // As a pod does: it ends what was begun, and then does what is wanted.
    let mut child = command(&[]);
    let mut child = child.args(node.arguments(&["--names=NAMES"])).stderr(Stdio::null()).spawn().unwrap();
    let is_written = || node.run(&["--names=NAMES", "--check"]).code == 0;
    assert!((0..300).any(|_| is_written() || wait()), "it is not written");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(without_lines(&node.copy()), format!("{HEADER}{THEIRS}"));
    assert_eq!(node.copy().matches("hook-").count(), 200);
    assert_eq!(fs::read_dir(node.path("etc")).unwrap().count(), 1, "nothing is left beside the file");
}

/// Some time, which is never enough.
fn wait() -> bool {
    std::thread::sleep(Duration::from_millis(100));
    false
}

/// What is not ours.
fn without_lines(file: &str) -> String {
    file.split_inclusive('\n').filter(|line| !line.trim_end().ends_with("# openmcp-dns")).collect()
}
