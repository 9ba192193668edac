//! What our block would mean for the servers beside it.
//!
//! CoreDNS answers from the server whose zone is the longest match. A block for our zone therefore
//! takes every name of the zone away from the servers above it, and loses the names of those below.

use std::fmt;

use super::address::{Address, Key, may_serve};
use super::error::CorefileError;
use super::parse::{Corefile, Plugin, ServerBlock};
use crate::name::HostName;

/// Labels directly below a cluster's own domain that hold its services and pods
/// (<https://github.com/kubernetes/dns/blob/master/docs/specification.md>).
const CLUSTER_LABELS: [&str; 2] = ["svc", "pod"];

/// What an edit leaves as it is although it may surprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Another server block serves a part of the zone: its names do not reach the central DNS.
    PartServedElsewhere {
        /// Line of the server block in the text that was given, from 1.
        line: u32,
        /// Its key.
        key: String,
    },
    /// A plugin of another server names the zone. With a block for the zone, that server is no
    /// longer asked for it.
    NoLongerAsked {
        /// Line of the plugin in the text that was given, from 1.
        line: u32,
        /// Name of the plugin.
        plugin: String,
    },
    /// Files are imported that may hold servers, which are not seen here. CoreDNS does not start when one of
    /// them serves the zone too.
    ImportedServers {
        /// Line of the import in the text that was given, from 1.
        line: u32,
        /// The path or pattern.
        pattern: String,
    },
}

impl Warning {
    /// The line that it is about, from 1.
    #[must_use]
    pub const fn line(&self) -> u32 {
        match self {
            Self::PartServedElsewhere { line, .. }
            | Self::NoLongerAsked { line, .. }
            | Self::ImportedServers { line, .. } => *line,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PartServedElsewhere { line, key } => {
                write!(f, "the server {key} on line {line} answers a part of the zone by itself")
            }
            Self::NoLongerAsked { line, plugin } => {
                write!(f, "plugin {plugin} on line {line} is no longer asked for names of the zone")
            }
            Self::ImportedServers { line, pattern } => write!(
                f,
                "line {line} imports {pattern}: make sure that no server there serves the zone, CoreDNS would not \
                 start with both"
            ),
        }
    }
}

/// Refuses when another block serves the zone or may do so, and when the zone would take away
/// names of the cluster itself. `ours` is the index of our block, if there is one.
pub(super) fn check_neighbours(
    corefile: &Corefile,
    ours: Option<usize>,
    zone: &HostName,
    port: Option<u16>,
) -> Result<Vec<Warning>, CorefileError> {
    let others: Vec<Other<'_>> = corefile
        .blocks
        .iter()
        .enumerate()
        .filter(|(index, _)| Some(*index) != ours)
        .map(|(_, block)| Other::new(block, port))
        .collect();
    let imports = corefile.file_imports.iter().filter(|import| import.beside_servers);
    let mut warnings: Vec<Warning> = imports
        .map(|import| Warning::ImportedServers { line: import.line, pattern: import.pattern.clone() })
        .collect();
    for Other { block, addresses } in &others {
        for key in &block.keys {
            if Key::parse(key) == Key::Variable && may_serve(key, zone, port) {
                return Err(CorefileError::ZonePerhapsTaken { line: block.line, key: key.clone() });
            }
        }
        for (key, address) in addresses {
            let (line, key) = (block.line, (*key).to_owned());
            if address.serves(zone) {
                return Err(CorefileError::ZoneTaken { line, key });
            }
            if address.serves_below(zone) {
                warnings.push(Warning::PartServedElsewhere { line, key });
            }
        }
        if !addresses.iter().any(|(_, address)| address.serves_above(zone)) {
            continue;
        }
        for plugin in &block.plugins {
            if plugin.name == "kubernetes" {
                check_cluster_zones(plugin, addresses, &others, zone)?;
            } else if plugin.tokens.iter().skip(1).any(|token| is_within(&normalised(token), zone.as_str())) {
                warnings.push(Warning::NoLongerAsked { line: plugin.line, plugin: plugin.name.clone() });
            }
        }
    }
    Ok(warnings)
}

/// A server block that is not ours, with those of its addresses that share our port.
struct Other<'b> {
    block: &'b ServerBlock,
    addresses: Vec<(&'b str, Address)>,
}

impl<'b> Other<'b> {
    fn new(block: &'b ServerBlock, port: Option<u16>) -> Self {
        let addresses = block.keys.iter().filter_map(|key| match Key::parse(key) {
            Key::Plain(address) if address.same_port(port) => Some((key.as_str(), address)),
            Key::Plain(_) | Key::OtherTransport | Key::Variable | Key::InvalidPort => None,
        });
        Self { block, addresses: addresses.collect() }
    }
}

/// Refuses a zone that holds the domain of the cluster, or lies among its services and pods.
fn check_cluster_zones(
    plugin: &Plugin,
    addresses: &[(&str, Address)],
    others: &[Other<'_>],
    zone: &HostName,
) -> Result<(), CorefileError> {
    let arguments = plugin.tokens.iter().skip(1).take_while(|token| *token != "{");
    let mut served: Vec<String> = arguments.map(|token| normalised(token)).collect();
    if served.is_empty() {
        served.extend(addresses.iter().map(|(_, address)| address.zone.clone()));
    }
    for cluster_zone in served {
        let has_own_server = others
            .iter()
            .flat_map(|other| &other.addresses)
            .any(|(_, address)| address.serves_below(zone) && is_within(&cluster_zone, &address.zone));
        let taken_as_a_whole = is_within(&cluster_zone, zone.as_str()) && !has_own_server;
        let label_below_cluster_zone = below(zone.as_str(), &cluster_zone)
            .map(|labels| labels.rsplit_once('.').map_or(labels, |(_, last)| last));
        if taken_as_a_whole || label_below_cluster_zone.is_some_and(|label| CLUSTER_LABELS.contains(&label)) {
            return Err(CorefileError::ClusterZone { line: plugin.line, cluster_zone });
        }
    }
    Ok(())
}

pub(super) fn normalised(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

pub(super) fn is_within(name: &str, zone: &str) -> bool {
    name == zone || below(name, zone).is_some()
}

/// The labels of `name` in front of `zone`; `None` when it does not lie below. The root zone is
/// the empty text.
fn below<'n>(name: &'n str, zone: &str) -> Option<&'n str> {
    let labels = match zone {
        "" => name,
        zone => name.strip_suffix(zone)?.strip_suffix('.')?,
    };
    (!labels.is_empty()).then_some(labels)
}
