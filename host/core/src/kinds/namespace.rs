//! Namespaces: listeners can select them by label.

use super::{Row, Shape};

pub(super) const ROW: Row = Row {
    kind: "Namespace",
    group: "",
    version: "v1",
    plural: "namespaces",
    is_namespaced: false,
    shape: Shape::MetadataOnly,
};
