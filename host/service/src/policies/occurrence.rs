//! What happens to the modules of a policy.

use super::module::ChosenBy;
use openmcp_dns_api::dns_policy::Mode;

/// What happens to the modules of a policy, for those who want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleOccurrence {
    /// A module was admitted.
    Loaded {
        /// SHA-256 of its bytes, as hexadecimal digits.
        digest: String,
        /// Who names it.
        chosen_by: ChosenBy,
        /// The policy's mode.
        mode: Mode,
        /// Whether it decides from now on.
        decides: bool,
    },
    /// A module was not admitted, and why. The same trouble is told once, not at every attempt.
    Refused {
        /// For people.
        message: String,
    },
    /// The module that decided before decides again.
    RolledBack,
    /// The tag of the module means another one than when it was loaded.
    TagMoved {
        /// The manifest's digest, as the registry says it.
        digest: String,
    },
    /// It is not known whether the tag has moved, so the module stays. Told once as well.
    TagUnknown {
        /// For people.
        message: String,
    },
}
