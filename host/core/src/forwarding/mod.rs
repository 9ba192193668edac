//! How a cluster's own DNS is made to forward a zone, whatever it is.
//!
//! ```text
//! Facts ──strategies──► places ──set, unset──► Changes for its API server
//!   ▲                                              │
//!   └────────────── read again ◄───────────────────┘
//! ```
//! What a cluster has decides, never the name of who runs it: which pods stand behind its DNS Service, which key of which
//! ConfigMap they mount as their configuration, what that one imports from where, and which operators are there. A
//! [`Strategy`] is one way to change a DNS, a file here; a place is what it changes: one block, key or list entry, which
//! can be set and taken back to the byte. What stands in a place of another strategy is taken back first, so that no zone is
//! served twice. What is not understood is refused, and stays as it is.

mod answers;
mod asking;
mod change;
mod config_map;
mod corefile;
mod custom_dns_config;
mod dns_operator;
mod eks;
mod facts;
mod fight;
mod guard;
mod helm_chart_config;
mod helm_values;
mod imported_file;
mod json_members;
mod manual;
mod node_local;
mod owned_zones;
mod pods;
mod refusal;
mod reverse;
mod rollout;
mod stub_domains;

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::name::HostName;

pub use self::answers::{Asked, Forwards, Heard, OUTSIDE, Said, judge};
pub use self::asking::{DnsPods, DnsService, dns_service, is_guarded, pause};
pub use self::change::{Action, Change};
pub use self::facts::{Facts, KINDS, KindOf, LISTS, NAMESPACE, Seen};
pub use self::fight::{Fight, MOST as MOST_REVERTS, WINDOW as REVERTS_WINDOW};
pub use self::guard::{Guard, Names, Resolution, Verdict};
pub use self::refusal::Refusal;
pub use self::reverse::{Orders, plan_all, removal_of_all};
pub use self::rollout::{Health, Rollout, Wait};

/// A way to change a cluster's DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Strategy {
    /// A block in the Corefile that its pods read.
    Corefile,
    /// A file that its Corefile imports from another ConfigMap.
    ImportedFile,
    /// Values of the Helm chart that its Corefile is rendered from.
    HelmChartConfig,
    /// An entry in the configuration of OpenShift's DNS operator.
    DnsOperator,
    /// An entry in the `stubDomains` of kube-dns.
    StubDomains,
    /// An entry in the configuration of Alibaba Cloud's managed CoreDNS.
    #[serde(rename = "customDNSConfig")]
    CustomDnsConfig,
    /// Nothing that can be done from inside the cluster: a person has to.
    Manual,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Corefile,
        Self::ImportedFile,
        Self::HelmChartConfig,
        Self::DnsOperator,
        Self::StubDomains,
        Self::CustomDnsConfig,
        Self::Manual,
    ];

    /// As `DNSServiceConfig` and `ClusterDNS` have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Corefile => "corefile",
            Self::ImportedFile => "importedFile",
            Self::HelmChartConfig => "helmChartConfig",
            Self::DnsOperator => "dnsOperator",
            Self::StubDomains => "stubDomains",
            Self::CustomDnsConfig => "customDNSConfig",
            Self::Manual => "manual",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wanted of a cluster's DNS.
#[derive(Clone, Copy, Debug)]
pub struct Order<'o> {
    /// The zone to forward.
    pub zone: &'o HostName,
    /// To which servers.
    pub upstreams: &'o [SocketAddr],
}

impl Order<'_> {
    /// The servers where a port is written only if it is not 53; sorted, each once.
    fn upstreams(&self) -> Vec<String> {
        let sorted: BTreeSet<&SocketAddr> = self.upstreams.iter().collect();
        let text = |server: &SocketAddr| match server.port() {
            53 => server.ip().to_string(),
            _ => server.to_string(),
        };
        sorted.into_iter().map(text).collect()
    }
}

/// How a cluster's DNS is made to forward the zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The way that was chosen.
    pub strategy: Strategy,
    /// What it was chosen by, in words.
    pub because: Vec<String>,
    /// What is ours when all is as wanted, in words.
    pub places: Vec<String>,
    /// What is missing now. After these, there may be more: they are made on what is there then.
    pub changes: Vec<Change>,
    /// What may surprise.
    pub notes: Vec<String>,
    /// What a person has to do, where nothing else helps.
    pub by_hand: Option<String>,
}

/// What can be set in a cluster, and taken back.
trait Place {
    /// In words; tells it from all others.
    fn name(&self) -> String;

    /// Has it forward the zone.
    fn set(&self, facts: &Facts, order: Order<'_>) -> Result<Edit, Refusal>;

    /// Takes out what is ours; `None` where nothing is.
    fn unset(&self, facts: &Facts, zone: &HostName) -> Result<Option<Change>, Refusal>;
}

/// What is to be changed in a place.
#[derive(Default)]
struct Edit {
    /// `None` where all is as wanted.
    change: Option<Change>,
    /// What may surprise.
    notes: Vec<String>,
}

/// Why a strategy is possible, and what it would change.
#[derive(Default)]
struct Fit {
    because: Vec<String>,
    places: Vec<Box<dyn Place>>,
    notes: Vec<String>,
    by_hand: Option<fn(Order<'_>) -> String>,
}

/// A strategy as it stands in the list.
struct Row {
    strategy: Strategy,
    /// `None` where the cluster's DNS cannot be changed in this way.
    fits: fn(&Facts) -> Option<Fit>,
    /// Where it may have written, whatever the cluster's DNS is now.
    traces: fn(&Facts) -> Vec<Box<dyn Place>>,
}

/// In the order in which they are tried: what an operator renders cannot be changed below it; and what the text itself is
/// made to import is meant for others, unlike the text.
const ROWS: [Row; 8] = [
    Row { strategy: Strategy::DnsOperator, fits: dns_operator::fits, traces: dns_operator::traces },
    Row {
        strategy: Strategy::CustomDnsConfig,
        fits: custom_dns_config::fits,
        traces: custom_dns_config::traces,
    },
    Row {
        strategy: Strategy::HelmChartConfig,
        fits: helm_chart_config::fits,
        traces: helm_chart_config::traces,
    },
    Row { strategy: Strategy::ImportedFile, fits: imported_file::fits, traces: imported_file::traces },
    Row { strategy: Strategy::Manual, fits: manual::add_on, traces: nowhere },
    Row { strategy: Strategy::Corefile, fits: corefile::fits, traces: corefile::traces },
    Row { strategy: Strategy::StubDomains, fits: stub_domains::fits, traces: stub_domains::traces },
    Row { strategy: Strategy::Manual, fits: manual::no_pods, traces: node_local::traces },
];

fn nowhere(_: &Facts) -> Vec<Box<dyn Place>> {
    Vec::new()
}

/// Says how the zone is forwarded, and what is missing for that. `wish` is the strategy that a person has chosen.
///
/// # Errors
/// When something is not understood, or is somebody else's; or when the strategy that is wished for is not possible.
pub fn plan(facts: &Facts, order: Order<'_>, wish: Option<Strategy>) -> Result<Plan, Refusal> {
    let (strategy, fit) = choose(facts, wish)?;
    let Fit { mut because, mut places, mut notes, by_hand } = fit;
    if strategy != Strategy::Manual
        && let Some(more) = node_local::fits(facts)
    {
        because.extend(more.because);
        notes.extend(more.notes);
        for place in more.places {
            if places.iter().all(|known| known.name() != place.name()) {
                places.push(place);
            }
        }
    }
    let names: Vec<String> = places.iter().map(|place| place.name()).collect();
    let mut changes = Vec::new();
    for place in traces(facts) {
        if !names.contains(&place.name()) {
            changes.extend(place.unset(facts, order.zone)?);
        }
    }
    // A zone must not be served twice: what is new comes when the old is gone.
    if changes.is_empty() {
        for place in &places {
            let edit = place.set(facts, order)?;
            changes.extend(edit.change);
            notes.extend(edit.notes);
        }
    }
    if let Some(change) = changes.iter().find(|change| facts.is_unreadable(&change.object)) {
        let why = "rights to read it are missing: apply deploy/cluster-access.yaml to the cluster".to_owned();
        return Err(Refusal::NotUnderstood { place: change.object.to_string(), why });
    }
    let by_hand = by_hand.map(|say| say(order));
    Ok(Plan { strategy, because, places: names, changes, notes, by_hand })
}

/// A name of the cluster itself, which its DNS has to go on answering: that of its API server.
#[must_use]
pub fn own_name(facts: &Facts) -> String {
    format!(
        "kubernetes.default.svc.{}",
        corefile::cluster_domain(facts).unwrap_or_else(|| "cluster.local".to_owned())
    )
}

/// Takes back whatever is ours, by whatever strategy it came.
///
/// # Errors
/// When something is not understood that may hold something of ours.
pub fn removal(facts: &Facts, zone: &HostName) -> Result<Vec<Change>, Refusal> {
    let mut changes = Vec::new();
    for place in traces(facts) {
        changes.extend(place.unset(facts, zone)?);
    }
    Ok(changes)
}

fn choose(facts: &Facts, wish: Option<Strategy>) -> Result<(Strategy, Fit), Refusal> {
    if wish == Some(Strategy::Manual) {
        return Ok((Strategy::Manual, manual::wished()));
    }
    let mut possible = ROWS.iter().filter(|row| wish.is_none_or(|wish| wish == row.strategy));
    let found = possible.find_map(|row| Some((row.strategy, (row.fits)(facts)?)));
    let (strategy, mut fit) = match (found, wish) {
        (Some(found), _) => found,
        (None, Some(strategy)) => return Err(Refusal::NotPossible(strategy)),
        // The last one fits whatever there is.
        (None, None) => (Strategy::Manual, manual::wished()),
    };
    if wish.is_some() {
        fit.because.insert(0, "the DNSServiceConfig says so".to_owned());
    }
    Ok((strategy, fit))
}

/// Where something of ours may stand, each place once.
fn traces(facts: &Facts) -> Vec<Box<dyn Place>> {
    let mut known = BTreeSet::new();
    ROWS.iter().flat_map(|row| (row.traces)(facts)).filter(|place| known.insert(place.name())).collect()
}
