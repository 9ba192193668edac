//! Nodes: names of the zone stand in the hosts files of the cluster's nodes, where the configuration wants that.
//!
//! ```text
//! what is recorded, names that are wanted ──► Pace ──► core::deployment::render_nodes ──► Applier ──► its DaemonSet
//! ```
//! Where none are wanted any more, the same pods take away what they have written, and go when all of them have.

mod health;
mod taking_away;

use std::fmt::Write as _;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use openmcp_dns_api::conditions::{DutyName, Finding, Reason};
use openmcp_dns_api::{Cluster, WantedNodes};
use openmcp_dns_core::chain;
use openmcp_dns_core::deployment::{
    NODES, NODES_COMPONENT, Nodes as Config, covers, is_ours, loses_files, render_nodes,
};
use openmcp_dns_core::name::{HostName, NameError};
use openmcp_dns_core::node_hosts::{Hosts, LeftOut, MAX_ADDRESSES, Pace, Selection};
use serde_json::Value;
use tokio::time::Instant;

use super::{Context, Duty, UndoContext, Undone, Way};
use crate::apply::{self, Applier, ApplyError, Rendered, has_foreign_namespace, is_forbidden};
use crate::service_config::ServiceConfig;
use crate::settings::NodeNames;

use health::{Awaited, Health};
use taking_away::Step;

pub use taking_away::remove;

/// The kinds that are rendered.
const KINDS: [Rendered; 5] = [
    Rendered("v1", "Namespace", "namespaces"),
    Rendered("v1", "ServiceAccount", "serviceaccounts"),
    Rendered("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Rendered("v1", "ConfigMap", "configmaps"),
    Rendered("apps/v1", "DaemonSet", "daemonsets"),
];

/// How often everything is compared, also what nobody is told of.
const INTERVAL: Duration = Duration::from_secs(300);

/// How long pods may take to take away what was written where the option is off: a node that is down keeps it.
const TAKING_AWAY: Duration = Duration::from_secs(120);

/// Has names in the hosts files of nodes, or none.
pub struct Nodes {
    config: ServiceConfig,
    own_image: String,
    names: NodeNames,
    began: Instant,
    /// What was brought to the cluster; `None` before it is known what is there.
    brought: Option<Brought>,
    /// Since when what was written is being taken away.
    leaving: Option<Instant>,
    /// Whether it is known that the cluster has nothing of it.
    has_none: bool,
    /// Nodes on which something may have been left.
    left: Vec<String>,
}

/// What was brought to a cluster.
struct Brought {
    pace: Pace,
    config: Config,
    is_foreign: bool,
    /// What the objects were made of last, and when they were compared with what is there.
    applied: Option<(Config, Hosts, Instant)>,
    awaited: Awaited,
}

impl Nodes {
    /// Goes by the DNSServiceConfig, and by what is recorded.
    pub fn new(config: ServiceConfig, own_image: String, names: NodeNames) -> Self {
        let (brought, leaving, left) = (None, None, Vec::new());
        Self { config, own_image, names, began: Instant::now(), brought, leaving, has_none: false, left }
    }

    /// What is wanted for a cluster, if anything; `None` while that is not known.
    fn wanted(&self, cluster: &Cluster) -> Option<Option<Result<WantedNodes, NameError>>> {
        let config = self.config.get()?;
        Some(config.and_then(|config| config.spec.forward_nodes(cluster, &self.own_image)))
    }

    /// Nothing is wanted, and the cluster cannot be asked: what is there stays until it answers.
    fn none_without_a_look(&self) -> Finding {
        if self.has_none {
            return none(&self.left);
        }
        let message =
            "no node is to know names; whether one still does is not known: the cluster cannot be reached";
        Finding::unknown(Reason::Unreachable, message)
    }

    /// Nothing is wanted: what was written goes, and then what has written it.
    async fn take_away(&mut self, client: &kube::Client) -> Finding {
        if !self.has_none && self.leaving.is_none() {
            match is_there(client).await {
                Ok(is_there) => self.has_none = !is_there,
                Err(error) => return Finding::unknown(Reason::Unreachable, chain(&error)),
            }
        }
        if self.has_none {
            return none(&self.left);
        }
        self.brought = None;
        let is_over = self.leaving.get_or_insert_with(Instant::now).elapsed() >= TAKING_AWAY;
        match taking_away::step(client, is_over).await {
            Ok(Step::Gone { left }) => {
                (self.has_none, self.leaving, self.left) = (true, None, left);
                none(&self.left)
            }
            Ok(Step::Waiting(what)) => Finding::unknown(Reason::InProgress, what),
            Err(why) => Finding::bad(Reason::WriteFailed, why),
        }
    }

    /// Has names there as they are wanted.
    async fn bring(&mut self, context: &Context<'_>, client: &kube::Client, wanted: WantedNodes) -> Finding {
        let WantedNodes { names, nodes } = wanted;
        if self.has_none || self.brought.is_none() {
            self.left.clear();
        }
        self.has_none = false;
        let Some(selection) = self.names.get(context.zone, &names).await else {
            return Finding::unknown(Reason::InProgress, "the records are being read");
        };
        let mut brought = match self.brought.take() {
            Some(brought) => brought,
            None => match Brought::read(client, nodes.clone()).await {
                Ok(brought) => brought,
                Err(error) => return Finding::unknown(Reason::Unreachable, chain(&error)),
            },
        };
        brought.config = nodes;
        let hosts = brought.pace.next(&selection, self.began.elapsed()).clone();
        let found = self.bring_all(&mut brought, client, &hosts).await;
        let notes = notes(context.zone, &names, &selection, brought.pace.left_out());
        self.brought = Some(brought);
        match found {
            Ok(health) => {
                let notes = notes + &late(&self.left);
                finding(health, &hosts, &notes)
            }
            Err(finding) => finding,
        }
    }

    /// Where fewer nodes or files are to have names than do, all of them lose them first: pods that go take nothing away.
    async fn bring_all(
        &mut self,
        brought: &mut Brought,
        client: &kube::Client,
        hosts: &Hosts,
    ) -> Result<Health, Finding> {
        let live = match daemon_set(client).await {
            Ok(live) => live,
            Err(error) if is_forbidden(&error) => None,
            Err(error) => return Err(Finding::unknown(Reason::Unreachable, chain(&error))),
        };
        let rendered = brought.render(hosts);
        let loses =
            |live: &&Value| is_ours(live) && rendered.last().is_some_and(|last| loses_files(live, last));
        if let Some(live) = live.as_ref().filter(loses) {
            let is_over = self.leaving.get_or_insert_with(Instant::now).elapsed() >= TAKING_AWAY;
            match taking_away::empty(client, live, is_over).await {
                Ok(Step::Gone { left }) => self.left = left,
                Ok(Step::Waiting(what)) => {
                    let what = format!("fewer nodes or files are to have names; {what}");
                    return Err(Finding::unknown(Reason::InProgress, what));
                }
                Err(why) => return Err(Finding::bad(Reason::WriteFailed, why)),
            }
        } else {
            self.leaving = None;
        }
        brought.apply(client, live, &rendered, hosts).await
    }
}

impl Brought {
    /// Begins with the names that are there: what was recorded before a restart is not lost by it.
    async fn read(client: &kube::Client, config: Config) -> Result<Self, kube::Error> {
        let is_foreign = has_foreign_namespace(client, NODES).await?;
        let names = Api::<ConfigMap>::namespaced(client.clone(), NODES).get_opt(NODES).await;
        let names = match names {
            Ok(names) => names.and_then(|names| names.data?.remove("hosts")),
            Err(error) if is_forbidden(&error) => None,
            Err(error) => return Err(error),
        };
        let pace = Pace::from(names.and_then(|text| Hosts::parse(&text).ok()));
        Ok(Self { pace, config, is_foreign, applied: None, awaited: Awaited::new(Instant::now()) })
    }

    /// What should be there.
    fn render(&self, hosts: &Hosts) -> Vec<Value> {
        let mut rendered = render_nodes(&self.config, hosts);
        if self.is_foreign {
            rendered.retain(|object| object["kind"] != "Namespace");
        }
        rendered
    }

    /// Applies what differs, and looks at the pods.
    async fn apply(
        &mut self,
        client: &kube::Client,
        live: Option<Value>,
        rendered: &[Value],
        hosts: &Hosts,
    ) -> Result<Health, Finding> {
        let unreachable = |error: kube::Error| Finding::unknown(Reason::Unreachable, chain(&error));
        let is_compared = self.applied.as_ref().is_some_and(|(config, told, at)| {
            *config == self.config && told == hosts && at.elapsed() < INTERVAL
        });
        let is_as_wanted = |live: &Value| rendered.last().is_some_and(|wanted| covers(live, wanted));
        let live = live.filter(|live| is_compared && is_as_wanted(live));
        let live = match live {
            Some(live) => Some(live),
            None => {
                let written = applier(client).apply(rendered).await;
                let written = written.map_err(|error| Finding::bad(Reason::WriteFailed, refused(&error)))?;
                for object in &written {
                    tracing::info!(%object, "applied an object of what writes on the nodes");
                }
                if !written.is_empty() {
                    self.awaited.written(Instant::now());
                }
                self.applied = Some((self.config.clone(), hosts.clone(), Instant::now()));
                daemon_set(client).await.map_err(unreachable)?
            }
        };
        let waited = self.awaited.waited(Instant::now());
        let health = Health::of(client, live.as_ref(), waited).await.map_err(unreachable)?;
        self.awaited.found(&health);
        Ok(health)
    }
}

/// Whether the cluster has something of ours that writes on its nodes.
///
/// # Errors
/// When the cluster does not answer, or refuses.
pub async fn is_there(client: &kube::Client) -> Result<bool, kube::Error> {
    match apply::is_there(client, NODES).await {
        // Who may not read namespaces has not made this one.
        Err(error) if is_forbidden(&error) => Ok(false),
        found => found,
    }
}

/// The DaemonSet, as it is there.
async fn daemon_set(client: &kube::Client) -> Result<Option<Value>, kube::Error> {
    let live = Api::<DaemonSet>::namespaced(client.clone(), NODES).get_opt(NODES).await?;
    Ok(live.and_then(|live| serde_json::to_value(live).ok()))
}

fn applier(client: &kube::Client) -> Applier {
    Applier {
        client: client.clone(),
        namespace: NODES.to_owned(),
        kinds: &KINDS,
        components: &[NODES_COMPONENT],
    }
}

/// Why something was not applied, with the next step where rights are missing.
fn refused(error: &ApplyError) -> String {
    let why = chain(error);
    if error.is_forbidden() { forbidden(&why) } else { why }
}

fn forbidden(why: &str) -> String {
    format!(
        "{why}; apply deploy/nodes-access.yaml to the cluster, and bind it to the account in its kubeconfig"
    )
}

/// What is told of nodes that are wanted no names.
fn none(left: &[String]) -> Finding {
    if left.is_empty() {
        return Finding::good("no node is to know names");
    }
    let message = format!("no node is to know names{}", late(left));
    Finding { status: Some(true), reason: Reason::LeftBehind, message }
}

/// What is told of nodes that may have names which they should not have any more.
fn late(left: &[String]) -> String {
    if left.is_empty() {
        return String::new();
    }
    format!(
        "; these had not taken them away in time: {}. On each of them that is still there, run: openmcp-dns node-hosts --once",
        left.join(", ")
    )
}

/// What is said of names beside those that nodes are told.
fn notes(zone: &HostName, patterns: &[HostName], selection: &Selection, left_out: &LeftOut) -> String {
    let mut notes = String::new();
    let list = |names: &mut dyn Iterator<Item = &HostName>| {
        names.take(3).map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    if !selection.without_address.is_empty() {
        // Writing to a String does not fail.
        let _ = write!(notes, "; without an address: {}", list(&mut selection.without_address.iter()));
    }
    let LeftOut { number, some } = left_out;
    if *number > 0 {
        let _ = write!(notes, "; {number} more are too many and left out: {}", list(&mut some.iter()));
        notes.push_str(if *number > 3 { ", ..." } else { "" });
    }
    if selection.shortened.number > 0 {
        let some = list(&mut selection.shortened.some.iter());
        let _ = write!(notes, "; with the first {MAX_ADDRESSES} addresses only: {some}");
    }
    let mut outside = patterns.iter().filter(|pattern| !pattern.is_within(zone)).peekable();
    if outside.peek().is_some() {
        let _ = write!(notes, "; outside of {zone}: {}", list(&mut outside));
    }
    notes
}

fn finding(health: Health, hosts: &Hosts, notes: &str) -> Finding {
    let names = hosts.names().count();
    match health {
        Health::Well { nodes } => Finding::good(format!("{names} names are told to {nodes} nodes{notes}")),
        Health::Starting(how) => Finding::unknown(Reason::InProgress, format!("{names} names: {how}{notes}")),
        Health::Trouble(why) => {
            Finding::bad(Reason::NodesNotReady, format!("{why}; what was written on nodes stays{notes}"))
        }
    }
}

#[async_trait]
impl Duty for Nodes {
    fn name(&self) -> DutyName {
        DutyName::NodesForwarded
    }

    async fn fulfil(&mut self, context: &Context<'_>) -> Finding {
        let wanted = match self.wanted(context.cluster) {
            None => return Finding::unknown(Reason::InProgress, "the DNSServiceConfig is being read"),
            Some(None) => {
                return match context.way {
                    Way::Open { client, .. } => self.take_away(client).await,
                    // Whom an agent speaks for and nobody can reach, nobody has written to either.
                    Way::None if context.has_agent => none(&self.left),
                    Way::Unusable(_) | Way::None => self.none_without_a_look(),
                };
            }
            Some(Some(Err(error))) => return Finding::bad(Reason::InvalidSpec, chain(&error)),
            Some(Some(Ok(wanted))) => wanted,
        };
        match context.way {
            Way::Open { client, .. } => self.bring(context, client, wanted).await,
            Way::Unusable(_) | Way::None => {
                Finding::unknown(Reason::Unreachable, "the cluster cannot be reached")
            }
        }
    }

    async fn undo(&mut self, context: &UndoContext<'_>) -> Undone {
        let client = match context.way {
            Way::Open { client, .. } => client,
            // It was looked at, or nobody has ever wanted any: there is nothing that could be left. To wait for a look at each
            // cluster that leaves and cannot be reached would hold up all of them.
            _ if self.has_none
                || self.brought.is_none() && matches!(self.wanted(context.cluster), Some(None)) =>
            {
                return Undone::Done;
            }
            Way::Unusable(why) => return Undone::of(Err(why.message.clone()), context.spent, WHAT),
            Way::None => {
                return Undone::of(Err("there is no access to the cluster".to_owned()), context.spent, WHAT);
            }
        };
        match is_there(client).await {
            Ok(true) => {}
            Ok(false) => return Undone::Done,
            Err(error) => return Undone::of(Err(chain(&error)), context.spent, WHAT),
        }
        match taking_away::step(client, context.spent.is_over()).await {
            Ok(Step::Gone { left }) if left.is_empty() => Undone::Done,
            Ok(Step::Gone { left }) => Undone::GivenUp(format!(
                "{WHAT} may still be there on {}; on each of them that is still there, run: openmcp-dns node-hosts --once",
                left.join(", ")
            )),
            Ok(Step::Waiting(what)) => Undone::Again(what),
            Err(why) => Undone::of(Err(why), context.spent, WHAT),
        }
    }
}

const WHAT: &str = "names in the hosts files of nodes";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_to_nodes_is_told_to_people() {
        let zone: HostName = "openmcp.cluster".parse().unwrap();
        let pattern = |text: &str| -> HostName { text.parse().unwrap() };
        let mut selection = Selection::default();
        assert_eq!(notes(&zone, &[pattern("*.openmcp.cluster")], &selection, &LeftOut::default()), "");
        selection.without_address =
            ["a", "b", "c", "d"].map(|name| pattern(&format!("{name}.openmcp.cluster"))).into();
        selection.shortened = LeftOut { number: 1, some: [pattern("s.openmcp.cluster")].into() };
        let left_out = LeftOut {
            number: 5,
            some: ["w", "x", "y", "z"].map(|name| pattern(&format!("{name}.b"))).into(),
        };
        assert_eq!(
            notes(&zone, &[pattern("*.other.cluster")], &selection, &left_out),
            "; without an address: a.openmcp.cluster, b.openmcp.cluster, c.openmcp.cluster; 5 more are too many and left out: \
             w.b, x.b, y.b, ...; with the first 8 addresses only: s.openmcp.cluster; outside of openmcp.cluster: *.other.cluster"
        );
    }

    #[test]
    fn nodes_that_kept_their_names_are_told_with_the_next_step() {
        assert_eq!(none(&[]), Finding::good("no node is to know names"));
        let left = none(&["n1".to_owned()]);
        assert_eq!((left.status, left.reason), (Some(true), Reason::LeftBehind));
        assert!(
            left.message.contains("n1. On each") && left.message.contains("node-hosts --once"),
            "{left:?}"
        );
    }
}
