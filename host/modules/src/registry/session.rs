//! Requests to one repository, with what the registry wants to see of credentials.

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;

use super::challenge::Challenge;
use super::{Credentials, Reference, RegistryError};
use crate::remote::{RemoteError, UntrustedHttp, expect_success, host_of, read_bounded};

/// Tokens of the largest registries have some kilobytes.
const TOKEN_BYTES: usize = 64 << 10;

/// What is to be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only read.
    Pull,
    /// Read and write.
    Push,
}

/// How to reach a registry.
pub struct Registry {
    pub(crate) reference: Reference,
    pub(crate) client: Client,
    base: Url,
    untrusted_http: UntrustedHttp,
    access: Access,
    credentials: Option<Credentials>,
    /// What worked last. A header of its own, so that it is never sent to another host.
    authorization: Option<HeaderValue>,
}

/// A token service's answer; both names are in use.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Registry {
    /// Prepares requests to the repository of a reference. Nothing is sent yet.
    ///
    /// # Errors
    /// When plain http is wanted and not allowed, or the certificates cannot be used.
    pub fn new(
        untrusted_http: &UntrustedHttp,
        reference: Reference,
        access: Access,
        credentials: Option<Credentials>,
        authorities: Option<&str>,
        insecure: bool,
    ) -> Result<Self, RegistryError> {
        let scheme = if insecure { "http" } else { "https" };
        let host = reference.host();
        let base = format!("{scheme}://{host}/v2/{}/", reference.repository());
        // A reference that was read has nothing that is no URL, except a port of more than 16 bits.
        let base: Url = base.parse().map_err(|_| RegistryError::NotAModule {
            reference: reference.to_string(),
            problem: "its host is none".to_owned(),
        })?;
        untrusted_http.check(&base)?;
        let client = untrusted_http.client(authorities)?;
        let untrusted_http = untrusted_http.clone();
        Ok(Self { reference, client, base, untrusted_http, access, credentials, authorization: None })
    }

    /// A URL of the repository.
    pub(crate) fn url(&self, path: &str) -> Result<Url, RegistryError> {
        self.base.join(path).map_err(|_| self.elsewhere())
    }

    /// A URL that the registry names, which must be one of its own.
    pub(crate) fn own_url(&self, location: &str) -> Result<Url, RegistryError> {
        let url = self.url(location)?;
        if url.origin() == self.base.origin() { Ok(url) } else { Err(self.elsewhere()) }
    }

    fn elsewhere(&self) -> RegistryError {
        RegistryError::UploadElsewhere { registry: self.reference.registry().to_owned() }
    }

    /// Sends a request, a second time with credentials when the registry asks for them. Any status
    /// but that question is handed on.
    pub(crate) async fn send(
        &mut self,
        build: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response, RegistryError> {
        let response = self.send_once(&build).await?;
        // A question of another host, after a redirect, is not for us.
        if response.status() != StatusCode::UNAUTHORIZED || host_of(response.url()) != host_of(&self.base) {
            return Ok(response);
        }
        let known = self.authorization.take();
        let challenge = Challenge::read(response.headers())
            .ok_or_else(|| RegistryError::Challenge { registry: self.reference.registry().to_owned() })?;
        self.authorization = Some(self.answer(challenge).await?);
        if known == self.authorization {
            // Wrong ones do not get better by repeating them.
            return Ok(response);
        }
        self.send_once(&build).await
    }

    /// As [`Registry::send`]; any status but a good one is an error.
    pub(crate) async fn get(
        &mut self,
        what: &'static str,
        build: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response, RegistryError> {
        Ok(expect_success(self.send(build).await?, what)?)
    }

    async fn send_once(&self, build: &impl Fn(&Client) -> RequestBuilder) -> Result<Response, RegistryError> {
        let mut request = build(&self.client);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        self.sent(request).await
    }

    async fn sent(&self, request: RequestBuilder) -> Result<Response, RegistryError> {
        let sent = request.send().await;
        sent.map_err(|error| {
            let host = error.url().map_or_else(|| self.reference.host().to_owned(), host_of);
            RemoteError::Unreachable { host, source: error.without_url() }.into()
        })
    }

    async fn answer(&self, challenge: Challenge) -> Result<HeaderValue, RegistryError> {
        match challenge {
            Challenge::Basic => {
                let credentials = self.credentials.as_ref().ok_or_else(|| self.no_credentials())?;
                // Made by the client, which knows how it is encoded.
                let Credentials { user, password } = credentials;
                let request = self.client.get(self.base.clone()).basic_auth(user, Some(password)).build();
                let header = request.ok().and_then(|request| request.headers().get(AUTHORIZATION).cloned());
                header.ok_or_else(|| self.no_credentials())
            }
            Challenge::Bearer { realm, service, scope } => {
                let token = self.token(&realm, service, scope).await?;
                let header = HeaderValue::try_from(format!("Bearer {token}"));
                let mut header =
                    header.map_err(|_| RegistryError::Token { host: self.reference.host().to_owned() })?;
                header.set_sensitive(true);
                Ok(header)
            }
        }
    }

    fn no_credentials(&self) -> RegistryError {
        let advice = match self.access {
            Access::Pull => "name a pullSecret, or log in",
            Access::Push => "log in with docker login, or give --username and --password-stdin",
        };
        RegistryError::NoCredentials { registry: self.reference.registry().to_owned(), advice }
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<String>,
        scope: Option<String>,
    ) -> Result<String, RegistryError> {
        let foreign = |realm: String| RegistryError::ForeignRealm {
            registry: self.reference.registry().to_owned(),
            realm,
        };
        let mut url: Url = realm.parse().map_err(|_| foreign("a place that is no URL".to_owned()))?;
        if !self.may_learn_credentials(&url) {
            return Err(foreign(host_of(&url)));
        }
        let actions = match self.access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        let scope = scope.unwrap_or_else(|| format!("repository:{}:{actions}", self.reference.repository()));
        url.query_pairs_mut().append_pair("scope", &scope);
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", &service);
        }
        let host = host_of(&url);
        let mut request = self.client.get(url);
        if let Some(Credentials { user, password }) = &self.credentials {
            request = request.basic_auth(user, Some(password));
        }
        let response = self.sent(request).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.credentials.is_none() {
            return Err(self.no_credentials());
        }
        let response = expect_success(response, "a token")?;
        let body = read_bounded(response, "a token", TOKEN_BYTES).await?;
        let token: Option<Token> = serde_json::from_slice(&body).ok();
        let token = token.and_then(|Token { token, access_token }| token.or(access_token));
        token.filter(|token| !token.is_empty()).ok_or(RegistryError::Token { host })
    }

    /// Whether a token service is one of the registry's own: the same host, or one in its domain
    /// (`registry-1.docker.io` and `auth.docker.io`), and reached as safely.
    fn may_learn_credentials(&self, realm: &Url) -> bool {
        if realm.scheme() != self.base.scheme() && realm.scheme() != "https"
            || self.untrusted_http.check(realm).is_err()
        {
            return false;
        }
        let (Some(own), Some(other)) = (self.base.domain(), realm.domain()) else {
            return self.base.host() == realm.host();
        };
        let domain = own.split_once('.').map(|(_, domain)| domain).filter(|domain| domain.contains('.'));
        let is_within = |domain: &str| {
            other == domain || other.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
        };
        own == other || is_within(own) || domain.is_some_and(is_within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(reference: &str) -> Registry {
        let untrusted_http =
            UntrustedHttp::new(vec!["127.0.0.1:5000".to_owned(), "127.0.0.1:6000".to_owned()]);
        let insecure = reference.starts_with("127");
        let reference = reference.parse().unwrap();
        // An authority, so that the test does not depend on those of the machine.
        Registry::new(&untrusted_http, reference, Access::Pull, None, None, insecure).unwrap()
    }

    #[test]
    fn credentials_go_to_the_registrys_own_token_service_only() {
        for (reference, realm, may) in [
            ("docker.io/a/b:1", "https://auth.docker.io/token", true),
            ("registry.gitlab.example/a:1", "https://gitlab.example/jwt/auth", true),
            ("ghcr.example/a:1", "https://ghcr.example/token", true),
            ("ghcr.example/a:1", "https://auth.ghcr.example/token", true),
            ("ghcr.example/a:1", "https://evil.example/token", false),
            ("registry.a.example/b:1", "https://nota.example/token", false),
            ("registry.a.example/b:1", "http://registry.a.example/token", false),
            ("127.0.0.1:5000/b:1", "http://127.0.0.1:6000/token", true),
            ("127.0.0.1:5000/b:1", "http://127.0.0.1:7000/token", false),
            ("127.0.0.1:5000/b:1", "http://127.0.0.2:5000/token", false),
        ] {
            let found = registry(reference).may_learn_credentials(&realm.parse().unwrap());
            assert_eq!(found, may, "{reference} {realm}");
        }
    }

    #[test]
    fn an_upload_stays_with_the_registry() {
        let registry = registry("registry.example/a:1");
        assert_eq!(
            registry.own_url("/v2/a/blobs/uploads/x?y=1").unwrap().as_str(),
            "https://registry.example/v2/a/blobs/uploads/x?y=1"
        );
        assert!(registry.own_url("https://registry.example/v2/a").is_ok());
        for location in ["http://registry.example/v2/a", "https://other.example/", "//other.example/x"] {
            assert!(registry.own_url(location).is_err(), "{location}");
        }
    }
}
