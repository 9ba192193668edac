//! The gate: what external-dns in a cluster takes for its etcd.
//!
//! ```text
//! external-dns ──TLS──► identity: which cluster? ──► budget ──► rpc ──Request──► Backend
//! ```
//! It speaks the part of etcd's gRPC API that external-dns uses ([`openmcp_dns_core::agents`]) and refuses everything
//! else in etcd's words. Who asks is known by the fingerprint of its certificate alone: nothing that a request says
//! leads to another cluster. Each cluster has budgets of its own, so that one cannot keep others waiting, and each
//! wait for a client has an end.

mod budget;
mod convert;
mod identity;
mod messages;
mod peers;
mod response;
mod rpc;
mod server;
#[cfg(test)]
mod tests;
mod visits;

use async_trait::async_trait;
use openmcp_dns_core::agents::{Refusal, Reply, Request};
use openmcp_dns_core::cluster::ClusterId;

pub use identity::{Agents, Credentials, CredentialsError, Fingerprint, NoFingerprint};
pub use server::{Gate, Inputs};
pub use visits::{Visit, Visits};

/// Tells one connection of an agent from another.
pub type ConnectionNumber = u64;

/// What answers agents.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Does what an agent asks of its own etcd. It is not cut off, also when nobody waits for the answer any more.
    ///
    /// # Errors
    /// When it is refused; nothing has changed then.
    async fn ask(
        &self,
        cluster: &ClusterId,
        connection: ConnectionNumber,
        request: Request,
    ) -> Result<Reply, Refusal>;
}
