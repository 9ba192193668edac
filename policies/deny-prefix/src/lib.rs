//! A policy module in one page: every cluster gets `<cluster>.<base>`, every name of it is allowed,
//! except those whose first label starts with `deny-`. It takes no configuration.

#![no_std]

extern crate alloc;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use bindings::exports::openmcp::dns_policy::policy::{
    Claim, Context, Denial, Description, Guest, RecordSet, RecordType, Verdict,
};

mod debug;

#[allow(unsafe_code, missing_docs, reason = "generated from wit/policy.wit")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "dns-policy" });
    use super::DenyPrefix;
    export!(DenyPrefix);
}

/// What the first label of a name must not start with.
const PREFIX: &str = "deny-";
/// Time to live of every record in seconds.
const TTL_SECONDS: u32 = 60;
/// Most values of one record set, as the contract says.
const MAX_VALUES: usize = 64;

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// A panic is a bug of this module; the host reports the trap and nothing is published. Only a
/// debug build has room for what it says.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    debug::debug!("{info}");
    core::arch::wasm32::unreachable()
}

struct DenyPrefix;

impl Guest for DenyPrefix {
    fn describe() -> Description {
        Description {
            name: "deny-prefix".to_string(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            summary: format!("Allows every name of a cluster that does not start with {PREFIX}."),
            details: Vec::new(),
        }
    }

    fn check_configuration(configuration: String) -> Result<(), String> {
        match configuration.trim() {
            "{}" => Ok(()),
            _ => Err("this module takes no configuration".to_string()),
        }
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

    fn validate_hostname(_: Context, _: String, claim: Claim) -> Result<Verdict, String> {
        if !claim.host_name.starts_with(PREFIX) {
            return Ok(Verdict::Allow);
        }
        let message = format!("{} starts with {PREFIX}, choose another name", claim.host_name);
        Ok(Verdict::Deny(Denial { code: "prefix-denied".to_string(), message }))
    }

    fn name_records(_: Context, _: String, claim: Claim) -> Result<Vec<RecordSet>, String> {
        let mut sets: Vec<RecordSet> = Vec::new();
        // A name that is its own alias leads nowhere.
        for target in claim.targets.into_iter().filter(|target| *target != claim.host_name) {
            let record_type = type_of(&target);
            match sets.iter_mut().find(|set| set.record_type == record_type) {
                Some(set) => set.values.push(target),
                None => sets.push(RecordSet {
                    name: claim.host_name.clone(),
                    record_type,
                    ttl_seconds: TTL_SECONDS,
                    values: [target].into(),
                }),
            }
        }
        // A CNAME must stand alone (RFC 1034 section 3.6.2).
        if sets.len() > 1 {
            sets.retain(|set| set.record_type != RecordType::Cname);
        }
        for set in &mut sets {
            set.values.truncate(if set.record_type == RecordType::Cname { 1 } else { MAX_VALUES });
        }
        Ok(sets)
    }
}

fn type_of(target: &str) -> RecordType {
    if target.parse::<Ipv4Addr>().is_ok() {
        RecordType::A
    } else if target.parse::<Ipv6Addr>().is_ok() {
        RecordType::Aaaa
    } else {
        RecordType::Cname
    }
}
