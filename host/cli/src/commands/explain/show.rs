//! An explanation for people: from the object to the answers, line by line.

use openmcp_dns_kit::explain::{
    AnswerStep, ClaimStep, DecisionStep, Explanation, GaveWay, ListenerStep, NameStep, ParentStep,
    RecordedStep, StandingBy, StoredStep, Unknown, Where, Won,
};

/// Columns of what is said of a step.
const LABEL: usize = 10;

/// The whole way.
pub(super) fn text(explanation: &Explanation) -> String {
    let Explanation { subject, zone, policy, module, claims, names, unknown, next_steps } = explanation;
    let mut text = format!("{subject}\n");
    let policy =
        policy.as_ref().map_or_else(|| "no DNSPolicy".to_owned(), |name| format!("DNSPolicy {name}"));
    line(&mut text, "zone", &format!("{zone} ({policy})"));
    line(&mut text, "module", module);
    if claims.is_empty() {
        text.push_str("\nno object asks for it\n");
    }
    for claim in claims {
        text.push_str(&format!("\n{} of cluster {}\n", claim.object, claim.cluster));
        self::claim(&mut text, claim);
    }
    for name in names {
        text.push_str(&format!("\n{}\n", name.name));
        self::name(&mut text, name);
    }
    for Unknown { cluster, reason } in unknown {
        text.push_str(&format!("\nnot known: what cluster {cluster} asks for: {reason}\n"));
    }
    if next_steps.is_empty() {
        text.push_str("\nnothing is left to do\n");
    } else {
        text.push_str("\nnext\n");
        for step in next_steps {
            text.push_str(&format!("  - {step}\n"));
        }
    }
    text
}

fn line(text: &mut String, label: &str, value: &str) {
    text.push_str(&format!("  {label:LABEL$} {value}\n"));
}

fn claim(text: &mut String, claim: &ClaimStep) {
    let ClaimStep {
        cluster: _,
        object: _,
        host_name,
        ttl_seconds,
        parents,
        leads_to,
        domain,
        no_domain,
        decision,
        since,
    } = claim;
    let asks_for = if host_name.is_empty() { "the host names of its listeners" } else { host_name };
    let ttl = ttl_seconds.map_or_else(String::new, |ttl| format!(", for {ttl} s"));
    line(text, "asks for", &format!("{asks_for}{ttl}"));
    for ParentStep { parent, refused, listeners } in parents {
        line(text, "at", &refused.as_ref().map_or_else(|| parent.clone(), |why| format!("{parent}: {why}")));
        for ListenerStep { listener, says } in listeners {
            line(text, "", &format!("listener {listener}: {says}"));
        }
    }
    match leads_to {
        Where::Targets(targets) => line(text, "leads to", &targets.join(" ")),
        Where::Nowhere { reason, passes } => {
            line(text, "leads to", &format!("nowhere{}: {reason}", if *passes { " yet" } else { "" }));
        }
    }
    match (domain, no_domain) {
        (Some(domain), _) => line(text, "domain", domain.as_str()),
        (None, why) => line(text, "domain", &format!("none: {}", why.as_deref().unwrap_or_default())),
    }
    match decision {
        None => line(text, "decided", "nobody was asked"),
        Some(DecisionStep::Published { records }) if records.is_empty() => {
            line(text, "decided", "no records")
        }
        Some(DecisionStep::Published { records }) => {
            for record in records {
                line(text, "decided", record);
            }
        }
        Some(DecisionStep::Denied { code, message, by_the_host, guard }) => {
            let by = match guard {
                Some(_) => "a guard",
                None if *by_the_host => "the service itself",
                None => "the policy module",
            };
            line(text, "denied", &format!("by {by}, {code}: {message}"));
        }
        Some(DecisionStep::Undecided { message }) => line(text, "undecided", message),
    }
    if let Some(since) = since {
        line(text, "since", since);
    }
}

fn at_revision(revision: Option<i64>) -> String {
    revision.map_or_else(String::new, |revision| format!(" at revision {revision}"))
}

fn name(text: &mut String, name: &NameStep) {
    let NameStep { name: _, won, gave_way, standing_by, stored, answers, recorded, expectation: _ } = name;
    if won.is_empty() {
        line(text, "wins", "nobody: nothing is to stand here");
    }
    for Won { cluster, object, record, ttl_seconds } in won {
        line(text, "wins", &format!("{record} for {ttl_seconds} s, from {object} of cluster {cluster}"));
    }
    for GaveWay { cluster, object, message } in gave_way {
        line(text, "gives way", &format!("{object} of cluster {cluster}: {message}"));
    }
    for StandingBy { cluster, takes_over_after_seconds } in standing_by {
        let why = match takes_over_after_seconds {
            Some(seconds) => {
                format!("it takes over when it has asked for the name for {seconds} s without interruption")
            }
            None => "others have the name, and come before it".to_owned(),
        };
        line(text, "stands by", &format!("cluster {cluster}: {why}"));
    }
    for StoredStep { key, revision, record, owner: _, object: _, standing } in stored {
        let revision = at_revision(*revision);
        line(text, "key", &format!("{key}{revision}: {record}, {}", standing.as_str()));
    }
    if let Some(RecordedStep { since, revision }) = recorded {
        line(text, "recorded", &format!("since {since}{}", at_revision(*revision)));
    }
    for AnswerStep { server, cluster, record_type, answer, verdict, .. } in answers {
        let of =
            cluster.as_ref().map_or_else(String::new, |cluster| format!(", the DNS of cluster {cluster}"));
        line(text, "answer", &format!("{record_type} {answer}, {verdict} (from {server}{of})"));
    }
}
