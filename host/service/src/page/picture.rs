//! Asks whoever knows what is to be shown.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::recording::{Look, Place, Seen, SeenClaim, Which};
use openmcp_dns_page::{Instance, Landscape, NamePage, Question, Source};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::About;
use super::claims::{Answers, names};
use super::known::Known;
use crate::leadership::Leadership;
use crate::probe::ProberHandle;
use crate::record::Command;

/// So many claims the recorder looks at before it goes on with its work: some milliseconds.
const VISITS: usize = 5_000;

/// How long a search goes on.
const SEARCH: Duration = Duration::from_secs(5);

/// How long to wait for the recorder: it answers within milliseconds, or after a large batch.
const PATIENCE: Duration = Duration::from_secs(5);

/// More texts are no search.
const TEXTS: usize = 8;

/// What the page shows.
pub(super) struct Picture {
    pub(super) known: Arc<Known>,
    pub(super) commands: mpsc::WeakSender<Command>,
    pub(super) prober: Option<ProberHandle>,
    pub(super) leadership: Leadership,
    pub(super) about: About,
}

/// Claims that were found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) claims: Vec<SeenClaim>,
    pub(super) next: Option<Place>,
    /// Whether the search took too long.
    pub(super) is_cut: bool,
    /// Why not all is known.
    pub(super) trouble: Option<&'static str>,
}

#[async_trait]
impl Source for Picture {
    fn edition(&self) -> u64 {
        self.known.edition()
    }

    async fn landscape(&self, question: &Question) -> Landscape {
        self.draw(question).await
    }

    async fn name(&self, name: &str) -> NamePage {
        self.way_to(name).await
    }
}

impl Picture {
    /// Asks the recorder; `None` when it does not answer.
    pub(super) async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let asking = async {
            let (sender, answer) = oneshot::channel();
            self.commands.upgrade()?.send(command(sender)).await.ok()?;
            answer.await.ok()
        };
        timeout(PATIENCE, asking).await.ok().flatten()
    }

    /// Looks at claims until so many are found, or all were looked at.
    pub(super) async fn find(
        &self,
        which: Which,
        only_problems: bool,
        after: Option<Place>,
        most: usize,
    ) -> Found {
        let began = Instant::now();
        let mut found = Found { next: after, ..Found::default() };
        loop {
            // With one more, which says that there is one.
            let left = most + 1 - found.claims.len();
            let after = found.next.take();
            let look = Look { after, which: which.clone(), only_problems, most: left, visits: VISITS };
            let Some(seen) = self.ask(|answer| Command::Look(look, answer)).await else {
                return Found { trouble: Some("the recorder does not answer"), ..found };
            };
            let Seen { claims, next, store_is_known, .. } = seen;
            if !store_is_known {
                found.trouble = Some("the store has not been read yet");
            }
            found.claims.extend(claims);
            found.next = next;
            if found.claims.len() > most {
                found.claims.truncate(most);
                found.next = found.claims.last().map(|last| last.place.clone());
                return found;
            }
            found.is_cut = began.elapsed() > SEARCH && found.next.is_some();
            if found.next.is_none() || found.is_cut {
                return found;
            }
        }
    }

    /// How the names of these claims are answered.
    pub(super) async fn answers<'c>(&self, claims: impl IntoIterator<Item = &'c SeenClaim>) -> Answers {
        self.answers_at(names(claims)).await
    }

    pub(super) async fn answers_at(&self, names: BTreeSet<HostName>) -> Answers {
        let Some(prober) = &self.prober else { return Answers::new() };
        // Of the news of no cluster.
        let nobody = ClusterId::new("", "");
        let answers = timeout(PATIENCE, prober.answers(&nobody, names)).await.unwrap_or_default();
        answers.into_iter().filter_map(|(name, answer)| Some((name, answer?))).collect()
    }

    /// Who shows all this; `trouble` says why not all is known.
    pub(super) fn instance(&self, trouble: Option<&str>) -> Instance {
        let state = self.known.state();
        let unread = state.clusters.is_none() || state.policies.is_none();
        let unread = unread.then_some("the statuses of clusters and policies have not been read yet");
        Instance {
            version: self.about.version.to_owned(),
            leads: self.leadership.is_leading(),
            leader: self.leadership.holder(),
            starting: trouble.or(unread).map(str::to_owned),
        }
    }
}

/// Which claims a search means.
pub(super) fn which(search: &str) -> Which {
    let texts: Vec<String> = search.split_whitespace().take(TEXTS).map(str::to_lowercase).collect();
    if texts.is_empty() { Which::All } else { Which::With(texts) }
}

/// A place as a text, for the address of the next page.
pub(super) fn place_text(place: &Place) -> String {
    let Place { cluster, source, host_name } = place;
    format!("{cluster} {source} {host_name}")
}

/// What [`place_text`] was made of; `None` where somebody has made it up.
pub(super) fn place(text: &str) -> Option<Place> {
    let mut parts = text.splitn(3, ' ');
    let (namespace, name) = parts.next()?.split_once('/')?;
    let source = SourceRef::try_from(parts.next()?.to_owned()).ok()?;
    let host_name = parts.next()?.to_owned();
    Some(Place { cluster: ClusterId::new(namespace, name), source, host_name })
}

#[cfg(test)]
mod tests {
    use openmcp_dns_core::kinds::Kind;

    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for host_name in ["a.b", "", "two words"] {
            let there = Place {
                cluster: ClusterId::new("ns", "w1"),
                source: SourceRef::new(Kind::HttpRoute, "default", "r"),
                host_name: host_name.to_owned(),
            };
            assert_eq!(place(&place_text(&there)), Some(there));
        }
        for made_up in ["", "a", "a/b", "a/b c", "a/b Nothing/c/d e"] {
            assert_eq!(place(made_up), None, "{made_up}");
        }
    }
}
