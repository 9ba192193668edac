//! Version 0.1 of the contract.

use std::collections::BTreeMap;
use std::sync::Arc;

use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{CheckedClaim, Context, Denial, ProposedRecordSet, Verdict};
use openmcp_dns_core::record::RecordType;
use wasmtime::component::InstancePre;

use super::{Guest, Introduction, Version};
use crate::call::{Caller, Outcome, State};
use crate::module::Description;

#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated from wit/released/0.1.0")]
mod generated {
    wasmtime::component::bindgen!({ path: "../../wit/released/0.1.0", world: "dns-policy" });
}

use generated::DnsPolicyPre;
use generated::exports::openmcp::dns_policy::policy as contract;

pub(super) const VERSION: Version = Version {
    number: "0.1.0",
    track: "0.1.",
    wit: include_str!("../../../../wit/released/0.1.0/policy.wit"),
    bind: Policy::bind,
};

/// A compiled module.
struct Policy(DnsPolicyPre<State>);

impl Policy {
    fn bind(linked: InstancePre<State>) -> wasmtime::Result<Arc<dyn Guest>> {
        Ok(Arc::new(Self(DnsPolicyPre::new(linked)?)))
    }
}

impl Guest for Policy {
    fn describe(&self, caller: &Caller) -> Outcome<Introduction> {
        let outcome = caller.call("describe", |store| {
            self.0.instantiate(&mut *store)?.openmcp_dns_policy_policy().call_describe(store)
        });
        outcome.map(|contract::Description { name, version, summary }| {
            let description = Description { name, version, summary };
            Introduction { description, details: Vec::new() }
        })
    }

    fn check_configuration(&self, caller: &Caller, configuration: &str) -> Outcome<Result<(), String>> {
        caller.call("check-configuration", |store| {
            let instance = self.0.instantiate(&mut *store)?;
            instance.openmcp_dns_policy_policy().call_check_configuration(store, configuration)
        })
    }

    fn domain_filter(&self, caller: &Caller, asked: &Context) -> Outcome<Result<String, String>> {
        let asked = context(asked);
        caller.call("domain-filter", |store| {
            let instance = self.0.instantiate(&mut *store)?;
            instance.openmcp_dns_policy_policy().call_domain_filter(store, &asked)
        })
    }

    fn validate_hostname(
        &self,
        caller: &Caller,
        asked: &Context,
        domain: &HostName,
        claimed: &CheckedClaim,
    ) -> Outcome<Result<Verdict, String>> {
        let (asked, claimed) = (context(asked), claim(claimed));
        let outcome = caller.call("validate-hostname", |store| {
            let instance = self.0.instantiate(&mut *store)?;
            let policy = instance.openmcp_dns_policy_policy();
            policy.call_validate_hostname(store, &asked, domain.as_str(), &claimed)
        });
        outcome.map(|answer| answer.map(verdict))
    }

    fn name_records(
        &self,
        caller: &Caller,
        asked: &Context,
        domain: &HostName,
        claimed: &CheckedClaim,
    ) -> Outcome<Result<Vec<ProposedRecordSet>, String>> {
        let (asked, claimed) = (context(asked), claim(claimed));
        let outcome = caller.call("name-records", |store| {
            let instance = self.0.instantiate(&mut *store)?;
            let policy = instance.openmcp_dns_policy_policy();
            policy.call_name_records(store, &asked, domain.as_str(), &claimed)
        });
        outcome.map(|answer| answer.map(record_sets))
    }
}

fn context(context: &Context) -> contract::Context {
    let Context { base_domain, cluster, configuration, shared_names, shared_suffixes: _ } = context;
    contract::Context {
        base_domain: base_domain.as_str().to_owned(),
        cluster: contract::Cluster {
            name: cluster.id.name.clone(),
            namespace: cluster.id.namespace.clone(),
            purposes: cluster.purposes.clone(),
            labels: pairs(&cluster.labels),
        },
        configuration: configuration.clone(),
        shared_names: shared_names.iter().map(|name| name.as_str().to_owned()).collect(),
    }
}

fn claim(claim: &CheckedClaim) -> contract::Claim {
    // What came with later versions, a module of this one is not told.
    let CheckedClaim { host_name, source, labels, targets, details: _, published_names: _ } = claim;
    contract::Claim {
        host_name: host_name.as_str().to_owned(),
        source: contract::SourceObject {
            kind: source.kind.as_str().to_owned(),
            namespace: source.namespace.clone(),
            name: source.name.clone(),
            labels: labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        },
        targets: targets.clone(),
    }
}

fn verdict(verdict: contract::Verdict) -> Verdict {
    match verdict {
        contract::Verdict::Allow => Verdict::Allow,
        contract::Verdict::Deny(contract::Denial { code, message }) => {
            Verdict::Deny(Denial { code, message })
        }
    }
}

fn record_sets(sets: Vec<contract::RecordSet>) -> Vec<ProposedRecordSet> {
    sets.into_iter()
        .map(|contract::RecordSet { name, record_type, ttl_seconds, values }| ProposedRecordSet {
            name,
            record_type: match record_type {
                contract::RecordType::A => RecordType::A,
                contract::RecordType::Aaaa => RecordType::Aaaa,
                contract::RecordType::Cname => RecordType::Cname,
                contract::RecordType::Txt => RecordType::Txt,
            },
            ttl_seconds,
            values,
        })
        .collect()
}

fn pairs(map: &BTreeMap<String, String>) -> Vec<(String, String)> {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}
