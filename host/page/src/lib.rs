//! The live page: what a landscape looks like now, for people.
//!
//! ```text
//! demo, service ──fill──► Landscape, NamePage ──html──► page ──► PageServer ──► browsers
//!                    ▲                                               │
//!                    └───────────── Source ◄── Question ─────────────┘
//! ```
//! Who knows the landscape is a [`Source`] and fills the model; how that is drawn and served is the same for the demo and
//! for the service. The page only shows: nothing can be changed on it, and there is nothing secret on it. It is whole
//! without JavaScript; with it, it follows what changes.
//!
//! What stands on it comes from tenants, host names and messages included: all of it goes through the template engine,
//! which escapes it, and a Content-Security-Policy lets nothing run but the page's own script.

mod html;
mod model;
mod question;
mod server;

use async_trait::async_trait;

pub use model::{
    Candidate, Change, Claim, Cluster, Condition, Counts, Fact, Held, Instance, Landscape, Listed, Module,
    NamePage, Names, Policy, Problem, Standing, Step, Way,
};
pub use question::{Question, Show};
pub use server::PageServer;

/// What knows the landscape.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Another number whenever something else may be to be shown than before.
    fn edition(&self) -> u64;

    /// The landscape, with those of its names that are asked for.
    async fn landscape(&self, question: &Question) -> Landscape;

    /// The way of one name, from the objects that ask for it to the answer; `name` is as it was typed.
    async fn name(&self, name: &str) -> NamePage;
}
