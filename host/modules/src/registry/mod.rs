//! Registry: policy modules in OCI registries, by the distribution specification 1.1.
//!
//! ```text
//! Reference ──► Registry ──challenge──► token or password
//!                   │
//!                   ├─ manifest, layer ──► the module's bytes, checked against both digests
//!                   └─ push ◄── Artifact   one layer application/wasm, as CNCF's guidance has it
//! ```
//! It speaks the few requests that this takes itself, over the clients of [`crate::remote`], because
//! of what must hold for each: no body without a bound, no credentials for another host, and nothing
//! that a registry wrote in a message.

mod artifact;
mod challenge;
mod credentials;
mod error;
mod manifest;
mod push;
mod reference;
mod session;

pub use artifact::Artifact;
pub use credentials::{Credentials, CredentialsError, DockerConfig};
pub use error::RegistryError;
pub use openmcp_dns_policy::digest as hex_digest;
pub use reference::{Reference, ReferenceError};
pub use session::{Access, Registry};
