//! The life cycle of policies: which module of each is loaded, decides, watches, or could come back.
//!
//! ```text
//! DNSPolicy ──choice──► Load ──► fetched, admitted ──► candidate ──Enforce──► active ──► previous
//!                                                                               ▲──Rollback──┘
//! DNSPolicy ──its module is admitted──► ActivePolicy ──for one cluster──► ClusterPolicy
//! ```
//! All of it is pure: a [`PolicyLifeCycle`] takes what happens, and when, and gives what has to be done.
//! The landscape's controller does it, and reports what came of it.

mod active;
mod findings;
mod guards;
mod life_cycle;
mod loading;
mod module;
mod modules;
mod occurrence;
mod schedule;
#[cfg(test)]
pub(crate) mod test_support;
#[cfg(test)]
mod tests;

pub use active::{ActiveModule, ActivePolicy, configuration, networks};
pub use guards::LoadedGuard;
pub use life_cycle::{Effect, Input, LandscapeFacts, Moment, PolicyLifeCycle};
pub use module::{Choice, ChosenBy, Digests, GuardSource, Load, MeteredModule, PolicyModule};
pub use occurrence::ModuleOccurrence;
