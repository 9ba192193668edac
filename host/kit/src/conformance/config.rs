//! What the reader of sources is told in a case: external-dns's options, as the rules that say the same here.

use std::collections::BTreeSet;

use openmcp_dns_core::kinds::{GatewayRules, HostNamePlace, Kind, LabelSelector, SourceRules, Template};
use serde::Deserialize;

use super::selector;

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
    gateway_listener_sets: bool,
    ingress_class_names: BTreeSet<String>,
    ignore_hostname_annotation: bool,
    #[serde(rename = "ignoreIngressTLSSpec")]
    ignore_ingress_tls_spec: bool,
    ignore_ingress_rules_spec: bool,
    fqdn_template: String,
    combine_fqdn_annotation: bool,
}

impl Config {
    /// The rules that say the same.
    ///
    /// # Errors
    /// Says why none do.
    pub(super) fn rules(&self) -> Result<SourceRules, String> {
        let Self {
            namespace,
            label_filter,
            annotation_filter,
            gateway_name,
            gateway_namespace,
            gateway_label_filter,
            gateway_listener_sets,
            ingress_class_names,
            ignore_hostname_annotation,
            ignore_ingress_tls_spec,
            ignore_ingress_rules_spec,
            fqdn_template,
            combine_fqdn_annotation,
        } = self;
        let ignored_host_names = [
            (ignore_hostname_annotation, HostNamePlace::Annotation),
            (ignore_ingress_tls_spec, HostNamePlace::IngressTls),
            (ignore_ingress_rules_spec, HostNamePlace::IngressRules),
        ];
        Ok(SourceRules {
            ignored_kinds: (!gateway_listener_sets).then_some(Kind::ListenerSet).into_iter().collect(),
            namespaces: set(namespace),
            labels: filter(label_filter)?,
            annotations: filter(annotation_filter)?,
            gateways: GatewayRules {
                namespaces: set(gateway_namespace),
                names: set(gateway_name),
                labels: filter(gateway_label_filter)?,
            },
            ingress_classes: ingress_class_names.clone(),
            ignored_host_names: ignored_host_names
                .into_iter()
                .filter_map(|(is_set, place)| is_set.then_some(place))
                .collect(),
            module_annotations: BTreeSet::new(),
            template: template(fqdn_template, *combine_fqdn_annotation)?,
        })
    }
}

fn set(text: &str) -> BTreeSet<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty()).into_iter().collect()
}

fn filter(text: &str) -> Result<LabelSelector, String> {
    selector::parse(text).ok_or_else(|| "its filter is no selector, which a DNSPolicy cannot hold".to_owned())
}

/// A template of Go's text/template says the same here where it names nothing but the object's name and namespace.
fn template(text: &str, combine: bool) -> Result<Option<Template>, String> {
    let mut said = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, after) = after.split_once("}}").unwrap_or((after, ""));
        let field = match action.trim() {
            ".Name" => "{name}",
            ".Namespace" => "{namespace}",
            _ => return Err("its template needs the language of Go's text/template".to_owned()),
        };
        said.push_str(before);
        said.push_str(field);
        rest = after;
    }
    said.push_str(rest);
    Ok(Some(said).filter(|said| !said.is_empty()).map(|text| Template { text, combine }))
}
