//! Uninstall: takes back what the service has done, and then the service itself.
//!
//! ```text
//! look ──Found──► the service stops ──► agents, forward blocks ──► Clusters ──► central DNS ──► what was installed
//! ```
//! Everything is looked at first: where a cluster is in the way, nothing has been touched yet.

mod clusters;
mod leader;
mod objects;

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Resource as _, ResourceExt as _};
use openmcp_dns_api::{DNSServiceConfig, DNSServiceConfigSpec, FIELD_MANAGER};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::deployment::Reference;
use serde_json::json;
use thiserror::Error;

use crate::inventory::SecretInventory;
use clusters::Marked;

/// How long anything may take to be gone.
const PATIENCE: Duration = Duration::from_secs(180);

/// How often it is looked whether it is.
const INTERVAL: Duration = Duration::from_millis(500);

/// What is taken back.
pub struct Uninstall {
    /// The platform cluster.
    pub platform: kube::Client,
    /// How to get into the others.
    pub inventory: SecretInventory,
    /// Where the service lies.
    pub namespace: String,
    /// What it was installed with, in that order: the objects that go last.
    pub installed: Vec<Reference>,
}

/// What there is to take back.
#[derive(Default)]
pub struct Found {
    marked: Vec<Marked>,
    /// Clusters in which something of ours may be left.
    pub obstacles: Vec<Obstacle>,
    /// The central DNS, and what else the service keeps.
    made: Vec<Reference>,
    /// In the order in which they go.
    installed: Vec<Reference>,
}

/// A cluster from which nothing can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Which one.
    pub cluster: ClusterId,
    /// Why.
    pub why: String,
}

/// Why something is still there.
#[derive(Debug, Error)]
pub enum UninstallError {
    /// The platform cluster refused, or did not answer.
    #[error("failed to {what}")]
    Request {
        /// What was tried.
        what: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// A cluster that answered when it was looked at.
    #[error("failed to take the {what} out of cluster {cluster}: {why}")]
    Cluster {
        /// What stays there.
        what: &'static str,
        /// Which one.
        cluster: ClusterId,
        /// Why.
        why: String,
    },
    /// A service that is no part of what is removed.
    #[error("{holder} still leads: end that service first, for example by deleting its PlatformService")]
    Leads {
        /// As the Lease names it: the pod, and something random.
        holder: String,
    },
    /// It does not go.
    #[error("{what} is still there after {} s; a finalizer may keep it", PATIENCE.as_secs())]
    Remains {
        /// What should be gone.
        what: String,
    },
}

/// With what was tried.
fn failed(what: impl Into<String>) -> impl FnOnce(kube::Error) -> UninstallError {
    let what = what.into();
    move |source| UninstallError::Request { what, source: Box::new(source) }
}

impl Found {
    /// All of it, a line each, in the order in which it goes.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let Self { marked, obstacles: _, made, installed } = self;
        let inside = marked.iter().flat_map(Marked::inside_lines);
        let marks = marked.iter().map(Marked::mark_line);
        let objects = made.iter().chain(installed).map(objects::line);
        inside.chain(marks).chain(objects).collect()
    }
}

impl Uninstall {
    /// Sees what there is; changes nothing.
    ///
    /// # Errors
    /// When the platform cluster does not answer, or refuses.
    pub async fn look(&self) -> Result<Found, UninstallError> {
        let mut found = Found::default();
        self.look_at_clusters(&mut found).await?;
        found.installed = objects::existing(&self.platform, &self.installed).await?;
        found.made = objects::made(&self.platform, &self.namespace).await?;
        found.made.retain(|made| !found.installed.contains(made));
        found.made.extend(self.own_configs().await?);
        found.made.extend(self.lease().await?);
        Ok(found)
    }

    /// Takes it back, one step after the other; `tell` hears of each thing that is gone.
    ///
    /// # Errors
    /// At the first thing that does not go. Called again with what is found then, it goes on.
    pub async fn carry_out(&self, found: &Found, mut tell: impl FnMut(&str)) -> Result<(), UninstallError> {
        self.stop_service().await?;
        self.nobody_leads().await?;
        for marked in &found.marked {
            marked.clear(&mut tell).await?;
        }
        for marked in &found.marked {
            self.unmark(marked).await?;
            tell(&marked.mark_line());
        }
        for object in found.made.iter().chain(&found.installed) {
            objects::remove(&self.platform, object).await?;
            tell(&objects::line(object));
        }
        Ok(())
    }

    /// DNSServiceConfigs that set nothing, as the service makes them itself. What people have set is theirs.
    async fn own_configs(&self) -> Result<Vec<Reference>, UninstallError> {
        let configs = self.all::<DNSServiceConfig>().await?;
        let own = configs.into_iter().filter(|config| config.spec == DNSServiceConfigSpec::default());
        let reference = |config: DNSServiceConfig| Reference {
            api_version: DNSServiceConfig::api_version(&()).into_owned(),
            kind: DNSServiceConfig::kind(&()).into_owned(),
            namespace: String::new(),
            name: config.name_any(),
        };
        Ok(own.map(reference).collect())
    }

    /// A service that runs would do everything again.
    async fn stop_service(&self) -> Result<(), UninstallError> {
        let deployments: Api<Deployment> = Api::namespaced(self.platform.clone(), &self.namespace);
        let pods: Api<Pod> = Api::namespaced(self.platform.clone(), &self.namespace);
        for name in
            self.installed.iter().filter(|object| object.kind == "Deployment").map(|object| &object.name)
        {
            let what = format!("stop the Deployment {name}");
            if deployments.get_opt(name).await.map_err(failed(&what))?.is_none() {
                continue;
            }
            let params =
                PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
            let none = Patch::Merge(json!({"spec": {"replicas": 0}}));
            let stopped = deployments.patch(name, &params, &none).await.map_err(failed(&what))?;
            let selector = stopped.spec.map(|spec| spec.selector.match_labels.unwrap_or_default());
            let labels: Vec<String> =
                selector.unwrap_or_default().iter().map(|(key, value)| format!("{key}={value}")).collect();
            let running = ListParams::default().labels(&labels.join(","));
            gone(&format!("a pod of the Deployment {name}"), async || {
                let status = deployments.get_opt(name).await.map_err(failed(&what))?;
                let replicas = status.and_then(|found| found.status?.replicas).unwrap_or_default();
                Ok(replicas == 0
                    && pods.list_metadata(&running).await.map_err(failed(&what))?.items.is_empty())
            })
            .await?;
        }
        Ok(())
    }
}

/// Waits until it is.
async fn gone(
    what: &str,
    mut is_gone: impl AsyncFnMut() -> Result<bool, UninstallError>,
) -> Result<(), UninstallError> {
    let waiting = async {
        while !is_gone().await? {
            tokio::time::sleep(INTERVAL).await;
        }
        Ok(())
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    waited.unwrap_or_else(|_| Err(UninstallError::Remains { what: what.to_owned() }))
}
