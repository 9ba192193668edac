//! Counts the questions to the module of one DNSPolicy.

use super::Metrics;
use crate::measured::{Question, Witness};

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

impl Witness for PolicyMetrics {
    fn asked(&self, question: Question) {
        let Question { function, fuel, time, failure } = question;
        self.metrics.evaluated(&self.policy, function, time, fuel);
        if let Some(kind) = failure {
            self.metrics.failed(&self.policy, kind.as_str());
        }
    }
}
