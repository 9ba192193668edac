//! Which names with which addresses nodes are to know, and how a ConfigMap has them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use thiserror::Error;

use crate::deployment::digest;
use crate::name::{HostName, NameError};
use crate::reach::is_local_address;

/// Most names that nodes are told. Each process that asks for a host name reads the whole file.
pub const MAX_NAMES: usize = 256;

/// Most addresses of one name, the lowest first.
pub const MAX_ADDRESSES: usize = 8;

/// Most bytes of all of them as text; a ConfigMap holds 1 MiB.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Host names and their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(BTreeMap<HostName, BTreeSet<IpAddr>>);

/// Why a text has no hosts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HostsError {
    /// A line is not `ADDRESS NAME`.
    #[error("line {line} is not of the form ADDRESS NAME")]
    Form {
        /// Its number, from 1.
        line: usize,
    },
    /// What should be a name is none.
    #[error("line {line} has no host name")]
    Name {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: NameError,
    },
    /// There is more than anybody here writes.
    #[error("it has {0} bytes, at most {MAX_TEXT_BYTES} are possible")]
    TooLong(usize),
}

impl Hosts {
    /// Reads what [`Self::text`] gives. What must not stand in a hosts file is left out all the same.
    ///
    /// # Errors
    /// At the first line that is not `ADDRESS NAME`: who writes the text writes no other.
    pub fn parse(text: &str) -> Result<Self, HostsError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(HostsError::TooLong(text.len()));
        }
        let mut hosts = Self::default();
        for (index, text) in text.lines().enumerate() {
            let line = index + 1;
            let (address, name) = text.split_once(' ').ok_or(HostsError::Form { line })?;
            let address = address.parse().map_err(|_| HostsError::Form { line })?;
            let name: HostName = name.parse().map_err(|source| HostsError::Name { line, source })?;
            if may_stand(&name) && !is_local_address(address) {
                hosts.0.entry(name).or_default().insert(address);
            }
        }
        Ok(hosts)
    }

    /// One `ADDRESS NAME` in a line, sorted by name and address.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (address, name) in self.pairs() {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{address} {name}");
        }
        text
    }

    /// Each address of each name, sorted by name and address.
    pub fn pairs(&self) -> impl Iterator<Item = (IpAddr, &HostName)> {
        self.0.iter().flat_map(|(name, addresses)| addresses.iter().map(move |address| (*address, name)))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each name with its addresses, in the order of the names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&HostName, &BTreeSet<IpAddr>)> {
        self.0.iter()
    }

    /// Whether there is an address of a name.
    #[must_use]
    pub(super) fn has(&self, name: &HostName) -> bool {
        self.0.contains_key(name)
    }

    /// As many as there is room for, the first ones first; and what is left out.
    pub(super) fn fitting<'h>(
        ranked: impl Iterator<Item = (&'h HostName, &'h BTreeSet<IpAddr>)>,
    ) -> (Self, LeftOut) {
        let (mut hosts, mut left_out, mut bytes) = (Self::default(), LeftOut::default(), 0);
        for (name, addresses) in ranked {
            let more: usize =
                addresses.iter().map(|address| address.to_string().len() + name.as_str().len() + 2).sum();
            if hosts.0.len() == MAX_NAMES || bytes + more > MAX_TEXT_BYTES {
                left_out.add(name);
                continue;
            }
            bytes += more;
            hosts.0.insert(name.clone(), addresses.clone());
        }
        (hosts, left_out)
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &HostName> {
        self.0.keys()
    }
}

impl FromIterator<(HostName, BTreeSet<IpAddr>)> for Hosts {
    fn from_iter<I: IntoIterator<Item = (HostName, BTreeSet<IpAddr>)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

/// A digest of the text of hosts: the revision that pods are to have.
#[must_use]
pub fn text_digest(text: &str) -> String {
    digest(text)
}

/// Names for which there is no room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many.
    pub number: usize,
    /// Some of them: enough to say which.
    pub some: BTreeSet<HostName>,
}

impl LeftOut {
    fn add(&mut self, name: &HostName) {
        self.number += 1;
        if self.some.len() < MAX_ADDRESSES {
            self.some.insert(name.clone());
        }
    }
}

/// What nodes could be told, and what not. For how much of it there is room, is up to each cluster ([`Pace`](super::Pace)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// What they could be told.
    pub hosts: Hosts,
    /// The names that the configuration has as such, not by a domain above them: nobody else chooses how many those are.
    pub named: BTreeSet<HostName>,
    /// Names without an address: aliases of names elsewhere, wildcards.
    pub without_address: BTreeSet<HostName>,
    /// Names with more addresses than [`MAX_ADDRESSES`].
    pub shortened: LeftOut,
}

impl Selection {
    /// Selects from names and their addresses what may stand in a hosts file.
    #[must_use]
    pub fn of(all: BTreeMap<HostName, BTreeSet<IpAddr>>, named: BTreeSet<HostName>) -> Self {
        let mut selection = Self { named, ..Self::default() };
        for (name, addresses) in all {
            let usable: BTreeSet<IpAddr> =
                addresses.into_iter().filter(|address| !is_local_address(*address)).collect();
            if usable.is_empty() || !may_stand(&name) {
                // Some are enough to say that there are such.
                if selection.without_address.len() < MAX_ADDRESSES {
                    selection.without_address.insert(name);
                }
                continue;
            }
            let kept: BTreeSet<IpAddr> = usable.iter().copied().take(MAX_ADDRESSES).collect();
            if kept.len() < usable.len() {
                selection.shortened.add(&name);
            }
            selection.hosts.0.insert(name, kept);
        }
        selection
    }
}

/// Whether one of the patterns selects a name: it is the name itself, or `*.` and a domain above it.
#[must_use]
pub fn is_selected(name: &HostName, patterns: &[HostName]) -> bool {
    patterns.iter().any(|pattern| match pattern.as_str().strip_prefix("*.") {
        Some(domain) => {
            name.as_str().strip_suffix(domain).is_some_and(|head| head.len() > 1 && head.ends_with('.'))
        }
        None => name == pattern,
    })
}

/// Whether a name may stand in a hosts file. One of a single label, or below `localhost`, is the node's own.
fn may_stand(name: &HostName) -> bool {
    !name.is_wildcard() && name.labels().count() > 1 && name.labels().next_back() != Some("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(names: &[(&str, &[&str])]) -> BTreeMap<HostName, BTreeSet<IpAddr>> {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        names.iter().map(|(name, texts)| (name.parse().unwrap(), addresses(texts))).collect()
    }

    #[test]
    fn what_is_selected_is_read_again_as_it_was_written() {
        let selection = Selection::of(
            all(&[
                ("b.openmcp.cluster", &["fd00::2", "10.0.0.2", "10.0.0.1"]),
                ("a.openmcp.cluster", &["10.0.0.3"]),
            ]),
            BTreeSet::new(),
        );
        let text = selection.hosts.text();
        assert_eq!(
            text,
            "10.0.0.3 a.openmcp.cluster\n10.0.0.1 b.openmcp.cluster\n10.0.0.2 b.openmcp.cluster\nfd00::2 b.openmcp.cluster\n"
        );
        assert_eq!(Hosts::parse(&text), Ok(selection.hosts));
        assert_eq!(Hosts::parse(""), Ok(Hosts::default()));
    }

    #[test]
    fn names_of_the_node_itself_and_addresses_that_lead_to_it_are_left_out() {
        let selection = Selection::of(
            all(&[
                ("localhost", &["10.0.0.1"]),
                ("x.localhost", &["10.0.0.1"]),
                ("*.w1.openmcp.cluster", &["10.0.0.1"]),
                ("own.openmcp.cluster", &["127.0.0.1", "::1"]),
                ("alias.openmcp.cluster", &[]),
            ]),
            BTreeSet::new(),
        );
        assert_eq!((selection.hosts, selection.without_address.len()), (Hosts::default(), 5));
        let text = "10.0.0.1 localhost\n127.0.0.1 a.openmcp.cluster\n10.0.0.1 *.openmcp.cluster\n";
        assert_eq!(Hosts::parse(text), Ok(Hosts::default()));
    }

    #[test]
    fn of_too_many_the_first_ones_count_and_the_rest_is_said() {
        let many = |number: usize, length: usize| -> BTreeMap<HostName, BTreeSet<IpAddr>> {
            let label = "x".repeat(length);
            let name = |index| format!("n{index:05}.{label}.openmcp.cluster").parse().unwrap();
            (0..number).map(|index| (name(index), BTreeSet::from(["10.0.0.1".parse().unwrap()]))).collect()
        };
        let fitting = |all: BTreeMap<_, _>| Hosts::fitting(all.iter());
        let (hosts, left_out) = fitting(many(MAX_NAMES + 3, 1));
        assert_eq!((hosts.names().count(), left_out.number, left_out.some.len()), (MAX_NAMES, 3, 3));
        assert!(hosts.names().next().unwrap().as_str().starts_with("n00000."));
        let octets: Vec<String> = (1..=200).map(|octet| format!("10.0.0.{octet}")).collect();
        let octets: Vec<&str> = octets.iter().map(String::as_str).collect();
        let selection = Selection::of(all(&[("a.openmcp.cluster", &octets)]), BTreeSet::new());
        assert_eq!((selection.hosts.pairs().count(), selection.shortened.number), (MAX_ADDRESSES, 1));
        let addresses: BTreeSet<IpAddr> = (0..8_u128).map(|n| IpAddr::V6((n + (1 << 125)).into())).collect();
        let long: BTreeMap<_, _> =
            many(MAX_NAMES, 63).into_keys().map(|name| (name, addresses.clone())).collect();
        let (hosts, left_out) = fitting(long);
        assert!(left_out.number > left_out.some.len());
        let text = hosts.text();
        assert!(text.len() <= MAX_TEXT_BYTES, "{}", text.len());
        assert_eq!(Hosts::parse(&text), Ok(hosts));
        let long = "10.0.0.1 a.b\n".repeat(10_000);
        assert_eq!(Hosts::parse(&long), Err(HostsError::TooLong(long.len())));
    }

    #[test]
    fn a_text_that_nobody_here_writes_is_refused_at_its_first_wrong_line() {
        for (text, error) in [
            ("10.0.0.1 a.b\n10.0.0.1\n", "line 2 is not of the form ADDRESS NAME"),
            ("a.b 10.0.0.1\n", "line 1 is not of the form ADDRESS NAME"),
            ("10.0.0.1 a.b c.d\n", "line 1 has no host name"),
            ("10.0.0.1 a_b\n", "line 1 has no host name"),
        ] {
            assert_eq!(Hosts::parse(text).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn a_pattern_selects_a_name_or_all_below_a_domain() {
        let patterns: Vec<HostName> =
            ["*.hooks.openmcp.cluster", "one.openmcp.cluster"].map(|text| text.parse().unwrap()).into();
        for (name, selects) in [
            ("one.openmcp.cluster", true),
            ("x.one.openmcp.cluster", false),
            ("a.hooks.openmcp.cluster", true),
            ("a.b.hooks.openmcp.cluster", true),
            ("hooks.openmcp.cluster", false),
            ("ahooks.openmcp.cluster", false),
        ] {
            assert_eq!(is_selected(&name.parse().unwrap(), &patterns), selects, "{name}");
        }
    }
}
