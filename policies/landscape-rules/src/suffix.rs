//! Only namespaces with the label `<suffixLabel>=X` may use names that end in `.X`, where the DNSPolicy lets the cluster
//! publish below `X` (`spec.sharedSuffixes`).

use alloc::format;

use crate::bindings::exports::openmcp::dns_policy::policy::{Claim, Context, Denial};
use crate::configuration::Configuration;
use crate::{denial, is_below};

pub fn objection(
    configuration: &Configuration,
    context: &Context,
    domain: &str,
    claim: &Claim,
) -> Option<Denial> {
    let label = configuration.suffix_label.as_ref()?;
    let name = &claim.host_name;
    if name == domain || is_below(name, domain) {
        return None;
    }
    let of_namespace = claim.source.namespace_labels.iter().find(|(key, _)| key == label);
    let is_granted = |suffix: &&str| context.shared_suffixes.iter().any(|shared| shared == suffix);
    let granted = of_namespace.map(|(_, suffix)| suffix.as_str()).filter(is_granted);
    if granted.is_some_and(|suffix| is_below(name, suffix)) {
        return None;
    }
    let namespace = &claim.source.namespace;
    denial(
        "suffix-not-granted",
        match granted {
            Some(suffix) => {
                format!("objects in namespace {namespace} may use names that end in .{suffix} or .{domain}")
            }
            None => format!(
                "objects in namespace {namespace} may use names that end in .{domain} only: its label {label} \
                 names no suffix of this cluster"
            ),
        },
    )
}
