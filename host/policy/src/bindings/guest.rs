//! What the versions of the contract have in common in the shape of their calls, though each has types of its own.

use std::collections::BTreeMap;

use openmcp_dns_core::labels::Labels;

/// Implements [`Guest`](super::Guest) for a version of the contract, in the file of that version: `Policy`, a compiled module,
/// and the conversions of types that all versions have.
///
/// Takes the name of the call that introduces a module, and how a verdict is taken (`map`, or `and_then` where a version has
/// verdicts that the host does not know). The file has the module `generated`, its interface as `contract`, and the functions
/// `introduction`, `context`, `claim`, `verdict` and `record_sets`.
macro_rules! guest {
    ($introduce:literal, $call_introduce:ident, $take_verdict:ident) => {
        /// A compiled module.
        struct Policy(generated::DnsPolicyPre<$crate::call::State>);

        impl Policy {
            fn bind(
                linked: wasmtime::component::InstancePre<$crate::call::State>,
            ) -> wasmtime::Result<std::sync::Arc<dyn $crate::bindings::Guest>> {
                Ok(std::sync::Arc::new(Self(generated::DnsPolicyPre::new(linked)?)))
            }
        }

        impl $crate::bindings::Guest for Policy {
            fn describe(
                &self,
                caller: &$crate::call::Caller,
            ) -> $crate::call::Outcome<$crate::bindings::Introduction> {
                let outcome = caller.call($introduce, |store| {
                    self.0.instantiate(&mut *store)?.openmcp_dns_policy_policy().$call_introduce(store)
                });
                outcome.map(introduction)
            }

            fn check_configuration(
                &self,
                caller: &$crate::call::Caller,
                configuration: &str,
            ) -> $crate::call::Outcome<Result<(), String>> {
                caller.call("check-configuration", |store| {
                    let instance = self.0.instantiate(&mut *store)?;
                    instance.openmcp_dns_policy_policy().call_check_configuration(store, configuration)
                })
            }

            fn domain_filter(
                &self,
                caller: &$crate::call::Caller,
                asked: &openmcp_dns_core::policy::Context,
            ) -> $crate::call::Outcome<Result<String, String>> {
                let asked = context(asked);
                caller.call("domain-filter", |store| {
                    let instance = self.0.instantiate(&mut *store)?;
                    instance.openmcp_dns_policy_policy().call_domain_filter(store, &asked)
                })
            }

            fn validate_hostname(
                &self,
                caller: &$crate::call::Caller,
                asked: &openmcp_dns_core::policy::Context,
                domain: &openmcp_dns_core::name::HostName,
                claimed: &openmcp_dns_core::policy::CheckedClaim,
            ) -> $crate::call::Outcome<Result<openmcp_dns_core::policy::Verdict, String>> {
                let (asked, claimed) = (context(asked), claim(claimed));
                let outcome = caller.call("validate-hostname", |store| {
                    let instance = self.0.instantiate(&mut *store)?;
                    let policy = instance.openmcp_dns_policy_policy();
                    policy.call_validate_hostname(store, &asked, domain.as_str(), &claimed)
                });
                outcome.map(|answer| answer.$take_verdict(verdict))
            }

            fn name_records(
                &self,
                caller: &$crate::call::Caller,
                asked: &openmcp_dns_core::policy::Context,
                domain: &openmcp_dns_core::name::HostName,
                claimed: &openmcp_dns_core::policy::CheckedClaim,
            ) -> $crate::call::Outcome<Result<Vec<openmcp_dns_core::policy::ProposedRecordSet>, String>> {
                let (asked, claimed) = (context(asked), claim(claimed));
                let outcome = caller.call("name-records", |store| {
                    let instance = self.0.instantiate(&mut *store)?;
                    let policy = instance.openmcp_dns_policy_policy();
                    policy.call_name_records(store, &asked, domain.as_str(), &claimed)
                });
                outcome.map(|answer| answer.map(record_sets))
            }
        }

        fn cluster(cluster: &openmcp_dns_core::cluster::ClusterFacts) -> contract::Cluster {
            contract::Cluster {
                name: cluster.id.name.clone(),
                namespace: cluster.id.namespace.clone(),
                purposes: cluster.purposes.clone(),
                labels: $crate::bindings::guest::pairs(&cluster.labels),
            }
        }
    };
}
pub(super) use guest;

/// As every version has names and values.
pub(super) fn pairs(map: &BTreeMap<String, String>) -> Vec<(String, String)> {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The same of labels as the host keeps them.
pub(super) fn label_pairs(labels: &Labels) -> Vec<(String, String)> {
    labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
