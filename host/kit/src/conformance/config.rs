//! What the reader of sources is told in a case.

use serde::Deserialize;

/// What external-dns's options say in a case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Config {
    namespace: String,
    label_filter: String,
    annotation_filter: String,
    gateway_name: String,
    gateway_namespace: String,
    gateway_label_filter: String,
    /// ListenerSets are always read here.
    #[serde(rename = "gatewayListenerSets")]
    listener_sets: bool,
    ingress_class_names: Vec<String>,
    ignore_hostname_annotation: bool,
    #[serde(rename = "ignoreIngressTLSSpec")]
    ignore_ingress_tls_spec: bool,
    ignore_ingress_rules_spec: bool,
    fqdn_template: String,
    combine_fqdn_annotation: bool,
}

impl Config {
    /// Why the case cannot be run; `None` when it can.
    pub(super) fn not_supported(&self) -> Option<String> {
        let Self { listener_sets: _, .. } = self;
        let default = Self { listener_sets: self.listener_sets, ..Self::default() };
        (*self != default).then(|| "its options have no counterpart here".to_owned())
    }
}
