//! Names of things in registries.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Docker's own registry does not serve under the name that everybody writes.
const DOCKER_HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// A repository with a tag, a digest of a manifest, or both; then the digest counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// Why a text is no reference.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{text:?} is no reference: {problem}; write <registry>/<repository>:<tag> or ...@sha256:<digest>")]
pub struct ReferenceError {
    text: String,
    problem: &'static str,
}

impl Reference {
    /// Host, and port if one is named, as written.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Host, and port if one is named, that serves the registry.
    pub fn host(&self) -> &str {
        if self.registry == DOCKER_HUB.0 { DOCKER_HUB.1 } else { &self.registry }
    }

    /// The path within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Digest of the manifest: `sha256:` and 64 hexadecimal digits.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// By what the manifest is asked for: the digest if there is one, else the tag.
    pub fn version(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or_default()
    }

    /// The same with this digest.
    #[must_use]
    pub fn pinned(&self, digest: &str) -> Self {
        Self { digest: Some(digest.to_owned()), ..self.clone() }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registry, repository, tag, digest } = self;
        write!(f, "{registry}/{repository}")?;
        if let Some(tag) = tag {
            write!(f, ":{tag}")?;
        }
        digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        parse(text).map_err(|problem| ReferenceError { text: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_owned())),
        Some(_) => return Err("after @, sha256: and 64 hexadecimal digits in lower case are expected"),
        None => (text, None),
    };
    let (registry, path) = rest.split_once('/').ok_or("it names no registry")?;
    let is_host = registry.contains(['.', ':']) || registry == "localhost";
    if !is_host || !is_host_and_port(registry) {
        return Err("it does not begin with the host of a registry");
    }
    let (repository, tag) = match path.split_once(':') {
        Some((repository, tag)) if is_tag(tag) => (repository, Some(tag.to_owned())),
        Some(_) => return Err("the tag may have letters, digits and ._- only, 128 at most"),
        None => (path, None),
    };
    if !repository.split('/').all(is_component) {
        return Err("the repository may have lower-case letters, digits and ._- between / only");
    }
    if tag.is_none() && digest.is_none() {
        return Err("it has neither a tag nor a digest");
    }
    Ok(Reference { registry: registry.to_owned(), repository: repository.to_owned(), tag, digest })
}

fn is_host_and_port(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "443"));
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let host_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    !host.is_empty() && host.bytes().all(host_byte) && is_port
}

/// `sha256:` and 64 hexadecimal digits in lower case.
pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

fn is_tag(tag: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    !tag.is_empty() && tag.len() <= 128 && tag.bytes().all(good) && !tag.starts_with(['.', '-'])
}

fn is_component(part: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let bytes = part.as_bytes();
    bytes.iter().copied().all(good) && ends(bytes.first()) && ends(bytes.last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_written_as_it_was_read() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for text in [
            "registry.example/team/policy:1.2.0",
            "127.0.0.1:5000/policy:v1",
            &format!("localhost/a/b/c@{digest}"),
            &format!("registry.example:8443/a_b/c-d.e:latest@{digest}"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
        let reference: Reference = format!("docker.io/a/b:1@{digest}").parse().unwrap();
        assert_eq!((reference.host(), reference.version()), ("registry-1.docker.io", digest.as_str()));
        assert_eq!((reference.registry(), reference.tag()), ("docker.io", Some("1")));
    }

    #[test]
    fn what_is_no_reference_is_refused_with_the_problem() {
        for (text, expected) in [
            ("", "no registry"),
            ("policy:1", "no registry"),
            ("team/policy:1", "host of a registry"),
            ("user@registry.example/policy:1", "after @"),
            ("registry.example:x/policy:1", "host of a registry"),
            ("registry.example/policy", "neither a tag nor a digest"),
            ("registry.example/Policy:1", "lower-case"),
            ("registry.example/a/../b:1", "lower-case"),
            ("registry.example//b:1", "lower-case"),
            ("registry.example/b:", "tag"),
            ("registry.example/b:a/b", "tag"),
            ("registry.example/b@sha256:00", "64 hexadecimal"),
            ("registry.example/b?x:1", "lower-case"),
        ] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
