//! The next step for who is told why a name is not there.

use crate::cluster::{ClusterId, SourceRef};
use crate::codes;
use crate::kinds::Kind;
use crate::name::HostName;
use crate::policy::{Denial, PolicyFailure};
use crate::resolve::UnresolvedReason;

/// About a host name that leads nowhere.
#[must_use]
pub fn unresolved(source: &SourceRef, reason: &UnresolvedReason) -> String {
    match reason {
        UnresolvedReason::NotYetAccepted(parent) => {
            format!("wait for the controller of {parent} to accept {source}; is one running?")
        }
        UnresolvedReason::NotAccepted(parent) => {
            format!("status.parents of {source} says why {parent} does not accept it")
        }
        UnresolvedReason::NoSuchParent(parent) => {
            format!("create {parent}, or correct spec.parentRefs of {source}")
        }
        UnresolvedReason::NoListener(parent) => format!(
            "compare sectionName and port in spec.parentRefs of {source} with spec.listeners of {parent}, and their \
             allowedRoutes with its kind and namespace"
        ),
        UnresolvedReason::ListenerRefused(parent) => {
            format!("status.listeners of {parent} says what is wrong with the listener")
        }
        UnresolvedReason::HostNameMismatch(parent) => format!(
            "give {source} a host name within that of a listener of {parent}, or widen the listener's hostname"
        ),
        UnresolvedReason::NoAddress(parent) => {
            format!("wait until {parent} has an address in its status; who gives it one?")
        }
        UnresolvedReason::NotSelected(parent) => format!(
            "compare {parent} with spec.sources of the DNSPolicy, and look for its annotation controller"
        ),
        UnresolvedReason::SetNotAllowed(gateway, set) => format!(
            "see that spec.allowedListeners of {gateway} lets {set} in, and what the status of {set} says"
        ),
        UnresolvedReason::NotServing(parent) => {
            format!(
                "wait until status.listeners of {parent} says that the listener is accepted and programmed"
            )
        }
        UnresolvedReason::NotReachable(object) => {
            format!("make {object} of type LoadBalancer, or headless, or name targets in an annotation")
        }
        UnresolvedReason::NoTargets => format!("name targets in {source}"),
        UnresolvedReason::UnsupportedType(_) => {
            format!("publish the name in {source} as A, AAAA or CNAME")
        }
        UnresolvedReason::InvalidAnnotation(_) => {
            format!("correct the annotation of {source}; the rest of the object counts")
        }
        UnresolvedReason::NoParent => {
            format!("name a Gateway in spec.parentRefs of {source}")
        }
    }
}

/// About a host name that is denied.
#[must_use]
pub fn denied(source: &SourceRef, host_name: &str, denial: &Denial) -> String {
    match denial.code.as_str() {
        codes::INVALID_HOST_NAME => format!(
            "rename {host_name:?} in {source}: letters, digits and inner hyphens, labels of at most 63 bytes"
        ),
        codes::OUTSIDE_DOMAIN => format!(
            "give {source} a name within its cluster's domain, or share {host_name} with the cluster by \
             spec.sharedNames or spec.sharedSuffixes of the DNSPolicy"
        ),
        codes::RESERVED_NAME => format!("take another name than {host_name} in {source}"),
        codes::WILDCARD_UNSUPPORTED => format!(
            "list the names that {host_name} in {source} stands for, or have the built-in DNS server serve the zone"
        ),
        codes::UNREACHABLE_TARGET => {
            format!("see that what {source} points to reports an address that other clusters can reach")
        }
        _ => format!(
            "the policy module refuses {host_name} in {source}, and its message says why; `openmcp-dns policy run` \
             asks it about another name"
        ),
    }
}

/// About a claim that the module did not decide.
#[must_use]
pub fn undecided(failure: &PolicyFailure) -> String {
    format!(
        "the module failed ({}): `openmcp-dns policy run` shows the questions; what was published stays",
        failure.kind.as_str()
    )
}

/// About a cluster that no policy that is looked at holds for.
#[must_use]
pub fn not_selected(cluster: &ClusterId) -> String {
    format!("compare spec.clusterSelector of the DNSPolicy with labels and purposes of Cluster {cluster}")
}

/// About a cluster that has no domain.
#[must_use]
pub fn no_domain(cluster: &ClusterId) -> String {
    format!("see that the policy module gives Cluster {cluster} a domain of its own")
}

/// About a claim that gives way.
#[must_use]
pub fn gave_way(name: &HostName, object: &str) -> String {
    format!("take another name than {name} in {object}, or have one object publish it")
}

/// About keys that are not as it is decided.
#[must_use]
pub fn late(cluster: Option<&str>) -> String {
    match cluster {
        Some(cluster) => {
            format!("the condition Recorded of ClusterDNS {cluster} says why it is not written yet")
        }
        None => "the condition Recorded of the ClusterDNS says why it is not taken away yet".to_owned(),
    }
}

/// About values that are not ours.
#[must_use]
pub fn foreign(name: &HostName) -> String {
    format!(
        "somebody else has written values at {name}, which are served and never changed: delete them if they are wrong"
    )
}

/// About an answer that is not the right one.
#[must_use]
pub fn wrong_answer(cluster: Option<&str>, is_late: bool) -> String {
    match cluster {
        Some(cluster) => {
            format!("the condition Forwarded of ClusterDNS {cluster} says whether it forwards the zone")
        }
        None if is_late => "ask again when the records are written".to_owned(),
        None => "the condition CentralDNS of the DNSServiceConfig says how the central DNS stands".to_owned(),
    }
}

/// About a name that no object claims.
#[must_use]
pub fn unclaimed(name: &HostName, zone: &HostName, owner: Option<(&ClusterId, &HostName)>) -> String {
    match owner {
        Some((cluster, domain)) => format!(
            "create a route or an Ingress with the host name {name} in cluster {cluster}, which has the domain {domain}"
        ),
        None if name.is_within(zone) => format!(
            "{name} lies in no cluster's domain: take a name that does, or share it by \
             spec.sharedNames or spec.sharedSuffixes of the DNSPolicy"
        ),
        None => format!("{name} lies outside of the zone {zone}: take a name that ends in it"),
    }
}

/// About an object that no cluster has.
#[must_use]
pub fn no_such_object(source: &SourceRef) -> String {
    match source.kind {
        // Nobody here knows of any other.
        Kind::Service => {
            format!("create {source}, or give it the annotation external-dns.kubernetes.io/hostname")
        }
        _ => format!(
            "there is no {source} in the clusters that could be read: correct its kind, namespace or name"
        ),
    }
}

/// About an object that counts for nothing.
#[must_use]
pub fn left_out(source: &SourceRef) -> String {
    format!("compare {source} with spec.sources of the DNSPolicy, and look for its annotation controller")
}

/// About an object that asks for nothing.
#[must_use]
pub fn asks_for_nothing(source: &SourceRef) -> String {
    match source.kind {
        Kind::Gateway | Kind::ListenerSet => format!(
            "routes ask for the host names of {source}; with the annotation dns.openmcp.cloud/listener-host-names: \
             \"true\" it does so itself"
        ),
        _ => format!("{source} names no host: give it one, or its listener"),
    }
}
