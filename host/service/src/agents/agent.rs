//! What is known of one agent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use openmcp_dns_core::Bucket;
use openmcp_dns_core::agents::{Edit, KeptKey, KeySpace, Lingering, Pair, Refusal, Syncing, Told};
use openmcp_dns_core::chain;
use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::kinds::{Kind, Watched, endpoint};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::objects::Change;
use openmcp_dns_core::policy::Denial;
use openmcp_dns_core::recording::Problem;
use openmcp_dns_store::{Keep, MAX_OPERATIONS, StoreError};

use super::Means;
use crate::observe::{Observation, Observations};

/// Most refusals that are shown of one agent.
const REFUSALS: usize = 16;

/// Refusals of one agent that are logged and become Events: so many at once, then one each period. A hostile agent is
/// refused hundreds of times a second. As Kubernetes itself has it for Events of one object (client-go's spam filter).
const TOLD_AT_ONCE: u32 = 25;
const TOLD_EACH: Duration = Duration::from_secs(300);

/// What is known of one agent.
#[derive(Default)]
pub(super) struct State {
    /// What it has written; `None` until that is read, and when it is not known what has become of a change.
    pub(super) space: Option<KeySpace>,
    pub(super) handed_over: bool,
    pub(super) syncing: Syncing,
    pub(super) told: Told,
    pub(super) lingering: Lingering,
    refused: BTreeMap<HostName, Denial>,
    tellable: Tellable,
}

/// Whether one more refusal is to be told.
struct Tellable(Bucket);

impl Default for Tellable {
    fn default() -> Self {
        Self(Bucket::slow(TOLD_EACH, TOLD_AT_ONCE))
    }
}

/// Why something could not be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeepError {
    /// Another replica leads, or nobody yet.
    #[error("this replica does not lead")]
    Standby,
    /// What the store says.
    #[error("{0}")]
    Store(String),
}

impl From<KeepError> for Refusal {
    fn from(error: KeepError) -> Self {
        Self::NotNow(error.to_string())
    }
}

/// The object of a name of an agent.
pub(super) fn source(name: &HostName) -> SourceRef {
    SourceRef::new(Kind::ExternalDns, "", name.as_str())
}

impl State {
    /// Reads what is kept.
    pub(super) async fn load(&mut self, cluster: &ClusterId, means: &Means) -> Result<(), StoreError> {
        self.space = None;
        let below = means.root.of_cluster(cluster);
        let kept = means.store.kept(&below).await?;
        let mut pairs = Vec::with_capacity(kept.len());
        self.handed_over = false;
        for (place, value) in kept {
            match means.root.read(&place) {
                Some(KeptKey::HandedOver(_)) => self.handed_over = true,
                Some(KeptKey::Key(_, key)) => pairs.extend(Pair::decode(key, &value)),
                None => {}
            }
        }
        self.space = Some(KeySpace::of(pairs));
        Ok(())
    }

    /// Makes these changes to what is kept. Where it is not known what has become of them, all is read anew.
    async fn keep(&mut self, changes: Vec<Keep>, means: &Means) -> Result<(), KeepError> {
        for some in changes.chunks(MAX_OPERATIONS) {
            let Some(fence) = means.leadership.fence() else { return Err(KeepError::Standby) };
            if let Err(error) = means.store.keep(&fence, some).await {
                self.space = None;
                if matches!(error, StoreError::Fenced) {
                    means.leadership.refused(&fence);
                }
                return Err(KeepError::Store(chain(&error)));
            }
        }
        Ok(())
    }

    /// Keeps what an agent has written.
    pub(super) async fn keep_edits(
        &mut self,
        cluster: &ClusterId,
        edits: &[Edit],
        means: &Means,
    ) -> Result<(), KeepError> {
        let keep = |Edit { key, written }: &Edit| Keep {
            key: means.root.place(&KeptKey::Key(cluster.clone(), key.clone())),
            value: written.as_ref().map(|(pair, _)| pair.encode()),
        };
        self.keep(edits.iter().map(keep).collect(), means).await
    }

    /// Notes that the agent alone says what the cluster asks for.
    pub(super) async fn hand_over(&mut self, cluster: &ClusterId, means: &Means) -> Result<(), KeepError> {
        let key = means.root.place(&KeptKey::HandedOver(cluster.clone()));
        self.keep(vec![Keep { key, value: Some(Vec::new()) }], means).await?;
        self.handed_over = true;
        Ok(())
    }

    /// Removes all that is kept of the agent; the note last, so that who dies in between goes on.
    pub(super) async fn clear(&mut self, cluster: &ClusterId, means: &Means) -> Result<(), KeepError> {
        let keys = self.space.iter().flat_map(KeySpace::keys);
        let keys = keys.map(|key| KeptKey::Key(cluster.clone(), key.to_vec()));
        let keys = keys.chain(self.handed_over.then(|| KeptKey::HandedOver(cluster.clone())));
        let changes: Vec<Keep> = keys.map(|key| Keep { key: means.root.place(&key), value: None }).collect();
        self.keep(changes, means).await?;
        let tellable = std::mem::take(&mut self.tellable);
        *self = Self { space: Some(KeySpace::of([])), tellable, ..Self::default() };
        self.tell_all(cluster, &means.observations).await;
        Ok(())
    }

    /// Tells the recorder all that the agent asks for, if that is known.
    pub(super) async fn tell_all(&self, cluster: &ClusterId, observations: &Observations) {
        let Some(space) = &self.space else { return };
        let objects: Vec<Watched> = space.names().filter_map(|name| self.object(name)).collect();
        let all = Observation::Change(Change::Replaced(Kind::ExternalDns, objects));
        // Nobody listens when the service ends.
        let _ = observations.send((cluster.clone(), all)).await;
    }

    /// Tells the recorder what the agent asks for at these names.
    pub(super) async fn tell(
        &self,
        cluster: &ClusterId,
        names: BTreeSet<HostName>,
        observations: &Observations,
    ) {
        if self.space.is_none() {
            // Not known is not gone.
            return;
        }
        for name in names {
            let change = match self.object(&name) {
                Some(object) => Change::Set(object),
                None => Change::Removed(Kind::ExternalDns, (String::new(), name.to_string())),
            };
            // Nobody listens when the service ends.
            let _ = observations.send((cluster.clone(), Observation::Change(change))).await;
        }
    }

    fn object(&self, name: &HostName) -> Option<Watched> {
        let written = self.space.iter().flat_map(|space| space.targets(name));
        let targets: BTreeSet<String> = written.chain(self.lingering.at(name)).cloned().collect();
        (!targets.is_empty()).then(|| endpoint(name, targets))
    }

    /// Whether one more refusal is to be told, beside what shows in the status.
    pub(super) fn is_tellable(&mut self, now: Instant) -> bool {
        self.tellable.0.take(now)
    }

    /// Something at a name is refused: it shows in the status of the cluster, where there is room.
    pub(super) fn refused(&mut self, name: &HostName, denial: Denial) {
        if self.refused.len() < REFUSALS || self.refused.contains_key(name) {
            self.refused.insert(name.clone(), denial);
        }
    }

    /// Nothing is refused any more.
    pub(super) fn forget_refused(&mut self) {
        self.refused.clear();
    }

    /// What was refused at these names is not any more.
    pub(super) fn accepted<'n>(&mut self, names: impl IntoIterator<Item = &'n HostName>) {
        for name in names {
            self.refused.remove(name);
        }
    }

    /// What is refused.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let problem = |(name, Denial { code, message, guard: _ }): (&HostName, &Denial)| Problem {
            source: source(name),
            host_name: name.to_string(),
            code: code.clone(),
            message: message.clone(),
        };
        self.refused.iter().map(problem).collect()
    }
}
