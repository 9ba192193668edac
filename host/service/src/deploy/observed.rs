//! What the platform cluster has of the central DNS.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{ConfigMap, ContainerStatus, Pod, PodTemplateSpec, Service};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use openmcp_dns_api::DNSServiceConfig;
use openmcp_dns_core::deployment::{
    CENTRAL, CERTIFICATE_ANNOTATION, Config, ETCD, EtcdCluster, Storage, TRUST_ANNOTATION, etcd_selector,
    read_cluster, snapshots_selector,
};

use super::certificates::Issued;
use super::snapshots;
use crate::address::{DNS_PORT, parse_server};

/// What marks the StorageClass that is taken where none is named.
const DEFAULT_CLASS_ANNOTATION: &str = "storageclass.kubernetes.io/is-default-class";

/// How often a member of etcd has to fail at its start, until that counts as the loss of its data.
const LOST_RESTARTS: i32 = 3;

/// How long a container of etcd runs without being ready until that counts as the same.
const LOST_TIME: SignedDuration = SignedDuration::from_secs(60);

#[derive(Default)]
pub(super) struct Observed {
    etcd: Option<StatefulSet>,
    etcd_start: Option<ConfigMap>,
    etcd_pods: Vec<Pod>,
    pods: Option<Deployment>,
    service: Option<Service>,
    classes: Vec<StorageClass>,
    snapshots: Vec<CronJob>,
}

/// Whether a container has run for long. One of etcd that has its data is ready within seconds; one that has lost them may
/// also wait for ever instead of ending.
fn hangs(status: &ContainerStatus) -> bool {
    let running = status.state.as_ref().and_then(|state| state.running.as_ref());
    let began = running.and_then(|running| running.started_at.as_ref());
    began.is_some_and(|Time(began)| Timestamp::now().duration_since(*began) >= LOST_TIME)
}

impl Observed {
    pub(super) async fn read(platform: &kube::Client, namespace: &str) -> Result<Self, kube::Error> {
        let stateful_sets = Api::<StatefulSet>::namespaced(platform.clone(), namespace);
        let deployments = Api::<Deployment>::namespaced(platform.clone(), namespace);
        let config_maps = Api::<ConfigMap>::namespaced(platform.clone(), namespace);
        let pods = Api::<Pod>::namespaced(platform.clone(), namespace);
        let services = Api::<Service>::namespaced(platform.clone(), namespace);
        let classes = Api::<StorageClass>::all(platform.clone());
        let snapshots = Api::<CronJob>::namespaced(platform.clone(), namespace);
        Ok(Self {
            etcd: stateful_sets.get_opt(ETCD).await?,
            etcd_start: config_maps.get_opt(ETCD).await?,
            etcd_pods: pods.list(&ListParams::default().labels(&etcd_selector())).await?.items,
            pods: deployments.get_opt(CENTRAL).await?,
            service: services.get_opt(CENTRAL).await?,
            classes: classes.list(&ListParams::default()).await?.items,
            snapshots: snapshots.list(&ListParams::default().labels(&snapshots_selector())).await?.items,
        })
    }

    /// What to say of snapshots that fail.
    pub(super) fn failing_snapshots(&self) -> Option<String> {
        snapshots::failing(&self.snapshots, Time(Timestamp::now()))
    }

    /// Whether a volume is made for who names no class.
    pub(super) fn default_class(&self) -> bool {
        self.classes.iter().any(|class| {
            class.annotations().get(DEFAULT_CLASS_ANNOTATION).is_some_and(|value| value == "true")
        })
    }

    /// What cannot be changed any more stays as it is: gives what was wanted instead, for people.
    pub(super) fn keep(&self, wanted: &mut Config) -> Vec<String> {
        let mut kept = Vec::new();
        let Some(spec) = self.etcd.as_ref().and_then(|etcd| etcd.spec.as_ref()) else { return kept };
        let claim = spec.volume_claim_templates.iter().flatten().next().and_then(|claim| claim.spec.as_ref());
        let storage = claim.map_or(Storage::Ephemeral, |claim| Storage::Volume {
            size: claim
                .resources
                .as_ref()
                .and_then(|resources| resources.requests.as_ref()?.get("storage"))
                .map(|size| size.0.clone())
                .unwrap_or_default(),
            class: claim.storage_class_name.clone(),
        });
        if wanted.storage != storage {
            kept.push(format!("etcd keeps its storage, {}", phrase(&storage)));
            wanted.storage = storage;
        }
        kept
    }

    /// How the pods of etcd are started; `None` where there are none.
    pub(super) fn etcd_cluster(&self) -> Option<EtcdCluster> {
        let pods = u8::try_from(self.etcd.as_ref()?.spec.as_ref()?.replicas?).ok()?;
        let start = self.etcd_start.as_ref().and_then(|map| map.data.clone()).unwrap_or_default();
        Some(read_cluster(&start, pods))
    }

    /// The pods of etcd whose data are gone: they lay on the node, and the pod that has followed cannot begin.
    pub(super) fn lost(&self) -> BTreeSet<u8> {
        let is_lost = |pod: &&Pod| {
            let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
            statuses
                .into_iter()
                .any(|status| !status.ready && (status.restart_count >= LOST_RESTARTS || hangs(status)))
        };
        let number = |pod: &Pod| pod.name_any().rsplit('-').next()?.parse().ok();
        if !self.is_ephemeral() {
            return BTreeSet::new();
        }
        self.etcd_pods.iter().filter(is_lost).filter_map(number).collect()
    }

    /// The address that the Service should get: the one that is given; and where it is made anew, the one that the
    /// clusters forward to.
    pub(super) fn address_to_ask_for(&self, config: &DNSServiceConfig) -> Option<IpAddr> {
        if let Some(given) = config.spec.dns.addresses.first() {
            return Some(parse_server(given).ok()?.ip());
        }
        match &self.service {
            Some(service) => service.spec.as_ref()?.load_balancer_ip.as_ref()?.parse().ok(),
            None => {
                let status = config.status.as_ref()?;
                Some(parse_server(status.addresses.first()?).ok()?.ip())
            }
        }
    }

    /// Where the clusters reach the central DNS server, or why that is not known.
    pub(super) fn addresses(&self, config: &DNSServiceConfig) -> Result<Vec<SocketAddr>, String> {
        let named = &config.spec.dns.addresses;
        if !named.is_empty() {
            return named
                .iter()
                .map(|text| parse_server(text))
                .collect::<Result<_, _>>()
                .map_err(|why| format!("spec.dns.addresses: {why}"));
        }
        let given = self
            .service
            .as_ref()
            .and_then(|service| service.status.as_ref()?.load_balancer.as_ref()?.ingress.as_ref())
            .filter(|ingress| !ingress.is_empty());
        let Some(given) = given else {
            return Err(format!(
                "Service {CENTRAL} has no address yet; where the cluster has no load balancer, set spec.dns.service to \
                 NodePort and spec.dns.addresses"
            ));
        };
        let addresses: Vec<SocketAddr> = given
            .iter()
            .filter_map(|ingress| ingress.ip.as_ref()?.parse().ok())
            .map(|address: IpAddr| SocketAddr::new(address, DNS_PORT))
            .collect();
        if addresses.is_empty() {
            return Err(format!(
                "the load balancer of Service {CENTRAL} has a host name and no address; set spec.dns.addresses, as a DNS \
                 server is reached by its address"
            ));
        }
        Ok(addresses)
    }

    /// Whether all pods run, and were started with what was issued last.
    pub(super) fn runs_with(&self, issued: &Issued) -> bool {
        let started = |template: Option<&PodTemplateSpec>, annotation: &str| {
            template?.metadata.as_ref()?.annotations.as_ref()?.get(annotation).cloned()
        };
        let etcd = self.etcd.as_ref().and_then(|etcd| Some(&etcd.spec.as_ref()?.template));
        let pods = self.pods.as_ref().and_then(|pods| Some(&pods.spec.as_ref()?.template));
        self.missing().is_empty()
            && started(etcd, TRUST_ANNOTATION) == Some(issued.server.trust())
            && started(pods, CERTIFICATE_ANNOTATION) == Some(issued.reader.digest())
    }

    /// Pods that do not run as they should yet.
    pub(super) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let etcd = self.etcd.as_ref().and_then(|etcd| Some((etcd.spec.as_ref()?.replicas?, etcd)));
        if let Some((wanted, etcd)) = etcd {
            let status = etcd.status.clone().unwrap_or_default();
            let current = status.observed_generation == etcd.metadata.generation
                && status.update_revision == status.current_revision;
            let ready = status.ready_replicas.unwrap_or_default();
            if ready < wanted || !current {
                missing.push(format!("{ready} of {wanted} etcd pods are ready"));
            }
        }
        let pods = self.pods.as_ref().and_then(|pods| Some((pods.spec.as_ref()?.replicas?, pods)));
        if let Some((wanted, pods)) = pods {
            let status = pods.status.clone().unwrap_or_default();
            let current = status.observed_generation == pods.metadata.generation;
            let ready = status
                .available_replicas
                .unwrap_or_default()
                .min(status.updated_replicas.unwrap_or_default());
            if ready < wanted || !current {
                missing.push(format!("{ready} of {wanted} DNS pods are ready"));
            }
        }
        missing
    }

    /// Whether anything of ours is there.
    pub(super) const fn is_deployed(&self) -> bool {
        self.etcd.is_some() || self.pods.is_some()
    }

    /// Whether the records are lost with etcd's pods.
    pub(super) fn is_ephemeral(&self) -> bool {
        let spec = self.etcd.as_ref().and_then(|etcd| etcd.spec.as_ref());
        spec.is_some_and(|spec| spec.volume_claim_templates.iter().flatten().next().is_none())
    }
}

fn phrase(storage: &Storage) -> String {
    match storage {
        Storage::Ephemeral => "on the node".to_owned(),
        Storage::Volume { size, class: None } => format!("volumes of {size}"),
        Storage::Volume { size, class: Some(class) } => format!("volumes of {size}, class {class}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_hangs_when_it_has_run_for_long() {
        let running = |seconds| -> ContainerStatus {
            let began = Timestamp::now() - SignedDuration::from_secs(seconds);
            serde_json::from_value(json!({
                "name": "etcd", "image": "etcd", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"running": {"startedAt": began.to_string()}},
            }))
            .unwrap()
        };
        assert!(hangs(&running(61)));
        assert!(!hangs(&running(30)));
        assert!(!hangs(&ContainerStatus::default()));
    }
}
