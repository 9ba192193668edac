//! Asks the pods of a cluster's DNS, from inside: over TCP through the API server's port-forward, with nothing installed.
//!
//! ```text
//! EndpointSlices of the DNS Service ──► ready pods ──port-forward──► the questions, one after the other ──► core judges
//! ```

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use hickory_resolver::proto::rr::RecordType;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;
use openmcp_dns_core::chain;
use openmcp_dns_core::expectation::Answer;
use openmcp_dns_core::forwarding::{Asked, DnsPods, DnsService, Heard, OUTSIDE, Order, Said, judge};
use tokio::time::{Instant, timeout, timeout_at};

use super::layout::code;
use crate::api_client::{PortForward, PortForwardError};
use crate::probe::message::{answer, question};

/// How many pods are asked at a time: some clusters have one on every node.
const AT_ONCE: usize = 4;

/// How long a way to a pod may take: what the API server and kubelet need when they have much to do.
const WAY: Duration = Duration::from_secs(10);

/// How long an answer may take. CoreDNS gives up after 5 seconds when it forwards, and then says so.
const ANSWER: Duration = Duration::from_secs(8);

/// How long all of them may take.
const ROUND: Duration = Duration::from_secs(120);

/// What is wrong where the account may not do it.
const FORBIDDEN: &str = "rights to ask its pods are missing: apply deploy/cluster-access.yaml to the cluster (OpenShift: deploy/cluster-access-openshift.yaml, too)";

/// Asks every ready pod behind the Service.
pub(super) async fn ask_pods(
    client: &kube::Client,
    service: &DnsService,
    order: Order<'_>,
    own_name: &str,
) -> Heard {
    let end = Instant::now() + ROUND;
    let pods = match pods(client, service).await {
        Ok(pods) => pods,
        Err(error) if code(&error) == 403 => return Heard::nothing(FORBIDDEN),
        Err(error) => {
            return Heard::nothing(format!("its pods are not known: {}", chain(&error)));
        }
    };
    let DnsService { namespace, name } = service;
    match (pods.ready.is_empty(), pods.unready.len()) {
        (false, _) => {}
        (true, 0) => return Heard::nothing(format!("Service {namespace}/{name} has no pods")),
        (true, unready) => return Heard::none_ready(unready),
    }
    let asking: Vec<_> = pods
        .ready
        .iter()
        .map(|(pod, port)| async move {
            let asking = ask_pod(client, namespace, pod.as_str(), *port, order, own_name);
            let said =
                timeout_at(end, asking).await.unwrap_or_else(|_| Err("there was no time left".to_owned()));
            Asked { who: format!("pod {pod}"), said }
        })
        .collect();
    let asked: Vec<Asked> = stream::iter(asking).buffered(AT_ONCE).collect().await;
    judge(&asked, order, own_name)
}

/// The pods as the API server knows them.
async fn pods(client: &kube::Client, service: &DnsService) -> Result<DnsPods, kube::Error> {
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), &service.namespace);
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={}", service.name));
    let found = slices.list(&of_service).await?.items;
    let values: Result<Vec<_>, _> = found.into_iter().map(serde_json::to_value).collect();
    Ok(DnsPods::of(&values.map_err(kube::Error::SerdeError)?))
}

/// Asks one pod; says why where it cannot be asked.
async fn ask_pod(
    client: &kube::Client,
    namespace: &str,
    pod: &str,
    port: u16,
    order: Order<'_>,
    own_name: &str,
) -> Result<Said, String> {
    let way = timeout(WAY, PortForward::open(client, namespace, pod, port)).await;
    let way = way.map_err(|_| format!("no port-forward within {} s", WAY.as_secs()))?;
    let way = way.map_err(|error| if error.is_forbidden() { FORBIDDEN.to_owned() } else { chain(&error) })?;
    let mut conversation = Conversation { way, received: Vec::new(), asked: 0 };
    // What the pod knows itself comes first: a server answers what comes over a connection in its order, and what it forwards may take long.
    let own = conversation.ask(own_name, RecordType::A).await?;
    let zone = conversation.ask(order.zone.as_str(), RecordType::SOA).await?;
    if matches!(zone, Answer::Silence(_)) || matches!(own, Answer::Silence(_)) {
        return Ok(Said { own, zone, outside: None });
    }
    let outside = Some(conversation.ask(OUTSIDE, RecordType::NS).await?);
    Ok(Said { own, zone, outside })
}

/// Questions to one pod, one after the other.
struct Conversation {
    way: PortForward,
    received: Vec<u8>,
    asked: u16,
}

impl Conversation {
    /// Asks one question; an error where the pod cannot be asked at all.
    async fn ask(&mut self, name: &str, record_type: RecordType) -> Result<Answer, String> {
        self.asked += 1;
        let id = self.asked;
        let asking = async {
            self.way.send(&question(id, name, record_type)?).await.map_err(|error| chain(&error))?;
            loop {
                if let Some(answer) = answer(&mut self.received, id, record_type) {
                    return Ok(answer);
                }
                match self.way.receive().await {
                    Ok(bytes) => self.received.extend_from_slice(&bytes),
                    Err(PortForwardError::Closed) if id > 1 => {
                        return Ok(Answer::Silence("the connection was closed".to_owned()));
                    }
                    Err(error) => return Err(chain(&error)),
                }
            }
        };
        timeout(ANSWER, asking)
            .await
            .unwrap_or_else(|_| Ok(Answer::Silence(format!("none within {} s", ANSWER.as_secs()))))
    }
}
