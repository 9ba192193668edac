//! TCPRoutes: they have no host names of their own; an annotation names them, or the listener.

use super::{GATEWAY_API, Row, Shape};

pub(super) const ROW: Row = Row {
    kind: "TCPRoute",
    group: GATEWAY_API,
    version: "v1alpha2",
    plural: "tcproutes",
    is_namespaced: true,
    shape: Shape::Route { protocols: &["TCP", "TLS"] },
};
