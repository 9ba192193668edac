//! May a host name be published?

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::exports::openmcp::dns_policy::policy::{Claim, Context, Denial};
use crate::configuration::Configuration;
use crate::records::{MAX_VALUES, Targets};
use crate::rule::denial;

/// What there is against a claim; `None` allows it.
pub fn objection(
    configuration: &Configuration,
    context: &Context,
    domain: &str,
    claim: &Claim,
) -> Option<Denial> {
    objection_to_targets(claim).or_else(|| {
        // The operator granted this very name to this cluster. The rules are about names in the
        // cluster's own domain, and would only undo that.
        if context.shared_names.contains(&claim.host_name) {
            return None;
        }
        objection_to_name(configuration, context, domain, claim)
    })
}

/// What no record can express is refused here, where the author of the route is told.
fn objection_to_targets(claim: &Claim) -> Option<Denial> {
    let targets = Targets::of(claim);
    if targets.most_addresses() > MAX_VALUES {
        return denial(
            "too-many-targets",
            format!("{} targets, use at most {MAX_VALUES} addresses of each family", claim.targets.len()),
        );
    }
    match targets.host_names[..] {
        _ if targets.has_addresses() => None,
        [one] if one == claim.host_name => denial(
            "target-is-itself",
            format!("{one} would be an alias of itself, give the Gateway or Ingress another address"),
        ),
        [_] => None,
        _ => denial(
            "ambiguous-target",
            format!(
                "{} host names are the target, but a name can be an alias (CNAME) of only one: leave one, or an IP address",
                claim.targets.len()
            ),
        ),
    }
}

fn objection_to_name(
    configuration: &Configuration,
    context: &Context,
    domain: &str,
    claim: &Claim,
) -> Option<Denial> {
    // The rules hold below a suffix that the operator granted as they do below the cluster's domain.
    let suffixes = context.shared_suffixes.iter().map(String::as_str);
    let labels =
        core::iter::once(domain).chain(suffixes).find_map(|within| labels_below(&claim.host_name, within));
    let Some(labels) = labels else {
        return denial(
            "outside-domain",
            format!(
                "{} is not in {domain}, the domain of cluster {}: use a name that ends with .{domain}, or have the DNSPolicy share this name with the cluster",
                claim.host_name, context.cluster.name
            ),
        );
    };
    // The rightmost of the labels is the one directly below the domain.
    if labels_below(&claim.host_name, domain).is_some()
        && let Some(last) = labels.last()
        && configuration.reserved_names.iter().any(|reserved| reserved == last)
    {
        return denial(
            "reserved-name",
            format!("'{last}' is reserved directly below {domain}, use another name there"),
        );
    }
    configuration
        .rules
        .iter()
        .filter(|rule| rule.selects(context, claim))
        .find_map(|rule| rule.objection(&labels))
}

/// The labels of `name` in front of `domain`: none for the domain itself, `None` outside of it.
pub fn labels_below<'a>(name: &'a str, domain: &str) -> Option<Vec<&'a str>> {
    let head = name.strip_suffix(domain)?;
    if head.is_empty() {
        return Some(Vec::new());
    }
    Some(head.strip_suffix('.')?.split('.').collect())
}
