//! The standard policy module of openmcp-dns.
//!
//! ```text
//! context.configuration ──parse──► Configuration ──┬─► domain    which domain is the cluster's
//!                                                  ├─► hostname  may this name be published
//!                                                  └─► records   what is published for it
//! ```
//!
//! Every function is pure and every call runs in a fresh instance, so nothing here keeps state.

#![no_std]

extern crate alloc;

mod configuration;
mod domain;
mod fields;
mod hostname;
mod json;
mod records;
mod rule;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bindings::exports::openmcp::dns_policy::policy::{
    Claim, Context, Description, Guest, RecordSet, Verdict,
};
use configuration::Configuration;

#[allow(unsafe_code, missing_docs, reason = "generated from wit/policy.wit")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "dns-policy" });
    use super::Standard;
    export!(Standard);
}

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// A panic is a bug of this module; the host reports the trap and nothing is published.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct Standard;

impl Guest for Standard {
    fn describe() -> Description {
        Description {
            name: "standard".to_string(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            summary: "One domain for each cluster; host names, lengths, prefixes, aliases and TTLs by rules."
                .to_string(),
            details: Vec::new(),
        }
    }

    fn check_configuration(configuration: String) -> Result<(), String> {
        Configuration::parse(&configuration)?.check()
    }

    fn domain_filter(context: Context) -> Result<String, String> {
        let configuration = Configuration::parse(&context.configuration)?;
        domain::render(&configuration.domain_template, &context.base_domain, &context.cluster)
    }

    fn validate_hostname(context: Context, domain: String, claim: Claim) -> Result<Verdict, String> {
        let configuration = Configuration::parse(&context.configuration)?;
        Ok(match hostname::objection(&configuration, &context, &domain, &claim) {
            Some(denial) => Verdict::Deny(denial),
            None => Verdict::Allow,
        })
    }

    fn name_records(context: Context, domain: String, claim: Claim) -> Result<Vec<RecordSet>, String> {
        let configuration = Configuration::parse(&context.configuration)?;
        records::record_sets(&configuration, &context, &domain, &claim)
    }
}
