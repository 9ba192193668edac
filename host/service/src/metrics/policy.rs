//! Counts the questions to the module of one DNSPolicy.

use super::Metrics;
use openmcp_dns_policy::metered::{Meter, Question};

/// Counts the questions to the module of one DNSPolicy.
pub struct PolicyMetrics {
    policy: String,
    metrics: Metrics,
}

impl PolicyMetrics {
    /// Counts under the name of the DNSPolicy.
    #[must_use]
    pub const fn new(policy: String, metrics: Metrics) -> Self {
        Self { policy, metrics }
    }
}

impl Meter for PolicyMetrics {
    fn asked(&self, question: Question) {
        let Question { function, fuel, time, failure } = question;
        self.metrics.evaluated(&self.policy, function, time, fuel);
        if let Some(kind) = failure {
            self.metrics.failed(&self.policy, kind.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use openmcp_dns_core::policy::FailureKind;

    use super::super::Exposed as _;
    use super::*;

    #[test]
    fn a_question_counts_with_its_fuel_its_time_and_how_it_failed() {
        let metrics = Metrics::default();
        let witness = PolicyMetrics::new("p".to_owned(), metrics.clone());
        let question = Question {
            function: "name-records",
            fuel: 700,
            time: Duration::from_micros(3),
            failure: Some(FailureKind::Trap),
        };
        witness.asked(question.clone());
        witness.asked(Question { failure: None, ..question });
        let text = metrics.text().unwrap();
        for line in [
            r#"openmcp_dns_policy_evaluations_total{policy="p",function="name-records"} 2"#,
            r#"openmcp_dns_policy_fuel_total{policy="p",function="name-records"} 1400"#,
            r#"openmcp_dns_policy_failures_total{policy="p",kind="Trap"} 1"#,
            r#"openmcp_dns_policy_evaluation_seconds_bucket{le="0.000002",policy="p",function="name-records"} 0"#,
            r#"openmcp_dns_policy_evaluation_seconds_bucket{le="0.000004",policy="p",function="name-records"} 2"#,
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
