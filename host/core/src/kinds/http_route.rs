//! HTTPRoutes: they claim host names at the addresses of Gateways.

use super::{GATEWAY_API, Row, Shape};

pub(super) const ROW: Row = Row {
    kind: "HTTPRoute",
    group: GATEWAY_API,
    version: "v1",
    plural: "httproutes",
    is_namespaced: true,
    shape: Shape::Route { protocols: &["HTTP", "HTTPS"] },
};
