//! DNSEndpoints of external-dns: host names for what has no route.

use super::{Row, Shape};

pub(super) const ROW: Row = Row {
    kind: "DNSEndpoint",
    group: "externaldns.k8s.io",
    version: "v1alpha1",
    plural: "dnsendpoints",
    is_namespaced: true,
    shape: Shape::Endpoints { is_watched: true },
};
