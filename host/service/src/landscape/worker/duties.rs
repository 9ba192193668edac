//! The duties towards one cluster, and what is found of each.

use std::net::SocketAddr;
use std::time::Duration;

use kube::ResourceExt as _;
use openmcp_dns_core::corefile::Warning;
use openmcp_dns_core::name::HostName;
use tokio::time::Instant;

use super::ClusterController;
use crate::address::parse_server;
use crate::annotate::{AnnotateError, annotate};
use crate::forward::{self, ForwardError, Layout, Verified};
use crate::probe::ProbeCounts;
use crate::record::Summary;
use crate::report::findings::{Findings, probed, reachable, recorded};
use openmcp_dns_api::conditions::{Duty, Finding, Reason};
use openmcp_dns_api::{CLUSTER_DNS_ANNOTATION, Cluster};
use openmcp_dns_core::chain;

/// How long a cluster's DNS may take to act on its configuration: kubelet writes it within a minute,
/// CoreDNS looks at it every half minute, and takes a moment.
const TAKE_UP: Duration = Duration::from_secs(120);

impl ClusterController {
    /// Does what is missing for each duty, and says what was found.
    pub(super) async fn fulfil(&mut self, cluster: &Cluster, zone: &HostName, summary: &Summary) -> Findings {
        let annotated = self.annotate(cluster, zone, summary).await;
        let forwarded = self.forward(cluster, zone).await;
        let counts = match &self.settings.prober {
            Some(prober) => prober.counts(&self.id).await,
            None => ProbeCounts::default(),
        };
        Findings::from([
            (Duty::Reachable, self.reachable(summary)),
            (Duty::Forwarded, forwarded),
            (Duty::Annotated, annotated),
            (Duty::Recorded, recorded(summary)),
            (Duty::Probed, probed(&counts)),
        ])
    }

    fn reachable(&self, summary: &Summary) -> Finding {
        match self.connection.as_ref().map(|connection| &connection.client) {
            None => Finding::bad(Reason::KubeconfigMissing, self.settings.inventory.advice(&self.id)),
            Some(Err(why)) => Finding::bad(Reason::KubeconfigInvalid, why),
            Some(Ok(_)) => reachable(&summary.watches),
        }
    }

    async fn annotate(&self, cluster: &Cluster, zone: &HostName, summary: &Summary) -> Finding {
        let Some(Ok(domain)) = &summary.domain else {
            return Finding::unknown(Reason::NoDomain, "the cluster has no domain");
        };
        match annotate(&self.clusters(), cluster, domain, zone).await {
            Ok(()) => Finding::good(format!("the Cluster carries the domain {domain}")),
            Err(error @ AnnotateError::Foreign(_)) => Finding::bad(Reason::ForeignValue, chain(&error)),
            Err(error @ AnnotateError::Api(_)) => Finding::bad(Reason::WriteFailed, chain(&error)),
        }
    }

    async fn forward(&mut self, cluster: &Cluster, zone: &HostName) -> Finding {
        let upstreams = &self.settings.upstreams;
        if upstreams.is_empty() {
            let message =
                "no address of the central DNS server is known; start openmcp-dns with --dns-server";
            return Finding::bad(Reason::NoCentralServer, message);
        }
        let Some(connection) = &self.connection else {
            return Finding::unknown(Reason::Unreachable, "the cluster cannot be reached");
        };
        let Ok(client) = &connection.client else {
            return Finding::unknown(Reason::Unreachable, "the cluster cannot be reached");
        };
        let layout = connection.layout.borrow().clone();
        let config_map = match layout {
            Layout::Found(config_map) => config_map,
            Layout::Unknown => {
                return Finding::unknown(Reason::InProgress, "the cluster's DNS configuration is being read");
            }
            Layout::Trouble(message) => return Finding::unknown(Reason::Unreachable, message),
            Layout::Missing => {
                return Finding::bad(
                    Reason::UnknownLayout,
                    format!(
                        "the cluster has no ConfigMap kube-system/coredns, so its DNS is of a layout that is not \
                         known; forward {zone} to {} by hand",
                        list(upstreams)
                    ),
                );
            }
        };
        match forward::apply(client, &config_map, zone, upstreams).await {
            Ok(warnings) => self.verified(cluster, zone, &warnings),
            Err(error @ (ForwardError::Refused(_) | ForwardError::NoCorefile)) => Finding::bad(
                Reason::NotUnderstood,
                format!("{}; mend it, or forward {zone} to {} by hand", chain(&error), list(upstreams)),
            ),
            Err(error) => Finding::bad(Reason::WriteFailed, chain(&error)),
        }
    }

    /// The configuration forwards the zone; does the server that reads it?
    fn verified(&mut self, cluster: &Cluster, zone: &HostName, warnings: &[Warning]) -> Finding {
        let address = match cluster.annotations().get(CLUSTER_DNS_ANNOTATION).map(|text| parse_server(text)) {
            Some(Ok(address)) => Some(address),
            Some(Err(why)) => {
                let message = format!("annotation {CLUSTER_DNS_ANNOTATION} of the Cluster: {why}");
                return Finding::unknown(Reason::NotProbed, message);
            }
            None => None,
        };
        let question = address.map(|address| (address, zone.clone()));
        self.question.send_if_modified(|old| std::mem::replace(old, question.clone()) != question);
        let note: String = warnings.iter().map(|warning| format!("; {}", explain(warning))).collect();
        if question.is_none() {
            return Finding::unknown(
                Reason::NotProbed,
                format!(
                    "the configuration forwards {zone}, but it is not known where to ask the cluster's DNS: \
                     annotate the Cluster with {CLUSTER_DNS_ANNOTATION}=<IP or IP:port>{note}"
                ),
            );
        }
        let verified = self.verified.borrow().clone();
        match verified {
            Verified::NotAsked => Finding::unknown(Reason::InProgress, "the cluster's DNS is being asked"),
            Verified::Forwards => {
                self.otherwise_since = None;
                Finding::good(format!("the cluster's DNS forwards {zone}{note}"))
            }
            Verified::Otherwise(answer) => {
                let since = *self.otherwise_since.get_or_insert_with(Instant::now);
                if since.elapsed() < TAKE_UP {
                    let message =
                        format!("waiting for the cluster's DNS to act on its configuration: {answer}");
                    return Finding::unknown(Reason::InProgress, message);
                }
                Finding::bad(
                    Reason::Mismatch,
                    format!(
                        "the configuration forwards {zone}, but the cluster's DNS does not: {answer}{note}"
                    ),
                )
            }
        }
    }
}

fn explain(warning: &Warning) -> String {
    match warning {
        Warning::PartServedElsewhere { line, key } => {
            format!("the server {key} on line {line} answers a part of the zone by itself")
        }
        Warning::NoLongerAsked { line, plugin } => {
            format!("plugin {plugin} on line {line} is no longer asked for names of the zone")
        }
    }
}

fn list(upstreams: &[SocketAddr]) -> String {
    upstreams.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
