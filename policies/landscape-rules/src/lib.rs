//! Ordinary rules of a landscape, each in a file of its own, and each in force only where the configuration says so:
//! what namespaces of the clusters may claim, how many names they may have, and how names are recorded. Every cluster
//! gets `<cluster>.<base>`.

#![no_std]

extern crate alloc;

mod configuration;
mod gateway_class;
mod quota;
mod records;
mod service_names;
mod suffix;
mod ttl;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bindings::exports::openmcp::dns_policy::policy::{
    Claim, Context, Denial, Description, Detail, Guest, RecordSet, Verdict,
};
use configuration::Configuration;

#[allow(unsafe_code, missing_docs, reason = "generated from wit/policy.wit")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "dns-policy" });
    use super::LandscapeRules;
    export!(LandscapeRules);
}

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// A panic is a bug of this module; the host reports the trap and nothing is published.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct LandscapeRules;

impl Guest for LandscapeRules {
    fn describe() -> Description {
        Description {
            name: "landscape-rules".to_string(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            summary:
                "Suffixes and numbers of names by namespace, names of services, TTLs, classes of Gateways."
                    .to_string(),
            // One of them for each rule; a module that asks for less is asked again less often.
            details: [
                Detail::NamespaceLabels,
                Detail::PublishedNames,
                Detail::Backends,
                Detail::Annotations,
                Detail::Listeners,
            ]
            .into(),
        }
    }

    fn check_configuration(configuration: String) -> Result<(), String> {
        Configuration::parse(&configuration).map(|_| ())
    }

    fn domain_filter(context: Context) -> Result<String, String> {
        let cluster = &context.cluster.name;
        if cluster.contains('.') {
            return Err(format!(
                "cluster name '{cluster}' contains a dot, so it cannot be one label of a domain"
            ));
        }
        Ok(format!("{cluster}.{}", context.base_domain))
    }

    fn validate_hostname(context: Context, domain: String, claim: Claim) -> Result<Verdict, String> {
        let configuration = Configuration::parse(&context.configuration)?;
        let objection = gateway_class::objection(&configuration, &claim)
            .or_else(|| ttl::objection(&configuration, &claim))
            // The operator granted this very name to this cluster: the other rules are about names of namespaces.
            .or_else(|| match context.shared_names.contains(&claim.host_name) {
                true => None,
                false => suffix::objection(&configuration, &context, &domain, &claim)
                    .or_else(|| service_names::objection(&configuration, &domain, &claim))
                    .or_else(|| quota::objection(&configuration, &claim)),
            });
        Ok(objection.map_or(Verdict::Allow, Verdict::Deny))
    }

    fn name_records(context: Context, domain: String, claim: Claim) -> Result<Vec<RecordSet>, String> {
        let configuration = Configuration::parse(&context.configuration)?;
        let mut names = service_names::of(&configuration, &domain, &claim);
        names.push(claim.host_name.clone());
        names.sort_unstable();
        names.dedup();
        Ok(records::record_sets(&names, ttl::of(&configuration, &claim), &claim))
    }
}

/// A denial, in the form in which the rules give it.
fn denial(code: &str, message: String) -> Option<Denial> {
    Some(Denial { code: code.to_string(), message })
}

/// Whether a name lies below a domain.
fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|head| head.ends_with('.'))
}
