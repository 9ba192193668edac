//! Forward: makes each cluster's own DNS send questions for the zone to the central DNS server.
//!
//! ```text
//! ConfigMap kube-system/coredns ──follow──► apply ──patch──► ConfigMap ──► CoreDNS ◄──verify
//! ```
//! This is the layout of kubeadm and kind: the key `Corefile` of that ConfigMap. The pure core edits
//! the text and refuses what it does not understand; a refusal leaves the text as it is. That the
//! API server took the text is no success: only an answer from the cluster's DNS is.

mod apply;
mod follow;
mod verify;

pub use apply::{ForwardError, apply, remove};
pub use follow::{Layout, follow};
pub use verify::{Verified, verify};

/// Where CoreDNS's configuration lies in clusters of the kubeadm layout.
const NAMESPACE: &str = "kube-system";
const CONFIG_MAP: &str = "coredns";
const KEY: &str = "Corefile";
