//! What the Gateway API's own conformance suite applies, through our resolver: which names each of its routes asks for.
//!
//! The suite's YAML comes from the cache that `scripts/setup test` fills. What an implementation would write into status is
//! written by a stand-in: addresses, and that every parent accepts every route. So whatever a route must not have it is
//! denied by the listeners themselves: by namespace, kind, section, port and host name. What the suite expects
//! stands in its Go code; `expected.txt` says it of every route, with the suite's test.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use openmcp_dns_core::kinds::{Kind, Role, SourceRules, Watched};
use openmcp_dns_core::objects::{Change, Objects};
use openmcp_dns_tests::kinds::documents;
use openmcp_dns_tests::programs::Provided;
use serde_json::{Value, json};

/// A line for each route: the suite's test, the route, and the names, or `-`.
const EXPECTED: &str = include_str!("expected.txt");

/// Each route also asks for this name, which no listener knows: where it attaches anywhere, it has it.
const MARK: &str = "attached.example";

/// The file of the suite's test, and kind, namespace and name of the route.
type Route = (String, String);

#[test]
fn every_route_of_the_suite_has_the_names_that_the_suite_says() {
    let tests = Provided::GatewayApiConformance.path().unwrap();
    let base = manifests(&tests.with_file_name("base").join("manifests.yaml"));
    let mut found: BTreeMap<Route, BTreeSet<String>> = BTreeMap::new();
    for file in fs::read_dir(&tests).unwrap().map(|file| file.unwrap().path()) {
        let test = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let own = manifests(&file);
        let mut objects = Objects::default();
        for object in base.iter().chain(&own).filter_map(watched) {
            objects.apply(Change::Set(object));
        }
        let own: BTreeSet<String> = own.iter().map(named).collect();
        for source in objects.sources() {
            let route = source.to_string();
            if !source.kind.as_str().ends_with("Route") || !own.contains(&route) {
                continue;
            }
            let resolution = objects.resolve(&source, &SourceRules::default()).unwrap_or_default();
            let names = resolution.wanted.into_iter().map(|claim| claim.host_name);
            let names = names.map(|name| if name == MARK { "attached".to_owned() } else { name }).collect();
            found.insert((test.clone(), route), names);
        }
    }
    let found: Vec<String> = found
        .into_iter()
        .map(|((test, route), names)| {
            let names: Vec<String> = names.into_iter().collect();
            let names = if names.is_empty() { "-".to_owned() } else { names.join(" ") };
            format!("{test} {route} {names}")
        })
        .collect();
    let expected: Vec<&str> =
        EXPECTED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let only = |these: &[&str], others: &[&str]| -> Vec<String> {
        these.iter().filter(|line| !others.contains(line)).map(ToString::to_string).collect()
    };
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    let (new, missing) = (only(&found, &expected), only(&expected, &found));
    assert!(
        new.is_empty() && missing.is_empty(),
        "found and not expected:\n{}\n\nexpected and not found:\n{}",
        new.join("\n"),
        missing.join("\n")
    );
}

/// An object as an implementation leaves it; `None` where its kind is not read.
fn watched(object: &Value) -> Option<Watched> {
    let kind = object["kind"].as_str().and_then(Kind::parse).filter(|kind| kind.is_watched())?;
    let mut object = object.clone();
    object["status"] = status(kind, &object);
    if kind == Kind::Namespace {
        // As an API server does.
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"].clone();
    }
    if kind.role() == Role::Source {
        object["metadata"]["annotations"]["external-dns.alpha.kubernetes.io/hostname"] = MARK.into();
    }
    Some(Watched::from_json(kind, object).unwrap())
}

/// What an implementation writes that accepts everything.
fn status(kind: Kind, object: &Value) -> Value {
    let good = json!([
        { "type": "Accepted", "status": "True" },
        { "type": "Programmed", "status": "True" },
    ]);
    match kind {
        Kind::Gateway => json!({ "addresses": [{ "value": "10.0.0.1" }] }),
        Kind::ListenerSet => {
            let listeners = object["spec"]["listeners"].as_array().cloned().unwrap_or_default();
            let listeners =
                listeners.iter().map(|listener| json!({ "name": listener["name"], "conditions": good }));
            json!({ "conditions": good, "listeners": listeners.collect::<Vec<_>>() })
        }
        _ => {
            let parents = object["spec"]["parentRefs"].as_array().cloned().unwrap_or_default();
            let parents = parents.iter().map(|parent| json!({ "parentRef": parent, "conditions": good }));
            json!({ "parents": parents.collect::<Vec<_>>() })
        }
    }
}

fn manifests(file: &Path) -> Vec<Value> {
    documents(&fs::read_to_string(file).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error:#}", file.display()))
}

/// Kind, namespace and name.
fn named(object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    format!("{}/{}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
}
