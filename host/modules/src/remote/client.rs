//! Clients, and which hosts they may reach how.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Client, Response, Url};
use thiserror::Error;

use super::RemoteError;

const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may send nothing at all.
const SILENCE: Duration = Duration::from_secs(20);
/// Registries send to their storage, and that at most to one of its mirrors.
const REDIRECTS: usize = 5;

/// What the operator allows of the world outside.
#[derive(Clone, Debug, Default)]
pub struct UntrustedHttp {
    insecure: Arc<[String]>,
}

/// Why a redirect is not followed.
#[derive(Debug, Error)]
enum RedirectRefused {
    #[error("more than {REDIRECTS} redirects")]
    TooMany,
    #[error("a redirect to plain http")]
    Plain,
}

impl UntrustedHttp {
    /// Allows plain http to these hosts, each `host` or `host:port`.
    pub fn new(insecure: Vec<String>) -> Self {
        Self { insecure: insecure.into() }
    }

    /// Checks that a URL may be asked: https, or plain http to a host that the operator listed.
    ///
    /// # Errors
    /// When it is neither.
    pub fn check(&self, url: &Url) -> Result<(), RemoteError> {
        if url.scheme() == "https" || self.allows_plain(url) {
            return Ok(());
        }
        Err(RemoteError::Plain { host: host_of(url) })
    }

    /// A client that accepts certificates of the given authorities only (PEM), or of the system's.
    ///
    /// # Errors
    /// When the certificates cannot be used.
    pub fn client(&self, authorities: Option<&str>) -> Result<Client, RemoteError> {
        // The provider that every other client of the service uses. Refused when it is set already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let untrusted_http = self.clone();
        let mut builder = Client::builder()
            .user_agent(concat!("openmcp-dns/", env!("CARGO_PKG_VERSION")))
            .referer(false)
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(Policy::custom(move |attempt| untrusted_http.redirected(attempt)));
        if let Some(pem) = authorities {
            let certificates =
                Certificate::from_pem_bundle(pem.as_bytes()).map_err(RemoteError::Certificates)?;
            if certificates.is_empty() {
                return Err(RemoteError::NoCertificates);
            }
            builder = builder.tls_certs_only(certificates);
        }
        builder.build().map_err(RemoteError::Client)
    }

    fn allows_plain(&self, url: &Url) -> bool {
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default());
        let with_port = port.map(|port| format!("{host}:{port}"));
        self.insecure.iter().any(|listed| {
            url.scheme() == "http"
                && (with_port.as_ref() == Some(listed) || url.port().is_none() && listed == host)
        })
    }

    fn redirected(&self, attempt: Attempt<'_>) -> reqwest::redirect::Action {
        if attempt.previous().len() > REDIRECTS {
            return attempt.error(RedirectRefused::TooMany);
        }
        let from_https = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
        let is_fine = attempt.url().scheme() == "https" || !from_https && self.allows_plain(attempt.url());
        // Credentials stay behind when the host changes: the client drops the header.
        if is_fine { attempt.follow() } else { attempt.error(RedirectRefused::Plain) }
    }
}

/// Host, and port if one is named.
pub fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Gives a response with a good status.
///
/// # Errors
/// With any other status.
pub fn expect_success(response: Response, what: &'static str) -> Result<Response, RemoteError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    Err(RemoteError::Status { host: host_of(response.url()), what, status: status.as_u16() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_listed_hosts_only() {
        let untrusted_http =
            UntrustedHttp::new(vec!["127.0.0.1:5000".to_owned(), "registry.local".to_owned()]);
        for (url, fine) in [
            ("https://anything.example/x", true),
            ("http://127.0.0.1:5000/x", true),
            ("http://127.0.0.1:5001/x", false),
            ("http://registry.local/x", true),
            ("http://registry.local:80/x", true),
            ("http://registry.local:8080/x", false),
            ("http://registry.local.example/x", false),
            ("ftp://registry.local/x", false),
        ] {
            let found = untrusted_http.check(&url.parse().unwrap());
            assert_eq!(found.is_ok(), fine, "{url}: {found:?}");
        }
    }

    #[test]
    fn certificates_that_are_none_are_refused() {
        let untrusted_http = UntrustedHttp::default();
        assert!(matches!(untrusted_http.client(Some("")), Err(RemoteError::NoCertificates)));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(untrusted_http.client(Some(broken)).is_err());
    }
}
