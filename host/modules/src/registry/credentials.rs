//! Credentials for registries, as `docker login` and pull secrets keep them.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use serde::Deserialize;
use thiserror::Error;

use super::Reference;

/// A user name with a password. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password, or a token that serves as one.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// Why credentials cannot be read. No message holds any part of them.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CredentialsError {
    /// It is no JSON of the right form.
    #[error("it is no Docker configuration: JSON with the object \"auths\"")]
    Form,
    /// The entry for the registry holds nothing that can be used.
    #[error(
        "its entry for the registry has neither \"auth\" (base64 of user:password) nor \"username\" and \
         \"password\""
    )]
    Entry,
    /// The credentials are kept by another program.
    #[error("it leaves the credentials for the registry to a credential helper, and none is run here")]
    Helper,
}

/// A Docker configuration, `config.json` or the content of a pull secret.
#[derive(Deserialize)]
pub struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl DockerConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// When it is none. The error does not say more: the cause would quote the text.
    pub fn parse(json: &[u8]) -> Result<Self, CredentialsError> {
        serde_json::from_slice(json).map_err(|_| CredentialsError::Form)
    }

    /// The credentials for a repository: of the entry with the longest path that contains it.
    ///
    /// # Errors
    /// When there are some but they cannot be used.
    pub fn for_repository(&self, reference: &Reference) -> Result<Option<Credentials>, CredentialsError> {
        let fitting = self.auths.iter().filter_map(|(key, entry)| Some((fit(key, reference)?, entry)));
        if let Some((_, entry)) = fitting.max_by_key(|(length, _)| *length) {
            if let Some(credentials) = entry.read()? {
                return Ok(Some(credentials));
            }
            let helped = self.store.is_some() || self.helpers.contains_key(reference.registry());
            return Err(if helped { CredentialsError::Helper } else { CredentialsError::Entry });
        }
        if self.helpers.contains_key(reference.registry()) {
            return Err(CredentialsError::Helper);
        }
        Ok(None)
    }
}

impl Entry {
    fn read(&self) -> Result<Option<Credentials>, CredentialsError> {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(auth) = filled(&self.auth) {
            return decode(auth.trim()).map(Some).ok_or(CredentialsError::Entry);
        }
        Ok(filled(&self.username)
            .zip(filled(&self.password))
            .map(|(user, password)| Credentials { user, password }))
    }
}

fn decode(auth: &str) -> Option<Credentials> {
    let bytes = BASE64_STANDARD.decode(auth).or_else(|_| BASE64_STANDARD_NO_PAD.decode(auth)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Credentials { user: user.to_owned(), password: password.trim_end_matches('\0').to_owned() })
}

/// How much of the repository's path an entry names; `None` when the entry is for another one.
fn fit(key: &str, reference: &Reference) -> Option<usize> {
    let key = key.trim_start_matches("https://").trim_start_matches("http://");
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let hub = |host: &str| matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io");
    if host != reference.registry() && !(hub(host) && hub(reference.registry())) {
        return None;
    }
    let path = path.trim_matches('/');
    // What `docker login` writes for the API's version.
    if path.is_empty() || path == "v1" || path == "v2" {
        return Some(0);
    }
    let rest = reference.repository().strip_prefix(path)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(path.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &serde_json::Value) -> DockerConfig {
        DockerConfig::parse(json.to_string().as_bytes()).unwrap()
    }

    fn user(config: &DockerConfig, reference: &str) -> Result<Option<String>, CredentialsError> {
        let found = config.for_repository(&reference.parse().unwrap())?;
        Ok(found.map(|Credentials { user, password }| format!("{user}/{password}")))
    }

    #[test]
    fn the_entry_with_the_longest_fitting_path_counts() {
        let config = config(&serde_json::json!({ "auths": {
            "registry.example": { "auth": "YTpiOmM=" },
            "https://registry.example/team": { "username": "team", "password": "p" },
            "registry.example:5000": { "auth": "eDp5" },
            "https://index.docker.io/v1/": { "auth": "aHViOmI" },
        }}));
        for (reference, expected) in [
            ("registry.example/other:1", Some("a/b:c")),
            ("registry.example/team/policy:1", Some("team/p")),
            ("registry.example/teams/policy:1", Some("a/b:c")),
            ("registry.example:5000/team/policy:1", Some("x/y")),
            ("registry.example:5001/team/policy:1", None),
            ("docker.io/a/b:1", Some("hub/b")),
        ] {
            assert_eq!(user(&config, reference), Ok(expected.map(str::to_owned)), "{reference}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_said_without_its_content() {
        let secret = "c2VjcmV0";
        for (json, expected) in [
            (serde_json::json!({ "auths": { "r.example": { "auth": secret } } }), CredentialsError::Entry),
            (serde_json::json!({ "auths": { "r.example": {} } }), CredentialsError::Entry),
            (
                serde_json::json!({ "auths": { "r.example": {} }, "credsStore": "x" }),
                CredentialsError::Helper,
            ),
            (serde_json::json!({ "credHelpers": { "r.example": "x" } }), CredentialsError::Helper),
        ] {
            assert_eq!(user(&config(&json), "r.example/a:1"), Err(expected), "{json}");
            assert!(!expected.to_string().contains(secret));
        }
        assert_eq!(DockerConfig::parse(secret.as_bytes()).err(), Some(CredentialsError::Form));
        let credentials = Credentials { user: "u".to_owned(), password: secret.to_owned() };
        assert!(!format!("{credentials:?}").contains(secret));
    }
}
