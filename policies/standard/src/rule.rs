//! Rules: what is asked of the claims that they select.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::exports::openmcp::dns_policy::policy::{Claim, Context, Denial};
use crate::configuration::{MAX_LABEL_BYTES, check_ttl};
use crate::fields::{Fields, Path};
use crate::json::Value;

/// One rule. It selects claims by `kinds`, `namespaces` and `purposes`; a list that is not given
/// selects all. Every rule that selects a claim must be content with it.
pub struct Rule {
    /// Kinds of the objects that claim, for example `HTTPRoute`.
    pub kinds: Option<Vec<String>>,
    /// Namespaces of the objects that claim.
    pub namespaces: Option<Vec<String>>,
    /// Purposes of the cluster; one in common is enough.
    pub purposes: Option<Vec<String>>,
    /// Refuses every selected claim with this message.
    pub deny: Option<String>,
    /// The first label must start with one of these.
    pub allowed_prefixes: Option<Vec<String>>,
    /// Characters and ranges of which the labels may be, for example `a-z0-9-`.
    pub allowed_characters: Option<String>,
    /// Least bytes of each label.
    pub min_label_length: Option<u32>,
    /// Most bytes of each label.
    pub max_label_length: Option<u32>,
    /// Most labels in front of the cluster's domain, a `*` included.
    pub max_labels: Option<u32>,
    /// Whether wildcards are allowed.
    pub wildcards: Option<bool>,
    /// Time to live in seconds of the selected claims; the first rule that gives one decides.
    pub ttl_seconds: Option<u32>,
}

impl Rule {
    /// Reads a rule.
    pub fn read(path: Path<'_>, value: Value) -> Result<Self, String> {
        let mut fields = Fields::of(path, value)?;
        let rule = Self {
            kinds: fields.texts("kinds")?,
            namespaces: fields.texts("namespaces")?,
            purposes: fields.texts("purposes")?,
            deny: fields.text("deny")?,
            allowed_prefixes: fields.texts("allowedPrefixes")?,
            allowed_characters: fields.text("allowedCharacters")?,
            min_label_length: fields.number("minLabelLength")?,
            max_label_length: fields.number("maxLabelLength")?,
            max_labels: fields.number("maxLabels")?,
            wildcards: fields.flag("wildcards")?,
            ttl_seconds: fields.number("ttlSeconds")?,
        };
        fields.end()?;
        Ok(rule)
    }

    /// Whether the rule applies to a claim.
    pub fn selects(&self, context: &Context, claim: &Claim) -> bool {
        let has =
            |list: &Option<Vec<String>>, value: &String| list.as_ref().is_none_or(|l| l.contains(value));
        has(&self.kinds, &claim.source.kind)
            && has(&self.namespaces, &claim.source.namespace)
            && self
                .purposes
                .as_ref()
                .is_none_or(|list| list.iter().any(|purpose| context.cluster.purposes.contains(purpose)))
    }

    /// What the rule has against a name. `labels` are those in front of the cluster's domain, from
    /// left to right.
    pub fn objection(&self, labels: &[&str]) -> Option<Denial> {
        if let Some(message) = &self.deny {
            return denial("denied-by-rule", message.clone());
        }
        let wildcard = labels.first() == Some(&"*");
        if wildcard && self.wildcards == Some(false) {
            return denial("wildcard-not-allowed", "wildcards are not allowed here, claim each name".into());
        }
        if let Some(most) = self.max_labels
            && labels.len() > most as usize
        {
            let count = labels.len();
            return denial(
                "too-many-labels",
                format!("{count} labels stand in front of the cluster's domain, use at most {most}"),
            );
        }
        let named = if wildcard { &labels[1..] } else { labels };
        if let (Some(prefixes), Some(first)) = (&self.allowed_prefixes, named.first())
            && !prefixes.iter().any(|prefix| first.starts_with(prefix.as_str()))
        {
            let allowed = prefixes.join(", ");
            return denial("prefix-not-allowed", format!("'{first}' must start with one of: {allowed}"));
        }
        named.iter().find_map(|label| self.objection_to_label(label))
    }

    fn objection_to_label(&self, label: &str) -> Option<Denial> {
        let bytes = label.len();
        if let Some(least) = self.min_label_length
            && bytes < least as usize
        {
            return denial(
                "label-too-short",
                format!("label '{label}' has {bytes} bytes, use at least {least}"),
            );
        }
        if let Some(most) = self.max_label_length
            && bytes > most as usize
        {
            return denial(
                "label-too-long",
                format!("label '{label}' has {bytes} bytes, use at most {most}"),
            );
        }
        if let Some(allowed) = &self.allowed_characters
            && !label.bytes().all(|byte| is_among(allowed.as_bytes(), byte))
        {
            return denial(
                "character-not-allowed",
                format!("label '{label}' may be of characters in '{allowed}' only"),
            );
        }
        None
    }

    /// Checks the rule itself; `field` is where it stands.
    pub fn check(&self, field: &str) -> Result<(), String> {
        if let Some(seconds) = self.ttl_seconds {
            check_ttl(&format!("{field}.ttlSeconds"), seconds)?;
        }
        let least = self.min_label_length.unwrap_or(1);
        let most = self.max_label_length.unwrap_or(MAX_LABEL_BYTES as u32);
        if least < 1 || most > MAX_LABEL_BYTES as u32 || least > most {
            return Err(format!(
                "{field}: minLabelLength {least} and maxLabelLength {most} leave no length in 1 to {MAX_LABEL_BYTES}"
            ));
        }
        if self.max_labels == Some(0) {
            return Err(format!("{field}.maxLabels: 0 would refuse every name, use deny for that"));
        }
        if self.allowed_prefixes.as_ref().is_some_and(Vec::is_empty) {
            return Err(format!(
                "{field}.allowedPrefixes: an empty list would refuse every name, use deny for that"
            ));
        }
        Ok(())
    }
}

/// Whether a byte is in a list of characters and ranges such as `a-z0-9-`. A hyphen that is first
/// or last stands for itself.
fn is_among(allowed: &[u8], byte: u8) -> bool {
    match allowed {
        [] => false,
        [first, b'-', last, rest @ ..] => (*first..=*last).contains(&byte) || is_among(rest, byte),
        [single, rest @ ..] => *single == byte || is_among(rest, byte),
    }
}

/// A denial, in the form in which the rules pass it on.
pub fn denial(code: &str, message: String) -> Option<Denial> {
    Some(Denial { code: code.into(), message })
}
