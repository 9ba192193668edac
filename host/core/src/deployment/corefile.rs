//! The configuration of the central CoreDNS.

use std::fmt::Write as _;

use super::config::Facts;
use super::etcd::client_endpoint;

/// Where CoreDNS listens in its pod: no privilege is needed there.
pub(super) const PORT: u16 = 1053;

/// Where it says that it lives.
pub(super) const HEALTH_PORT: u16 = 8080;

/// Where it says that it is ready.
pub(super) const READY_PORT: u16 = 8181;

/// Where its metrics are.
pub(super) const METRICS_PORT: u16 = 9153;

/// Where its certificate for etcd lies.
pub(super) const CERTIFICATES: &str = "/etc/openmcp-dns/certificates";

/// How long it keeps an answer, whatever its TTL (`success` below), in seconds.
pub(super) const CACHE_SECONDS: u16 = 30;

/// The Corefile: a block that answers for all zones, and one that says what is common to the process.
pub(super) fn corefile(facts: &Facts) -> String {
    let Facts { namespace, zones, prefix, .. } = facts;
    let endpoint = client_endpoint(namespace);
    let mut text = format!(
        "# Written by openmcp-dns; changes are undone.
.:{PORT} {{
    errors
    health :{HEALTH_PORT} {{
        lameduck 5s
    }}
    ready :{READY_PORT}
    prometheus :{METRICS_PORT}
    # Load balancers that have a host name instead of an address are looked up here, for the zones below.
    cache 30
    forward . /etc/resolv.conf
}}
"
    );
    if zones.is_empty() {
        return text;
    }
    let listed = zones.iter().map(|zone| format!("{zone}:{PORT}")).collect::<Vec<_>>().join(" ");
    let bare = zones.iter().map(|zone| zone.as_str()).collect::<Vec<_>>().join(" ");
    let _ = write!(
        text,
        "{listed} {{
    errors
    prometheus :{METRICS_PORT}
    # The etcd plugin answers the labels `*` and `any` with everything at that level.
    template ANY ANY {bare} {{
        match (^|[.])(any|[*])[.]
        rcode NXDOMAIN
        fallthrough
    }}
    # Denials are kept shortly, so that new names resolve soon; old answers live on while etcd is away.
    cache {{
        success 9984 {CACHE_SECONDS} 1
        denial 9984 5 1
        serve_stale 1h immediate 30s 30s
        servfail 1s
    }}
    loadbalance
    etcd {bare} {{
        path {prefix}
        endpoint {endpoint}
        tls {CERTIFICATES}/tls.crt {CERTIFICATES}/tls.key {CERTIFICATES}/ca.crt
    }}
}}
"
    );
    text
}
