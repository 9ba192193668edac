//! Enrolment: clusters whose host names an external-dns in them records, through the gate.
//!
//! ```text
//! DNSServiceConfig ──► Enrolment ◄── duty Agent of each cluster: what is wanted, where the gate is, a certificate
//!                        │
//!                        ├──► gate: Service to the replica that leads, certificate
//!                        └──► whose certificates the gate takes
//! ```

mod gate;
mod keeping;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openmcp_dns_api::{Cluster, DNSServiceConfig, Images};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::deployment::{AGENTS_AUTHORITY_SECRET, Agent, digest};
use openmcp_dns_gate::{Agents, Credentials, CredentialsError, Fingerprint, Inputs, Visits};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::watch;

use crate::certificates::{Authority, AuthorityId, CertificateError, Keeper, Lifetimes, Pair, Purpose};

/// The authority of the gate and the agents.
const AUTHORITY: AuthorityId =
    AuthorityId { secret: AGENTS_AUTHORITY_SECRET, common_name: "openmcp-dns agents authority" };

/// The file, beside a certificate, with all objects of an agent that somebody has to bring.
const OBJECTS: &str = "agent.json";

/// For how long an agent that was brought by somebody may be away: it ends at each error, and the kubelet starts it again
/// after up to five minutes.
const ABSENCE: Duration = Duration::from_secs(600);

/// Where agents are said to be, and what they need.
pub struct EnrolmentOptions {
    /// The platform cluster.
    pub platform: kube::Client,
    /// Where the Service, certificates and the authority lie: the namespace of the service.
    pub namespace: String,
    /// The name of the DNSServiceConfig that counts.
    pub config_name: String,
    /// The images, where it names no other.
    pub images: Images,
    /// How long the certificates that are made are good for.
    pub lifetimes: Lifetimes,
    /// The address of our own pod; without it, the gate has no Service, and agents reach it as the configuration says.
    pub pod: Option<IpAddr>,
    /// Where the gate listens; without it there is none.
    pub port: Option<u16>,
}

/// What there is to know of agents, for all who ask. Clones are the same.
#[derive(Clone)]
pub struct Enrolment(Arc<Shared>);

struct Shared {
    options: EnrolmentOptions,
    known: watch::Sender<Known>,
    admitted: watch::Sender<Agents>,
    credentials: watch::Sender<Option<Credentials>>,
    recorded: watch::Sender<Option<BTreeSet<ClusterId>>>,
    /// Told by the gate.
    visits: Visits,
    started: Instant,
}

/// What is known, apart from what the gate is told.
#[derive(Clone, Default)]
pub(crate) struct Known {
    /// The configuration, where there is one; `None` until that is known.
    config: Option<Option<Arc<DNSServiceConfig>>>,
    /// Of the gate.
    gate: Gate,
}

/// What is known of the gate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gate {
    /// Where agents reach it, or why nobody knows.
    pub(crate) addresses: Option<Result<Vec<String>, String>>,
    /// Its certificate, and whom it trusts; as long as there may be agents.
    pub(crate) identity: Option<Pair>,
    /// Who signs the agents' certificates.
    pub(crate) authority: Option<Authority>,
}

/// Who is to record the host names of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wanted {
    /// That is not known yet.
    Unknown,
    /// The service itself.
    Native,
    /// An agent.
    Agent(Box<Agent>),
}

/// What the gate has seen of an agent since the service leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// None with a certificate that is good.
    Nobody,
    /// It is there.
    There,
    /// It is there, with the certificate before the last one.
    WithFormer,
    /// It was there.
    Gone,
}

impl Enrolment {
    /// Nothing is known yet; see [`Enrolment::keep`].
    #[must_use]
    pub fn new(options: EnrolmentOptions) -> Self {
        Self(Arc::new(Shared {
            options,
            known: watch::Sender::default(),
            admitted: watch::Sender::default(),
            credentials: watch::Sender::default(),
            recorded: watch::Sender::default(),
            visits: Visits::default(),
            started: Instant::now(),
        }))
    }

    /// What the gate shows of itself, and whose certificates it takes.
    #[must_use]
    pub fn inputs(&self) -> Inputs {
        let Shared { credentials, admitted, visits, .. } = &*self.0;
        Inputs { credentials: credentials.subscribe(), agents: admitted.subscribe(), visits: visits.clone() }
    }

    /// The clusters that are to be recorded by an agent; `None` until that is known.
    #[must_use]
    pub fn recorded(&self) -> watch::Receiver<Option<BTreeSet<ClusterId>>> {
        self.0.recorded.subscribe()
    }

    /// Who is to record the host names of a cluster.
    pub(crate) fn wanted(&self, cluster: &Cluster) -> Wanted {
        let known = self.0.known.borrow();
        match &known.config {
            None => Wanted::Unknown,
            Some(None) => Wanted::Native,
            Some(Some(config)) => config
                .spec
                .agent(cluster, &self.0.options.images)
                .map_or(Wanted::Native, |agent| Wanted::Agent(Box::new(agent))),
        }
    }

    /// Told whenever something else is known.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Known> {
        self.0.known.subscribe()
    }

    /// What is known of the gate.
    pub(crate) fn gate(&self) -> Gate {
        self.0.known.borrow().gate.clone()
    }

    /// A certificate for the agent of a cluster, made where there is none that is good for a while. The gate takes it from
    /// now on, and beside it the one before, until the agent has got this one.
    pub(crate) async fn issue(
        &self,
        cluster: &ClusterId,
        authority: &Authority,
    ) -> Result<Pair, EnrolmentError> {
        let purpose = Purpose {
            secret: secret_name(cluster),
            // Most servers show no more than 64 characters (RFC 5280, ub-common-name).
            common_name: format!("{}/{}", cluster.namespace, cluster.name).chars().take(64).collect(),
            names: Vec::new(),
            keeps_former: true,
        };
        let pair = self.keeper().issued(&purpose, authority, k8s_openapi::jiff::Timestamp::now()).await?;
        let former = pair.former.as_deref().map(fingerprint).transpose()?;
        let good = [Some(fingerprint(&pair.certificate)?), former];
        self.admit(cluster, good.into_iter().flatten().collect());
        Ok(pair)
    }

    /// The agent of a cluster has got its certificate: the gate takes no earlier one of it any more.
    pub(crate) async fn settle(&self, cluster: &ClusterId, pair: &mut Pair) -> Result<(), EnrolmentError> {
        if pair.former.is_some() {
            self.admit(cluster, BTreeSet::from([fingerprint(&pair.certificate)?]));
            self.keeper().forget_former(&secret_name(cluster)).await?;
            pair.former = None;
        }
        Ok(())
    }

    /// Keeps what is to be applied in the cluster beside its agent's certificate, for somebody who brings it there; gives
    /// the command that does.
    pub(crate) async fn hand_out(
        &self,
        cluster: &ClusterId,
        objects: &[Value],
    ) -> Result<String, CertificateError> {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        let name = secret_name(cluster);
        self.keeper().keep_beside(&name, OBJECTS, &format!("{list:#}")).await?;
        let (namespace, file) = (&self.0.options.namespace, OBJECTS.replace('.', "\\."));
        Ok(format!(
            "kubectl -n {namespace} get secret {name} -o jsonpath='{{.data.{file}}}' | base64 -d | kubectl --context \
             <the cluster> apply -f -"
        ))
    }

    /// What the gate has seen of the agent of a cluster that was brought by somebody.
    pub(crate) fn seen(&self, cluster: &ClusterId, pair: &Pair) -> Seen {
        let Some(visit) = self.0.visits.of(cluster) else { return Seen::Nobody };
        let is_it = |certificate: &str| fingerprint(certificate).is_ok_and(|it| it == visit.fingerprint);
        match (is_it(&pair.certificate), pair.former.as_deref().is_some_and(is_it)) {
            (false, false) => Seen::Nobody,
            _ if !visit.is_there(ABSENCE, Instant::now()) => Seen::Gone,
            (true, _) => Seen::There,
            (false, true) => Seen::WithFormer,
        }
    }

    /// Whether a certificate was made for the agent of a cluster: only then the cluster may have one.
    pub(crate) async fn is_enrolled(&self, cluster: &ClusterId) -> Result<bool, CertificateError> {
        Ok(self.keeper().pair(&secret_name(cluster)).await?.is_some())
    }

    /// The gate takes no certificate of a cluster any more.
    pub(crate) fn cut_off(&self, cluster: &ClusterId) {
        self.admit(cluster, BTreeSet::new());
    }

    /// The same, and its certificate is forgotten; gives whether there was one.
    pub(crate) async fn revoke(&self, cluster: &ClusterId) -> Result<bool, CertificateError> {
        self.cut_off(cluster);
        self.keeper().forget(&secret_name(cluster)).await
    }

    /// The gate takes these certificates of a cluster, and no others.
    fn admit(&self, cluster: &ClusterId, good: BTreeSet<Fingerprint>) {
        self.0.admitted.send_if_modified(|admitted| {
            let before = admitted.clone();
            admitted.retain(|_, whose| whose != cluster);
            admitted.extend(good.into_iter().map(|fingerprint| (fingerprint, cluster.clone())));
            *admitted != before
        });
    }

    /// Whether every agent has the certificate that was issued last, as far as we have been here long enough to know.
    fn is_settled(&self) -> bool {
        let admitted = self.0.admitted.borrow();
        let clusters: BTreeSet<&ClusterId> = admitted.values().collect();
        self.0.started.elapsed() >= self.0.options.lifetimes.overlap && clusters.len() == admitted.len()
    }

    fn keeper(&self) -> Keeper {
        let EnrolmentOptions { platform, namespace, lifetimes, .. } = &self.0.options;
        Keeper {
            platform: platform.clone(),
            namespace: namespace.clone(),
            lifetimes: *lifetimes,
            authority: AUTHORITY,
        }
    }
}

fn fingerprint(certificate: &str) -> Result<Fingerprint, EnrolmentError> {
    Ok(Fingerprint::of_pem(certificate.as_bytes())?)
}

/// Why an agent gets no certificate.
#[derive(Debug, Error)]
pub(crate) enum EnrolmentError {
    /// It cannot be made or kept.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// What is kept is none.
    #[error(
        "the certificate that is kept for the agent cannot be read; delete its Secret to have a new one made"
    )]
    Unreadable(#[from] CredentialsError),
}

/// The Secret with the certificate of a cluster's agent. Names of clusters may be longer than that of a Secret with a prefix.
fn secret_name(cluster: &ClusterId) -> String {
    format!("openmcp-dns-agent-{}", digest(&cluster.to_string()))
}
