//! What conditions come to, in the words that openMCP's common status and tools that wait for an object have for it.

use std::iter;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::Finding;

/// The condition by which tools tell whether an object is as it is wanted (`kubectl wait`, Flux and Argo CD by kstatus).
pub const READY: &str = "Ready";

/// The state of an object in one word, as the general guidelines of openMCP have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Phase {
    /// All its conditions are `True`.
    Ready,
    /// Some condition is not, and says why.
    #[default]
    Progressing,
    /// What it stands for is being deleted.
    Terminating,
}

impl Phase {
    /// What conditions come to.
    #[must_use]
    pub fn of(conditions: &[Condition], is_deleted: bool) -> Self {
        if is_deleted {
            Self::Terminating
        } else if !conditions.is_empty() && conditions.iter().all(|condition| condition.status == "True") {
            Self::Ready
        } else {
            Self::Progressing
        }
    }
}

/// The first finding that is wrong, else the first that is not known; `None` where all is well.
pub fn not_well<'f, N>(findings: impl Iterator<Item = (N, &'f Finding)> + Clone) -> Option<(N, &'f Finding)> {
    let first = |status: Option<bool>| findings.clone().find(|(_, finding)| finding.status == status);
    first(Some(false)).or_else(|| first(None))
}

/// Findings as conditions, after [`READY`], which is what they come to. Transition times are kept as
/// [`Finding::condition`] does.
#[must_use]
pub fn conditions_with_ready(
    findings: &[(&str, &Finding)],
    generation: i64,
    previous: &[Condition],
) -> Vec<Condition> {
    let ready = all_in_one(findings);
    let all = iter::once((READY, &ready)).chain(findings.iter().copied());
    all.map(|(name, finding)| finding.condition(name, Some(generation), previous)).collect()
}

fn all_in_one(findings: &[(&str, &Finding)]) -> Finding {
    match not_well(findings.iter().copied()) {
        Some((name, Finding { status, reason, message })) => {
            Finding { status: *status, reason: *reason, message: format!("{name}: {message}") }
        }
        None => Finding::good("all conditions are true"),
    }
}

/// The conditions that [`READY`] comes of.
pub fn without_ready(conditions: &[Condition]) -> impl Iterator<Item = &Condition> {
    conditions.iter().filter(|condition| condition.type_ != READY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::Reason;

    fn findings() -> [(&'static str, Finding); 4] {
        [
            ("Reachable", Finding::good("well")),
            ("Forwarded", Finding::unknown(Reason::NotProbed, "nobody knows")),
            ("Recorded", Finding::bad(Reason::StoreUnavailable, "no answer")),
            ("Probed", Finding::bad(Reason::Mismatch, "another address")),
        ]
    }

    #[test]
    fn what_is_wrong_comes_before_what_is_not_known_and_says_where() {
        let all = findings();
        let of = |chosen: &[usize]| {
            let chosen: Vec<_> = chosen.iter().map(|&index| (all[index].0, &all[index].1)).collect();
            let Finding { status, reason, message } = all_in_one(&chosen);
            (status, reason, message)
        };
        assert_eq!(
            of(&[0, 1, 2, 3]),
            (Some(false), Reason::StoreUnavailable, "Recorded: no answer".to_owned())
        );
        assert_eq!(of(&[0, 1]), (None, Reason::NotProbed, "Forwarded: nobody knows".to_owned()));
        assert_eq!(of(&[0]).0, Some(true));
    }

    #[test]
    fn the_phase_is_ready_only_when_every_condition_is_true() {
        let conditions: Vec<Condition> =
            findings().iter().map(|(name, finding)| finding.condition(name, Some(1), &[])).collect();
        for (chosen, is_deleted, expected) in [
            (&conditions[..1], false, Phase::Ready),
            (&conditions[..2], false, Phase::Progressing),
            (&conditions[2..], false, Phase::Progressing),
            (&[][..], false, Phase::Progressing),
            (&conditions[..1], true, Phase::Terminating),
        ] {
            assert_eq!(Phase::of(chosen, is_deleted), expected, "{chosen:?}");
        }
    }
}
