//! What both pages are made of.

use maud::{DOCTYPE, Markup, html};

use crate::model::{Claim, Instance, Standing, Step};
use crate::question::path_part;

/// How often a browser without JavaScript loads the page again, in seconds.
const RELOAD: u32 = 10;

/// Of a digest so much is shown.
const DIGEST: usize = 12;

/// A whole document. What stands in `main` is what changes.
pub(super) fn document(
    title: &str,
    search: &str,
    instance: &Instance,
    at: &str,
    main: &Markup,
    shows_all: bool,
) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · openmcp-dns" }
                link rel="icon" type="image/svg+xml" href="/icon.svg";
                link rel="stylesheet" href="/page.css";
                noscript { meta http-equiv="refresh" content=(RELOAD); }
                script src="/page.js" defer {}
            }
            body {
                a.skip href="#main" { "To the content" }
                header {
                    a.brand href="/" { img src="/icon.svg" alt="" width="28" height="28"; span { "openmcp-dns" } }
                    form role="search" action="/" method="get" {
                        label.hidden for="q" { "Search host names, objects and clusters" }
                        input id="q" name="q" type="search" value=(search)
                            placeholder="Search host names, objects, clusters" autocomplete="off" spellcheck="false";
                        button type="submit" { "Search" }
                    }
                    p #live { (as_of(at)) }
                    p.hidden #said role="status" {}
                }
                main #main tabindex="-1" { (main) }
                footer {
                    p {
                        "openmcp-dns " (instance.version) " · " (who_leads(instance))
                        @if !shows_all { " · " a href="/" { "the whole landscape" } }
                    }
                    p { "This page only shows; nothing can be changed here." }
                }
            }
        }
    };
    page.into_string()
}

/// Since when a picture is so.
fn as_of(at: &str) -> Markup {
    html! { @if !at.is_empty() { "as of " (time(at)) } }
}

/// A time as people read it; `at` is as RFC 3339 has it, in UTC.
pub(super) fn time(at: &str) -> Markup {
    html! { time datetime=(at) { (at.replace('T', " ").replace('Z', " UTC")) } }
}

/// A page that only says what is the matter.
pub(crate) fn trouble(what: &str) -> String {
    let main = html! { h1 { (what) } p { a href="/" { "The whole landscape" } } };
    document(what, "", &Instance { leads: true, ..Instance::default() }, "", &main, true)
}

pub(super) fn who_leads(instance: &Instance) -> String {
    match (instance.leads, &instance.leader) {
        (true, _) => "this instance leads".to_owned(),
        (false, Some(leader)) => format!("this instance stands by; {leader} leads"),
        (false, None) => "this instance stands by; who leads is not known".to_owned(),
    }
}

/// What has to be said before all else.
pub(super) fn banner(instance: &Instance) -> Markup {
    html! {
        @if let Some(starting) = &instance.starting {
            p.banner { strong { "Not all is known yet: " } (starting) }
        }
        @if !instance.leads {
            p.banner {
                strong { "This instance stands by. " }
                @match &instance.leader {
                    Some(leader) => { (leader) " leads and writes; what is shown here is what this instance knows." }
                    None => { "Who leads is not known." }
                }
            }
        }
    }
}

/// How something stands: a sign, a word, and a colour, of which each alone is enough.
pub(super) fn badge(standing: Standing) -> Markup {
    let (class, sign) = match standing {
        Standing::Answered => ("good", "✓"),
        Standing::Recorded => ("good", "●"),
        Standing::Open => ("wait", "…"),
        Standing::Unresolved => ("wait", "○"),
        Standing::GivesWay => ("wait", "⇄"),
        Standing::Undecided => ("bad", "?"),
        Standing::WrongAnswer | Standing::Refused => ("bad", "!"),
        Standing::Denied => ("bad", "✕"),
    };
    sign_and_word(class, sign, standing.as_str())
}

pub(super) fn sign_and_word(class: &str, sign: &str, word: &str) -> Markup {
    html! { span class=(format!("badge {class}")) { span aria-hidden="true" { (sign) } " " (word) } }
}

/// A host name that leads to its own page.
pub(super) fn name_link(name: &str) -> Markup {
    html! {
        @if name.is_empty() { em { "no host name" } }
        @else { a.name href=(format!("/names/{}", path_part(name))) { (breakable(name)) } }
    }
}

/// Long names may be broken after their dots and slashes.
pub(super) fn breakable(text: &str) -> Markup {
    html! {
        @for (number, part) in text.split_inclusive(['.', '/']).enumerate() {
            @if number > 0 { wbr; }
            (part)
        }
    }
}

/// The start of a digest, with the whole of it for whoever asks.
pub(super) fn digest(sha256: &str) -> Markup {
    let start: String = sha256.chars().take(DIGEST).collect();
    html! { code title=(sha256) { (start) } }
}

/// Why a claim is not published.
pub(super) fn reason(claim: &Claim) -> Markup {
    html! {
        @if let Some(code) = &claim.code { code { (code) } " " }
        @if let Some(message) = &claim.message { span.message { (message) } }
        @if let Some(answer) = &claim.answer { span.message { "answered: " (answer) } }
    }
}

pub(super) fn step(step: &Step) -> Markup {
    let (class, sign, word) = match step.is_well {
        Some(true) => ("good", "✓", "done"),
        Some(false) => ("bad", "✕", "ends here"),
        None => ("wait", "…", "open"),
    };
    html! {
        li class=(class) {
            span.sign aria-hidden="true" { (sign) }
            div {
                h4 { (step.what) span.hidden { ": " (word) } }
                @for line in &step.lines { p { (breakable(line)) } }
            }
        }
    }
}
