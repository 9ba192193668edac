//! Copies of the node's hosts file that static pods of an API server have.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The first line of such a copy, for a pod on the node's network (kubelet, `managedHostsHeaderWithHostNetwork`).
const HEADER: &[u8] = b"# Kubernetes-managed hosts file (host network).\n";

/// The container of an API server, as kubeadm calls it.
const CONTAINER: &str = "kube-apiserver";

/// The static pods of an API server in the kubelet's folder of pods, each with its copy. The UID of a static pod is the
/// MD5 sum of its manifest, that of all others has hyphens: nobody who makes pods by the API is given a pod's file. One whose change
/// `is_begun` may be torn, and lack what shows that it is a copy.
pub(super) fn copies(folder: &Path, is_begun: impl Fn(&str) -> bool) -> io::Result<Vec<(String, PathBuf)>> {
    let mut copies = Vec::new();
    for entry in fs::read_dir(folder)? {
        let Ok(pod) = entry?.file_name().into_string() else { continue };
        let is_static = pod.len() == 32 && pod.bytes().all(|byte| byte.is_ascii_hexdigit());
        let copy = folder.join(&pod).join("etc-hosts");
        let has_container = || folder.join(&pod).join("containers").join(CONTAINER).is_dir();
        if is_static && has_container() && (is_begun(&pod) || is_copy(&copy)) {
            copies.push((pod, copy));
        }
    }
    copies.sort();
    Ok(copies)
}

/// Whether it is one. Our lines stand before what the kubelet has written.
fn is_copy(path: &Path) -> bool {
    let is_file = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    let mut bytes = Vec::new();
    let read =
        is_file && fs::File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut bytes)).is_ok();
    read && bytes.windows(HEADER.len()).any(|window| window == HEADER)
}

/// Most bytes that are looked at; a hosts file that has more is left alone.
const MOST: u64 = openmcp_dns_core::node_hosts::MAX_FILE_BYTES as u64;
