//! The rules as native code: the standard module's own sources, called as the module is.

use crate::bindings::exports::openmcp::dns_policy::policy as contract;
use crate::cases::{ALLOW, Case, DOMAIN};
use crate::configuration::Configuration;
use crate::hostname;

/// A question in the contract's types, as a guest gets it.
pub(crate) struct Question {
    context: contract::Context,
    claim: contract::Claim,
}

impl Question {
    pub(crate) fn of(case: &Case) -> Self {
        let (context, claim) = (&case.context, &case.claim);
        let cluster = &context.cluster;
        let pairs = |map: &std::collections::BTreeMap<String, String>| {
            map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        Self {
            context: contract::Context {
                base_domain: context.base_domain.to_string(),
                cluster: contract::Cluster {
                    name: cluster.id.name.clone(),
                    namespace: cluster.id.namespace.clone(),
                    purposes: cluster.purposes.clone(),
                    labels: pairs(&cluster.labels),
                },
                configuration: context.configuration.clone(),
                shared_names: context.shared_names.iter().map(ToString::to_string).collect(),
                shared_suffixes: Vec::new(),
            },
            claim: contract::Claim {
                host_name: claim.host_name.to_string(),
                source: contract::SourceObject {
                    kind: claim.source.kind.as_str().to_owned(),
                    namespace: claim.source.namespace.clone(),
                    name: claim.source.name.clone(),
                    labels: claim
                        .labels
                        .iter()
                        .map(|(key, value)| (key.to_owned(), value.to_owned()))
                        .collect(),
                    // The standard module asks for no details.
                    namespace_labels: Vec::new(),
                    annotations: Vec::new(),
                },
                targets: claim.targets.clone(),
                listeners: Vec::new(),
                backends: Vec::new(),
                published_names: contract::PublishedNames { in_namespace: 0, in_cluster: 0 },
            },
        }
    }

    /// Reads the configuration and decides, as the module does for each question.
    pub(crate) fn verdict(&self) -> String {
        let configuration = Configuration::parse(&self.context.configuration).unwrap();
        match hostname::objection(&configuration, &self.context, DOMAIN, &self.claim) {
            None => ALLOW.to_owned(),
            Some(denial) => denial.code,
        }
    }
}
