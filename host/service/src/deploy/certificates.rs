//! The certificates of etcd and of those who may talk to it: made and renewed here, or given.
//!
//! etcd reads its certificate at every handshake, and whom it trusts at its start only; CoreDNS reads both at its start. The
//! store of the service prepares its connection anew when its files change.

use k8s_openapi::jiff::Timestamp;
use openmcp_dns_core::deployment::{
    AUTHORITY_SECRET, READER_SECRET, SERVER_SECRET, WRITER_SECRET, server_names,
};

use crate::certificates::{Authority, AuthorityId, CertificateError, Keeper, Pair, Purpose};

/// Etcd's authority.
pub(super) const AUTHORITY: AuthorityId =
    AuthorityId { secret: AUTHORITY_SECRET, common_name: "openmcp-dns etcd authority" };

/// What was issued.
pub(super) struct Issued {
    /// For etcd, which reads it from its Secret.
    pub(super) server: Pair,
    /// For the central DNS servers.
    pub(super) reader: Pair,
    /// For the service itself.
    pub(super) writer: Pair,
}

impl Issued {
    /// Makes what is missing, renews what ends soon, and has another authority take over in time. `is_settled` says of
    /// what was issued last whether everybody runs with it.
    pub(super) async fn ensure(
        keeper: &Keeper,
        is_settled: impl Fn(&Self) -> bool,
    ) -> Result<Self, CertificateError> {
        let now = Timestamp::now();
        let authority = keeper.authority(now).await?;
        let issued = Self::issue(keeper, &authority, now).await?;
        match keeper.rotate(&authority, is_settled(&issued), now).await? {
            Some(rotated) => Self::issue(keeper, &rotated, now).await,
            None => Ok(issued),
        }
    }

    /// What somebody else keeps in the Secrets.
    pub(super) async fn given(keeper: &Keeper) -> Result<Self, CertificateError> {
        Ok(Self {
            server: keeper.given(SERVER_SECRET).await?,
            reader: keeper.given(READER_SECRET).await?,
            writer: keeper.given(WRITER_SECRET).await?,
        })
    }

    async fn issue(keeper: &Keeper, authority: &Authority, now: Timestamp) -> Result<Self, CertificateError> {
        let purpose = |secret: &str, common_name: &str, names| Purpose {
            secret: secret.to_owned(),
            common_name: common_name.to_owned(),
            names,
            // Every pod is made anew with another one.
            keeps_former: false,
        };
        let server = purpose(SERVER_SECRET, "openmcp-dns-etcd", server_names(&keeper.namespace));
        let reader = purpose(READER_SECRET, "openmcp-dns-reader", Vec::new());
        let writer = purpose(WRITER_SECRET, "openmcp-dns-writer", Vec::new());
        Ok(Self {
            server: keeper.issued(&server, authority, now).await?,
            reader: keeper.issued(&reader, authority, now).await?,
            writer: keeper.issued(&writer, authority, now).await?,
        })
    }
}
