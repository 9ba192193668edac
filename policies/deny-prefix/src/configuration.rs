//! What `DNSPolicy.spec.configuration` may say.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use serde::Deserialize;

/// Times to live that the contract takes, in seconds.
const TTL_SECONDS: RangeInclusive<u32> = 1..=86400;

/// What is not given has its default. A field that is not known is an error: a rule that is silently ignored
/// publishes what it was written to refuse.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Configuration {
    /// What the first label of a name must not start with.
    pub prefixes: Vec<String>,
    /// Time to live of every record in seconds.
    pub ttl_seconds: u32,
}

impl Default for Configuration {
    fn default() -> Self {
        Self { prefixes: ["deny-".to_owned()].into(), ttl_seconds: 60 }
    }
}

impl Configuration {
    /// Reads JSON text.
    ///
    /// # Errors
    /// Names the field, and what it expects.
    pub fn parse(text: &str) -> Result<Self, String> {
        let configuration: Self = serde_json::from_str(text)
            .map_err(|error| format!("the configuration cannot be read: {error}"))?;
        let Self { prefixes, ttl_seconds } = &configuration;
        if prefixes.iter().any(String::is_empty) {
            return Err("prefixes: every name starts with an empty prefix".to_owned());
        }
        if !TTL_SECONDS.contains(ttl_seconds) {
            return Err(format!("ttlSeconds: {ttl_seconds} is not in 1 to 86400"));
        }
        Ok(configuration)
    }
}
