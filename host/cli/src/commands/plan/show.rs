//! A plan for people, and for a pull request.

use openmcp_dns_kit::plan::{Held, NameChange, NotPublished, Plan};

/// For people: what goes with `-` in front, and what comes with `+`.
pub(super) fn text(plan: &Plan) -> String {
    let mut text = String::new();
    for NameChange { name, before, after, takes_over_after_seconds } in &plan.names {
        let wait = wait(*takes_over_after_seconds).map_or_else(String::new, |wait| format!(" ({wait})"));
        text.push_str(&format!("{name}{wait}\n"));
        for (sign, lines, others) in [('-', before, after), ('+', after, before)] {
            for line in lines.iter().filter(|line| !others.contains(line)) {
                text.push_str(&format!("  {sign} {line}\n"));
            }
        }
    }
    if !plan.not_published.is_empty() {
        separate(&mut text);
        text.push_str("not published\n");
        for claim in &plan.not_published {
            text.push_str(&format!("  {} of {}\n    {}\n", host_name(claim), object(claim), why(claim)));
        }
    }
    if !plan.held.is_empty() {
        separate(&mut text);
        text.push_str("held until it is confirmed\n");
        for held in &plan.held {
            text.push_str(&format!("  {}\n", self::held(held)));
        }
    }
    separate(&mut text);
    text.push_str(&format!("{}\n", summary(plan)));
    text
}

/// For a pull request.
pub(super) fn markdown(plan: &Plan) -> String {
    let mut text = format!("### DNS: {}\n", summary(plan));
    if !plan.names.is_empty() {
        text.push_str("\n| name | before | after |\n|---|---|---|\n");
    }
    for NameChange { name, before, after, takes_over_after_seconds } in &plan.names {
        let wait = wait(*takes_over_after_seconds).map_or_else(String::new, |wait| format!("<br>{wait}"));
        text.push_str(&format!("| `{name}` | {} | {}{wait} |\n", cell(before), cell(after)));
    }
    if !plan.not_published.is_empty() {
        text.push_str("\n| not published | object | why |\n|---|---|---|\n");
    }
    for claim in &plan.not_published {
        let (object, why) = (object(claim), why(claim).replace('|', "\\|"));
        text.push_str(&format!("| `{}` | {object} | {why} |\n", host_name(claim)));
    }
    for held in &plan.held {
        text.push_str(&format!("\n**Held until it is confirmed:** {}\n", self::held(held)));
    }
    text
}

/// What comes does so later.
fn wait(seconds: Option<u64>) -> Option<String> {
    seconds.map(|seconds| format!("when it has been asked for without interruption for {seconds} s"))
}

fn separate(text: &mut String) {
    if !text.is_empty() {
        text.push('\n');
    }
}

fn cell(lines: &[String]) -> String {
    lines.iter().map(|line| format!("`{line}`")).collect::<Vec<_>>().join("<br>")
}

fn host_name(claim: &NotPublished) -> &str {
    if claim.host_name.is_empty() { "the host names of its listeners" } else { &claim.host_name }
}

fn object(NotPublished { object, cluster, .. }: &NotPublished) -> String {
    format!("{object} of cluster {cluster}")
}

fn why(NotPublished { code, message, stays, .. }: &NotPublished) -> String {
    let stays = if *stays { "; what is published stays" } else { "" };
    format!("{code}: {message}{stays}")
}

fn held(Held { cluster, deleted, published }: &Held) -> String {
    format!("cluster {cluster} would lose {deleted} of its {published} names")
}

fn summary(plan: &Plan) -> String {
    if plan.is_empty() {
        return "nothing would change".to_owned();
    }
    let (come, go, change) = plan.counts();
    let denied = plan.not_published.len();
    format!("names: {come} new, {go} gone, {change} changed; claims that come to nothing: {denied}")
}
