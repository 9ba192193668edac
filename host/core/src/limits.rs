//! What one cluster may ask for.

/// Budgets of a cluster, so that no tenant can stop, slow or fill the service. What exceeds them is told
/// to its author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most names that a cluster may publish. What is published already stays.
    pub names_per_cluster: usize,
    /// Most host names of one object that are looked at, in alphabetical order.
    pub host_names_per_object: usize,
    /// Questions about a cluster's objects that a module is asked per second, on average.
    pub questions_per_second: u32,
    /// Names of a cluster that are written per second, on average.
    pub changes_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A large cluster has some thousand routes.
            names_per_cluster: 20_000,
            // A Gateway has at most 64 listeners, a route 16 host names; only an Ingress has no bound.
            host_names_per_object: 256,
            // A question takes some 20 microseconds: a cluster gets a fiftieth of a core.
            questions_per_second: 1_000,
            // etcd takes some thousand transactions per second.
            changes_per_second: 200,
        }
    }
}

/// Most labels of an object in bytes, with their keys, that a module is told: a label has at most 380,
/// and who needs more than 170 of them does not exist.
pub const MAX_LABELS_BYTES: usize = 64 * 1024;
