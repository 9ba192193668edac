//! Paths: names with their labels in reverse, as the store has them.
//!
//! `svc.openmcp.cluster` is `cluster/openmcp/svc/`. With the slash at its end, a path is a prefix of
//! exactly the paths of the names below it, and sorts directly before them.

use hickory_proto::rr::Name;
use openmcp_dns_core::name::HostName;

/// Separates labels. No label that the store serves holds one.
const SEPARATOR: char = '/';

/// Stands for a byte that no stored name can hold, so that such a name is never found.
const NEVER_STORED: char = '?';

/// The path of a name that was asked for, in lower case (RFC 4343).
///
/// A label may hold any byte, even a dot or a slash. Those that no stored name holds are replaced:
/// the name itself is then never found, while its ancestors are, so that a wildcard still covers it.
pub(crate) fn of_name(name: &Name) -> String {
    let mut path = String::with_capacity(name.len());
    for label in name.iter().rev() {
        path.extend(label.iter().map(|&byte| match byte {
            b'-' | b'_' | b'*' | b'0'..=b'9' | b'a'..=b'z' => char::from(byte),
            b'A'..=b'Z' => char::from(byte.to_ascii_lowercase()),
            _ => NEVER_STORED,
        }));
        path.push(SEPARATOR);
    }
    path
}

/// The path of a name whose labels, from left to right, are known to be in lower case.
pub(crate) fn of_labels<'l>(labels: impl DoubleEndedIterator<Item = &'l str>) -> String {
    labels.rev().fold(String::new(), |mut path, label| {
        path.push_str(label);
        path.push(SEPARATOR);
        path
    })
}

/// The name of a path, with the dot at its end.
pub(crate) fn to_text(path: &str) -> String {
    path.trim_end_matches(SEPARATOR).rsplit(SEPARATOR).fold(String::new(), |mut name, label| {
        name.push_str(label);
        name.push('.');
        name
    })
}

/// Where reverse names are.
const ARPA: &str = "arpa/";

/// The name of a path, if it is the reverse name of an address.
pub(crate) fn reverse_name(path: &str) -> Option<HostName> {
    let name: HostName = path.starts_with(ARPA).then(|| to_text(path))?.parse().ok()?;
    name.address().is_some().then_some(name)
}

/// The paths from `top`, which `path` lies below, down to `path` itself; without `top`.
pub(crate) fn below<'p>(top: &str, path: &'p str) -> impl Iterator<Item = &'p str> {
    let start = top.len();
    path.char_indices().filter(move |&(index, char)| index >= start && char == SEPARATOR).map(
        |(index, separator)| {
            let end = index + separator.len_utf8();
            &path[..end]
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_labels_in_reverse_and_in_lower_case() {
        let name = Name::from_ascii("Svc.Openmcp.CLUSTER.").unwrap();
        assert_eq!(of_name(&name), "cluster/openmcp/svc/");
        assert_eq!(of_name(&name), of_labels("svc.openmcp.cluster".split('.')));
        assert_eq!(to_text(&of_name(&name)), "svc.openmcp.cluster.");
        assert_eq!(of_name(&Name::root()), "");
    }

    #[test]
    fn a_label_cannot_pass_for_several_or_for_another_one() {
        for label in [&b"a.b"[..], b"a/b", b"a\0b", b"a\xffb"] {
            let name = Name::from_labels([label, b"cluster"]).unwrap();
            assert_eq!(of_name(&name), "cluster/a?b/", "{label:?}");
        }
    }

    #[test]
    fn the_way_down_has_every_name_in_between() {
        let way: Vec<&str> = below("cluster/", "cluster/openmcp/svc/").collect();
        assert_eq!(way, ["cluster/openmcp/", "cluster/openmcp/svc/"]);
        assert_eq!(below("cluster/", "cluster/").count(), 0);
    }
}
