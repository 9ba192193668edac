//! What the central DNS is made of, the agents of clusters, and what writes on their nodes: a configuration and some facts in, Kubernetes objects out.
//!
//! ```text
//! Config, Facts ──render──► etcd: Services, StatefulSet, NetworkPolicy … ──► CoreDNS: ConfigMap, Service, Deployment …
//! ```
//!
//! Nothing here asks or writes anything; `host/core/tests/deployment.rs` has the objects as golden files.

mod agent;
mod central;
mod config;
mod corefile;
mod covers;
mod etcd;
mod gate;
mod members;
mod nodes;
mod object;
mod rotation;
mod snapshots;

use serde_json::Value;

pub use self::agent::{
    AGENT, AGENT_COMPONENT, Agent, AgentFacts, AgentSource, render_agent, sources_in, without_rights,
};
pub use self::central::{CANARY_GATE, CENTRAL, CERTIFICATE_ANNOTATION, ZONES_ANNOTATION, central_selector};
pub use self::config::{Config, Exposure, Facts, Members, Server, Storage, Workload};
pub use self::covers::covers;
pub use self::etcd::{
    ETCD, ETCD_CLIENT, TRUST_ANNOTATION, client_endpoint, etcd_selector, peer_urls, read_cluster,
    server_names,
};
pub use self::gate::{GATE, GATE_COMPONENT, GATE_PORT, Gate, GateFacts, render_gate};
pub use self::members::{
    EtcdCluster, ListedMember, MemberAction, MemberSize, MemberStep, defragment_next, next_step,
};
pub use self::nodes::{
    NODES, NODES_COMPONENT, Nodes, NodesStatus, is_taking_away, loses_files, nodes_status, render_nodes,
    taking_away,
};
pub use self::object::{
    COMPONENT_LABEL, MANAGED_BY_LABEL, MANAGER, RENDERED_ANNOTATION, Reference, digest, is_ours,
};
pub use self::rotation::{AuthorityState, Rotation, rotation};
pub use self::snapshots::snapshots_selector;

/// Secret with the certificate authority that signs what follows; only the controller reads it.
pub const AUTHORITY_SECRET: &str = "openmcp-dns-etcd-ca";

/// Secret with the certificate of etcd's members, for each other and for clients.
pub const SERVER_SECRET: &str = "openmcp-dns-etcd-server";

/// Secret with the certificate of the central DNS servers, for etcd.
pub const READER_SECRET: &str = "openmcp-dns-etcd-reader";

/// Secret with the certificate of the controller, for etcd.
pub const WRITER_SECRET: &str = "openmcp-dns-etcd-writer";

/// Secret with the certificate authority of the gate and the agents; only the controller reads it.
pub const AGENTS_AUTHORITY_SECRET: &str = "openmcp-dns-agents-ca";

/// Secret with the certificate of the gate.
pub const GATE_SECRET: &str = "openmcp-dns-gate";

/// The values of the component label on what is rendered of the central DNS.
pub const COMPONENTS: [&str; 3] = [etcd::COMPONENT, snapshots::COMPONENT, central::COMPONENT];

/// All objects of the central DNS, in the order in which they are applied: what others need comes first.
pub fn render(config: &Config, facts: &Facts) -> Vec<Value> {
    let mut objects = etcd::objects(config, facts);
    objects.extend(snapshots::objects(config, facts));
    objects.extend(central::objects(config, facts));
    objects.into_iter().map(object::finished).collect()
}
