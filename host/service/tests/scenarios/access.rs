//! An inventory as a test gives it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_service::inventory::{Access, Inventory};
use openmcp_dns_service::watch::Update;
use tokio::sync::{mpsc, watch};

use crate::objects::CLUSTERS;

/// Access to clusters as the test gives it.
#[derive(Default)]
pub(crate) struct GivenAccess {
    /// `None`: the inventory has not said anything yet.
    told: watch::Sender<Option<BTreeMap<ClusterId, Access>>>,
    is_broken: AtomicBool,
    is_kept: AtomicBool,
}

impl GivenAccess {
    pub(crate) fn grant(&self, cluster: &str, access: Access) {
        self.grant_to(ClusterId::new(CLUSTERS, cluster), access);
    }

    pub(crate) fn grant_to(&self, cluster: ClusterId, access: Access) {
        self.told.send_modify(|told| {
            told.get_or_insert_default().insert(cluster, access);
        });
    }

    /// Has the inventory say at least that there is none.
    pub(crate) fn say_something(&self) {
        self.told.send_if_modified(|told| told.is_none().then(|| *told = Some(BTreeMap::new())).is_some());
    }

    pub(crate) fn withdraw(&self, cluster: &str) {
        self.told.send_modify(|told| {
            told.get_or_insert_default().remove(&ClusterId::new(CLUSTERS, cluster));
        });
    }

    /// Has the inventory panic, as a bug in it would.
    pub(crate) fn break_down(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
        self.told.send_modify(|_| {});
    }

    /// What grants access is not taken back by its provider.
    pub(crate) fn keep(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
    }

    /// Has the inventory say nothing, as one that cannot be read yet.
    pub(crate) fn keep_silent(&self) {
        self.told.send_replace(None);
    }
}

#[async_trait]
impl Inventory for GivenAccess {
    async fn follow(&self, updates: mpsc::Sender<Update<(ClusterId, Access)>>) {
        let mut told = self.told.subscribe();
        told.mark_changed();
        while told.changed().await.is_ok() {
            assert!(!self.is_broken.load(Ordering::Relaxed), "the test wants it");
            let all = told.borrow_and_update().clone();
            let Some(all) = all else { continue };
            if updates.send(Update::All(all.into_iter().collect())).await.is_err() {
                return;
            }
        }
    }

    fn advice(&self, cluster: &ClusterId) -> String {
        format!("ask the test for access to {cluster}")
    }

    async fn give_back(&self, _: &ClusterId) -> kube::Result<bool> {
        Ok(!self.is_kept.load(Ordering::Relaxed))
    }
}
