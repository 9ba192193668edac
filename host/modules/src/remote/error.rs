//! What may go wrong with a server outside.

use std::error::Error as _;

use thiserror::Error;

/// What went wrong with a server outside.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// The certificates of the authorities cannot be used.
    #[error("failed to use the CA certificates; give them in PEM form")]
    Certificates(#[source] reqwest::Error),
    /// There are no certificates.
    #[error("the CA certificates hold none; give at least one in PEM form")]
    NoCertificates,
    /// No client can be made.
    #[error("failed to set up a client for https; are the system's CA certificates installed?")]
    Client(#[source] reqwest::Error),
    /// The operator did not allow plain http.
    #[error(
        "{host} is not to be reached over plain http; use https, or start openmcp-dns run with \
         --insecure-registry {host}"
    )]
    Plain {
        /// Host, and port if one is named.
        host: String,
    },
    /// There is no answer.
    #[error("unable to reach {host}{}", hint(.source))]
    Unreachable {
        /// Host, and port if one is named.
        host: String,
        /// Why; without the URL.
        source: reqwest::Error,
    },
    /// The answer ended early, or came too slowly.
    #[error("the answer of {host} broke off")]
    Broken {
        /// Host, and port if one is named.
        host: String,
        /// Why; without the URL.
        source: reqwest::Error,
    },
    /// The answer is longer than it may be.
    #[error("{what} from {host} has more than {limit} bytes, which is all that is allowed")]
    TooLarge {
        /// Host, and port if one is named.
        host: String,
        /// What was asked for.
        what: &'static str,
        /// The bound, in bytes.
        limit: usize,
    },
    /// The server does not give what was asked for.
    #[error("{host} answers {status} for {what}{}", advice(*.status))]
    Status {
        /// Host, and port if one is named.
        host: String,
        /// What was asked for.
        what: &'static str,
        /// The HTTP status.
        status: u16,
    },
}

/// The next step, where it can be told from the error.
fn hint(error: &reqwest::Error) -> &'static str {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.to_string().contains("certificate") {
            return ", whose certificate is not accepted; set ca to the certificate of its authority";
        }
        cause = error.source();
    }
    ""
}

const fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => "; the credentials are missing, wrong, or not good enough for it",
        404 => "; there is no such thing, or it is hidden from these credentials",
        429 => "; it was asked too often",
        _ => "",
    }
}
