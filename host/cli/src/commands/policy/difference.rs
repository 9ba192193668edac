//! How decisions that differ are shown.

use openmcp_dns_core::compare::Difference;

/// What only one of two decisions has: records that stay are no difference.
pub(super) fn changed_lines(old: &[String], new: &[String]) -> String {
    let mut text = String::new();
    for (sign, lines, other) in [('-', old, new), ('+', new, old)] {
        for line in lines.iter().filter(|line| !other.contains(line)) {
            text.push_str(&format!("  {sign} {line}\n"));
        }
    }
    text
}

/// How many differ in each way, to be added to a sentence; ways in which none do are left out.
pub(super) fn counted(count: impl Fn(Difference) -> usize) -> String {
    let ways = Difference::ALL.into_iter().map(|kind| (count(kind), kind));
    let ways = ways.filter(|(count, _)| *count > 0);
    ways.map(|(count, kind)| format!(", {count} {}", kind.as_str())).collect()
}
