//! Which rules are in force.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

/// What `DNSPolicy.spec.configuration` may say. A rule that it does not mention is not in force.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Configuration {
    /// The label of a namespace whose value is the suffix that its objects may use.
    pub suffix_label: Option<String>,
    /// How many names a namespace may have.
    pub max_names_per_namespace: Option<u32>,
    /// Whether names are recorded as `<service>.<namespace>.<domain>` as well.
    pub service_names: bool,
    /// The annotation of an object that holds the time to live of its records, in seconds.
    pub ttl_annotation: Option<String>,
    /// The classes of Gateways that may serve names.
    pub gateway_classes: Option<Vec<String>>,
}

impl Configuration {
    /// Reads JSON text.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("the configuration cannot be read: {error}"))
    }
}
