//! Reverse zones beside the zone of a landscape: each is forwarded as that one is.
//!
//! ```text
//! facts ──plan──► changes for the zone ──facts as they would be then──► changes for the first reverse zone ──► …
//! ```
//! What keeps a reverse zone from being forwarded keeps no other from it, the landscape's least of all.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use super::change::{Change, composed};
use super::facts::Facts;
use super::pods::elements;
use super::refusal::Refusal;
use super::{Order, Plan, Strategy, plan, removal};
use crate::error::chain;
use crate::name::HostName;

/// What is wanted of a cluster's DNS, with the reverse zones.
#[derive(Clone, Copy, Debug)]
pub struct Orders<'o> {
    /// The landscape's zone, and to which servers all are forwarded.
    pub main: Order<'o>,
    /// The reverse zones.
    pub reverse: &'o BTreeSet<HostName>,
}

/// As [`plan`], for all zones.
///
/// # Errors
/// As [`plan`] for the landscape's zone. What is wrong with a reverse zone is one of the notes.
pub fn plan_all(facts: &Facts, orders: Orders<'_>, wish: Option<Strategy>) -> Result<Plan, Refusal> {
    let Orders { main, reverse } = orders;
    let mut all = plan(facts, main, wish)?;
    let mut changes = all.changes;
    let mut then = facts.after(&changes);
    let mut forwarded = Vec::new();
    for zone in reverse {
        let planned = of_reverse_zone(&then, zone, main.upstreams, wish, all.strategy);
        let more = match planned {
            Ok(more) => more,
            Err(why) => {
                all.notes.push(format!("{zone} is not forwarded: {why}"));
                // What stands there from before goes, where that is understood.
                changes.extend(removal(&then, zone).unwrap_or_default());
                then = facts.after(&changes);
                continue;
            }
        };
        forwarded.push(zone.as_str());
        all.by_hand =
            all.by_hand.into_iter().chain(more.by_hand).reduce(|one, other| format!("{one}; {other}"));
        for note in more.notes {
            if !all.notes.contains(&note) {
                all.notes.push(note);
            }
        }
        changes.extend(more.changes);
        then = facts.after(&changes);
    }
    if !forwarded.is_empty() {
        let beside = if all.strategy == Strategy::Manual { "it has to forward" } else { "beside it" };
        let zones = forwarded.join(", ");
        all.notes.push(format!("{beside} {zones}, which the cluster's DNS is not asked for"));
    }
    all.changes = composed(changes);
    Ok(all)
}

/// Says in words why the zone is not forwarded.
fn of_reverse_zone(
    facts: &Facts,
    zone: &HostName,
    upstreams: &[SocketAddr],
    wish: Option<Strategy>,
    strategy: Strategy,
) -> Result<Plan, String> {
    if let Some(address) = service_addresses(facts).find(|own| HostName::of_address(*own).is_within(zone)) {
        return Err(format!(
            "the cluster's own DNS Service has the address {address}, so the names of the cluster's own Services would be lost: take \
             the network out of spec.records.ptr.networks of the DNSPolicy, or list smaller ones"
        ));
    }
    if strategy == Strategy::HelmChartConfig {
        return Err(
            "a HelmChartConfig gets an entry for the landscape's zone only; have the cluster's DNS forward this one by hand"
                .to_owned(),
        );
    }
    plan(facts, Order { zone, upstreams }, wish).map_err(|refusal| chain(&refusal))
}

/// The addresses of the Service of the cluster's DNS: they lie in the network of its Services.
fn service_addresses(facts: &Facts) -> impl Iterator<Item = IpAddr> {
    let service = facts.dns_service();
    let one = service.and_then(|service| service.pointer("/spec/clusterIP"));
    let all = service.map(|service| elements(service, "/spec/clusterIPs")).unwrap_or_default();
    one.into_iter().chain(all).filter_map(Value::as_str).filter_map(|text| text.parse().ok())
}

/// As [`removal`], for all zones.
///
/// # Errors
/// As [`removal`] for the landscape's zone; what is not understood of a reverse zone is left.
pub fn removal_of_all(
    facts: &Facts,
    zone: &HostName,
    reverse: &BTreeSet<HostName>,
) -> Result<Vec<Change>, Refusal> {
    let mut changes = removal(facts, zone)?;
    for zone in reverse {
        let then = facts.after(&changes);
        changes.extend(removal(&then, zone).unwrap_or_default());
    }
    Ok(composed(changes))
}
