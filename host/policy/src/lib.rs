//! The WebAssembly policy engine: loads policy modules and asks them.
//!
//! ```text
//! bytes ──inspect──► compile ──vectors──► Module ──┬── fresh instance ── question ──► answer
//!              │          │          │              └── fresh instance ── question ──► answer
//!              └──────────┴──────────┴──► LoadError
//! ```
//!
//! A [`Module`] of [`Engine::load`] can decide: it has the contract's exports, imports nothing, fits the
//! limits, has accepted its configuration, and has answered the contract's [`vectors`]. It implements
//! [`openmcp_dns_core::policy::Policy`]. Tools for authors take it from [`Engine::compile`], which stops before
//! the first question about a configuration, and look at its bytes with [`Survey`].
//!
//! Every question runs in an instance of its own, with a budget of instructions ([`Limits::fuel`]),
//! a deadline as a backstop, and a bound on memory and on the size of the answer. So no module can
//! hold up the service, remember anything, or spoil the next question, and the same question costs
//! the same fuel on every machine.
//!
//! Nothing here is async. [`Engine::load`] compiles and takes tens of milliseconds for a small module:
//! async callers give it to a blocking thread. A question takes tens of microseconds.

// Helpers of the tests name the crate as its users do.
#[cfg(test)]
extern crate self as openmcp_dns_policy;

mod bindings;
mod call;
mod compiled;
mod compilers;
pub mod debugging;
mod engine;
mod inspect;
mod limits;
mod load;
mod load_error;
pub mod metered;
mod module;
mod outline;
mod permits;
mod question;
mod survey;
mod ticker;
pub mod vectors;
mod work;

pub use compiled::{CompiledError, CompiledModules};
pub use engine::{Author, Engine, EngineError};
pub use limits::Limits;
pub use load::digest;
pub use load_error::LoadError;
pub use module::{ConfigurationError, Description, Module};
pub use openmcp_dns_core::policy::LoadReason;
pub use survey::{SizeLimit, Survey};

/// The standard policy module, built from `policies/standard`.
pub const STANDARD: &[u8] = include_bytes!("../../../policies/standard/standard.wasm");

/// The latest version of the policy contract that this service speaks, as text.
pub const CONTRACT: &str = include_str!("../../../wit/policy.wit");
