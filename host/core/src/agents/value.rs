//! Values as external-dns writes them: the JSON of SkyDNS.

use serde::Deserialize;

use super::key::name_at;
use super::{MAX_KEY_BYTES, Refusal};
use crate::name::HostName;

/// Longest value in bytes: a text of the registry has some hundred.
pub const MAX_VALUE_BYTES: usize = 4096;

/// How a text of external-dns's registry begins, in quotes or without.
const HERITAGE: &str = "heritage=external-dns";

/// The fields that mean something here. What else there is comes back to the agent as it wrote it.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Fields {
    host: String,
    text: String,
    targetstrip: usize,
}

/// What a value of an agent stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A name shall point to a target.
    Host {
        /// The name.
        name: HostName,
        /// An address or a host name, as it was written.
        target: String,
    },
    /// The agent notes for itself whose a name is. It is not published.
    Registry {
        /// The name that carries the note.
        name: String,
    },
    /// A text for everybody.
    Text {
        /// The name.
        name: String,
    },
}

impl Meaning {
    /// Reads what an agent writes.
    ///
    /// # Errors
    /// When key or value are not as external-dns writes them, or too long.
    pub fn read(key: &[u8], value: &[u8]) -> Result<Self, Refusal> {
        if key.len() > MAX_KEY_BYTES || value.len() > MAX_VALUE_BYTES {
            return Err(Refusal::TooLarge);
        }
        let Ok(key) = std::str::from_utf8(key) else {
            return Err(Refusal::Invalid("the key is no UTF-8".to_owned()));
        };
        if !key.starts_with(super::PREFIX) {
            return Err(Refusal::Permission(format!("{key:?} is not below {}", super::PREFIX)));
        }
        let fields: Fields = serde_json::from_slice(value).map_err(|error| {
            Refusal::Invalid(format!("the value of {key:?} is not as external-dns writes it: {error}"))
        })?;
        let Some(name) = name_at(key, fields.targetstrip) else {
            return Err(Refusal::Invalid(format!("{key:?} stands for no name")));
        };
        match fields {
            Fields { host, .. } if !host.is_empty() => match name.parse() {
                Ok(name) => Ok(Self::Host { name, target: host }),
                Err(error) => Err(Refusal::Invalid(format!("{name:?} is no host name: {error}"))),
            },
            Fields { text, .. } if text.trim_start_matches('"').starts_with(HERITAGE) => {
                Ok(Self::Registry { name })
            }
            Fields { text, .. } if !text.is_empty() => Ok(Self::Text { name }),
            Fields { .. } => Err(Refusal::Invalid(format!("the value of {key:?} has neither host nor text"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, value: &str) -> Result<Meaning, Refusal> {
        Meaning::read(key.as_bytes(), value.as_bytes())
    }

    #[test]
    fn what_external_dns_writes_is_understood() {
        assert_eq!(
            read("/skydns/example/w1/web/3dc2be40", r#"{"host":"10.0.0.1","ttl":60,"targetstrip":1}"#),
            Ok(Meaning::Host { name: "web.w1.example".parse().unwrap(), target: "10.0.0.1".to_owned() })
        );
        let heritage = r#"{"text":"\"heritage=external-dns,external-dns/owner=w1,external-dns/resource=ingress/a/b\"","targetstrip":1}"#;
        assert_eq!(
            read("/skydns/example/w1/a-web/3dc2be41", heritage),
            Ok(Meaning::Registry { name: "a-web.w1.example".to_owned() })
        );
        assert_eq!(
            read("/skydns/example/w1/web/3dc2be41", r#"{"text":"hello","targetstrip":1}"#),
            Ok(Meaning::Text { name: "web.w1.example".to_owned() })
        );
    }

    #[test]
    fn what_it_does_not_write_is_refused() {
        let value = r#"{"host":"10.0.0.1"}"#;
        for (key, value) in [
            ("/skydns/example/web", "no json"),
            ("/skydns/example/web", "{}"),
            ("/skydns/example/web", r#"{"host":7}"#),
            ("/skydns/example/web", r#"{"host":"10.0.0.1","targetstrip":-1}"#),
            ("/skydns/example/web", r#"{"host":"10.0.0.1","targetstrip":9}"#),
            ("/skydns/example/we b", value),
            ("/skydns/example/we_b", value),
            ("/skydns", value),
            ("openmcp-dns/leader/uid", value),
        ] {
            assert!(read(key, value).is_err(), "{key} {value}");
        }
        let long = format!("/skydns/{}", "a/".repeat(MAX_KEY_BYTES));
        assert_eq!(read(&long, value), Err(Refusal::TooLarge));
        assert_eq!(read("/skydns/example/web", &"x".repeat(MAX_VALUE_BYTES + 1)), Err(Refusal::TooLarge));
    }
}
