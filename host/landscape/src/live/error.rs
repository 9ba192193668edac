//! Why a running landscape cannot be read.

use thiserror::Error;

/// Why a running landscape cannot be read. That a cluster does not answer is no reason: the landscape
/// says so.
#[derive(Debug, Error)]
pub enum LiveError {
    /// The platform cluster does not list what says which policies and clusters there are.
    #[error("unable to list the {what} of the platform cluster")]
    List {
        /// The resources, in the plural of their kind.
        what: &'static str,
        /// Why.
        source: kube::Error,
    },
    /// The platform cluster does not list the Secrets with the clusters' kubeconfigs.
    #[error("unable to list the Secrets with kubeconfigs")]
    Access(#[source] kube::Error),
    /// There is no policy.
    #[error("the platform cluster has no DNSPolicy")]
    NoPolicy,
    /// It is not said which policy is meant.
    #[error("there are several DNSPolicies: {}", names.join(", "))]
    SeveralPolicies {
        /// All of them.
        names: Vec<String>,
    },
    /// There is no policy of this name.
    #[error("there is no DNSPolicy {name}")]
    UnknownPolicy {
        /// The name that was asked for.
        name: String,
        /// The policies that there are.
        names: Vec<String>,
    },
    /// The policy holds for nothing.
    #[error("the DNSPolicy {name} holds for no Cluster")]
    NoCluster {
        /// Name of the policy.
        name: String,
    },
}
