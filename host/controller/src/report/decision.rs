//! What a decision says, for people.

use openmcp_dns_core::decide::Decision;
use openmcp_dns_policy::vectors::lines;

/// A decision as lines: its records, sorted, or one line that says why there are none. `None`: nobody was
/// asked.
#[must_use]
pub fn decision_lines(decision: Option<&Decision>) -> Vec<String> {
    match decision {
        Some(Decision::Publish(record_sets)) if record_sets.is_empty() => vec!["no records".to_owned()],
        Some(Decision::Publish(record_sets)) => lines(record_sets),
        Some(Decision::Deny(denial)) => vec![format!("denied, {}: {}", denial.code, denial.message)],
        Some(Decision::Undecided(failure)) => vec![format!("undecided: {failure}")],
        None => vec!["not asked".to_owned()],
    }
}
