//! What may go wrong with a registry.

use thiserror::Error;

use crate::remote::RemoteError;

/// What went wrong with a registry.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The server does not answer, or not as asked.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The registry wants credentials, and there are none for it.
    #[error("{registry} wants credentials and none are given for it; {advice}")]
    NoCredentials {
        /// The registry.
        registry: String,
        /// The next step.
        advice: &'static str,
    },
    /// The registry sends to another host for a token.
    #[error(
        "{registry} wants the credentials to be sent to {realm}, which is another domain or plain http; \
         they are not sent there"
    )]
    ForeignRealm {
        /// The registry.
        registry: String,
        /// Where the credentials should go.
        realm: String,
    },
    /// The registry asks for something else than a password or a token.
    #[error("{registry} asks for a kind of authentication that is not spoken here; Basic and Bearer are")]
    Challenge {
        /// The registry.
        registry: String,
    },
    /// A token service did not give a token.
    #[error("{host} gave no token that can be used")]
    Token {
        /// The token service.
        host: String,
    },
    /// What came is something else than what was asked for.
    #[error("{registry} gives {what} with the digest {found} instead of {expected}")]
    Digest {
        /// The registry.
        registry: String,
        /// What was asked for.
        what: &'static str,
        /// The digest of what came.
        found: String,
        /// The digest that was expected.
        expected: String,
    },
    /// What the reference names is no policy module.
    #[error("{reference} is no policy module: {problem}; push one with openmcp-dns policy push")]
    NotAModule {
        /// What was asked for.
        reference: String,
        /// What is wrong with the manifest.
        problem: String,
    },
    /// The registry sends an upload elsewhere.
    #[error("{registry} wants the upload to go to another host, or names none")]
    UploadElsewhere {
        /// The registry.
        registry: String,
    },
}
