//! How a held deletion is confirmed.

use openmcp_dns_api::CONFIRM_ANNOTATION;
use openmcp_dns_core::cluster::ClusterId;

/// Lets the deletion with this token go on at once.
pub(super) fn confirm_command(cluster: &ClusterId, token: &str) -> String {
    let (namespace, name) = (&cluster.namespace, &cluster.name);
    format!("kubectl annotate clusterdns -n {namespace} {name} --overwrite {CONFIRM_ANNOTATION}={token}")
}
