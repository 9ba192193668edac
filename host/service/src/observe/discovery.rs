//! Which version of a kind does a cluster serve?

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kube::core::{ApiResource, GroupVersionKind, Version};
use openmcp_dns_core::kinds::Kind;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::api_client::served_plurals;

/// Why it is not known what a cluster serves. Everybody who asks at the same time is told the same.
pub type DiscoveryError = Arc<kube::Error>;

/// How long an answer holds: the watches of a cluster ask at the same time, again and again for what is not served.
const FRESH: Duration = Duration::from_secs(1);

/// What one cluster serves. Many watches ask, and the API server is asked once.
pub struct Discovery {
    client: kube::Client,
    answers: Mutex<Answers>,
}

#[derive(Default)]
struct Answers {
    /// Versions by group.
    groups: Option<Answer<BTreeMap<String, Vec<String>>>>,
    /// Plurals by group and version.
    plurals: BTreeMap<String, Answer<Vec<String>>>,
}

struct Answer<T> {
    at: Instant,
    result: Result<T, DiscoveryError>,
}

impl<T> Answer<T> {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < FRESH
    }

    async fn of(asked: impl Future<Output = Result<T, kube::Error>>) -> Self {
        let result = asked.await.map_err(Arc::new);
        // An answer that took long is as good as one that came at once.
        Self { at: Instant::now(), result }
    }
}

impl Discovery {
    /// Nothing has been asked yet.
    pub fn new(client: kube::Client) -> Self {
        Self { client, answers: Mutex::default() }
    }

    /// The most stable version in which the cluster serves a kind, or `None` when it serves none.
    ///
    /// Every object of a kind can be read in each of its served versions, so one is enough.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn served(&self, kind: Kind) -> Result<Option<ApiResource>, DiscoveryError> {
        let group = kind.group();
        if group.is_empty() {
            return Ok(Some(resource(kind, kind.version())));
        }
        // Held while the API server is asked: who comes meanwhile takes the answer.
        let mut answers = self.answers.lock().await;
        let Answers { groups, plurals } = &mut *answers;
        let groups = match groups {
            Some(known) if known.is_fresh() => known,
            _ => groups.insert(Answer::of(versions_by_group(&self.client)).await),
        };
        let mut versions = groups.result.clone()?.remove(group).unwrap_or_default();
        versions.sort_by_cached_key(|version| Reverse(Version::parse(version).priority()));
        for version in versions {
            let path = format!("{group}/{version}");
            if plurals.get(&path).is_none_or(|known| !known.is_fresh()) {
                let answer = Answer::of(served_plurals(&self.client, &path)).await;
                plurals.insert(path.clone(), answer);
            }
            let Some(known) = plurals.get(&path) else { continue };
            if known.result.as_ref().map_err(Arc::clone)?.iter().any(|plural| plural == kind.plural()) {
                return Ok(Some(resource(kind, &version)));
            }
        }
        Ok(None)
    }

    /// What was served a moment ago is not any more.
    pub async fn forget(&self) {
        *self.answers.lock().await = Answers::default();
    }
}

async fn versions_by_group(client: &kube::Client) -> Result<BTreeMap<String, Vec<String>>, kube::Error> {
    let groups = client.list_api_groups().await?.groups.into_iter();
    let wanted = groups.filter(|group| Kind::watched().any(|kind| kind.group() == group.name));
    let versions = wanted.map(|group| {
        let versions = group.versions.into_iter().map(|version| version.version);
        (group.name, versions.collect())
    });
    Ok(versions.collect())
}

fn resource(kind: Kind, version: &str) -> ApiResource {
    let kind_of_version = GroupVersionKind::gvk(kind.group(), version, kind.as_str());
    ApiResource::from_gvk_with_plural(&kind_of_version, kind.plural())
}
