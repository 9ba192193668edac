//! The overview for people.

use std::fmt::Write as _;

use openmcp_dns_api::conditions::DutyName;

use super::overview::{ClusterOverview, Finding, Overview, PolicyOverview};
use crate::terminal::output::{render, table};
use crate::terminal::style::{BAD, GOOD, UNSURE};

/// How many clusters are shown, well or not, without `--all`.
const SHOWN: usize = 20;

/// The whole text; `all` says whether clusters that are well are shown where there are many.
pub(super) fn text(overview: &Overview, all: bool) -> String {
    let Overview {
        leader, central_dns_addresses, policies, clusters, clusters_without_policy, findings, ..
    } = overview;
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    if let Some(leader) = leader {
        line(format!("{leader} leads"));
    }
    if !central_dns_addresses.is_empty() {
        line(format!("central DNS: {}", central_dns_addresses.join(", ")));
    }
    if !policies.is_empty() {
        line(format!("\n{}", render(&policies_table(policies), "").trim_end()));
    }
    let is_well = |cluster: &ClusterOverview| cluster.conditions.values().all(|status| status == "True");
    let few = all || clusters.len() <= SHOWN;
    let (shown, left): (Vec<_>, Vec<_>) = clusters.iter().partition(|cluster| few || !is_well(cluster));
    if !shown.is_empty() {
        line(format!("\n{}", render(&clusters_table(&shown), "").trim_end()));
    }
    if !left.is_empty() {
        line(format!("{} more clusters, which are well (--all shows them)", left.len()));
    }
    if *clusters_without_policy > 0 {
        line(format!(
            "Clusters that no DNSPolicy selects, for which nothing is done: {clusters_without_policy}"
        ));
    }
    line(String::new());
    if findings.is_empty() {
        line(format!("{GOOD}all is well{GOOD:#}"));
    } else {
        line(format!("{}:", count_of_findings(findings.len())));
        findings.iter().for_each(|finding| line(finding_text(finding)));
    }
    text
}

/// How many things are not well.
pub(super) fn count_of_findings(findings: usize) -> String {
    if findings == 1 { "1 thing is not well".to_owned() } else { format!("{findings} things are not well") }
}

fn policies_table(policies: &[PolicyOverview]) -> comfy_table::Table {
    let mut rows = table(&["policy", "base domain", "mode", "module", "clusters", "published", "denied"]);
    for PolicyOverview { name, base_domain, mode, module, clusters, published, denied } in policies {
        let counts = [clusters, published, denied].map(i64::to_string);
        let texts = [name, base_domain, mode, or_dash(module)].map(str::to_owned);
        rows.add_row(texts.into_iter().chain(counts));
    }
    rows
}

fn clusters_table(clusters: &[&ClusterOverview]) -> comfy_table::Table {
    // Not every cluster has an agent.
    let duties = DutyName::ALL.into_iter().map(DutyName::as_str);
    let duties: Vec<&str> =
        duties.filter(|duty| clusters.iter().any(|cluster| cluster.conditions.contains_key(*duty))).collect();
    let head: Vec<&str> =
        ["cluster", "domain", "published", "denied"].into_iter().chain(duties.iter().copied()).collect();
    let mut rows = table(&head);
    for ClusterOverview { cluster, domain, published, denied, conditions } in clusters {
        let mut row =
            vec![cluster.clone(), or_dash(domain).to_owned(), published.to_string(), denied.to_string()];
        row.extend(duties.iter().map(|duty| {
            let mark = match conditions.get(*duty).map(String::as_str) {
                Some("True") => "yes",
                Some("False") => "no",
                Some(_) => "?",
                None => "-",
            };
            mark.to_owned()
        }));
        rows.add_row(row);
    }
    rows
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn finding_text(finding: &Finding) -> String {
    let Finding { object, finding_type, status, reason, message, for_seconds } = finding;
    let style = if status == "False" { BAD } else { UNSURE };
    let mut text = format!("\n{style}{object} {finding_type}={status}{style:#} {reason}");
    if let Some(seconds) = for_seconds {
        // Writing to a String cannot fail.
        let _ = write!(text, ", for {}", duration(*seconds));
    }
    for line in message.lines() {
        let _ = write!(text, "\n  {line}");
    }
    text
}

/// In the largest unit that leaves no less than two of it.
fn duration(seconds: i64) -> String {
    let (unit, length) = [("days", 86_400), ("h", 3600), ("min", 60)]
        .into_iter()
        .find(|(_, length)| seconds >= 2 * length)
        .unwrap_or(("s", 1));
    format!("{} {unit}", seconds / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(name: &str, reachable: &str) -> ClusterOverview {
        ClusterOverview {
            cluster: format!("mcp/{name}"),
            domain: format!("{name}.openmcp.cluster"),
            published: 12,
            denied: 0,
            conditions: [("Reachable".to_owned(), reachable.to_owned())].into(),
        }
    }

    fn overview(clusters: Vec<ClusterOverview>, findings: Vec<Finding>) -> Overview {
        Overview {
            is_well: findings.is_empty(),
            leader: Some("openmcp-dns-0".to_owned()),
            central_dns_addresses: vec!["10.0.0.5:53".to_owned()],
            policies: vec![PolicyOverview {
                name: "landscape".to_owned(),
                base_domain: "openmcp.cluster".to_owned(),
                mode: "Enforce".to_owned(),
                module: "standard 1.4.0".to_owned(),
                clusters: 2,
                published: 24,
                denied: 0,
            }],
            clusters,
            clusters_without_policy: 1,
            findings,
        }
    }

    #[test]
    fn what_is_not_well_stands_at_the_end_where_a_terminal_shows_it() {
        let finding = Finding {
            object: "ClusterDNS/mcp/w2".to_owned(),
            finding_type: "Reachable".to_owned(),
            status: "False".to_owned(),
            reason: "Unreachable".to_owned(),
            message: "its API server does not answer: see that it runs".to_owned(),
            for_seconds: Some(7300),
        };
        let text = text(&overview(vec![cluster("w1", "True"), cluster("w2", "False")], vec![finding]), false);
        let expected = "\
openmcp-dns-0 leads
central DNS: 10.0.0.5:53

POLICY     BASE DOMAIN      MODE     MODULE          CLUSTERS  PUBLISHED  DENIED
landscape  openmcp.cluster  Enforce  standard 1.4.0  2         24         0

CLUSTER  DOMAIN              PUBLISHED  DENIED  REACHABLE
mcp/w1   w1.openmcp.cluster  12         0       yes
mcp/w2   w2.openmcp.cluster  12         0       no
Clusters that no DNSPolicy selects, for which nothing is done: 1

1 thing is not well:

ClusterDNS/mcp/w2 Reachable=False Unreachable, for 2 h
  its API server does not answer: see that it runs
";
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), expected);
    }

    #[test]
    fn of_many_clusters_those_are_shown_that_are_not_well() {
        let many = || {
            let well = (0..30).map(|number| cluster(&format!("w{number:02}"), "True"));
            well.chain([cluster("x", "Unknown")]).collect::<Vec<_>>()
        };
        let few = text(&overview(many(), Vec::new()), false);
        assert!(!few.contains("mcp/w00") && few.contains("mcp/x"), "{few}");
        assert!(few.contains("30 more clusters"), "{few}");
        assert!(text(&overview(many(), Vec::new()), true).contains("mcp/w00"));
    }
}
