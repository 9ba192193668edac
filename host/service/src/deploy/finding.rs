//! What is said of the central DNS.

use std::net::SocketAddr;

use openmcp_dns_api::conditions::{Finding, Reason};
use openmcp_dns_api::{DNSServiceConfig, DNSServiceConfigSpec};
use openmcp_dns_core::deployment::Reference;

use super::observed::Observed;

/// What is said of an attempt that was not refused.
pub(super) fn finding(
    config: &DNSServiceConfig,
    written: &[Reference],
    kept: &[String],
    observed: &Observed,
    addresses: &Result<Vec<SocketAddr>, String>,
) -> Finding {
    let mut missing = observed.missing();
    if let Err(why) = addresses {
        missing.push(why.clone());
    }
    if missing.is_empty() && !written.is_empty() {
        missing.push(format!("{} objects were changed and have to start", written.len()));
    }
    let mut remarks = kept.to_vec();
    remarks.extend(observed.failing_snapshots());
    if config.spec == DNSServiceConfigSpec::default() {
        remarks.push("nothing is set: the defaults apply".to_owned());
    }
    if observed.is_ephemeral() {
        remarks.push(
            "etcd has no volumes: its records are made anew from the clusters when it loses them".to_owned(),
        );
    }
    if missing.is_empty() {
        let addresses = addresses.iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        remarks.insert(0, format!("the central DNS server is deployed at {addresses}"));
        return Finding::good(remarks.join("; "));
    }
    Finding::unknown(Reason::InProgress, missing.into_iter().chain(remarks).collect::<Vec<_>>().join("; "))
}

/// What is said of the fields of the spec.
pub(super) fn accepted(spec: &DNSServiceConfigSpec) -> Finding {
    let unused = spec.upstream.set();
    if unused.is_empty() {
        return Finding::good("everything in the spec is used");
    }
    let message = format!(
        "nothing is done with what openMCP's own DNS service has in its spec: {}. Host names are recorded without an \
         external-dns; where one is wanted, a rule in spec.clusters with the recorder externalDNS says so, whose selector \
         takes the same purposeSelector. Remove these fields",
        unused.join(", ")
    );
    Finding { reason: Reason::NotUsed, ..Finding::good(message) }
}

/// What is said where the central DNS is somebody else's.
pub(super) fn external(observed: &Observed, addresses: &[SocketAddr]) -> Finding {
    let addresses = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut text = format!("the central DNS server is external, at {addresses}");
    if observed.is_deployed() {
        text.push_str(
            "; what was deployed before is left as it is, because clusters may ask it still: delete it when none does",
        );
    }
    Finding::good(text)
}
