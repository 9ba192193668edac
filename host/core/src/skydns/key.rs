//! Keys: the labels of a name in reverse, below a prefix, with one segment more for each value.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::owner::{Owner, value_hash};
use crate::name::{HostName, MAX_LABEL_BYTES, MAX_NAME_BYTES, NameError, check_label};
use crate::record::RecordValue;

/// A label that CoreDNS's `etcd` plugin takes for a wildcard when it stands in a question: it then
/// lists every name at that level (coredns issue 4984). `*` is treated the same way.
pub const RESERVED_LABEL: &str = "any";

/// Lengths in hex digits of the value ids in use: 8 by external-dns, 16 by [`super::value_id`].
const VALUE_ID_DIGITS: [usize; 2] = [8, 16];

/// The path below which all names are stored, `/skydns` unless configured otherwise.
///
/// Starts with a slash, does not end with one, and has at least one segment, so that a prefix read
/// never covers the whole store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prefix(String);

/// Why a text is no prefix.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PrefixError {
    /// No segment: every key of the store would lie below it.
    #[error("the prefix must have at least one segment, for example /skydns")]
    Empty,
    /// A segment is empty, `.` or `..`, or holds a blank or a control character. CoreDNS joins
    /// its path with `path.Join`, which would resolve such segments to another place.
    #[error("{segment:?} is not usable as a segment of a prefix")]
    InvalidSegment {
        /// The segment.
        segment: String,
    },
}

impl Prefix {
    /// The prefix with a leading and without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Prefix {
    /// `/skydns`, the default of CoreDNS's `path` option.
    fn default() -> Self {
        Self("/skydns".to_owned())
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Takes the path with or without its outer slashes, as CoreDNS does.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let inner = text.strip_prefix('/').unwrap_or(text);
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        if inner.is_empty() {
            return Err(PrefixError::Empty);
        }
        for segment in inner.split('/') {
            let unusable = matches!(segment, "" | "." | "..")
                || segment.chars().any(|c| c.is_whitespace() || c.is_control());
            if unusable {
                return Err(PrefixError::InvalidSegment { segment: segment.to_owned() });
            }
        }
        Ok(Self(format!("/{inner}")))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of one value of `name`: `/skydns/<labels reversed>/<value id>`.
///
/// A wildcard name gets the segment `*`; only a [`HostName`] that is a wildcard can do so. Names
/// with the label [`RESERVED_LABEL`] get a key like any other: whoever decides on names refuses
/// them by [`has_reserved_label`] where CoreDNS serves the zone.
#[must_use]
pub fn key_for(prefix: &Prefix, name: &HostName, value_id: &str) -> String {
    let mut key = name_path(prefix, name);
    key.push('/');
    key.push_str(value_id);
    key
}

/// Where below a name a value lies: the last segment of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueId {
    /// At the name itself, as PTR records are, and hand-written entries often.
    Name,
    /// 8 hex digits, as external-dns writes them.
    Short(u32),
    /// 16 hex digits, see [`super::value_id`].
    Long(u64),
}

impl ValueId {
    /// The id of a value that this service writes for an owner.
    #[must_use]
    ///
    /// CoreDNS's etcd plugin reads exactly the key of a reverse name, and nothing below it (`plugin/etcd/etcd.go`,
    /// `Reverse`): so there is one PTR record for an address.
    pub fn of(owner: &Owner, value: &RecordValue) -> Self {
        match value {
            RecordValue::Ptr(_) => Self::Name,
            _ => Self::Long(value_hash(owner, value)),
        }
    }

    /// Reads the id of a key, see [`KeyParts::value_id`]; `None` when it is none.
    #[must_use]
    pub fn parse(value_id: Option<&str>) -> Option<Self> {
        match value_id {
            None => Some(Self::Name),
            Some(digits) if digits.len() == 8 => u32::from_str_radix(digits, 16).ok().map(Self::Short),
            Some(digits) => u64::from_str_radix(digits, 16).ok().map(Self::Long),
        }
    }

    /// The key of the value at `name`.
    #[must_use]
    pub fn key(self, prefix: &Prefix, name: &HostName) -> String {
        match self {
            Self::Name => name_path(prefix, name),
            Self::Short(id) => key_for(prefix, name, &format!("{id:08x}")),
            Self::Long(id) => key_for(prefix, name, &format!("{id:016x}")),
        }
    }
}

/// What the keys of all names in `zone`, and of no other name, start with: `/skydns/cluster/openmcp/`.
///
/// The trailing slash matters: without it a read for `app1` covers `app10` as well.
#[must_use]
pub fn zone_prefix(prefix: &Prefix, zone: &HostName) -> String {
    let mut path = name_path(prefix, zone);
    path.push('/');
    path
}

fn name_path(prefix: &Prefix, name: &HostName) -> String {
    let mut path = String::with_capacity(prefix.0.len() + name.as_str().len() + 18);
    path.push_str(&prefix.0);
    for label in name.labels().rev() {
        path.push('/');
        path.push_str(label);
    }
    path
}

/// Whether a label of the name means "list everything" to CoreDNS's `etcd` plugin.
#[must_use]
pub fn has_reserved_label(name: &HostName) -> bool {
    name.labels().any(|label| label == RESERVED_LABEL)
}

/// The name and the value id that a key stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyParts<'k> {
    /// Labels from left to right, at least one: RFC 1123 labels in lower case, service labels with
    /// a leading underscore (RFC 8552), and `*` in the first place only.
    pub labels: Vec<&'k str>,
    /// The last segment when it is the id of a value; `None` when the value is stored at the name
    /// itself, as hand-written entries often are.
    pub value_id: Option<&'k str>,
}

impl KeyParts<'_> {
    /// The labels joined by dots.
    #[must_use]
    pub fn name(&self) -> String {
        self.labels.join(".")
    }

    /// The name as one that the service publishes.
    ///
    /// # Errors
    /// When it is none, for example because of a label with a leading underscore in front of no other.
    pub fn host_name(&self) -> Result<HostName, NameError> {
        HostName::of_record(&self.name())
    }
}

/// Takes a key apart; `None` for a key that lies elsewhere or whose name DNS cannot serve.
///
/// CoreDNS has no mark that tells a value id from a label, so the last segment counts as an id
/// when it has exactly 8 (external-dns) or 16 (ours) hex digits in lower case and is not the only
/// segment. A hand-written entry at a name whose first label looks like that is read as a value of
/// the parent name; our own names never are, because their keys always end with an id.
#[must_use]
pub fn parse_key<'k>(prefix: &Prefix, key: &'k str) -> Option<KeyParts<'k>> {
    let path = key.strip_prefix(prefix.as_str())?.strip_prefix('/')?;
    let mut labels: Vec<&str> = path.split('/').collect();
    let value_id = match labels.as_slice() {
        [_, .., last] if is_value_id(last) => labels.pop(),
        _ => None,
    };
    labels.reverse();
    let served = labels.iter().enumerate().all(|(index, label)| is_served_label(index, label));
    let name_bytes = labels.iter().map(|label| label.len() + 1).sum::<usize>() - 1;
    (served && name_bytes <= MAX_NAME_BYTES).then_some(KeyParts { labels, value_id })
}

fn is_value_id(segment: &str) -> bool {
    VALUE_ID_DIGITS.contains(&segment.len())
        && segment.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}

/// CoreDNS looks names up in lower case, so a key with capitals is never found there: skip it here too.
fn is_served_label(index: usize, label: &str) -> bool {
    if label == "*" {
        return index == 0;
    }
    let host_part = label.strip_prefix('_').unwrap_or(label);
    label.len() <= MAX_LABEL_BYTES
        && check_label(host_part).is_ok()
        && !label.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HostName {
        text.parse().unwrap()
    }

    fn parsed(key: &str) -> Option<(String, Option<&str>)> {
        parse_key(&Prefix::default(), key).map(|parts| (parts.name(), parts.value_id))
    }

    #[test]
    fn a_key_is_the_reversed_name_with_the_value_id() {
        let key = key_for(&Prefix::default(), &name("svc.wl01.openmcp.cluster"), "0123456789abcdef");
        assert_eq!(key, "/skydns/cluster/openmcp/wl01/svc/0123456789abcdef");
        assert_eq!(parsed(&key), Some(("svc.wl01.openmcp.cluster".to_owned(), Some("0123456789abcdef"))));
    }

    #[test]
    fn a_wildcard_name_round_trips() {
        let key = key_for(&Prefix::default(), &name("*.apps.openmcp.cluster"), "0123456789abcdef");
        assert_eq!(key, "/skydns/cluster/openmcp/apps/*/0123456789abcdef");
        assert_eq!(parsed(&key).unwrap().0, "*.apps.openmcp.cluster");
    }

    #[test]
    fn a_zone_prefix_ends_with_a_slash_so_that_siblings_stay_outside() {
        let prefix = zone_prefix(&Prefix::default(), &name("app1.cluster"));
        assert_eq!(prefix, "/skydns/cluster/app1/");
        assert!(!key_for(&Prefix::default(), &name("app10.cluster"), "00000000").starts_with(&prefix));
    }

    #[test]
    fn keys_of_external_dns_and_hand_written_keys_are_read() {
        assert_eq!(
            parsed("/skydns/cluster/openmcp/svc/1a2b3c4d"),
            Some(("svc.openmcp.cluster".to_owned(), Some("1a2b3c4d")))
        );
        assert_eq!(parsed("/skydns/cluster/openmcp/svc"), Some(("svc.openmcp.cluster".to_owned(), None)));
        assert_eq!(
            parsed("/skydns/cluster/openmcp/svc/_acme-challenge"),
            Some(("_acme-challenge.svc.openmcp.cluster".to_owned(), None))
        );
    }

    #[test]
    fn a_name_of_hex_digits_is_no_value_id_when_it_has_one() {
        let key = key_for(&Prefix::default(), &name("deadbeef.openmcp.cluster"), "0123456789abcdef");
        assert_eq!(parsed(&key).unwrap().0, "deadbeef.openmcp.cluster");
    }

    #[test]
    fn keys_that_name_nothing_are_left_alone() {
        let long_label = format!("/skydns/cluster/{}", "a".repeat(64));
        let long_name = format!("/skydns/{}", ["a"; 200].join("/"));
        for key in [
            "",
            "/",
            "/skydns",
            "/skydns/",
            "/skydnsx/cluster",
            "/other/cluster",
            "skydns/cluster",
            "/skydns//cluster",
            "/skydns/cluster/",
            "/skydns/cluster//svc",
            "/skydns/cluster/../svc",
            "/skydns/cluster/Svc",
            "/skydns/cluster/s vc",
            "/skydns/cluster/a.b",
            "/skydns/cluster/*/svc",
            "/skydns/cluster/_",
            "/skydns/cluster/bücher",
            &long_label,
            &long_name,
        ] {
            assert_eq!(parsed(key), None, "{key}");
        }
    }

    #[test]
    fn a_single_segment_is_a_name_even_if_it_looks_like_a_value_id() {
        assert_eq!(parsed("/skydns/deadbeef"), Some(("deadbeef".to_owned(), None)));
    }

    #[test]
    fn a_prefix_that_would_cover_or_leave_the_store_is_refused() {
        for text in ["", "/", "//", "/a//b", "/a/../b", "/./a", "/a b", "/a\n"] {
            assert!(text.parse::<Prefix>().is_err(), "{text:?}");
        }
        for text in ["skydns", "/skydns", "/skydns/"] {
            assert_eq!(text.parse::<Prefix>().unwrap(), Prefix::default());
        }
    }

    #[test]
    fn the_label_any_is_reported_wherever_it_stands() {
        assert!(has_reserved_label(&name("any.openmcp.cluster")));
        assert!(has_reserved_label(&name("a.any.openmcp.cluster")));
        assert!(!has_reserved_label(&name("many.openmcp.cluster")));
    }
}
