//! What is published for an allowed claim.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use crate::bindings::exports::openmcp::dns_policy::policy::{Claim, Context, RecordSet, RecordType};
use crate::configuration::Configuration;
use crate::hostname::labels_below;

/// Most values of one record set, as the contract says.
pub const MAX_VALUES: usize = 64;

/// The targets of a claim by what they are.
#[derive(Default)]
pub struct Targets<'a> {
    ipv4: Vec<&'a str>,
    ipv6: Vec<&'a str>,
    /// Those that are no addresses.
    pub host_names: Vec<&'a str>,
}

impl<'a> Targets<'a> {
    /// Sorts the targets of a claim.
    pub fn of(claim: &'a Claim) -> Self {
        let mut targets = Self::default();
        for target in &claim.targets {
            if target.parse::<Ipv4Addr>().is_ok() {
                targets.ipv4.push(target);
            } else if target.parse::<Ipv6Addr>().is_ok() {
                targets.ipv6.push(target);
            } else {
                targets.host_names.push(target);
            }
        }
        targets
    }

    /// Whether there is an address. Then the host names count for nothing: a CNAME must stand
    /// alone at its name (RFC 1034 section 3.6.2), and an address saves the asker one question.
    pub fn has_addresses(&self) -> bool {
        !self.ipv4.is_empty() || !self.ipv6.is_empty()
    }

    /// How many values the larger of the two record sets of addresses has.
    pub fn most_addresses(&self) -> usize {
        self.ipv4.len().max(self.ipv6.len())
    }

    fn values(&self) -> Result<Vec<(RecordType, Vec<String>)>, String> {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        if !self.has_addresses() {
            return match self.host_names[..] {
                [one] => Ok(vec![(RecordType::Cname, vec![one.to_string()])]),
                _ => Err("the targets are several host names and no address".to_string()),
            };
        }
        let mut values = Vec::new();
        if !self.ipv4.is_empty() {
            values.push((RecordType::A, texts(&self.ipv4)));
        }
        if !self.ipv6.is_empty() {
            values.push((RecordType::Aaaa, texts(&self.ipv6)));
        }
        Ok(values)
    }
}

/// The record sets of a claim: its own name first, then its aliases.
pub fn record_sets(
    configuration: &Configuration,
    context: &Context,
    domain: &str,
    claim: &Claim,
) -> Result<Vec<RecordSet>, String> {
    let ttl_seconds = configuration
        .rules
        .iter()
        .filter(|rule| rule.selects(context, claim))
        .find_map(|rule| rule.ttl_seconds)
        .unwrap_or(configuration.ttl_seconds);
    let values = Targets::of(claim).values()?;
    let mut sets = Vec::new();
    for name in names(configuration, domain, claim) {
        for (record_type, values) in &values {
            sets.push(RecordSet {
                name: name.clone(),
                record_type: *record_type,
                ttl_seconds,
                values: values.clone(),
            });
        }
    }
    Ok(sets)
}

fn names(configuration: &Configuration, domain: &str, claim: &Claim) -> Vec<String> {
    let mut names = vec![claim.host_name.clone()];
    if let Some(labels) = labels_below(&claim.host_name, domain)
        && let below = labels.join(".")
        && let Some((_, aliases)) = configuration.aliases.iter().find(|(name, _)| *name == below)
    {
        names.extend(aliases.iter().map(|alias| format!("{alias}.{domain}")));
    }
    names
}
