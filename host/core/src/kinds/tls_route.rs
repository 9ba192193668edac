//! TLSRoutes: they claim host names at the addresses of Gateways. Their fields are the same from `v1alpha2` on.

use super::{GATEWAY_API, Row, Shape};

pub(super) const ROW: Row = Row {
    kind: "TLSRoute",
    group: GATEWAY_API,
    version: "v1",
    plural: "tlsroutes",
    is_namespaced: true,
    shape: Shape::Route { protocols: &["TLS"] },
};
