//! Annotations: those that external-dns gives a meaning, in both of its prefixes, and short ones for selectors.

use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::meta::Meta;
use crate::labels::Labels;
use crate::resolve::{Collector, UnresolvedReason};

/// What external-dns prefixes its annotations with, from version 0.22 and before.
const PREFIXES: [&str; 2] = ["external-dns.kubernetes.io/", "external-dns.alpha.kubernetes.io/"];

/// Values of other annotations that are longer are not kept: tools put whole manifests there.
pub(super) const LONGEST_VALUE: usize = 256;

/// Whose annotations `controller` has to name, where it names anybody.
const CONTROLLER: &str = "dns-controller";

/// Seconds that external-dns takes for a time to live.
const TTL_SECONDS: RangeInclusive<f64> = 1.0..=2_147_483_647.0;

/// Has the listeners of a Gateway or ListenerSet claim their host names.
pub(super) const LISTENER_HOST_NAMES: &str = "dns.openmcp.cloud/listener-host-names";

/// The annotations of one object that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations(Labels);

/// Where the host names of an object are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostNameSource {
    /// From its annotation only.
    AnnotationOnly,
    /// From its spec only.
    DefinedHostsOnly,
}

impl Annotations {
    /// The value of an annotation.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)
    }

    /// One of external-dns's, by its name without the prefix; with the key that it has here.
    fn of_external_dns(&self, name: &str) -> Option<(String, &str)> {
        if self.0.iter().len() == 0 {
            return None;
        }
        PREFIXES.iter().find_map(|prefix| {
            let key = format!("{prefix}{name}");
            let value = self.get(&key)?;
            Some((key, value))
        })
    }

    /// Whether the object is another controller's.
    pub(super) fn are_for_others(&self) -> bool {
        self.of_external_dns("controller").is_some_and(|(_, value)| value != CONTROLLER)
    }

    /// Host names that the object names besides those of its spec.
    pub(super) fn host_names(&self) -> impl Iterator<Item = &str> {
        list(self.of_external_dns("hostname").map(|(_, value)| value))
    }

    /// What the object says is to be pointed to, instead of what its status says.
    pub(super) fn targets(&self) -> Vec<String> {
        let value = self.of_external_dns("target").map(|(_, value)| value);
        list(value).map(|target| target.trim_end_matches('.').to_owned()).collect()
    }

    /// How long answers may be kept, in seconds.
    pub(super) fn ttl_seconds(&self) -> Result<Option<u32>, UnresolvedReason> {
        let Some((key, value)) = self.of_external_dns("ttl") else { return Ok(None) };
        let seconds = value.trim().parse().ok().or_else(|| go_duration_seconds(value.trim()));
        match seconds.filter(|seconds| TTL_SECONDS.contains(seconds)) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in range")]
            Some(seconds) => Ok(Some(seconds as u32)),
            None => Err(UnresolvedReason::InvalidAnnotation(format!(
                "annotation {key} {value:?} is no time to live: write seconds (60) or a duration (1m30s)"
            ))),
        }
    }

    /// Whether the listeners of the object claim their host names.
    pub(super) fn publish_listeners(&self) -> bool {
        self.get(LISTENER_HOST_NAMES) == Some("true")
    }
}

/// Collects what an object claims, with the time to live that it asks for.
pub(super) fn collector(meta: &Meta) -> Collector {
    match meta.annotations.ttl_seconds() {
        Ok(ttl_seconds) => Collector::new(ttl_seconds),
        Err(invalid) => {
            let mut collector = Collector::new(None);
            collector.unresolved("", invalid);
            collector
        }
    }
}

/// Where host names of an object are taken from; `None` from everywhere, also where `name`, the annotation of its kind,
/// says something else.
pub(super) fn host_name_source(meta: &Meta, name: &str, collector: &mut Collector) -> Option<HostNameSource> {
    let (key, value) = meta.annotations.of_external_dns(name)?;
    match value.to_ascii_lowercase().as_str() {
        "annotation-only" => Some(HostNameSource::AnnotationOnly),
        "defined-hosts-only" => Some(HostNameSource::DefinedHostsOnly),
        _ => {
            let invalid = UnresolvedReason::InvalidAnnotation(format!(
                "annotation {key} {value:?} is neither \"annotation-only\" nor \"defined-hosts-only\": \
                 host names are taken from everywhere"
            ));
            collector.unresolved("", invalid);
            None
        }
    }
}

/// The entries of a list with commas.
fn list(value: Option<&str>) -> impl Iterator<Item = &str> {
    value.unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// Reads a duration as Go's `time.ParseDuration` does, for example `1h30m`.
fn go_duration_seconds(text: &str) -> Option<f64> {
    let (mut rest, mut seconds) = (text, None);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let unit_seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds = Some(seconds.unwrap_or(0.0) + number.parse::<f64>().ok()? * unit_seconds);
        rest = after;
    }
    seconds
}

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Kept)
    }
}

/// Reads what is kept.
struct Kept;

impl<'de> Visitor<'de> for Kept {
    type Value = Annotations;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut kept: Vec<(Box<str>, Box<str>)> = Vec::new();
        while let Some(key) = map.next_key::<Box<str>>()? {
            if key.starts_with("kubectl.kubernetes.io/") {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value: Box<str> = map.next_value()?;
            let has_meaning = PREFIXES.iter().any(|prefix| key.starts_with(prefix));
            if has_meaning || value.len() <= LONGEST_VALUE {
                kept.push((key, value));
            }
        }
        Ok(Annotations(kept.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(json: serde_json::Value) -> Annotations {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn both_prefixes_mean_the_same_and_the_newer_one_comes_first() {
        let old = annotations(
            serde_json::json!({"external-dns.alpha.kubernetes.io/hostname": "a.example, b.example,"}),
        );
        assert_eq!(old.host_names().collect::<Vec<_>>(), ["a.example", "b.example"]);
        let both = annotations(serde_json::json!({
            "external-dns.alpha.kubernetes.io/target": "10.0.0.1",
            "external-dns.kubernetes.io/target": "10.0.0.2, lb.example.",
        }));
        assert_eq!(both.targets(), ["10.0.0.2", "lb.example"]);
        assert!(!both.are_for_others());
        let others = annotations(serde_json::json!({"external-dns.alpha.kubernetes.io/controller": "mine"}));
        assert!(others.are_for_others());
    }

    #[test]
    fn a_time_to_live_is_seconds_or_a_duration() {
        let ttl = |value: &str| {
            annotations(serde_json::json!({"external-dns.kubernetes.io/ttl": value})).ttl_seconds()
        };
        for (value, seconds) in [("60", 60), ("15s", 15), ("1h1m1s", 3661), ("1.5m", 90), ("2500ms", 2)] {
            assert_eq!(ttl(value), Ok(Some(seconds)), "{value}");
        }
        for value in ["", "abc", "0", "-5", "10ms", "4000000000", "5 minutes", "m", "NaN", "inf"] {
            let UnresolvedReason::InvalidAnnotation(why) = ttl(value).unwrap_err() else { panic!("{value}") };
            assert!(why.contains(&format!("external-dns.kubernetes.io/ttl {value:?}")), "{why}");
        }
        assert_eq!(Annotations::default().ttl_seconds(), Ok(None));
    }

    #[test]
    fn what_tools_put_there_is_not_kept() {
        let annotations = annotations(serde_json::json!({
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "example/long": "x".repeat(LONGEST_VALUE + 1),
            "example/short": "yes",
            "external-dns.kubernetes.io/hostname": "a.example,".repeat(100),
        }));
        assert_eq!(annotations.0.iter().len(), 2);
        assert_eq!(annotations.get("example/short"), Some("yes"));
        assert_eq!(annotations.host_names().count(), 100);
    }
}
