//! Modules: fetches policy modules and has them admitted.
//!
//! ```text
//! builtIn, configMap, oci, http, file ──fetch──► bytes ──SHA-256──► admission ──► Module
//!                                       within FETCH    of these bytes
//! ```
//! [`registry`] speaks with OCI registries and [`remote`] with web servers; none of them is trusted.

mod admission;
mod cache;
mod compiled;
mod config_map;
mod error;
mod file;
mod http;
mod kept;
mod loader;
mod oci;
pub mod refused;
pub mod registry;
pub mod remote;

pub use error::ModuleError;
pub use kept::KEPT_LABEL;
pub use loader::{Facts, Loaded, ModuleLoader, SourceOptions};
