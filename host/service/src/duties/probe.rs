//! Probe: the central DNS server answers what was decided.
//!
//! The prober asks, for all clusters; what it found for this one is counted.

use async_trait::async_trait;

use super::{Context, Duty};
use crate::probe::{ProbeCounts, ProberHandle};
use openmcp_dns_api::conditions::{DutyName, Finding, Reason};

/// Knows how a cluster's names are answered.
pub struct Probe {
    prober: Option<ProberHandle>,
}

impl Probe {
    /// Asks the prober, if there is one.
    pub const fn new(prober: Option<ProberHandle>) -> Self {
        Self { prober }
    }
}

#[async_trait]
impl Duty for Probe {
    fn name(&self) -> DutyName {
        DutyName::Probed
    }

    async fn fulfil(&mut self, context: &Context<'_>) -> Finding {
        match &self.prober {
            Some(prober) => finding(&awaited(prober.counts(context.id).await, context.summary.published)),
            None => finding(&ProbeCounts::default()),
        }
    }
}

/// Nothing is known of any name while claims are `published`: the prober has yet to hear of them, after a restart for
/// example, and that is no success.
fn awaited(counts: ProbeCounts, published: usize) -> ProbeCounts {
    if counts == ProbeCounts::default() {
        return ProbeCounts { outstanding: published, ..counts };
    }
    counts
}

/// Whether the central DNS server answers what was decided.
fn finding(counts: &ProbeCounts) -> Finding {
    let ProbeCounts { matching, mismatching, unanswered, outstanding, example } = counts;
    let example = example.as_deref().map(|example| format!(", for example {example}")).unwrap_or_default();
    if *mismatching > 0 {
        return Finding::bad(
            Reason::Mismatch,
            format!("{mismatching} names are answered otherwise than decided{example}"),
        );
    }
    if *unanswered > 0 {
        return Finding::bad(
            Reason::NoAnswer,
            format!("{unanswered} names get no answer{example}; is the central DNS server running?"),
        );
    }
    if *outstanding > 0 {
        return Finding::unknown(Reason::InProgress, format!("{outstanding} names are being asked for"));
    }
    Finding::good(format!("{matching} names are answered as decided"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_prober_has_not_heard_of_are_not_called_right() {
        assert_eq!(finding(&awaited(ProbeCounts::default(), 3)).reason, Reason::InProgress);
        assert_eq!(finding(&awaited(ProbeCounts::default(), 0)).status, Some(true));
        let known = ProbeCounts { matching: 1, ..ProbeCounts::default() };
        assert_eq!(awaited(known.clone(), 3), known);
    }

    #[test]
    fn a_wrong_answer_says_more_than_none_and_none_more_than_one_that_is_awaited() {
        let example = Some("a.openmcp.cluster: expected 10.0.0.1, got NXDOMAIN".to_owned());
        let awaited = ProbeCounts { matching: 5, outstanding: 4, ..ProbeCounts::default() };
        let unanswered = ProbeCounts { unanswered: 3, example, ..awaited.clone() };
        let mismatching = ProbeCounts { mismatching: 2, ..unanswered.clone() };
        let all_good = ProbeCounts { matching: 5, ..ProbeCounts::default() };
        for (counts, status, reason, text) in [
            (mismatching, Some(false), Reason::Mismatch, "2 names are answered otherwise"),
            (unanswered, Some(false), Reason::NoAnswer, "expected 10.0.0.1, got NXDOMAIN; is the central"),
            (awaited, None, Reason::InProgress, "4 names are being asked for"),
            (all_good, Some(true), Reason::Succeeded, "5 names are answered as decided"),
        ] {
            let finding = finding(&counts);
            assert_eq!((finding.status, finding.reason), (status, reason), "{finding:?}");
            assert!(finding.message.contains(text), "{finding:?}");
        }
    }
}
