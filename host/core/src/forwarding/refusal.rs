//! Why a cluster's DNS is left as it is.

use thiserror::Error;

use super::Strategy;
use crate::corefile::CorefileError;

/// Why a cluster's DNS is left as it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A Corefile is not understood, or does not allow our block.
    #[error("{place} is left alone")]
    Corefile {
        /// Where it stands.
        place: String,
        /// Why, with the line.
        #[source]
        source: CorefileError,
    },
    /// Something else is not as it has to be.
    #[error("{place} is left alone: {why}")]
    NotUnderstood {
        /// Where it stands.
        place: String,
        /// Why.
        why: String,
    },
    /// Somebody else forwards the zone, to other servers.
    #[error(
        "{place} has the zone already, and the entry is not ours: remove it, or leave the zone to it (strategy manual)"
    )]
    Taken {
        /// Where it stands.
        place: String,
    },
    /// There is nothing that could be changed in this way.
    #[error(
        "the DNSServiceConfig asks for strategy {0}, and the cluster has nothing that could be changed in that way"
    )]
    NotPossible(Strategy),
}
