//! What is explained.

use std::fmt;
use std::str::FromStr;

use openmcp_dns_core::cluster::SourceRef;
use openmcp_dns_core::kinds::Kind;
use openmcp_dns_core::name::{HostName, NameError};
use thiserror::Error;

/// What is explained: a name, or an object that claims names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A name.
    Name(HostName),
    /// An object, in whichever cluster.
    Object(SourceRef),
}

/// Why a text says neither.
#[derive(Debug, Error)]
pub enum SubjectError {
    /// No host name.
    #[error("{text:?} is no host name: {source}")]
    Name {
        /// What was given.
        text: String,
        /// Why it is none.
        source: NameError,
    },
    /// A kind that claims no host names.
    #[error("{kind:?} is no kind that claims host names; take one of {}", kinds())]
    Kind {
        /// What was given.
        kind: String,
    },
    /// Not three parts.
    #[error("{0:?} is not KIND/NAMESPACE/NAME, for example HTTPRoute/default/shop")]
    Form(String),
}

fn kinds() -> String {
    watched_sources().map(Kind::as_str).collect::<Vec<_>>().join(", ")
}

fn watched_sources() -> impl Iterator<Item = Kind> {
    Kind::sources().filter(|kind| kind.is_watched())
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        if !text.contains('/') {
            return HostName::of_record(text)
                .map(Self::Name)
                .map_err(|source| SubjectError::Name { text: text.to_owned(), source });
        }
        let [kind, namespace, name] = text.split('/').collect::<Vec<_>>()[..] else {
            return Err(SubjectError::Form(text.to_owned()));
        };
        if namespace.is_empty() || name.is_empty() {
            return Err(SubjectError::Form(text.to_owned()));
        }
        let known = watched_sources().find(|known| known.as_str().eq_ignore_ascii_case(kind));
        let known = known.ok_or_else(|| SubjectError::Kind { kind: kind.to_owned() })?;
        Ok(Self::Object(SourceRef::new(known, namespace, name)))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Object(source) => source.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_name_or_an_object() {
        for (text, expected) in [
            ("Shop.W1.openmcp.cluster.", "shop.w1.openmcp.cluster"),
            ("*.w1.openmcp.cluster", "*.w1.openmcp.cluster"),
            ("httproute/default/shop", "HTTPRoute/default/shop"),
        ] {
            assert_eq!(text.parse::<Subject>().unwrap().to_string(), expected);
        }
        for (text, expected) in [
            ("a_b", "is no host name"),
            ("HTTPRoute/shop", "is not KIND/NAMESPACE/NAME"),
            ("HTTPRoute//shop", "is not KIND/NAMESPACE/NAME"),
            ("Namespace/default/shop", "HTTPRoute, "),
        ] {
            let error = text.parse::<Subject>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
