//! The module's configuration: what `DNSPolicy.spec.configuration` may say.
//!
//! Reading is strict. A field that is not known is an error, because a rule that is silently
//! ignored publishes what it was written to refuse.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::domain;
use crate::fields::{Fields, Path};
use crate::json;
use crate::rule::Rule;

/// Longest label of a host name in bytes (RFC 1035 section 2.3.4).
pub const MAX_LABEL_BYTES: usize = 63;
/// Longest time to live in seconds; the host clamps what is longer.
pub const MAX_TTL_SECONDS: u32 = 86_400;
/// Most aliases of one name: the host takes 16 record sets for one claim, and a claim with IPv4
/// and IPv6 targets needs two for each of its names.
pub const MAX_ALIASES: usize = 7;

/// All that can be configured.
pub struct Configuration {
    /// How a cluster's domain is made of `{cluster}`, `{namespace}` and `{base}`.
    pub domain_template: String,
    /// Time to live in seconds where no rule gives another.
    pub ttl_seconds: u32,
    /// Labels directly below a cluster's domain that nobody may claim, nor anything below them.
    pub reserved_names: Vec<String>,
    /// For a name below the cluster's domain, further names that are recorded with it.
    pub aliases: Vec<(String, Vec<String>)>,
    /// What is asked of some claims or of all.
    pub rules: Vec<Rule>,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            domain_template: "{cluster}.{base}".to_string(),
            ttl_seconds: 60,
            reserved_names: Vec::new(),
            aliases: Vec::new(),
            rules: Vec::new(),
        }
    }
}

impl Configuration {
    /// Reads JSON text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let json = json::parse(text).map_err(|error| format!("the configuration is no JSON: {error}"))?;
        let mut fields = Fields::of(Path::Root, json)?;
        let default = Self::default();
        let configuration = Self {
            domain_template: fields.text("domainTemplate")?.unwrap_or(default.domain_template),
            ttl_seconds: fields.number("ttlSeconds")?.unwrap_or(default.ttl_seconds),
            reserved_names: fields.texts("reservedNames")?.unwrap_or_default(),
            aliases: fields.lists_by_name("aliases")?.unwrap_or_default(),
            rules: fields.list("rules", Rule::read)?.unwrap_or_default(),
        };
        fields.end()?;
        Ok(configuration)
    }

    /// Checks what its types alone do not say. Asked once, before a configuration is used.
    pub fn check(&self) -> Result<(), String> {
        domain::check_template(&self.domain_template)?;
        check_ttl("ttlSeconds", self.ttl_seconds)?;
        for (index, label) in self.reserved_names.iter().enumerate() {
            check_label(&format!("reservedNames[{index}]"), label)?;
        }
        for (name, aliases) in &self.aliases {
            self.check_aliases(name, aliases)?;
        }
        for (index, rule) in self.rules.iter().enumerate() {
            rule.check(&format!("rules[{index}]"))?;
        }
        Ok(())
    }

    fn check_aliases(&self, name: &str, aliases: &[String]) -> Result<(), String> {
        check_labels(&format!("aliases.{name}"), name)?;
        if aliases.is_empty() || aliases.len() > MAX_ALIASES {
            return Err(format!("aliases.{name}: {} names, 1 to {MAX_ALIASES} are possible", aliases.len()));
        }
        for (index, alias) in aliases.iter().enumerate() {
            let field = format!("aliases.{name}[{index}]");
            check_labels(&field, alias)?;
            // The DNS server takes this label in a question for "everything here", so the host refuses it.
            if alias.split('.').any(|label| label == "any") {
                return Err(format!("{field}: the label 'any' cannot be published"));
            }
            if alias == name || aliases.iter().take(index).any(|earlier| earlier == alias) {
                return Err(format!("{field}: '{alias}' is there already"));
            }
        }
        Ok(())
    }
}

/// Checks a time to live.
pub fn check_ttl(field: &str, seconds: u32) -> Result<(), String> {
    if (1..=MAX_TTL_SECONDS).contains(&seconds) {
        return Ok(());
    }
    Err(format!("{field}: {seconds} is not in 1 to {MAX_TTL_SECONDS} seconds"))
}

/// Checks a name label by label.
pub fn check_labels(field: &str, name: &str) -> Result<(), String> {
    name.split('.').try_for_each(|label| check_label(field, label))
}

/// Checks a label: RFC 1123, in lower case, because claims come in lower case.
fn check_label(field: &str, label: &str) -> Result<(), String> {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if label.is_empty() || label.len() > MAX_LABEL_BYTES {
        return Err(format!(
            "{field}: a label has 1 to {MAX_LABEL_BYTES} bytes, '{label}' has {}",
            label.len()
        ));
    }
    if !label.bytes().all(fine) || label.starts_with('-') || label.ends_with('-') {
        return Err(format!("{field}: '{label}' is not of lower-case letters, digits and inner hyphens"));
    }
    Ok(())
}
