//! What an operator can do about a module that is refused.

use openmcp_dns_core::policy::FailureKind;
use openmcp_dns_policy::LoadError;

/// The next step, where it is one of the operator; with anything else, the module's author has to act.
#[must_use]
pub const fn operators_step(error: &LoadError) -> Option<&'static str> {
    match error {
        LoadError::TooLarge { .. } | LoadError::TooManyBytes { .. } => Some(
            "if the module is meant to be that large, raise the limits (`openmcp-dns policy inspect` says which \
             --policy options of the service, and to what)",
        ),
        LoadError::Trial { source, .. } => match source.kind {
            FailureKind::OutOfFuel => {
                Some("if the module is meant to take so much, raise --policy-fuel of the service")
            }
            FailureKind::Memory => {
                Some("if the module is meant to take so much, raise --policy-memory-bytes of the service")
            }
            FailureKind::Deadline => {
                Some("raise --policy-deadline-ms of the service, or give it more of a processor")
            }
            FailureKind::Refused
            | FailureKind::Trap
            | FailureKind::TooLarge
            | FailureKind::InvalidAnswer
            | FailureKind::Internal => None,
        },
        LoadError::NotAComponent { .. }
        | LoadError::Malformed(_)
        | LoadError::Imports { .. }
        | LoadError::Contract(_)
        | LoadError::Compile(_)
        | LoadError::Answer { .. }
        | LoadError::Configuration(_)
        | LoadError::Internal(_) => None,
    }
}
