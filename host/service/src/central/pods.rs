//! Asks every DNS pod for the canary, by its own address, and keeps those out of the Service that answer wrongly.
//!
//! CoreDNS says that it is ready as long as it lives, with or without etcd; so the pods have a readiness gate, and it is
//! opened here. While nobody is here, a pod stays as it is, and a new one waits.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use hickory_resolver::proto::rr::RecordType as WireType;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use openmcp_dns_api::FIELD_MANAGER;
use openmcp_dns_api::conditions::{Finding, Reason, now};
use openmcp_dns_core::canary::{AskedPod, Canary, Verdict, unjudged};
use openmcp_dns_core::deployment::{CANARY_GATE, ZONES_ANNOTATION, central_selector};
use openmcp_dns_core::expectation::{Answer, Expectation, Verdict as Judged};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::record::RecordType;
use openmcp_dns_core::service_names::canary_name;
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::Zones;
use crate::probe::Asker;
use crate::record::Command;
use crate::watch::tell;
use crate::watch::{Update, watch};

/// How often all pods are asked, while all is well.
const INTERVAL: Duration = Duration::from_secs(15);

/// How often while one is wrong, or new.
const SOON: Duration = Duration::from_secs(3);

/// How long changes of pods are collected.
const DEBOUNCE: Duration = Duration::from_millis(300);

/// How often a pod is asked before its answer counts as wrong, and how long it has in between: CoreDNS answers what has
/// just ended from its cache once more, and looks at etcd meanwhile.
const ATTEMPTS: usize = 4;
const PAUSE: Duration = Duration::from_secs(1);

/// Looks after the DNS pods that the service has deployed.
pub struct DnsPods {
    /// The platform cluster.
    pub platform: kube::Client,
    /// Where the pods are.
    pub namespace: String,
    /// The zones that they should answer for.
    pub zones: watch::Receiver<Zones>,
    /// To the recorder, which knows what they should answer.
    pub commands: mpsc::Sender<Command>,
    /// Told how they answer.
    pub finding: watch::Sender<Option<Finding>>,
    /// Told the addresses of those that are in the Service.
    pub servers: watch::Sender<Vec<SocketAddr>>,
}

impl DnsPods {
    /// Asks them, as long as it is polled.
    pub async fn look_after(self) {
        let (updates, mut seen) = mpsc::channel(64);
        let api = Api::<Pod>::namespaced(self.platform.clone(), &self.namespace);
        let config = watcher::Config::default().labels(&central_selector());
        let follow = watch(api.clone(), config, updates, |update| update);
        let work = async {
            let (mut pods, mut canary) = (BTreeMap::new(), Canary::default());
            let mut patience = INTERVAL;
            loop {
                let end = Instant::now() + patience;
                if let Ok(Some(first)) = tokio::time::timeout_at(end, seen.recv()).await {
                    take(&mut pods, first);
                    let end = Instant::now() + DEBOUNCE;
                    while let Ok(Some(update)) = tokio::time::timeout_at(end, seen.recv()).await {
                        take(&mut pods, update);
                    }
                }
                let verdict = self.round(&pods, &mut canary).await;
                for (name, is_in) in &verdict.changes {
                    self.set(&api, name, *is_in).await;
                }
                tell(&self.servers, in_the_service(&pods, &verdict));
                let finding = finding(&verdict);
                tell(&self.finding, finding);
                let is_well =
                    verdict.out.is_empty() && verdict.wrong.is_empty() && verdict.changes.is_empty();
                patience = if is_well { INTERVAL } else { SOON };
            }
        };
        tokio::join!(follow, work);
    }

    async fn round(&self, pods: &BTreeMap<String, Pod>, canary: &mut Canary) -> Verdict {
        let zones: Vec<HostName> = self.zones.borrow().iter().flatten().cloned().collect();
        let reachable = pods.values().filter_map(|pod| Some((pod, address(pod)?)));
        let asked = join_all(reachable.map(|(pod, address)| self.asked(pod, address, &zones))).await;
        let (judged, not_judged): (Vec<_>, Vec<_>) = asked.into_iter().partition(|(_, is_judged)| *is_judged);
        let pods = |pods: Vec<(AskedPod, bool)>| pods.into_iter().map(|(pod, _)| pod).collect::<Vec<_>>();
        let mut verdict = canary.judge(&pods(judged));
        verdict.changes.extend(unjudged(&pods(not_judged)).changes);
        verdict
    }

    /// Asks a pod; gives also whether it is known what it should answer.
    async fn asked(&self, pod: &Pod, address: SocketAddr, zones: &[HostName]) -> (AskedPod, bool) {
        // One that was made before a zone came does not have it: its successor has.
        let served = pod.annotations().get(ZONES_ANNOTATION).cloned().unwrap_or_default();
        let serves = |zone: &&HostName| served.split(',').any(|served| served == zone.as_str());
        let mut asked = AskedPod { name: pod.name_any(), is_in: gate(pod), wrong: None };
        let mut is_judged = false;
        for name in zones.iter().filter(serves).filter_map(canary_name) {
            match self.answers(address, &name).await {
                None => {}
                Some(Ok(())) => is_judged = true,
                Some(Err(why)) => return (AskedPod { wrong: Some(why), ..asked }, true),
            }
        }
        asked.wrong = None;
        (asked, is_judged)
    }

    /// Whether the canary is answered as it should be, or what is answered; `None` where nobody knows.
    async fn answers(&self, address: SocketAddr, name: &HostName) -> Option<Result<(), String>> {
        let asker = match Asker::new(address) {
            Ok(asker) => asker,
            Err(error) => return Some(Err(openmcp_dns_core::chain(&error))),
        };
        let mut why = None;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            // It may change meanwhile.
            let expected = self.expectation(name).await?;
            let answer = asker.ask(name.as_str(), WireType::TXT).await;
            if expected.judge(RecordType::Txt, &answer) == Judged::Match {
                return Some(Ok(()));
            }
            why = Some(Err(wrong(name, &expected, &answer)));
        }
        why
    }

    async fn expectation(&self, name: &HostName) -> Option<Expectation> {
        let (sender, expectation) = oneshot::channel();
        self.commands.send(Command::Expectation(name.clone(), sender)).await.ok()?;
        expectation.await.ok().filter(|expectation| expectation.questions().contains(&RecordType::Txt))
    }

    async fn set(&self, api: &Api<Pod>, name: &str, is_in: bool) {
        let (status, message) =
            if is_in { ("True", "answers the canary") } else { ("False", "answers the canary wrongly") };
        let condition = json!({"type": CANARY_GATE, "status": status, "message": message, "lastTransitionTime": now().to_string()});
        let patch = Patch::Strategic(json!({"status": {"conditions": [condition]}}));
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        match api.patch_status(name, &params, &patch).await {
            Ok(_) if is_in => tracing::info!(pod = name, "the DNS pod answers the canary and is let in"),
            Ok(_) => tracing::warn!(pod = name, "the DNS pod answers the canary wrongly and is kept out"),
            // It is gone, or is tried again with the next round.
            Err(error) => {
                let error = openmcp_dns_core::chain(&error);
                tracing::warn!(pod = name, error, "unable to open or close the gate of a DNS pod");
            }
        }
    }
}

/// The addresses of the pods that are in the Service after a round.
fn in_the_service(pods: &BTreeMap<String, Pod>, verdict: &Verdict) -> Vec<SocketAddr> {
    let is_in = |name: &String, pod: &Pod| {
        let change = verdict.changes.iter().find(|(changed, _)| changed == name);
        change.map_or_else(|| gate(pod) == Some(true), |(_, is_in)| *is_in)
    };
    pods.iter().filter(|(name, pod)| is_in(name, pod)).filter_map(|(_, pod)| address(pod)).collect()
}

fn take(pods: &mut BTreeMap<String, Pod>, update: Update<Pod>) {
    match update {
        Update::All(all) => *pods = all.into_iter().map(|pod| (pod.name_any(), pod)).collect(),
        Update::Set(pod) => drop(pods.insert(pod.name_any(), *pod)),
        Update::Removed(pod) => drop(pods.remove(&pod.name_any())),
        Update::Trouble(error) => tracing::warn!(error, "unable to watch the DNS pods"),
    }
}

/// Where a pod answers; `None` for one that does not run, or ends.
fn address(pod: &Pod) -> Option<SocketAddr> {
    let status = pod.status.as_ref().filter(|_| pod.metadata.deletion_timestamp.is_none())?;
    if status.phase.as_deref() != Some("Running") {
        return None;
    }
    let address: IpAddr = status.pod_ip.as_ref()?.parse().ok()?;
    let mut ports =
        pod.spec.as_ref()?.containers.iter().flat_map(|container| container.ports.iter().flatten());
    let port = ports.find(|port| port.name.as_deref() == Some("dns"))?.container_port;
    Some(SocketAddr::new(address, u16::try_from(port).ok()?))
}

fn gate(pod: &Pod) -> Option<bool> {
    let mut conditions = pod.status.as_ref()?.conditions.iter().flatten();
    let condition = conditions.find(|condition| condition.type_ == CANARY_GATE)?;
    Some(condition.status == "True")
}

fn wrong(name: &HostName, expected: &Expectation, answer: &Answer) -> String {
    let expected: Vec<String> = expected.values.iter().map(ToString::to_string).collect();
    format!("answers {answer} for {name}, expected {}", expected.join(" "))
}

/// What is said of a round; `None` where no pod was judged.
fn finding(verdict: &Verdict) -> Option<Finding> {
    let Verdict { out, wrong, right, changes: _ } = verdict;
    let list = |pods: &[(String, String)]| {
        pods.iter().map(|(name, why)| format!("{name} {why}")).collect::<Vec<_>>().join("; ")
    };
    if !out.is_empty() {
        return Some(Finding::bad(
            Reason::Mismatch,
            format!("taken out of the Service until it answers rightly: {}", list(out)),
        ));
    }
    if !wrong.is_empty() {
        let all = if *right == 0 { "all DNS pods are wrong, so none is taken out" } else { "is asked again" };
        return Some(Finding::bad(Reason::Mismatch, format!("{}; {all}", list(wrong))));
    }
    (*right > 0).then(|| Finding::good(format!("{right} DNS pods answer the canary")))
}
