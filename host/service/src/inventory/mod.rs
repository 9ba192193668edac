//! How the service gets into the clusters of the landscape.
//!
//! ```text
//! Inventory ──Update<(ClusterId, Access)>──► LandscapeController ──► ClusterController ──Access::client──► cluster
//! ```
//! An inventory says which [`Access`] there is; whoever works in a cluster makes a client of it.

pub mod access_requests;
mod kubeconfig;
mod secrets;

use std::fmt;

use async_trait::async_trait;
use openmcp_dns_api::NotGranted;
use openmcp_dns_api::conditions::{Finding, Reason};
use openmcp_dns_core::cluster::ClusterId;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::watch::Update;
pub use access_requests::AccessRequestInventory;
pub use kubeconfig::KubeconfigError;
pub use secrets::SecretInventory;

/// Knows how to get into clusters.
#[async_trait]
pub trait Inventory: Send + Sync + 'static {
    /// Reports all access, and what changes, until nobody listens any more.
    async fn follow(&self, updates: mpsc::Sender<Update<(ClusterId, Access)>>);

    /// What to do where a cluster has none, for people.
    fn advice(&self, cluster: &ClusterId) -> String;

    /// The service is responsible for a cluster, and needs a way into it.
    fn want(&self, _cluster: &ClusterId) {}

    /// A cluster does not take what grants access to it any more: there may be something newer.
    fn refused(&self, _cluster: &ClusterId) {}

    /// The service leaves a cluster, and has done there what it had to. Gives whether nothing of the access is left.
    ///
    /// # Errors
    /// When the platform cluster does not let it.
    async fn give_back(&self, _cluster: &ClusterId) -> kube::Result<bool> {
        Ok(true)
    }
}

/// What grants access to one cluster. Two that are equal lead to the same place in the same way, so a
/// connection that was opened with one need not be opened anew with the other.
#[derive(Clone)]
pub struct Access {
    /// Where it comes from, for people, for example `Secret openmcp-system/workload01`.
    origin: String,
    way: Way,
}

/// What becomes of a kubeconfig by which whoever sits on the way to the cluster may read its token and give
/// the answers: one without TLS, or that does not check the server's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Insecure {
    /// It is refused.
    #[default]
    Refused,
    /// It is used like any other.
    Allowed,
}

impl Insecure {
    /// As an option says it.
    #[must_use]
    pub const fn allowed_if(is_allowed: bool) -> Self {
        if is_allowed { Self::Allowed } else { Self::Refused }
    }
}

#[derive(Clone)]
enum Way {
    /// A kubeconfig as text, or why there is none.
    Kubeconfig { text: Result<String, String>, insecure: Insecure },
    /// Access has been asked for.
    Asked(NotGranted),
    /// A client that is there already, and which one it is.
    Client { client: kube::Client, version: u64 },
}

impl Access {
    /// Access by a kubeconfig, given as text, or why there is none. Insecure ones are refused.
    pub fn by_kubeconfig(origin: impl Into<String>, kubeconfig: Result<String, String>) -> Self {
        Self {
            origin: origin.into(),
            way: Way::Kubeconfig { text: kubeconfig, insecure: Insecure::default() },
        }
    }

    /// Access that has been asked for and is not granted.
    pub fn not_granted(origin: impl Into<String>, why: NotGranted) -> Self {
        Self { origin: origin.into(), way: Way::Asked(why) }
    }

    /// The same, and this becomes of an insecure kubeconfig.
    #[must_use]
    pub fn with_insecure(mut self, allowed: Insecure) -> Self {
        if let Way::Kubeconfig { insecure, .. } = &mut self.way {
            *insecure = allowed;
        }
        self
    }

    /// Access by a client that is there already. Clients of one origin with different versions lead to
    /// different places, for example to a cluster and to the one that was created in its stead.
    pub fn by_client(origin: impl Into<String>, client: kube::Client, version: u64) -> Self {
        Self { origin: origin.into(), way: Way::Client { client, version } }
    }

    /// A client for the cluster. Nothing is asked of the cluster yet.
    ///
    /// # Errors
    /// When no client can be made of what there is.
    pub async fn client(&self) -> Result<kube::Client, AccessError> {
        match &self.way {
            Way::Kubeconfig { text: Ok(text), insecure } => {
                Ok(kubeconfig::client(text, &self.origin, *insecure).await?)
            }
            Way::Kubeconfig { text: Err(why), .. } => Err(AccessError::Missing(why.clone())),
            Way::Asked(why) => Err(AccessError::NotGranted(why.clone())),
            Way::Client { client, version: _ } => Ok(client.clone()),
        }
    }
}

impl PartialEq for Access {
    fn eq(&self, other: &Self) -> bool {
        let is_same_way = match (&self.way, &other.way) {
            (Way::Kubeconfig { text, insecure }, Way::Kubeconfig { text: other, insecure: allowed }) => {
                text == other && insecure == allowed
            }
            (Way::Client { version: one, .. }, Way::Client { version: other, .. }) => one == other,
            (Way::Asked(why), Way::Asked(other)) => why == other,
            (Way::Kubeconfig { .. } | Way::Client { .. } | Way::Asked(_), _) => false,
        };
        is_same_way && self.origin == other.origin
    }
}

impl fmt::Debug for Access {
    /// Without the kubeconfig: it holds credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Why there is no client.
#[derive(Debug, Error)]
pub enum AccessError {
    /// There is no kubeconfig.
    #[error("{0}")]
    Missing(String),
    /// The kubeconfig is of no use.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    /// Access has been asked for, and is not granted.
    #[error("{}", .0.message)]
    NotGranted(NotGranted),
}

impl AccessError {
    /// What a condition says of it.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let message = openmcp_dns_core::chain(self);
        match self {
            Self::Missing(_) | Self::Kubeconfig(_) => Finding::bad(Reason::KubeconfigInvalid, message),
            Self::NotGranted(why) if why.is_denied => Finding::bad(Reason::AccessDenied, message),
            Self::NotGranted(_) => Finding::unknown(Reason::AccessPending, message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client of a server that does not exist.
    fn client() -> kube::Client {
        let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        kube::Client::try_from(config).unwrap()
    }

    #[tokio::test]
    async fn access_is_the_same_until_its_kubeconfig_its_client_or_its_origin_is_another() {
        let text = |text: &str| Access::by_kubeconfig("Secret a/b", Ok(text.to_owned()));
        assert_eq!(text("one"), text("one"));
        assert_ne!(text("one"), text("two"));
        assert_ne!(text("one"), Access::by_kubeconfig("Secret a/c", Ok("one".to_owned())));
        assert_ne!(text("one"), Access::by_kubeconfig("Secret a/b", Err("one".to_owned())));
        let given = |version| Access::by_client("Secret a/b", client(), version);
        assert_eq!(given(1), given(1));
        assert_ne!(given(1), given(2));
        assert_ne!(given(1), text("one"));
    }

    #[tokio::test]
    async fn access_gives_the_client_that_it_holds_and_says_why_it_has_none() {
        assert!(Access::by_client("memory", client(), 1).client().await.is_ok());
        let missing = Access::by_kubeconfig("Secret a/b", Err("Secret a/b has no data".to_owned()));
        let error = missing.client().await.err().unwrap();
        assert_eq!(openmcp_dns_core::chain(&error), "Secret a/b has no data");
    }

    #[test]
    fn access_does_not_show_its_credentials() {
        let access = Access::by_kubeconfig("Secret a/b", Ok("token: abc".to_owned()));
        assert!(!format!("{access:?}").contains("abc"), "{access:?}");
    }
}
