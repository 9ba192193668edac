//! Upgrade: which version of the service has led last, kept beside it. One that may not follow it ends before it has
//! touched anything.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use openmcp_dns_api::FIELD_MANAGER;
use openmcp_dns_core::chain;
use openmcp_dns_core::deployment::{MANAGED_BY_LABEL, MANAGER};
use openmcp_dns_core::version::{Refused, Version};
use serde_json::json;

use crate::leadership::Leadership;

/// The ConfigMap that says it.
pub const CONFIG_MAP: &str = "openmcp-dns-version";

/// Its key.
const KEY: &str = "version";

/// How long to wait before the platform's API server is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// The version of the service, and where the last one stands.
#[derive(Clone)]
pub struct Upgrade {
    maps: Api<ConfigMap>,
    own: String,
}

impl Upgrade {
    /// Of this version, in the namespace of the service.
    #[must_use]
    pub fn new(platform: kube::Client, namespace: &str, own: &str) -> Self {
        Self { maps: Api::namespaced(platform, namespace), own: own.to_owned() }
    }

    /// Whether this version may take over. Waits for the platform's API server, without which nothing is known.
    ///
    /// # Errors
    /// When it may not.
    pub async fn check(&self) -> Result<(), Refused> {
        let mut told = None;
        let last = loop {
            match self.last().await {
                Ok(last) => break last,
                Err(error) => {
                    let error = chain(&error);
                    if told.as_ref() != Some(&error) {
                        tracing::warn!(error, "unable to see which version has led last, and waiting for it");
                    }
                    told = Some(error);
                }
            }
            tokio::time::sleep(RETRY).await;
        };
        match last {
            Some(last) => self.own.parse::<Version>()?.may_follow(last.parse()?),
            None => Ok(()),
        }
    }

    /// The version that led last, where one is written down.
    async fn last(&self) -> kube::Result<Option<String>> {
        Ok(self.maps.get_opt(CONFIG_MAP).await?.and_then(|map| map.data?.remove(KEY)))
    }

    /// Writes down that this version leads, as soon as it does, unless it stands there already.
    pub async fn note(self, leadership: Leadership) {
        leadership.leading().await;
        // Where that cannot be read, it is written.
        if self.last().await.is_ok_and(|last| last.as_ref() == Some(&self.own)) {
            return;
        }
        let map = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIG_MAP, "labels": {MANAGED_BY_LABEL: MANAGER}},
            "data": {KEY: self.own},
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        if let Err(error) = self.maps.patch(CONFIG_MAP, &params, &Patch::Apply(&map)).await {
            let error = chain(&error);
            tracing::warn!(
                error,
                "unable to write down which version leads: nothing keeps one from going back too far"
            );
        }
    }
}
