//! The landscape.

use maud::{Markup, html};

use super::parts::{badge, banner, breakable, digest, document, name_link, reason, sign_and_word, time};
use crate::model::{
    Change, Claim, Cluster, Condition, Counts, Fact, Held, Landscape, Listed, Names, Policy, Problem,
};
use crate::question::{Question, Show};

/// The page of a landscape, as a question asks for it.
pub(crate) fn landscape(landscape: &Landscape, question: &Question) -> String {
    let Landscape {
        title,
        at,
        instance,
        facts,
        problems: wrong,
        policies: of_policies,
        clusters: of_clusters,
        held: of_held,
        denials: of_denials,
        changes: of_changes,
        names: of_names,
        counts: of_counts,
    } = landscape;
    let asks_for_all = *question == Question::default();
    let main = html! {
        (banner(instance))
        h1 { (breakable(title)) }
        @if asks_for_all {
            (counts(of_counts))
            (self::facts(facts))
            (problems(wrong))
            @if let Some(of_held) = of_held { (held(of_held)) }
            @if let Some(of_denials) = of_denials { (denials(of_denials)) }
        }
        (names(of_names, question))
        @if asks_for_all {
            (clusters(of_clusters))
            (policies(of_policies))
            (changes(of_changes))
        }
    };
    document(title, &question.search, instance, at, &main, asks_for_all)
}

fn counts(counts: &Counts) -> Markup {
    let Counts { clusters, clusters_ready, published, denied, undecided, unresolved, conflicts, held } =
        counts;
    let tile = |number: String, what: &str, class: &str| {
        html! { div class=(class) { dt { (what) } dd { (number) } } }
    };
    let class = |number: usize, class: &'static str| if number == 0 { "" } else { class };
    let ready = if clusters_ready == clusters { "good" } else { "wait" };
    html! {
        dl.counts {
            (tile(format!("{clusters_ready} of {clusters}"), "clusters ready", ready))
            (tile(published.to_string(), "published", "good"))
            (tile(denied.to_string(), "denied", class(*denied, "bad")))
            (tile(undecided.to_string(), "undecided", class(*undecided, "bad")))
            (tile(unresolved.to_string(), "point nowhere", class(*unresolved, "wait")))
            (tile(conflicts.to_string(), "give way", class(*conflicts, "wait")))
            (tile(held.to_string(), "held deletions", class(*held, "bad")))
        }
    }
}

fn facts(facts: &[Fact]) -> Markup {
    html! {
        @if !facts.is_empty() {
            dl.facts { @for Fact { name, value } in facts { div { dt { (name) } dd { code { (value) } } } } }
        }
    }
}

fn problems(problems: &[Problem]) -> Markup {
    html! {
        @if !problems.is_empty() {
            section.todo aria-labelledby="problems" {
                h2 #problems { "Wrong with the files" }
                ul {
                    @for Problem { place, message, hint } in problems {
                        li { code { (place) } " " (message) p.next { strong { "Next: " } (hint) } }
                    }
                }
            }
        }
    }
}

fn held(held: &[Held]) -> Markup {
    html! {
        @if !held.is_empty() {
            section.todo aria-labelledby="held" {
                h2 #held { "Held deletions" }
                @for Held { cluster, names, hold_seconds, confirm } in held {
                    p {
                        strong { (names.all.unwrap_or(names.first.len())) " names of " (cluster) }
                        " would be withdrawn"
                        @if let Some(seconds) = hold_seconds {
                            ", and will be when nothing has changed for " (seconds) " seconds"
                        }
                        ". If that is meant, let it go on now:"
                    }
                    pre { code { (confirm) } }
                    @if !names.first.is_empty() {
                        p { "Among them: " @for name in &names.first { (name_link(name)) " " } }
                    }
                }
            }
        }
    }
}

fn denials(denials: &Listed<Claim>) -> Markup {
    let all = Question { show: Show::NotPublished, ..Question::default() };
    html! {
        @if !denials.first.is_empty() {
            section aria-labelledby="denials" {
                h2 #denials { "Not published" }
                div.scroll tabindex="0" role="region" aria-labelledby="denials" {
                    table.cards {
                        thead { tr {
                            th scope="col" { "Host name" } th scope="col" { "State" }
                            th scope="col" { "Why, and what next" } th scope="col" { "Object" }
                        } }
                        tbody { @for claim in &denials.first { tr {
                            th scope="row" { (name_link(&claim.host_name)) }
                            td data-label="State" { (badge(claim.standing)) }
                            td data-label="Why" {
                                (reason(claim))
                                (next(claim))
                            }
                            td data-label="Object" { (object(claim)) }
                        } } }
                    }
                }
                @if denials.all != Some(denials.first.len()) {
                    p { a href=(all.uri()) { "All that is not published" } }
                }
            }
        }
    }
}

fn next(claim: &Claim) -> Markup {
    html! { @if let Some(next) = &claim.next { p.next { strong { "Next: " } (next) } } }
}

fn object(claim: &Claim) -> Markup {
    html! { (breakable(&claim.object)) br; span.quiet { (breakable(&claim.cluster)) } }
}

fn names(names: &Names, question: &Question) -> Markup {
    let Names { claims, next, is_cut } = names;
    let title = match (question.show, question.search.is_empty()) {
        (Show::All, true) => "Names".to_owned(),
        (Show::All, false) => format!("Names with “{}”", question.search),
        (Show::NotPublished, true) => "Not published".to_owned(),
        (Show::NotPublished, false) => format!("Not published, with “{}”", question.search),
    };
    let more = next.as_ref().map(|after| Question { after: after.clone(), ..question.clone() });
    let first = Question { after: String::new(), ..question.clone() };
    html! {
        section aria-labelledby="names" {
            h2 #names { (title) }
            @if claims.is_empty() {
                p.empty {
                    @if *is_cut { "Nothing was found before the search was ended." }
                    @else { "There are none." }
                }
            } @else {
                div.scroll tabindex="0" role="region" aria-labelledby="names" {
                    table.cards {
                        thead { tr {
                            th scope="col" { "Host name" } th scope="col" { "State" }
                            th scope="col" { "Records" } th scope="col" { "Object" }
                        } }
                        tbody { @for claim in claims { tr {
                            th scope="row" { (name_link(&claim.host_name)) }
                            td data-label="State" { (badge(claim.standing)) }
                            td data-label="Records" {
                                @for record in &claim.records { div.record { (breakable(record)) } }
                                (reason(claim))
                                @if question.show == Show::NotPublished { (self::next(claim)) }
                            }
                            td data-label="Object" { (object(claim)) }
                        } } }
                    }
                }
            }
            @if *is_cut { p.empty { "The landscape is large: the search was ended before its end." } }
            nav aria-label="Pages of names" {
                @if !question.after.is_empty() { a href=(first.uri()) { "First page" } " " }
                @if let Some(more) = more { a rel="next" href=(more.uri()) { "Next page" } }
            }
        }
    }
}

fn clusters(clusters: &Listed<Cluster>) -> Markup {
    html! {
        section aria-labelledby="clusters" {
            h2 #clusters { "Clusters" }
            @if clusters.first.is_empty() { p.empty { "No cluster stands under a DNSPolicy." } }
            @else {
                div.scroll tabindex="0" role="region" aria-labelledby="clusters" {
                    table.cards {
                        thead { tr {
                            th scope="col" { "Cluster" } th scope="col" { "Domain" } th scope="col" { "State" }
                            th scope="col" { "Published" } th scope="col" { "Not published" } th scope="col" { "Duties" }
                        } }
                        tbody { @for cluster in &clusters.first { (self::cluster(cluster)) } }
                    }
                }
                @if let Some(all) = clusters.all.filter(|all| *all > clusters.first.len()) {
                    p { "The first " (clusters.first.len()) " of " (all) ", with those first that are not ready." }
                }
            }
        }
    }
}

fn cluster(cluster: &Cluster) -> Markup {
    let Cluster { name, domain, phase, conditions: of_cluster, published, not_published } = cluster;
    html! {
        tr {
            th scope="row" { (breakable(name)) }
            td data-label="Domain" { @if domain.is_empty() { em { "none" } } @else { (breakable(domain)) } }
            td data-label="State" {
                @if phase == "Ready" { (sign_and_word("good", "✓", phase)) }
                @else { (sign_and_word("wait", "…", phase)) }
            }
            td.number data-label="Published" { (published) }
            td.number data-label="Not published" { (not_published) }
            td data-label="Duties" {
                @for condition in of_cluster.iter().filter(|condition| condition.status == "True") {
                    (sign_and_word("good", "✓", &condition.about)) " "
                }
                (conditions(of_cluster))
            }
        }
    }
}

/// Those that are not true.
fn conditions(conditions: &[Condition]) -> Markup {
    html! {
        @for Condition { about, status, reason, message } in conditions.iter().filter(|one| one.status != "True") {
            p.condition {
                @if status == "False" { (sign_and_word("bad", "✕", about)) }
                @else { (sign_and_word("wait", "…", about)) }
                " " code { (reason) } " " span.message { (message) }
            }
        }
    }
}

fn policies(policies: &[Policy]) -> Markup {
    html! {
        section aria-labelledby="policies" {
            h2 #policies { "Policies" }
            @if policies.is_empty() { p.empty { "There is no DNSPolicy: no cluster has a domain." } }
            @for policy in policies { (self::policy(policy)) }
        }
    }
}

fn policy(policy: &Policy) -> Markup {
    let Policy { name, zone, mode, module, guards, candidate, clusters, conditions: of_policy } = policy;
    html! {
        article {
            h3 { (name) " " span.quiet { (breakable(zone)) } }
            dl.facts {
                div { dt { "Mode" } dd { (mode) } }
                div { dt { "Clusters" } dd { (clusters) } }
                div { dt { "Module" } dd {
                    @match module {
                        None => { em { "none decides yet" } }
                        Some(module) => {
                            (module.description) " " (digest(&module.sha256))
                            @if let Some(since) = &module.since { " since " (time(since)) }
                        }
                    }
                } }
                @for guard in guards {
                    div { dt { "Guard" } dd { (guard.description) " " (digest(&guard.sha256)) } }
                }
                @if let Some(candidate) = candidate {
                    div { dt { "Only watched" } dd {
                        (candidate.description) " would decide " (candidate.differing) " of " (candidate.compared)
                        " otherwise"
                        @if !candidate.is_complete { " so far" }
                        @if !candidate.differences.is_empty() {
                            ul { @for difference in &candidate.differences { li { (difference) } } }
                        }
                    } }
                }
            }
            (conditions(of_policy))
        }
    }
}

fn changes(changes: &[Change]) -> Markup {
    html! {
        section aria-labelledby="changes" {
            h2 #changes { "Recent changes" }
            @if changes.is_empty() { p.empty { "Nothing was written since this instance runs." } }
            @else {
                ol.changes reversed {
                    @for Change { at, name, records } in changes {
                        li {
                            (time(at)) " " (name_link(name)) " "
                            @if records.is_empty() { span.quiet { "withdrawn" } }
                            @else { span.record { (records.join(", ")) } }
                        }
                    }
                }
            }
        }
    }
}
