//! What the store holds of the names that nodes are to know.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::selection::{Selection, is_selected};
use crate::mirror::{Mirror, Stored, StoredName};
use crate::name::HostName;
use crate::record::RecordValue;

/// How many aliases in a row are followed, as DNS servers do.
const MAX_ALIASES: usize = 8;

/// Selects from all that is recorded in a zone.
#[must_use]
pub fn recorded(store: &Mirror, zone: &HostName, patterns: &[HostName]) -> Selection {
    let (domains, names): (Vec<&HostName>, Vec<&HostName>) =
        patterns.iter().partition(|pattern| pattern.is_wildcard());
    // Whoever names names alone has nothing searched.
    let below = (!domains.is_empty()).then(|| store.names().filter(|name| is_selected(name, patterns)));
    let named = names.iter().map(|name| (*name).clone()).collect();
    let all = below.into_iter().flatten().chain(names);
    let in_zone = all.filter(|name| name.is_within(zone) && !name.is_srv());
    let found: BTreeMap<HostName, BTreeSet<IpAddr>> =
        in_zone.map(|name| (name.clone(), addresses(store, name))).collect();
    Selection::of(found, named)
}

/// Where a name leads, by way of aliases that are recorded.
fn addresses(store: &Mirror, name: &HostName) -> BTreeSet<IpAddr> {
    let mut name = name.clone();
    for _ in 0..MAX_ALIASES {
        let Some(stored) = answering(store, &name) else { break };
        let (mut addresses, mut alias) = (BTreeSet::new(), None);
        for value in stored.iter().filter_map(Stored::value) {
            match value {
                RecordValue::A(address) => drop(addresses.insert(address.into())),
                RecordValue::Aaaa(address) => drop(addresses.insert(address.into())),
                RecordValue::Cname(to) => alias = Some(to),
                RecordValue::Txt(_) | RecordValue::Srv(_) | RecordValue::Ptr(_) => {}
            }
        }
        match alias {
            Some(to) if addresses.is_empty() => name = to,
            _ => return addresses,
        }
    }
    BTreeSet::new()
}

/// What a DNS server answers from: what stands at the name, or else at the wildcard that is nearest (RFC 4592).
fn answering<'s>(store: &'s Mirror, name: &HostName) -> Option<&'s StoredName> {
    if let Some(stored) = store.at(name) {
        return Some(stored);
    }
    let mut above = name.as_str();
    while let Some((_, parent)) = above.split_once('.') {
        above = parent;
        let wildcard = format!("*.{parent}").parse().ok().and_then(|wildcard| store.at(&wildcard));
        if wildcard.is_some() {
            return wildcard;
        }
        if parent.parse().is_ok_and(|parent| store.at(&parent).is_some()) {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skydns::Prefix;

    fn store(lines: &[(&str, &str)]) -> Mirror {
        let mut mirror = Mirror::new(Prefix::default());
        for (index, (name, host)) in lines.iter().enumerate() {
            let path: Vec<&str> = name.split('.').rev().collect();
            let key = format!("/skydns/{}/{index:08x}", path.join("/"));
            let json = format!(r#"{{"host":"{host}"}}"#);
            assert!(mirror.apply(&key, Some((json.as_bytes(), 1))).is_some(), "{key}");
        }
        mirror
    }

    fn of(store: &Mirror, patterns: &[&str]) -> Selection {
        let patterns: Vec<HostName> = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
        recorded(store, &"openmcp.cluster".parse().unwrap(), &patterns)
    }

    #[test]
    fn names_of_all_clusters_lead_to_addresses_by_way_of_aliases() {
        let store = store(&[
            ("hook.w1.openmcp.cluster", "10.0.0.1"),
            ("hook.w1.openmcp.cluster", "fd00::1"),
            ("hook.w2.openmcp.cluster", "lb.w2.openmcp.cluster"),
            ("lb.w2.openmcp.cluster", "10.0.0.2"),
            ("out.w1.openmcp.cluster", "lb.example.com"),
            ("loop.w1.openmcp.cluster", "loop.w1.openmcp.cluster"),
            ("*.star.openmcp.cluster", "10.0.0.3"),
            ("hook.w1.other.cluster", "10.9.9.9"),
        ]);
        let selection = of(&store, &["*.w1.openmcp.cluster", "hook.w2.openmcp.cluster"]);
        assert_eq!(
            selection.hosts.text(),
            "10.0.0.1 hook.w1.openmcp.cluster\nfd00::1 hook.w1.openmcp.cluster\n10.0.0.2 hook.w2.openmcp.cluster\n"
        );
        let without: Vec<String> = selection.without_address.iter().map(ToString::to_string).collect();
        assert_eq!(without, ["loop.w1.openmcp.cluster", "out.w1.openmcp.cluster"]);
        // A wildcard answers for a name that is named, and is none itself.
        let selection = of(&store, &["x.star.openmcp.cluster", "*.star.openmcp.cluster"]);
        assert_eq!(selection.hosts.text(), "10.0.0.3 x.star.openmcp.cluster\n");
        assert_eq!(selection.without_address.len(), 1);
        let nothing = of(&store, &["hook.w1.other.cluster", "gone.openmcp.cluster"]);
        assert_eq!((nothing.hosts.text().as_str(), nothing.without_address.len()), ("", 1));
    }
}
