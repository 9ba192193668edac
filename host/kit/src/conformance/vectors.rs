//! Tables: rows of one question each.
//!
//! Each row is asked of what decides on it in the service. How host names intersect and which protocols fit is no
//! function that anybody else calls, so those rows become a Gateway with one listener, and a route.

use openmcp_dns_core::kinds::{Kind, SourceRules, Watched};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::objects::{Change, Objects};
use openmcp_dns_core::record::RecordType;
use openmcp_dns_core::resolve::{Resolution, UnresolvedReason};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::report::Outcome;

/// A table of rows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    rows: Rows,
    #[serde(default, rename = "origin")]
    _origin: IgnoredAny,
    #[serde(default, rename = "meaning")]
    _meaning: IgnoredAny,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Rows {
    Intersections(Vec<Intersection>),
    Protocols(Vec<Protocol>),
    Names(Vec<Name>),
    Targets(Vec<Target>),
}

/// One row.
#[derive(Clone, Debug)]
pub(super) enum Row {
    Intersection(Intersection),
    Protocol(Protocol),
    Name(Name),
    Target(Target),
}

/// How two host names intersect; an empty one means any.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Intersection {
    #[serde(rename = "desc")]
    _description: IgnoredAny,
    a: String,
    b: String,
    host: String,
    #[serde(rename = "match")]
    matches: bool,
}

/// Whether a route of a protocol attaches to a listener of another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Protocol {
    #[serde(rename = "desc")]
    _description: IgnoredAny,
    route: String,
    listener: String,
    #[serde(rename = "match")]
    matches: bool,
}

/// Whether a text is a host name without a wildcard.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Name {
    #[serde(rename = "desc")]
    _description: IgnoredAny,
    #[serde(rename = "in")]
    text: String,
    valid: bool,
}

/// The type of the record that leads to a target.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    target: String,
    #[serde(rename = "type")]
    record_type: String,
}

impl Table {
    pub(super) fn rows(self) -> Vec<Row> {
        match self.rows {
            Rows::Intersections(rows) => rows.into_iter().map(Row::Intersection).collect(),
            Rows::Protocols(rows) => rows.into_iter().map(Row::Protocol).collect(),
            Rows::Names(rows) => rows.into_iter().map(Row::Name).collect(),
            Rows::Targets(rows) => rows.into_iter().map(Row::Target).collect(),
        }
    }
}

impl Row {
    /// Asks the question.
    pub(super) fn run(&self) -> Outcome {
        match self {
            Self::Intersection(Intersection { a, b, host, matches, .. }) => {
                let expected = if *matches { format!("match {host:?}") } else { "no match".to_owned() };
                let both = [intersection(a, b), intersection(b, a)];
                let other = both.into_iter().find(|came| *came != expected);
                compare(&format!("{a:?} with {b:?}"), &expected, other.as_ref().unwrap_or(&expected))
            }
            Self::Protocol(Protocol { route, listener, matches, .. }) => {
                let Some(kind) = Kind::parse(&format!("{route}Route")) else {
                    return Outcome::Skipped(format!("objects of kind {route}Route are not read"));
                };
                let (what, came) = (format!("{kind} at {listener}"), attaches(kind, listener));
                compare(&what, &matches.to_string(), &came.to_string())
            }
            Self::Name(Name { text, valid, .. }) => {
                let came = text.parse::<HostName>().is_ok_and(|name| !name.is_wildcard());
                compare(&format!("{text:?} is a host name"), &valid.to_string(), &came.to_string())
            }
            Self::Target(Target { target, record_type }) => {
                compare(target, record_type, RecordType::of_target(target).as_str())
            }
        }
    }
}

fn compare(what: &str, expected: &str, came: &str) -> Outcome {
    if expected == came {
        Outcome::Passed
    } else {
        Outcome::Failed(vec![format!("- {what}: {expected}"), format!("+ {what}: {came}")])
    }
}

/// What a route with one host name publishes at a listener with another.
fn intersection(listener: &str, route: &str) -> String {
    let resolution = resolve(Kind::HttpRoute, listener, "HTTP", route);
    let mismatch = |reason: &UnresolvedReason| matches!(reason, UnresolvedReason::HostNameMismatch(_));
    match &*resolution.wanted {
        [claim] if claim.host_name.parse::<HostName>().is_ok() => format!("match {:?}", claim.host_name),
        // Both mean any name, so there is none to publish.
        [] if !resolution.unresolved.iter().any(|unresolved| mismatch(&unresolved.reason)) => {
            "match \"\"".to_owned()
        }
        _ => "no match".to_owned(),
    }
}

/// Whether a route attaches to a listener of this protocol.
fn attaches(kind: Kind, protocol: &str) -> bool {
    let resolution = resolve(kind, "a.example", protocol, "");
    let refused = |reason: &UnresolvedReason| matches!(reason, UnresolvedReason::NoListener(_));
    !resolution.unresolved.iter().any(|unresolved| refused(&unresolved.reason))
}

fn resolve(kind: Kind, listener: &str, protocol: &str, route: &str) -> Resolution {
    let parent = json!({ "name": "gateway" });
    let hosts: Vec<&str> = if route.is_empty() { Vec::new() } else { vec![route] };
    let gateway = json!({
        "metadata": { "name": "gateway", "namespace": "default" },
        "spec": { "listeners": [{ "name": "one", "port": 80, "protocol": protocol, "hostname": listener }] },
        "status": { "addresses": [{ "value": "192.0.2.1" }] },
    });
    let route = json!({
        "metadata": { "name": "route", "namespace": "default" },
        "spec": { "hostnames": hosts, "parentRefs": [parent] },
        "status": { "parents": [{ "parentRef": parent, "conditions": [{ "type": "Accepted", "status": "True" }] }] },
    });
    let mut objects = Objects::default();
    let read = |kind, object: Value| Watched::from_json(kind, object).ok();
    for object in [read(Kind::Gateway, gateway), read(kind, route)].into_iter().flatten() {
        objects.apply(Change::Set(object));
    }
    let source = objects.sources().into_iter().find(|source| source.kind == kind);
    source.and_then(|source| objects.resolve(&source, &SourceRules::default())).unwrap_or_default()
}
