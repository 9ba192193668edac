//! Tells by Events on the `Cluster` how it stands with it, all in all, in the reasons of openMCP's own DNS service, which
//! people know who look after clusters (`internal/controllers/cluster/controller.go` of platform-service-dns).

use openmcp_dns_api::conditions::{DutyName, Finding, Reason};
use openmcp_dns_api::not_well;

use super::controller::ClusterController;
use crate::duties::Findings;
use crate::journal::Occurrence;

impl ClusterController {
    /// Says it where it is another thing than was said before. That all is well is news only of a cluster that is new, or
    /// with which something was wrong: a restart of the service is none.
    pub(super) fn announce(&mut self, findings: &Findings) {
        let Some((reason, message)) = said(findings) else { return };
        let before = self.announced.replace(reason);
        let is_new = self.is_new();
        if before != Some(reason) && (reason != Reason::Reconciled || before.is_some() || is_new) {
            let cluster = self.id.clone();
            self.settings.journal.note(Occurrence::Turned { cluster, reason, message });
        }
    }
}

/// What there is to say of findings; nothing while some is not known yet.
fn said(findings: &Findings) -> Option<(Reason, String)> {
    match not_well(findings.iter()) {
        Some((duty, Finding { status: Some(false), reason, message })) => {
            Some((trouble(*duty, *reason)?, format!("{}: {message} ({reason})", duty.as_str())))
        }
        Some(_) => None,
        None if findings.is_empty() => None,
        None => Some((Reason::Reconciled, "all conditions of its ClusterDNS are true".to_owned())),
    }
}

/// With what something is wrong; `None` where that is no trouble.
fn trouble(duty: DutyName, reason: Reason) -> Option<Reason> {
    Some(match (reason, duty) {
        (Reason::Leaving | Reason::LeftBehind, _) => return None,
        (
            Reason::AccessDenied
            | Reason::AgentByHand
            | Reason::DeletionHeld
            | Reason::DomainConflict
            | Reason::DomainDisagrees
            | Reason::ForeignValue
            | Reason::InvalidSpec
            | Reason::KubeconfigInvalid
            | Reason::KubeconfigMissing
            | Reason::ManualStep
            | Reason::NoCentralServer
            | Reason::NoDomain
            | Reason::NoGate
            | Reason::NoPolicy
            | Reason::NotUnderstood
            | Reason::PolicyFailed,
            _,
        ) => Reason::ConfigurationProblem,
        (_, DutyName::Reachable | DutyName::Forwarded | DutyName::Agent | DutyName::NodesForwarded) => {
            Reason::TargetClusterInteractionProblem
        }
        (_, DutyName::Annotated | DutyName::Recorded | DutyName::Probed) => {
            Reason::PlatformClusterInteractionProblem
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(all: &[(DutyName, Option<bool>, Reason)]) -> Findings {
        let finding = |status, reason| Finding { status, reason, message: "why".to_owned() };
        all.iter().map(|&(duty, status, reason)| (duty, finding(status, reason))).collect()
    }

    #[test]
    fn what_is_wrong_is_told_by_where_to_look_for_it() {
        for (duty, status, reason, expected) in [
            (DutyName::Reachable, Some(true), Reason::Succeeded, Some(Reason::Reconciled)),
            (DutyName::Reachable, None, Reason::InProgress, None),
            (DutyName::Reachable, Some(false), Reason::Leaving, None),
            (DutyName::Reachable, Some(false), Reason::KubeconfigMissing, Some(Reason::ConfigurationProblem)),
            (
                DutyName::Forwarded,
                Some(false),
                Reason::TakenBack,
                Some(Reason::TargetClusterInteractionProblem),
            ),
            (
                DutyName::Annotated,
                Some(false),
                Reason::WriteFailed,
                Some(Reason::PlatformClusterInteractionProblem),
            ),
            (
                DutyName::Forwarded,
                Some(false),
                Reason::WriteFailed,
                Some(Reason::TargetClusterInteractionProblem),
            ),
            (
                DutyName::Recorded,
                Some(false),
                Reason::StoreUnavailable,
                Some(Reason::PlatformClusterInteractionProblem),
            ),
        ] {
            let said =
                said(&findings(&[(duty, status, reason), (DutyName::Agent, Some(true), Reason::Succeeded)]));
            assert_eq!(said.map(|(reason, _)| reason), expected, "{duty:?} {reason}");
        }
        assert_eq!(said(&Findings::new()), None);
        let wrong = [
            (DutyName::Reachable, None, Reason::InProgress),
            (DutyName::Recorded, Some(false), Reason::NoDomain),
        ];
        let (reason, message) = said(&findings(&wrong)).unwrap();
        assert_eq!((reason, &*message), (Reason::ConfigurationProblem, "Recorded: why (NoDomain)"));
    }
}
