//! GRPCRoutes: they claim host names at the addresses of Gateways.

use super::{GATEWAY_API, Row, Shape};

pub(super) const ROW: Row = Row {
    kind: "GRPCRoute",
    group: GATEWAY_API,
    version: "v1",
    plural: "grpcroutes",
    is_namespaced: true,
    shape: Shape::Route { protocols: &["HTTP", "HTTPS"] },
};
