//! The way of one name.

use maud::html;

use super::parts::{badge, banner, breakable, document, step};
use crate::model::NamePage;

/// The page of one name.
pub(crate) fn name(page: &NamePage) -> String {
    let NamePage { name, instance, at, ways, has_more, outcome, next } = page;
    let main = html! {
        (banner(instance))
        p.crumb { a href="/" { "Landscape" } " › name" }
        h1 { (breakable(name)) }
        @if next.is_empty() {
            p.lead { "Nothing is left to do." }
        } @else {
            section.todo aria-labelledby="next" {
                h2 #next { "What to do next" }
                ul { @for step in next { li { (step) } } }
            }
        }
        @if ways.is_empty() { p.lead { "No object asks for this name." } }
        @for (number, way) in ways.iter().enumerate() {
            section aria-labelledby=(format!("way-{number}")) {
                h2 id=(format!("way-{number}")) { (way.claim.object) " " (badge(way.claim.standing)) }
                p.lead { "in cluster " strong { (way.claim.cluster) } }
                ol.way { @for one in &way.steps { (step(one)) } }
            }
        }
        @if *has_more { p { "More objects ask for it than are shown here." } }
        @if !outcome.is_empty() {
            section aria-labelledby="outcome" {
                h2 #outcome { "At the name" }
                ol.way { @for one in outcome { (step(one)) } }
            }
        }
    };
    document(name, "", instance, at, &main, false)
}
