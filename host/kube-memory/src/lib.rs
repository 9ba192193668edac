//! A Kubernetes API server in memory, which a [`kube::Client`] talks to as to a real one.
//!
//! ```text
//! kube::Client ──HTTP──► service ──call──► state ──► kinds (objects, history)
//!                           ▲                ▲             │
//!                        faults            Server        watches: cursors into the history
//!                                  (plays the outside)
//! ```
//! The state answers requests as a value: it knows no task, no network and no time. Around it
//! stands a thin tower service, which waits for changes on behalf of watches and makes trouble on
//! request. [`Server`] is the handle for whoever plays the rest of the world.
//!
//! What it does is what a real server does with the requests that this service makes: lists in pages,
//! watches that expire, merge patches, server-side apply with field ownership, the status as a
//! subresource, finalizers, versions and generations, discovery, port-forwards to what is said to listen there. The battery of tests (feature
//! `battery`) runs against this one and against real ones. What it does not do: access rules,
//! admission, schemas and their defaults (a kind may be given a [`Validator`]), strategic merge
//! patches, dry runs, and the work of controllers (no garbage collection of owned objects), but that of
//! the one for namespaces.
//!
//! ```
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::Api;
//! use openmcp_dns_kube_memory::{Resource, Server};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let server = Server::new("platform");
//! server.register(Resource::custom("example.com", "v1", "Thing", "things"), None);
//! server.put(serde_json::json!({
//!     "apiVersion": "v1", "kind": "ConfigMap",
//!     "metadata": { "namespace": "kube-system", "name": "coredns" },
//!     "data": { "Corefile": ".:53 {}" },
//! }))?;
//!
//! let config_maps: Api<ConfigMap> = Api::namespaced(server.client(), "kube-system");
//! let coredns = config_maps.get("coredns").await?;
//! assert!(coredns.metadata.uid.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "battery")]
pub mod battery;
mod discovery;
mod faults;
mod fields;
mod kept;
mod kind;
mod list;
mod managers;
mod metadata;
mod namespace;
mod patch;
mod path;
mod port_forward;
mod query;
mod refusal;
mod resource;
mod selector;
mod server;
mod service;
mod state;
mod watch;
mod write;

pub use faults::{Effect, Fault, FaultId};
pub use path::Verb;
pub use refusal::Refusal;
pub use resource::{Resource, Validator, built_in};
pub use server::{Requests, Server};
pub use state::HISTORY;
